"""The rows of a benchmark before they are scored: every system's and every baseline's report for each study."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmrg.benchmark.baselines import (
    TrainingPool,
    constant_report,
    nearest_by_encoder,
    nearest_by_thumbnail,
    random_reports,
)
from llmrg.benchmark.predictions import Prediction, read_predictions
from llmrg.benchmark.references import References
from llmrg.benchmark.results import RowKind
from llmrg.benchmark.scoring import constant_criterion
from llmrg.benchmark.settings import BenchmarkConfig, SystemEntry
from llmrg.errors import UserError
from llmrg.studies.phantoms.wording import render_truth
from llmrg.studies.study import Study

__all__ = ["ReportRow", "baseline_rows", "oracle_row", "system_row"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ReportRow:
    """Reports of one row, study by study.

    Args:
        system: the row's name.
        kind: its kind.
        reports: one text per scored study.
        predictions: the predictions with their evidence, for systems.
    """

    system: str
    kind: RowKind
    reports: tuple[str, ...]
    predictions: tuple[Prediction, ...] | None = None


def system_row(
    entry: SystemEntry, config: BenchmarkConfig, *, required: Sequence[str], known: Collection[str]
) -> ReportRow:
    """Read a system's predictions, or generate them with its run where none are given.

    Raises:
        UserError: the predictions do not answer each required study exactly once.
    """
    path = entry.predictions
    if path is None:
        if entry.run is None:
            raise UserError(f"System {entry.name!r} has neither predictions nor a run", where="systems")
        path = _generate(entry.name, entry.run, config)
    found = read_predictions(path, required=required, known=known)
    predictions = tuple(found[id_] for id_ in required)
    return ReportRow(
        system=entry.name, kind="system", reports=tuple(p.report for p in predictions), predictions=predictions
    )


def baseline_rows(
    config: BenchmarkConfig,
    *,
    pool: TrainingPool,
    training: Sequence[Study],
    validation: Sequence[str],
    references: References,
    systems: Sequence[ReportRow],
) -> list[ReportRow]:
    """Make the rows ``constant``, ``random``, ``nearest`` and, where systems retrieve studies, ``nearest_encoder``.

    Args:
        config: the benchmark.
        pool: the training reports.
        training: the training split.
        validation: validation reports.
        references: the scored studies.
        systems: the systems' rows.
    """
    count = len(references.studies)
    constant = constant_report(
        pool,
        validation,
        score=constant_criterion(config.data.language),
        candidates=config.constant_candidates,
        references=config.constant_references,
        seed=config.seed,
    )
    _, nearest = nearest_by_thumbnail(pool, training, references.studies, limit=config.nearest_limit, seed=config.seed)
    rows = [
        ReportRow(system="constant", kind="baseline", reports=(constant,) * count),
        ReportRow(system="random", kind="baseline", reports=tuple(random_reports(pool, count, seed=config.seed))),
        ReportRow(system="nearest", kind="baseline", reports=tuple(nearest)),
    ]
    retrieving = [
        row for row in systems if row.predictions and any(p.records("retrieved_context") for p in row.predictions)
    ]
    for row in retrieving:
        reports = nearest_by_encoder(pool, row.predictions or ())
        if reports is None:
            _log.warning("no nearest_encoder row for %s: not every study has a retrieved training study", row.system)
            continue
        name = "nearest_encoder" if len(retrieving) == 1 else f"nearest_encoder ({row.system})"
        rows.append(ReportRow(system=name, kind="baseline", reports=tuple(reports)))
    return rows


def oracle_row(references: References, language: str) -> ReportRow | None:
    """The truth itself in one fixed plain wording, or None where no side file tells it."""
    if references.truths is None:
        return None
    words = tuple(render_truth(truth, "zh" if language == "zh" else "en") for truth in references.truths)
    return ReportRow(system="oracle", kind="oracle", reports=words)


def _generate(name: str, run: Path, config: BenchmarkConfig) -> Path:
    """Generate a run's reports for the scored split; the command resumes, so a second call costs nothing."""
    from llmrg.generation.dataset import generate_dataset

    folder = config.out / "predictions" / "".join(c if c.isalnum() or c in "-_." else "_" for c in name)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{config.split}.jsonl"
    generate_dataset(run, config.data, config.split, path, evidence=folder / "evidence")
    return path
