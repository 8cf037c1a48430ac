"""Nothing of validation or test enters what a training leaves: planted markers are looked for in every byte.

Two proofs beside the search: the files that the training opened, and a second training on data whose validation and
test studies hold other words and other pixels, which must leave the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from transformers import AutoTokenizer

from llmrg.config import load_config
from llmrg.studies.dataset import collate_studies, read_films
from llmrg.studies.reading import read_studies
from llmrg.training.run import train
from llmrg.training.settings import TrainConfig


def produced(tiny_run: Any) -> list[Path]:
    """Every file the training left: artefacts, run, logs."""
    files = [path for path in (tiny_run.folder / "runs").rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"model.safetensors", "index.faiss", "records.jsonl", "tokenizer.json"}
    return files


def test_no_marker_and_no_foreign_id_in_any_file(tiny_run: Any) -> None:
    needles = [*tiny_run.foreign, tiny_run.marker, tiny_run.marker[:2], tiny_run.marker[-3:]]
    spellings = {
        needle: {needle.encode(), needle.encode("utf-16-le"), json.dumps(needle)[1:-1].encode()} for needle in needles
    }
    for path in produced(tiny_run):
        content = path.read_bytes()
        for needle, forms in spellings.items():
            if len(needle) < 4 and path.suffix in (".safetensors", ".faiss"):
                continue  # three letters do turn up in the bytes of numbers
            assert not [form for form in forms if form in content], f"{needle!r} in {path}"


def test_the_search_would_find_them(tiny_run: Any, tmp_path: Path) -> None:
    """The same bytes stand in the data, and training studies do stand in the artefacts."""
    annotation = (tiny_run.data / "annotation.json").read_bytes()
    assert tiny_run.marker.encode() in annotation
    assert all(study.encode() in annotation for study in tiny_run.foreign)
    assert b"trainstudy-000" in (tiny_run.run / "artefacts" / "index" / "faiss" / "records.jsonl").read_bytes()


def test_marker_is_no_token_and_spelt_in_bytes(tiny_run: Any) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_run.run / "tokenizer")
    reference = AutoTokenizer.from_pretrained(tiny_run.artefacts / "language_model")
    assert tokenizer.get_vocab() == reference.get_vocab()
    rare = tiny_run.marker[:4]
    pieces = tokenizer(rare, add_special_tokens=False).input_ids
    assert len(pieces) == len(rare.encode()), "a token joins bytes of the marker"


def test_banks_and_index_hold_training_studies_alone(tiny_run: Any) -> None:
    artefacts = tiny_run.run / "artefacts"
    for bank in ("visual_memory", "report_memory"):
        rows = [json.loads(line) for line in (artefacts / "memory" / f"{bank}.jsonl").read_text().splitlines()]
        assert rows
        assert {row["study_id"].split("-")[0] for row in rows} == {"trainstudy"}
        assert {row["patient_id"].split("-")[0] for row in rows} == {"trainpatient"}
        assert len(load_file(artefacts / "memory" / f"{bank}.safetensors")["vectors"]) == len(rows)
    records = [
        json.loads(line) for line in (artefacts / "index" / "faiss" / "records.jsonl").read_text().splitlines() if line
    ]
    assert len(load_file(artefacts / "index" / "context.safetensors")["reports"]) == 42
    assert "trainstudy-041" in json.dumps(records)


def test_training_never_opens_test_films(tiny_run: Any) -> None:
    annotation = json.loads((tiny_run.data / "annotation.json").read_text(encoding="utf-8"))
    films = {split: {f"images/{n}" for r in records for n in r["image_path"]} for split, records in annotation.items()}
    opened = set(tiny_run.opened)
    assert "annotation.json" in opened
    assert films["train"] <= opened
    assert not films["test"] & opened
    assert not [name for name in opened if name.startswith("truth")], "the phantoms' true findings were read"
    assert opened <= {"annotation.json"} | films["train"] | films["val"]


def test_the_reference_report_does_not_enter_the_prompt(tiny_loaded: Any) -> None:
    data, system = tiny_loaded.config.data, tiny_loaded.system
    studies = list(read_studies(data).split("test"))[:3]
    bare = [replace(study, sections={}, labels=None, split="unknown") for study in studies]
    written = [
        system.generate(
            collate_studies([(study, read_films(study, data), {}) for study in chosen]),
            tiny_loaded.config.decoding,
            with_records=True,
        )
        for chosen in (studies, bare)
    ]
    assert [(r.text, r.records, r.log_probabilities) for r in written[0]] == [
        (r.text, r.records, r.log_probabilities) for r in written[1]
    ]


def test_other_validation_and_test_studies_leave_the_same_bytes(
    tiny_run: Any, write_tiny_data: Callable[[Path, str], tuple[str, ...]], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    write_tiny_data(data, "饕餮饕餮WVK别样")
    out = tmp_path / "runs" / "tiny"
    # One evaluation, at the end of both, so that choosing cannot differ.
    config = load_config(TrainConfig, tiny_run.config, [f"data.root={data}", f"out={out}", "training.evaluations=1"])
    train(config)
    first = tiny_run.run / "artefacts"
    compared = 0
    for path in sorted(p for p in first.rglob("*") if p.is_file()):
        other = out / "artefacts" / path.relative_to(first)
        if path.name in ("manifest.json", "log.json"):
            continue  # times, and the validation score of the classifier
        assert path.read_bytes() == other.read_bytes(), path.name
        compared += 1
    assert compared >= 10
    for stage in ("language_model", "memory", "index", "disease_classifier"):
        one, two = (json.loads((d / stage / "manifest.json").read_text()) for d in (first, out / "artefacts"))
        assert one["details"].pop("validation", None) is None or two["details"].pop("validation")
        assert one == two
    weights, others = (load_file(run / "model.safetensors") for run in (tiny_run.run, out))
    assert weights.keys() == others.keys()
    assert all(np.isfinite(value).all() for value in others.values())
    if _chosen_step(tiny_run.run) == _chosen_step(out):
        assert all(np.array_equal(weights[name], others[name]) for name in weights)


def _chosen_step(run: Path) -> int:
    log = json.loads((run / "log.json").read_text())
    rows = [row for row in log if "eval_clinical_micro_f1" in row]
    best = max(row["eval_clinical_micro_f1"] for row in rows)
    return int(next(row["step"] for row in rows if row["eval_clinical_micro_f1"] == best))


def test_tensorboard_logs_lie_beside_the_run_and_hold_figures_alone(tiny_run: Any) -> None:
    logs = tiny_run.run.parent / "logs" / tiny_run.run.name
    assert len(list(logs.glob("events.out.tfevents.*"))) == 1
    events = EventAccumulator(str(logs)).Reload()
    assert {"train/loss_language", "eval/clinical_micro_f1"} <= set(events.Tags()["scalars"])


@pytest.mark.parametrize("name", ["README.md", "train.yaml", "run.yaml", "manifest.json", "log.json"])
def test_texts_of_the_run_name_no_study(tiny_run: Any, name: str) -> None:
    text = (tiny_run.run / name).read_text(encoding="utf-8")
    assert "trainstudy" not in text
    assert "patient-" not in text
