"""The benchmarks over what is finished: systems on both splits, the ablation, and the evidence of our own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from comparison.jobs import Job, Plan, Trained, fingerprint
from comparison.planning import SPLITS, data_root
from comparison.protocol import Protocol
from comparison.times import Times
from comparison.variants import FULL
from llmrg.artefacts import file_hash, write_text
from llmrg.benchmark.evidence_settings import DeletionSettings, EvidenceSettings
from llmrg.benchmark.settings import BenchmarkConfig, GallerySettings, SystemEntry
from llmrg.config import dump_config
from llmrg.studies.settings import DataConfig

__all__ = [
    "ABLATION",
    "EVIDENCE",
    "HEADLINE",
    "NAMES",
    "benchmark_config",
    "benchmark_folder",
    "finished",
    "make_benchmarks",
]

ABLATION = "ablation"
EVIDENCE = "evidence"
HEADLINE = ("clinical_micro_f1", "graph_f1", "bleu_4", "rouge_l")
"""Metrics that are tested; p values of a pair are corrected over them."""
NO_MAPS = EvidenceSettings(pointing=False)
NAMES = {"zh": "Chinese", "en": "English"}


def benchmark_folder(folder: Path, language: str, what: str) -> Path:
    """Where a benchmark leaves its results: of a split, the ablation or the evidence."""
    return folder / "benchmarks" / f"{language}_{what}"


def benchmark_config(folder: Path, language: str, what: str) -> Path:
    """The configuration of a benchmark."""
    return folder / "configs" / f"benchmark_{language}_{what}.yaml"


def finished(made: Plan, times: Times, split: str) -> list[Trained]:
    """The trainings whose reports of a split are written."""
    return [
        one for one in made.trained if split in one.predictions and made.jobs[one.predictions[split][0]].done(times)
    ]


def make_benchmarks(protocol: Protocol, made: Plan, times: Times, folder: Path) -> dict[str, Job]:
    """Write the benchmarks' configurations over all that is finished, and return their jobs by key."""
    jobs: dict[str, Job] = {}

    def add(config: BenchmarkConfig | None) -> None:
        if config is not None:
            job = _job(config, folder)
            jobs[job.key] = job

    for language in protocol.seeds:
        for split in SPLITS:
            there = [one for one in finished(made, times, split) if one.language == language]
            add(_systems(protocol, there, folder, language, split))
            if split == "test" and language == protocol.ablation_language:
                add(_ablation(protocol, there, folder))
        tests = [one for one in finished(made, times, "test") if one.language == language]
        add(_evidence(protocol, tests, folder, language))
    return jobs


def _systems(
    protocol: Protocol, there: Sequence[Trained], folder: Path, language: str, split: str
) -> BenchmarkConfig | None:
    named = {name: [one for one in there if one.variant.name == name] for name in protocol.systems}
    entries = [_entry(name, ones, split) for name, ones in named.items() if ones]
    if not entries:
        return None
    words = f"Bench phantoms, {NAMES.get(language, language)}" + (", shifted" if split == "shifted" else "")
    return _config(protocol, there[0], folder, language, split, entries, title=words)


def _ablation(protocol: Protocol, there: Sequence[Trained], folder: Path) -> BenchmarkConfig | None:
    seeds = set(protocol.ablation_seeds)
    named: dict[str, list[Trained]] = {}
    for one in there:
        if one.seed in seeds and (one.variant.name == protocol.own or one.variant.name not in protocol.systems):
            named.setdefault(FULL if one.variant.name == protocol.own else one.variant.name, []).append(one)
    if FULL not in named or len(named) < 2:
        return None
    entries = [_entry(name, ones, "test") for name, ones in named.items()]
    language = protocol.ablation_language
    title = "Our system without one evidence source at a time"
    config = _config(protocol, there[0], folder, language, "test", entries, title=title)
    return replace(config, dataset=ABLATION, out=benchmark_folder(folder, language, ABLATION), nearest=False)


def _evidence(protocol: Protocol, there: Sequence[Trained], folder: Path, language: str) -> BenchmarkConfig | None:
    """The evidence of our own system's first seed; its reports are written again, with maps and without a source."""
    own = [one for one in there if one.variant.name == protocol.own and one.seed == protocol.seeds[language][0]]
    if not own:
        return None
    entry = SystemEntry(name=protocol.own, run=own[0].run)
    config = _config(protocol, own[0], folder, language, "test", [entry], title="Evidence of our system")
    settings = EvidenceSettings(deletion=DeletionSettings(sources="all", studies=protocol.deletion_studies))
    out = benchmark_folder(folder, language, EVIDENCE)
    return replace(config, dataset=f"{language}_{EVIDENCE}", out=out, evidence=settings, trials=0)


def _entry(name: str, ones: Sequence[Trained], split: str) -> SystemEntry:
    ordered = sorted(ones, key=lambda one: one.seed)
    return SystemEntry(name=name, predictions=tuple(one.predictions[split][1] for one in ordered))


def _config(
    protocol: Protocol,
    any_training: Trained,
    folder: Path,
    language: str,
    split: str,
    entries: Sequence[SystemEntry],
    *,
    title: str,
) -> BenchmarkConfig:
    training = any_training.config.data
    if not isinstance(training, DataConfig):
        raise TypeError("the comparison trains on one dataset at a time")
    return BenchmarkConfig(
        data=replace(training, root=data_root(folder, language, split)),
        training=None if split == "test" else training,
        out=benchmark_folder(folder, language, split),
        systems=tuple(entries),
        dataset=f"{language}_{split}",
        title=title,
        resamples=protocol.resamples,
        trials=protocol.trials,
        headline=HEADLINE,
        evidence=NO_MAPS,
        gallery=GallerySettings(studies=8),
    )


def _job(config: BenchmarkConfig, folder: Path) -> Job:
    path = folder / "configs" / f"benchmark_{config.out.name}.yaml"
    text = dump_config(config)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)
    read = [str(file) for entry in config.systems for file in entry.prediction_files]
    made_by = [
        entry.runs[0] / "train.yaml" for entry in config.systems if not entry.prediction_files
    ]  # reports made by the benchmark itself
    contents = [file_hash(file) for file in (*map(Path, read), *made_by)]
    return Job(
        key=f"benchmark/{config.out.name}",
        kind="benchmark",
        arguments=("benchmark", str(path)),
        fingerprint=fingerprint(text, contents),
        output=config.out / "results.json",
    )
