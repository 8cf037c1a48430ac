"""The tables of docs/results.md, written between two marks; the words around them are written by hand."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from comparison.benchmarks import ABLATION, EVIDENCE, NAMES, benchmark_config, benchmark_folder
from comparison.jobs import Plan, Trained
from comparison.planning import SHARED, SPLITS
from comparison.protocol import Protocol
from comparison.tables import (
    Spent,
    ablation_table,
    evidence_tables,
    minutes_table,
    paired_table,
    systems_table,
)
from comparison.times import Times
from llmrg.artefacts import write_text
from llmrg.benchmark.results import RESULTS_FILE, Results, read_results
from llmrg.benchmark.settings import BenchmarkConfig
from llmrg.config import load_config

__all__ = ["BEGIN", "END", "render", "spent_by", "write_report"]

BEGIN = "<!-- tables of scripts/bench/systems.py: begin -->"
END = "<!-- tables of scripts/bench/systems.py: end -->"
STAGES = ("language_model", "disease_classifier", "activation_maps", "memory", "index", "train")
SPLIT_WORDS = {"test": "test split", "shifted": "shifted split"}


def write_report(protocol: Protocol, made: Plan, times: Times, folder: Path, path: Path, *, command: str) -> None:
    """Put the tables between the marks of a file; a file that is not there is made of them alone."""
    tables = f"{BEGIN}\n\n{render(protocol, made, times, folder, command=command)}\n\n{END}"
    text = path.read_text(encoding="utf-8") if path.is_file() else f"{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    write_text(path, before + tables + after)


def render(protocol: Protocol, made: Plan, times: Times, folder: Path, *, command: str) -> str:
    """All tables of what is finished, and what is not."""
    parts = [_setting(protocol, times, command), _missing(protocol, made, times)]
    for language in protocol.seeds:
        for split in SPLITS:
            results = _results(folder, language, split)
            title = f"## {NAMES.get(language, language)}, {SPLIT_WORDS[split]}"
            if results is None:
                parts += [title, "Not yet run."]
                continue
            parts += [title, *_systems(protocol, made, times, folder, results, language, split)]
    parts += ["## Ablation", *_ablation(protocol, folder)]
    for language in protocol.seeds:
        results = _results(folder, language, EVIDENCE)
        tables = "" if results is None else evidence_tables(results, protocol.own)
        title = f"## Evidence of {protocol.own}, {NAMES.get(language, language)}"
        parts += [title, tables or "Not yet run."]
    for language in protocol.seeds:
        spent = _all_spent(made, times, language)
        if spent:
            parts += [
                f"## Minutes, {NAMES.get(language, language)}",
                minutes_table(spent, STAGES, protocol.budget_minutes),
            ]
    return "\n\n".join(parts)


def spent_by(one: Trained, made: Plan, times: Times) -> Spent | None:
    """Seconds of each stage of a training, shared ones in full; None while it is not finished."""
    found = {}
    if not made.jobs[one.jobs["train"]].done(times):
        return None
    for stage, key in one.jobs.items():
        job = made.jobs[key]
        found[stage] = times.seconds(job.key, job.fingerprint, resumed=job.resumes)
    return found


def _setting(protocol: Protocol, times: Times, command: str) -> str:
    trained = [one for one in times.attempts if one.code == 0 and not one.job.startswith("data/")]
    dates = sorted({one.begun[:10] for one in trained})
    commits = sorted({one.commit for one in trained if one.commit})
    when = NOT_YET if not dates else dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    seeds = "; ".join(f"{NAMES.get(name, name)}: {', '.join(map(str, own))}" for name, own in protocol.seeds.items())
    drawn = ", ".join(f"{NAMES.get(name, name)}: {one.seed}" for name, one in protocol.datasets.items())
    return "\n".join(
        [
            f"- Command: `{command}`; {when}; code at commit {', '.join(commits) or 'unknown'} (+: with changes).",
            f"- Machine: {_machine()}; every command has one thread.",
            f"- Data: {protocol.studies} phantoms a language, preset `{protocol.preset}` (seeds {drawn}), and the same "
            "studies drawn under other conditions (shifted).",
            f"- Seeds of the trainings: {seeds}; ablation: {', '.join(map(str, protocol.ablation_seeds))}.",
            f"- Budget: {protocol.budget_minutes:g} minutes a system and seed over all its stages; stages that several "
            f"systems share ({', '.join(name.replace('_', ' ') for name in SHARED)}) are trained once and counted for "
            "each.",
            f"- Intervals: 95 %, {protocol.resamples} bootstrap resamples of patients; tests: paired approximate "
            f"randomisation, {protocol.trials} trials, p after Holm over the metrics of one pair. SD: over seeds.",
            "- Figures in percent but for CIDEr; minutes by the clock (of the processor), the start of every command "
            "included. Rows in italics are no systems; oracles are told what is to be found.",
        ]
    )


NOT_YET = "not yet run"


def _machine() -> str:
    model = platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model)
    except OSError:
        pass
    return (
        f"{os.cpu_count()} cores ({model}), no GPU used; Python {platform.python_version()}, torch {version('torch')}"
    )


def _missing(protocol: Protocol, made: Plan, times: Times) -> str:
    """Seeds done of seeds planned, in words."""
    open_: dict[str, list[str]] = {}
    done = 0
    for one in made.trained:
        if all(made.jobs[key].done(times) for key, _ in one.predictions.values()):
            done += 1
        else:
            open_.setdefault(f"{NAMES.get(one.language, one.language)}, seed {one.seed}", []).append(one.variant.name)
    if not open_:
        return f"All {len(made.trained)} planned trainings are in these tables."
    rows = [f"  - {place}: {', '.join(names)}" for place, names in open_.items()]
    return "\n".join([f"- **Missing**: {done} of {len(made.trained)} planned trainings are done. Not yet done:", *rows])


def _results(folder: Path, language: str, what: str) -> Results | None:
    path = benchmark_folder(folder, language, what) / RESULTS_FILE
    return read_results(path) if path.is_file() else None


def _systems(
    protocol: Protocol, made: Plan, times: Times, folder: Path, results: Results, language: str, split: str
) -> list[str]:
    planned = len(protocol.seeds[language])
    own = _seeds(folder, language, split)
    spent = _all_spent(made, times, language)
    minutes = {name: (_mean_minutes(seeds, 0), _mean_minutes(seeds, 1)) for name, seeds in spent.items()}
    table = systems_table(
        results,
        protocol.systems,
        seeds={name: f"{len(seeds)} of {planned}" for name, seeds in own.items()},
        minutes=minutes,
    )
    return [f"{results.n} studies of {results.patients} patients.", table, paired_table(results, protocol.own)]


def _ablation(protocol: Protocol, folder: Path) -> list[str]:
    results = _results(folder, protocol.ablation_language, ABLATION)
    if results is None:
        return ["Not yet run."]
    seeds = _seeds(folder, protocol.ablation_language, ABLATION)
    planned = len(protocol.ablation_seeds)
    done = ", ".join(f"{name.replace('_', ' ')} {len(own)}" for name, own in seeds.items())
    words = f"{protocol.own}, {NAMES[protocol.ablation_language]}, test split; seeds done of {planned} planned: {done}."
    return [words, ablation_table(results, seeds)]


def _seeds(folder: Path, language: str, what: str) -> dict[str, Sequence[int]]:
    """The seeds of each system of a benchmark, as its configuration names their predictions."""
    config = load_config(BenchmarkConfig, benchmark_config(folder, language, what))
    return {
        entry.name: [int(path.parent.parent.name.rpartition("-")[2]) for path in entry.prediction_files]
        for entry in config.systems
    }


def _all_spent(made: Plan, times: Times, language: str) -> dict[str, list[Spent]]:
    found: dict[str, list[Spent]] = {}
    for one in made.trained:
        spent = spent_by(one, made, times) if one.language == language else None
        if spent is not None:
            found.setdefault(one.variant.name, []).append(spent)
    return found


def _mean_minutes(seeds: Sequence[Spent], which: int) -> float:
    return sum(pair[which] for one in seeds for pair in one.values()) / len(seeds) / 60
