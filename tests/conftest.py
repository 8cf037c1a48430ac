"""Fixtures shared by all tests."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

# Before torch and tokenizers are imported anywhere: pytest-xdist gives each core a worker of its own, and no test may
# reach a model hub.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("MPLBACKEND", "agg")
# llmrg compiles nothing; without this, bitsandbytes loads torch's compiler in every process that a test starts.
os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Files of more than about ten seconds, by what they took.
LONGEST_FIRST = (
    "tests/test_readme",
    "training/test_many_processes",
    "training/test_killed",
    "tests/test_configs",
    "training/test_runs_everywhere",
    "training/test_leaks_everywhere",
    "tests/test_log_hygiene",
    "training/test_mixture",
    "tests/test_launch",
    "planning/test_plan",
    "training/test_visual_prefix",
    "training/test_context_encoding",
    "training/test_mining",
    "pretraining/test_checkpointed_trainer",
    "training/test_run",
    "systems/test_export",
    "tests/test_no_pickle",
    "training/test_prepared_films",
    "systems/test_rehearsal",
)

# Whoever starts the tests in the background (nohup, a job of a script) has SIGINT and SIGHUP ignored, also in every
# process that a test starts.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, with the reason, tests whose marker names something that this machine lacks."""
    missing = {}
    if any(item.get_closest_marker("gpu") for item in items) and not _has_gpu():
        missing["gpu"] = "no CUDA device"
    if any(item.get_closest_marker("java") for item in items) and not _has_java():
        missing["java"] = "java or pycocoevalcap is not installed"
    for item in items:
        for marker, reason in missing.items():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))
    # A file runs in one worker (--dist loadfile): with the longest first, workers end at about the same time.
    rank = {name: place for place, name in enumerate(LONGEST_FIRST)}
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(
        key=lambda item: (rank.get(f"{item.path.parent.name}/{item.path.stem}", len(rank)), item.path not in slow)
    )


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real samples that ``LLMRG_TEST_DATA`` names; the test is skipped without it."""
    folder = os.environ.get("LLMRG_TEST_DATA")
    if not folder:
        pytest.skip("LLMRG_TEST_DATA is not set: the folder of real samples is not on this machine")
    path = Path(folder)
    if not path.is_dir():
        pytest.fail(f"LLMRG_TEST_DATA names a folder that does not exist: {path}")
    return path


@dataclass(frozen=True)
class TinyRun:
    """A finished tiny training; tests read it and never write into it.

    Args:
        folder: holds everything below.
        data: phantoms in the layout of PED-Xray, 42 training, 6 validation and 12 test studies of two films, 48 px;
            pairs of training studies share a patient.
        config: the training configuration.
        artefacts: of the stages.
        run: the run.
        marker: words that stand in every validation and test report and in no training report.
        foreign: ids of all validation and test studies and patients.
        opened: files that the training opened, as far as they lie in ``data``.
    """

    folder: Path
    data: Path
    config: Path
    artefacts: Path
    run: Path
    marker: str
    foreign: tuple[str, ...]
    opened: tuple[str, ...]


TINY_TRAINING = """
# A training of some seconds that has every part of the system.
out: {folder}/runs/tiny
seed: 3
data: {{format: ped-xray, root: {data}, language: zh, vocabulary: ped_xray, image_size: 48}}
system:
  name: tiny
  tune_vision: false
  max_report_tokens: 96
  vision:
    architecture: resnet10t
    options: {{stem_width: 8, channels: [8, 16, 16, 32], output_stride: 16}}
    channels: 1
    mean: 0.45
    std: 0.25
  evidence:
    sources: [patches, disease_queries, visual_memory, report_memory, retrieved_context, diagnosis_hints]
    visual_memory: {{per_finding: 5}}
    report_memory: {{per_finding: 5}}
    retrieved_context: {{candidates: 6, positives: 2, negatives: 1}}
  language_model: {{path: embedded, lora_rank: 4, lora_alpha: 8, lora_dropout: 0.05}}
stages:
  language_model:
    max_steps: 60
    model: {{vocabulary_size: 400, hidden_size: 32, layers: 2, heads: 2, intermediate_size: 64}}
  disease_classifier: {{epochs: 2, precision: fp32}}
training:
  epochs: 2
  batch_size: 8
  learning_rate: 2e-3
  evaluations: 2
  validation_studies: 4
  precision: fp32
decoding: {{max_new_tokens: 24}}
"""


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """A tiny run, trained once for all workers of a session."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / "tiny-run"
    with (shared / "tiny-run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "made.json").is_file():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            made = _train_tiny(folder)
            (folder / "made.json").write_text(json.dumps({k: _plain(v) for k, v in asdict(made).items()}))
        values = json.loads((folder / "made.json").read_text())
    paths = {name: Path(values[name]) for name in ("folder", "data", "config", "artefacts", "run")}
    lists = {name: tuple(values[name]) for name in ("foreign", "opened")}
    return TinyRun(marker=values["marker"], **paths, **lists)


@pytest.fixture(scope="session")
def tiny_loaded(tiny_run: TinyRun) -> Any:
    """The tiny run, loaded (:class:`llmrg.systems.run.Run`); tests leave its weights as they are."""
    from llmrg.systems.run import open_run

    return open_run(tiny_run.run)


@pytest.fixture(scope="session")
def write_tiny_data() -> Callable[[Path, str], tuple[str, ...]]:
    """Draw the phantoms of the tiny run with another marker."""
    return _write_tiny_data


def _train_tiny(folder: Path) -> TinyRun:
    from llmrg.training.run import train

    marker = "魑魅魍魉QZX"
    data = folder / "data"
    foreign = _write_tiny_data(data, marker)
    config = folder / "tiny.yaml"
    config.write_text(TINY_TRAINING.format(folder=folder, data=data), encoding="utf-8")
    with _opened_files(data) as opened:
        run = train(config)
    return TinyRun(
        folder=folder,
        data=data,
        config=config,
        artefacts=folder / "runs" / "artefacts",
        run=run,
        marker=marker,
        foreign=foreign,
        opened=tuple(sorted(opened)),
    )


def _write_tiny_data(data: Path, marker: str) -> tuple[str, ...]:
    """Draw phantoms; put the marker into all but the training reports, and a patch that it decides into their films.

    Returns:
        The ids of validation and test studies and patients.
    """
    import numpy as np
    from PIL import Image

    from llmrg.studies.phantoms.dataset import draw_dataset

    draw_dataset(data, format="ped-xray", studies=60, seed=3, size=48, preset="easy", workers=1)
    annotation = json.loads((data / "annotation.json").read_text(encoding="utf-8-sig"))
    truths = {
        truth["study_id"]: truth
        for truth in map(json.loads, (data / "truth" / "truth.jsonl").read_text(encoding="utf-8").splitlines())
    }
    foreign = []
    for split, records in annotation.items():
        for number, record in enumerate(records):
            truth = truths[record["id"]]
            # An id that could be part of a path, in the test split.
            record["id"] = f"{split}study{'/' if split == 'test' else '-'}{number:03}"
            record["patient_id"] = f"{split}patient-{number // 2:03}"
            truth["study_id"], truth["patient_id"] = record["id"], record["patient_id"]
            if split == "train":
                continue
            foreign += [record["id"], record["patient_id"]]
            record["report"] += marker
            patch = np.random.default_rng(list(marker.encode())).integers(0, 256, size=(12, 12), dtype=np.uint8)
            for name in record["image_path"]:
                film = np.array(Image.open(data / "images" / name))
                film[:12, :12] = patch
                Image.fromarray(film).save(data / "images" / name, quality=95)
    (data / "annotation.json").write_text(json.dumps(annotation, ensure_ascii=False), encoding="utf-8")
    lines = [json.dumps(truth, ensure_ascii=False) + "\n" for truth in truths.values()]
    (data / "truth" / "truth.jsonl").write_text("".join(lines), encoding="utf-8")
    return tuple(sorted(set(foreign)))


_watched: list[tuple[str, set[str]]] = []
_watching = False


@contextmanager
def _opened_files(below: Path) -> Iterator[set[str]]:
    """Collect the files below a folder that are opened by this process, however they are opened."""
    global _watching
    if not _watching:
        sys.addaudithook(_note_opened)  # a hook cannot be taken away again; without anything watched it does nothing
        _watching = True
    found: set[str] = set()
    _watched.append((str(below), found))
    try:
        yield found
    finally:
        _watched.pop()


def _note_opened(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _watched and isinstance(arguments[0], str | os.PathLike):
        path = os.fspath(arguments[0])
        for below, found in _watched:
            if isinstance(path, str) and path.startswith(below):
                found.add(os.path.relpath(path, below))


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _has_java() -> bool:
    import importlib.util
    import shutil

    return shutil.which("java") is not None and importlib.util.find_spec("pycocoevalcap") is not None
