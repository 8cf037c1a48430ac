"""Logs hold no report text and no DICOM header, however much is logged and whatever goes wrong.

Markers are planted in reports, in clinical context and in DICOM headers; everything that a training, a generation and
a dozen failures print or log (verbose, with tracebacks and every warning) is searched for them.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

from llmrg.console import describe_error
from llmrg.errors import UserError
from llmrg.studies.images import load_image
from llmrg.systems.byte_scan import Needles, scan_directory
from llmrg.training.run import train

REPORT = "患者甄隐私QZX"
NAME = "SECRETNAME^ZHENYINSI"
HEADER = "SECRETHEADER"
MARKERS = (REPORT, REPORT[2:], NAME, NAME.split("^")[0], HEADER, HEADER.lower())
QUICK = (
    "stages.language_model.max_steps=3",
    "stages.disease_classifier.epochs=1",
    "training.epochs=0.4",
    "training.evaluations=1",
    "training.validation_studies=2",
    "training.logging_steps=1",
    "decoding.max_new_tokens=4",
    "data.max_bad_fraction=0.5",
)


def as_dicom(film: Path, out: Path, *, strange: bool = False) -> None:
    """Write a film as DICOM whose header names the patient; a strange one has values that make pydicom warn."""
    pixels = np.array(Image.open(film).convert("L"))
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(str(out), {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.PatientName = NAME
    dataset.PatientID = f"{HEADER}-ID"
    dataset.InstitutionName = f"{HEADER} hospital"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    dataset.PixelData = pixels.tobytes() + b"\0" * (pixels.size % 2)
    dataset.save_as(out, enforce_file_format=True)
    if strange:
        content = out.read_bytes()
        extra = b""
        for tag, vr, value in (
            (b"\x10\x00\x30\x00", b"DA", f"{HEADER}-DATE"),
            (b"\x10\x00\x40\x00", b"CS", f"{HEADER.lower()}sex"),
            (b"\x10\x00\x10\x10", b"AS", f"{HEADER}AGE"),
        ):
            padded = value + " " * (len(value) % 2)
            extra += tag + vr + len(padded).to_bytes(2, "little") + padded.encode()
        place = content.index(b"\x28\x00\x02\x00US")
        content = content[:place] + extra + content[place:]
        # Windows of words in place of numbers, after the other elements of their group.
        place = content.index(b"\xe0\x7f\x10\x00")
        window = b"".join(
            tag + b"DS" + len(HEADER).to_bytes(2, "little") + HEADER.encode()
            for tag in (b"\x28\x00\x50\x10", b"\x28\x00\x51\x10")
        )
        out.write_bytes(content[:place] + window + content[place:])


@pytest.fixture(scope="module")
def secret_data(
    write_tiny_data: Callable[[Path, str], tuple[str, ...]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The phantoms of the tiny run with markers in every report, and DICOM films of all sorts, sound and broken."""
    root = tmp_path_factory.mktemp("secret") / "data"
    write_tiny_data(root, REPORT)
    path = root / "annotation.json"
    annotation = json.loads(path.read_text(encoding="utf-8-sig"))
    for split, records in annotation.items():
        for number, record in enumerate(records):
            record["report"] = record["report"].replace(REPORT, "") + REPORT + "。"
            record["indication"] = REPORT
            if number < 5:
                source = root / "images" / record["image_path"][0]
                target = source.with_suffix(".dcm")
                as_dicom(source, target, strange=number == 1)
                if number == 2:
                    target.write_bytes(target.read_bytes()[:-200])
                elif number == 3:
                    content = target.read_bytes()
                    place = content.index(b"\x28\x00\x10\x00US")
                    target.write_bytes(content[:place] + HEADER.encode() + content[place:])
                elif number == 4:
                    target.write_bytes(target.read_bytes()[:400])
                record["image_path"][0] = target.relative_to(root / "images").as_posix()
        assert split in ("train", "val", "test")
    path.write_text(json.dumps(annotation, ensure_ascii=False), encoding="utf-8")
    return root


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    loud = {
        "PYTHONWARNINGS": "always",
        "TRANSFORMERS_VERBOSITY": "debug",
        "LLMRG_TRACEBACK": "1",
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "PYTHONIOENCODING": "utf-8",
    }
    return subprocess.run(
        [sys.executable, "-m", "llmrg.cli", "--verbose", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=300,
        env={**os.environ, **loud, **environment},
    )


def no_marker(text: str) -> None:
    shown = [marker for marker in (*MARKERS, json.dumps(REPORT)[1:-1]) if marker in text]
    assert not shown, f"{shown} in {text[-3000:]}"


@pytest.fixture(scope="module")
def secret_run(secret_data: Path, tiny_run: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training on that data; what it said is beside it."""
    folder = tmp_path_factory.mktemp("secret-run")
    out = folder / "runs" / "tiny"
    overrides = [f"out={out}", f"data.root={secret_data}", *QUICK]
    done = run("train", str(tiny_run.config), *overrides)
    assert done.returncode == 0, done.stderr[-4000:]
    (folder / "said.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    return out


@pytest.mark.slow
def test_training_logs_no_word_of_a_patient(secret_run: Path) -> None:
    said = (secret_run.parent.parent / "said.txt").read_text(encoding="utf-8")
    assert "set aside" in said
    assert "validation" in said
    no_marker(said)
    logs = secret_run.parent / "logs"
    assert list(logs.rglob("events.out.tfevents.*"))
    assert scan_directory(logs, Needles(words=MARKERS)) == []
    for name in ("log.json", "train.yaml", "run.yaml", "manifest.json", "README.md"):
        no_marker((secret_run / name).read_text(encoding="utf-8"))


@pytest.mark.slow
def test_generating_logs_no_word_of_a_patient(
    secret_run: Path, secret_data: Path, tiny_run: Any, tmp_path: Path
) -> None:
    out = tmp_path / "p.jsonl"
    data = ["--data", str(tiny_run.config), "--set", f"root={secret_data}", "--set", "max_bad_fraction=0.9"]
    done = run("generate", str(secret_run), "--out", str(out), "--limit", "5", *data)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr.count("set aside: ") >= 3
    no_marker(done.stdout + done.stderr)
    no_marker((tmp_path / "p.jsonl.info.json").read_text(encoding="utf-8"))
    broken = min(path for path in (secret_data / "images").rglob("*.dcm") if path.stat().st_size == 400)
    failed = run("generate", str(secret_run), str(broken))
    assert failed.returncode != 0
    assert "Traceback" in failed.stderr
    no_marker(failed.stdout + failed.stderr)


def test_failures_quote_nothing(
    secret_data: Path,
    tiny_run: Any,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """No bad study tolerated; annotations cut in the middle of a report, of wrong types, in another encoding."""
    annotation = (secret_data / "annotation.json").read_text(encoding="utf-8")
    place = annotation.index(REPORT) + 4
    records = json.loads(annotation)
    records["train"][0]["report"] = {"text": REPORT}
    strange = {
        "cut": annotation[:place].encode(),
        "types": json.dumps(records, ensure_ascii=False).encode(),
        "utf-16": annotation.encode("utf-16"),
        "gbk": annotation.encode("gbk"),
        "nul": annotation.replace(REPORT, REPORT + "\x00").encode(),
        "list": json.dumps([REPORT] * 3).encode(),
    }
    common = [f"out={tmp_path / 'out'}", f"data.root={secret_data}", *QUICK]
    cases = [["data.max_bad_fraction=0"]]
    for name, content in strange.items():
        path = secret_data / f"{name}.json"
        path.write_bytes(content)
        cases.append([f"data.annotation={path.name}", "data.max_bad_fraction=0"])
    caplog.set_level(logging.DEBUG)
    said = set()
    for more in cases:
        with pytest.raises(UserError) as failed:
            train(tiny_run.config, [*common, *more], dry_run=True)
        no_marker("".join(traceback.format_exception(failed.value)) + describe_error(failed.value)[1])
        said.add(describe_error(failed.value)[1])
    assert len(said) >= 4, said
    captured = capfd.readouterr()
    no_marker(caplog.text + captured.out + captured.err)


def test_reading_dicom_logs_nothing_of_the_header(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """With every logger at DEBUG and every warning shown, and tracebacks printed whole."""
    caplog.set_level(logging.DEBUG)
    film = tmp_path / "film.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, size=(40, 40), dtype=np.uint8)).save(film)
    as_dicom(film, tmp_path / "sound.dcm")
    as_dicom(film, tmp_path / "strange.dcm", strange=True)
    assert NAME in str(pydicom.dcmread(tmp_path / "strange.dcm").PatientName)
    content = (tmp_path / "strange.dcm").read_bytes()
    for cut in (150, 300, len(content) // 2, len(content) - 10):
        (tmp_path / f"cut-{cut}.dcm").write_bytes(content[:cut])
    for tag in (b"\x28\x00\x10\x00US", b"\x28\x00\x00\x01US", b"\x28\x00\x04\x00CS"):
        place = content.index(tag)
        (tmp_path / f"garbled-{place}.dcm").write_bytes(content[:place] + HEADER.encode() * 2 + content[place:])
        (tmp_path / f"value-{place}.dcm").write_bytes(
            content[:place] + tag + len(HEADER).to_bytes(2, "little") + HEADER.encode() + content[place + 10 :]
        )
    caplog.clear()
    told = []
    for path in sorted(tmp_path.glob("*.dcm")):
        try:
            assert load_image(path).ndim == 2
        except Exception as error:
            told.append("".join(traceback.format_exception(error)))
    assert len(told) >= 4
    no_marker("\n".join(told))
    captured = capfd.readouterr()
    no_marker(caplog.text + captured.out + captured.err)
