"""Systems of every kind, variant and setting, trained on tiny data with planted markers while it is watched what is
opened; tests of leaks and of what becomes of runs share them.
"""

from __future__ import annotations

import fcntl
import functools
import gc
import importlib.util
import json
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

FOREIGN = "魑魅魍魉QZX"
PLANTED = "骐骥骅骝JKW"
KEPT = {"train": 20, "val": 4, "test": 4}
"""Studies of each split; four studies have one patient."""

SWIN = (
    "system.vision.architecture=swin_tiny_patch4_window7_224",
    "system.vision.options={embed_dim: 12, depths: [1, 1], num_heads: [2, 4], window_size: 6, drop_path_rate: 0.0}",
)
MAMBA = ("system.vision.architecture=arm_micro", "system.vision.options={depth: 2, width: 32, drop_path: 0.0}")
CONV = (
    "system.vision.architecture=resnet10t",
    "system.vision.options={stem_width: 8, channels: [8, 16, 16, 32], output_stride: 16}",
)
CLASSIFIER = ("stages.disease_classifier={epochs: 1, batch_size: 8, precision: fp32}",)
LITTLE = (
    "seed=3",
    "data.image_size=48",
    "system.max_report_tokens=64",
    "stages.language_model={max_steps: 120, batch_size: 8, learning_rate: 5e-3, "
    "model: {vocabulary_size: 420, hidden_size: 32, layers: 2, heads: 2, intermediate_size: 64}}",
    "training={epochs: 1, batch_size: 10, evaluations: 1, validation_studies: 2, precision: fp32, logging_steps: 1, "
    "learning_rate: 6e-3}",
    "decoding={strategy: greedy, max_new_tokens: 12, min_new_tokens: 6}",
)
FROZEN, FULL = (f"system.language_model={{path: embedded, tuning: {how}}}" for how in ("frozen", "full"))
CONTEXT = "system.evidence.context_residuals={mode: %s, pairs: 2, reserve: 6, candidates: 6}"
EVIDENCE = (
    "system.evidence.visual_memory={per_finding: 5}",
    "system.evidence.report_memory={per_finding: 5}",
    "system.evidence.retrieved_context={candidates: 6, positives: 2, negatives: 1, sentences: 2, threshold: 0.05}",
)

QUANTISED = {
    f"r2gengpt-{bits}": (
        "r2gengpt",
        "system.variant=shallow",
        f"system.language_model={{path: embedded, tuning: lora, lora_rank: 4, quantisation: {bits}}}",
        *SWIN,
    )
    for bits in ("4bit", "8bit")
    if importlib.util.find_spec("bitsandbytes")
}

SYSTEMS: Mapping[str, tuple[str, ...]] = {
    # Name to the quickstart configuration and what is set in it, besides LITTLE.
    "r2gengpt-shallow": ("r2gengpt", "system.variant=shallow", FROZEN, *SWIN),
    "r2gengpt-delta": ("r2gengpt", "system.variant=delta", *SWIN),
    "r2gengpt-deep-faithful": ("r2gengpt", "system.variant=deep", "system.setting=faithful", *SWIN),
    "r2gencsr-keyword-faithful": (
        "r2gencsr",
        "system.setting=faithful",
        "system.tune_vision=true",
        "system.evidence.sources=[patches,context_residuals]",
        CONTEXT % "keyword",
        *SWIN,
    ),
    "r2gencsr-random-faithful": (
        "r2gencsr",
        "system.setting=faithful",
        "system.evidence.sources=[patches,context_residuals]",
        CONTEXT % "random",
        *MAMBA,
    ),
    "r2gencsr-random": ("r2gencsr", CONTEXT % "random", *CONV, *CLASSIFIER),
    "r2gencsr-labels": ("r2gencsr", CONTEXT % "labels", "system.tune_vision=true", FROZEN, *CONV, *CLASSIFIER),
    "r2gencsr-similarity": ("r2gencsr", CONTEXT % "similarity", *CONV, *CLASSIFIER),
    "r2gencsr-similarity-tuned": (
        "r2gencsr",
        CONTEXT % "similarity",
        "system.tune_vision=true",
        *CONV,
        *CLASSIFIER,
    ),
    "mambaxray_vl": ("mambaxray_vl", *MAMBA),
    "mambaxray_vl-faithful": ("mambaxray_vl", "system.setting=faithful", FROZEN, *MAMBA),
    "ammrg": (
        "ammrg",
        "stages.activation_maps.threshold=0.5",
        "stages.memory.report_samples=20",
        *CONV,
        *CLASSIFIER,
    ),
    "ammrg-faithful": (
        "ammrg",
        "system.setting=faithful",
        "system.tune_vision=true",
        "system.evidence.disease_queries={head: qformer, heads: 2, qformer: {layers: 2, width: 32, inner_width: 48, "
        "cross_attention_every: 2, visual_width: 40, classifier: [16]}}",
        "stages.memory.report_samples=20",
        *CONV,
        *CLASSIFIER,
    ),
    "llmrg": ("ped_xray", *EVIDENCE[:2], *CONV, *CLASSIFIER),
    "llmrg-everything": (
        "ped_xray",
        "system.evidence.gates=true",
        "system.evidence.sources=[patches,disease_queries,visual_memory,report_memory,retrieved_context,"
        "context_residuals,diagnosis_hints]",
        "system.evidence.diagnosis_hints={calibrate: true, threshold: null, sure: 0.9}",
        "system.tune_vision=true",
        "training.source_dropout={diagnosis_hints: 0.5, retrieved_context: 0.2}",
        "training.oversampling={times: 2}",
        CONTEXT % "similarity",
        *EVIDENCE,
        *CONV,
        *CLASSIFIER,
    ),
    "visual_prefix": ("visual_prefix", "system.name=visual_prefix", FULL, *CONV),
    **QUANTISED,
}


@dataclass(frozen=True, kw_only=True)
class Planted:
    """Tiny data with markers.

    Args:
        root: phantoms in the layout of PED-Xray.
        artefacts: where a language model and a disease classifier of these data lie, for systems that they fit.
        foreign: stands in every validation and test report.
        told: stands in every sentence of every training report.
    """

    root: Path
    artefacts: Path
    foreign: str = FOREIGN
    told: str = PLANTED

    def annotation(self) -> dict[str, list[dict[str, Any]]]:
        """The records by split."""
        found: dict[str, list[dict[str, Any]]] = json.loads((self.root / "annotation.json").read_text("utf-8"))
        return found

    def names(self, *splits: str) -> set[str]:
        """Ids of studies and patients of splits."""
        return {record[key] for split in splits for record in self.annotation()[split] for key in ("id", "patient_id")}

    def films(self, *splits: str) -> set[str]:
        """Films of splits, relative to the root."""
        own = self.annotation()
        return {f"images/{name}" for split in splits for record in own[split] for name in record["image_path"]}


@dataclass(frozen=True, kw_only=True)
class TrainedSystem:
    """A finished training.

    Args:
        name: in the list of systems.
        folder: holds everything that it left, and what it printed.
        run: the run.
        config: the configuration, read anew.
        opened: files of the data that were opened, by what was going on.
        written: what the system wrote of :func:`asked` studies just before it was saved.
    """

    name: str
    folder: Path
    run: Path
    config: Any
    opened: Mapping[str, frozenset[str]]
    written: list[Any]


@pytest.fixture(scope="session")
def planted(
    tmp_path_factory: pytest.TempPathFactory, write_tiny_data: Callable[[Path, str], tuple[str, ...]]
) -> Planted:
    """Tiny data: a marker in validation and test, another in training; patients with several studies."""

    def make(folder: Path) -> None:
        write_tiny_data(folder / "drawn", FOREIGN)
        _plant(folder / "drawn", folder / "data")

    folder = _once(tmp_path_factory, "planted", make)
    return Planted(root=folder / "data", artefacts=folder / "artefacts")


@pytest.fixture(scope="session")
def train_planted(
    repository: Path, planted: Planted, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], TrainedSystem]:
    """Train a system of the list by its command, once for all workers of a session."""

    @functools.cache
    def train(name: str) -> TrainedSystem:
        from llmrg.config import load_config
        from llmrg.training.settings import TrainConfig

        source = repository / "configs" / "quickstart" / f"{SYSTEMS[name][0]}.yaml"

        def make(folder: Path) -> None:
            _train(source, _overrides(name, folder, planted), folder, planted)

        folder = _once(tmp_path_factory, f"planted-{name}", make)
        opened = json.loads((folder / "opened.json").read_text(encoding="utf-8"))
        return TrainedSystem(
            name=name,
            folder=folder,
            run=folder / "runs" / "run",
            config=load_config(TrainConfig, source, _overrides(name, folder, planted)),
            opened={phase: frozenset(names) for phase, names in opened.items()},
            written=json.loads((folder / "written.json").read_text(encoding="utf-8")),
        )

    return train


@pytest.fixture(scope="session")
def planted_configs(repository: Path, planted: Planted) -> Mapping[str, Any]:
    """The configurations of all systems of the list, by name."""
    from llmrg.config import load_config
    from llmrg.training.settings import TrainConfig

    folder = repository / "configs" / "quickstart"
    return {
        name: load_config(TrainConfig, folder / f"{own[0]}.yaml", _overrides(name, Path("x"), planted))
        for name, own in SYSTEMS.items()
    }


@pytest.fixture(scope="session")
def planted_overrides(repository: Path, planted: Planted) -> Callable[[str, Path], list[str]]:
    """The configuration file of a system and what is set in it, for a training into another folder."""

    def given(name: str, folder: Path) -> list[str]:
        source = repository / "configs" / "quickstart" / f"{SYSTEMS[name][0]}.yaml"
        return [str(source), *_overrides(name, folder, planted)]

    return given


@pytest.fixture(scope="session")
def call() -> Callable[..., str]:
    """Run a command of llmrg and return what it printed."""
    return _call


@pytest.fixture(scope="session")
def write() -> Callable[..., list[Any]]:
    """Write reports of three test studies and three training studies; see ``_written``."""
    return _written


@pytest.fixture(scope="session")
def watch() -> Callable[[Path], Any]:
    """Watch the files that are opened below a folder (a context manager)."""
    return watched


@pytest.fixture(scope="session", params=list(SYSTEMS))
def trained_system(request: pytest.FixtureRequest, train_planted: Callable[[str], TrainedSystem]) -> TrainedSystem:
    """Every system of the list in turn."""
    return train_planted(request.param)


def _once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that one worker fills and all workers read."""
    shared = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / name
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "made").is_file():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            (folder / "made").touch()
    return folder


def _overrides(name: str, folder: Path, planted: Planted) -> list[str]:
    places = [f"out={folder}/runs/run", f"artefacts={folder}/runs/artefacts", f"data.root={planted.root}"]
    return [*places, *LITTLE, *SYSTEMS[name][1:]]


def _plant(drawn: Path, data: Path) -> None:
    """Keep few of the phantoms; put a marker into each sentence of their training reports."""
    annotation = json.loads((drawn / "annotation.json").read_text(encoding="utf-8"))
    (data / "images").mkdir(parents=True)
    kept = {split: annotation[split][:count] for split, count in KEPT.items()}
    for split, records in kept.items():
        for number, record in enumerate(records):
            record["patient_id"] = f"{split}patient-{number // 4:03}"
            if split == "train":
                record["report"] = record["report"].replace("。", f"{PLANTED}。")
                assert PLANTED in record["report"]
            for name in record["image_path"]:
                (data / "images" / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(drawn / "images" / name, data / "images" / name)
    (data / "annotation.json").write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8")


def _train(source: Path, overrides: list[str], folder: Path, planted: Planted) -> None:
    """Train by the command; artefacts of another system that fit serve again."""
    import llmrg.training.run as training_run
    from llmrg.systems.run import save_run

    own = folder / "runs" / "artefacts"
    with (planted.artefacts.parent / "artefacts.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if planted.artefacts.is_dir():
            shutil.copytree(planted.artefacts, own)
    written: list[Any] = []

    def listening(system: Any, *args: Any, config: Any, **options: Any) -> Path:
        _phases.append(_UNWATCHED)
        written.extend(_written(system, config))
        _phases.pop()
        return save_run(system, *args, config=config, **options)

    with watched(planted.root) as opened, pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_run, "save_run", listening)
        printed = _call("train", str(source), *overrides)
    (folder / "written.json").write_text(json.dumps(written), encoding="utf-8")
    (folder / "printed.txt").write_text(printed, encoding="utf-8")
    (folder / "opened.json").write_text(json.dumps({phase: sorted(names) for phase, names in opened.items()}))
    with (planted.artefacts.parent / "artefacts.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for stage in ("language_model", "disease_classifier"):
            if (own / stage).is_dir() and not (planted.artefacts / stage).exists():
                shutil.copytree(own / stage, planted.artefacts / stage)


def _call(*arguments: str) -> str:
    """Run a command of llmrg; what it printed. The handlers of logs are as before afterwards."""
    from typer.testing import CliRunner

    from llmrg.cli import app

    handlers = logging.root.handlers[:]
    try:
        result = CliRunner().invoke(app, list(arguments))
    finally:
        logging.root.handlers[:] = handlers
    if result.exit_code:
        raise AssertionError(result.output) from result.exception
    return str(result.output)


def _written(system: Any, config: Any, **options: Any) -> list[Any]:
    """Text, probabilities and records, as JSON holds them, of three test studies and three training studies."""
    from llmrg.studies.dataset import collate_studies, read_films
    from llmrg.studies.reading import read_studies

    studies = read_studies(config.data)
    asked = [*list(studies.split("test"))[:3], *list(studies.split("train"))[:6:2]]
    batch = collate_studies([(study, read_films(study, config.data), {}) for study in asked])
    reports = system.generate(batch, config.decoding, with_records=True, **options)
    found: list[Any] = json.loads(json.dumps([[r.text, r.log_probabilities, r.records] for r in reports]))
    return found


_UNWATCHED = "unwatched"
_phases: list[str] = []
_opened: list[tuple[str, dict[str, set[str]]]] = []
_hooked = False


@contextmanager
def watched(root: Path) -> Iterator[dict[str, set[str]]]:
    """Collect the files below a folder that this process opens, by what a training is just doing.

    No film is kept in memory, so that every use of one is seen: ``reading`` looks at all films for bad ones before
    anything is built; then come the stages by their names, ``classifier_scores`` within one, ``calibration``,
    ``context_encoding``, ``validation``, and ``loop`` for the rest of the training.
    """
    global _hooked
    import llmrg.pretraining.disease_classifier as classifier
    import llmrg.training.mining_command as mining_command
    import llmrg.training.run as training_run
    import llmrg.training.validation as validation
    from llmrg.training.context_encoding import ContextEncoding
    from llmrg.training.stages import StageBuilder

    if not _hooked:
        sys.addaudithook(_note)  # for good; without anything watched it does nothing
        _hooked = True

    def within(name: str | None, function: Callable[..., Any], **more: Any) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **options: Any) -> Any:
            _phases.append(name or args[1])
            try:
                return function(*args, **options, **more)
            finally:
                _phases.pop()

        return call

    found: dict[str, set[str]] = {}
    with pytest.MonkeyPatch.context() as patch:
        for module in (training_run, mining_command):
            patch.setattr(module, "read_material", within("reading", module.read_material, cache_bytes=0))
        patch.setattr(StageBuilder, "build", within(None, StageBuilder.build))
        patch.setattr(classifier, "classifier_scores", within("classifier_scores", classifier.classifier_scores))
        for module in (training_run, validation):
            patch.setattr(module, "calibrate_hints", within("calibration", module.calibrate_hints))
        patch.setattr(ContextEncoding, "encode", within("context_encoding", ContextEncoding.encode))
        patch.setattr(
            validation.ReportValidation, "__call__", within("validation", validation.ReportValidation.__call__)
        )
        _opened.append((str(root), found))
        gc.freeze()  # the Trainer collects garbage again and again, among all that has been imported
        try:
            yield found
        finally:
            gc.unfreeze()
            _opened.pop()


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _opened and _UNWATCHED not in _phases and isinstance(arguments[0], str | os.PathLike):
        path = os.fspath(arguments[0])
        for root, found in _opened:
            if isinstance(path, str) and path.startswith(root + os.sep):
                found.setdefault(_phases[-1] if _phases else "loop", set()).add(os.path.relpath(path, root))
