"""The rows of a benchmark before they are scored: every system's and every baseline's report for each study."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmrg.benchmark.baselines import TrainingPool, nearest_by_encoder, nearest_by_thumbnail, random_reports
from llmrg.benchmark.constant import best_constant
from llmrg.benchmark.encoder_neighbours import nearest_by_classifier
from llmrg.benchmark.nearest_reference import nearest_by_reference
from llmrg.benchmark.predictions import Prediction, read_predictions
from llmrg.benchmark.references import References, locate_truth
from llmrg.benchmark.results import RowKind
from llmrg.benchmark.settings import BenchmarkConfig, SystemEntry
from llmrg.studies.phantoms.wording import render_truth
from llmrg.studies.study import Study

__all__ = ["ReportRow", "baseline_rows", "oracle_rows", "predictions_folder", "system_row"]


_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ReportRow:
    """Reports of one row, study by study.

    Args:
        system: the row's name.
        kind: its kind.
        reports: one text per scored study; of a system of several seeds those of its first.
        predictions: the predictions with their evidence, for systems (those of the first seed).
        further: the reports of further seeds.
        seeds: names of all seeds, where there are several.
        run: the run of the first seed, where its reports were generated here (files may be of any origin).
        encoder: a run of the system whose study encoder may find neighbours.
        copies: systems whose own encoder this baseline copies with.
    """

    system: str
    kind: RowKind
    reports: tuple[str, ...]
    predictions: tuple[Prediction, ...] | None = None
    further: tuple[tuple[str, ...], ...] = ()
    seeds: tuple[str, ...] = ()
    run: Path | None = None
    encoder: Path | None = None
    copies: tuple[str, ...] = ()

    @property
    def by_seed(self) -> tuple[tuple[str, ...], ...]:
        """The reports of every seed."""
        return (self.reports, *self.further)


def system_row(
    entry: SystemEntry, config: BenchmarkConfig, *, required: Sequence[str], known: Collection[str]
) -> ReportRow:
    """Read a system's predictions, or generate them with its run where none are given.

    Raises:
        UserError: the predictions do not answer each required study exactly once.
    """
    paths = entry.prediction_files
    names = [str(path) for path in paths or entry.runs]
    if not paths:
        several = len(entry.runs) > 1
        paths = tuple(
            _generate(f"{entry.name}-{number}" if several else entry.name, run, config)
            for number, run in enumerate(entry.runs, start=1)
        )
    found = [read_predictions(path, required=required, known=known) for path in paths]
    first, *others = ([one[id_] for id_ in required] for one in found)
    return ReportRow(
        system=entry.name,
        kind="system",
        reports=tuple(p.report for p in first),
        predictions=tuple(first),
        further=tuple(tuple(p.report for p in other) for other in others),
        seeds=tuple(names) if others else (),
        run=None if entry.prediction_files or not entry.runs else entry.runs[0],
        encoder=next(iter(entry.runs), None),
    )


def baseline_rows(
    config: BenchmarkConfig,
    *,
    pool: TrainingPool,
    training: Sequence[Study],
    validation: Sequence[str],
    references: References,
    systems: Sequence[ReportRow],
    tokens: Callable[[str], str],
) -> list[ReportRow]:
    """Make the rows ``constant``, ``random``, ``nearest`` and, where systems can find studies, ``nearest_encoder``.

    All of them could be made without knowing the scored reports.

    Args:
        config: the benchmark.
        pool: the training reports.
        training: the training split.
        validation: validation reports.
        references: the scored studies.
        systems: the systems' rows.
        tokens: cuts a text into tokens separated by spaces.
    """
    count = len(references.studies)
    constant = best_constant(pool.reports, validation, tokens=tokens)
    rows = [
        ReportRow(system="constant", kind="baseline", reports=(constant,) * count),
        ReportRow(system="random", kind="baseline", reports=tuple(random_reports(pool, count, seed=config.seed))),
    ]
    if config.nearest:
        _, nearest = nearest_by_thumbnail(
            pool,
            training,
            references.studies,
            limit=config.nearest_limit,
            seed=config.seed,
            training_data=config.training or config.data,
            scored_data=config.data,
            cache=config.out / "thumbnails",
        )
        rows.append(ReportRow(system="nearest", kind="baseline", reports=tuple(nearest)))
    return [*rows, *_encoder_rows(config, pool, training, references, systems)]


def _encoder_rows(
    config: BenchmarkConfig,
    pool: TrainingPool,
    training: Sequence[Study],
    references: References,
    systems: Sequence[ReportRow],
) -> list[ReportRow]:
    """Rows that copy what a system's own encoder finds nearest; systems whose encoders find the same share one."""
    found: dict[tuple[str, ...], list[str]] = {}
    for row in systems:
        reports = nearest_by_encoder(pool, row.predictions or ())
        if reports is None and any(p.records("retrieved_context") for p in row.predictions or ()):
            _log.warning("%s did not retrieve a training study for every study", row.system)
        if reports is None and config.nearest and row.encoder is not None:
            reports = nearest_by_classifier(
                row.encoder,
                pool,
                training,
                references.studies,
                training_data=config.training or config.data,
                scored_data=config.data,
                limit=config.nearest_limit,
                seed=config.seed,
                cache=predictions_folder(config, row.system) / "nearest_encoder.json",
            )
        if reports is not None:
            found.setdefault(tuple(reports), []).append(row.system)
    return [
        ReportRow(
            system="nearest_encoder" if len(found) == 1 else f"nearest_encoder ({', '.join(names)})",
            kind="baseline",
            reports=reports,
            copies=tuple(names),
        )
        for reports, names in found.items()
    ]


def oracle_rows(
    references: References, *, pool: TrainingPool, language: str, tokens: Callable[[str], str]
) -> list[ReportRow]:
    """Make the rows that are told what is to be found: bounds, not systems.

    ``oracle_nearest`` is the training report with the best unigram F1 to the reference: no system that copies whole
    reports overlaps more with the references. ``oracle``, where a side file tells the truth, is that truth in one
    fixed plain wording.

    Args:
        references: the scored studies.
        pool: the training reports.
        language: of the reports.
        tokens: cuts a text into tokens separated by spaces.
    """
    distinct = list(dict.fromkeys(pool.reports))
    picks, _ = nearest_by_reference([tokens(text) for text in distinct], [tokens(text) for text in references.texts])
    rows = [ReportRow(system="oracle_nearest", kind="oracle", reports=tuple(distinct[pick] for pick in picks))]
    if references.truths is not None:
        words = tuple(render_truth(truth, "zh" if language == "zh" else "en") for truth in references.truths)
        rows.append(ReportRow(system="oracle", kind="oracle", reports=words))
    return rows


def predictions_folder(config: BenchmarkConfig, name: str) -> Path:
    """Return the folder below the results where a system's own generated reports go."""
    return config.out / "predictions" / "".join(c if c.isalnum() or c in "-_." else "_" for c in name)


def _generate(name: str, run: Path, config: BenchmarkConfig) -> Path:
    """Generate a run's reports for the scored split; the command resumes, so a second call costs nothing."""
    from llmrg.generation.dataset import generate_dataset

    folder = predictions_folder(config, name)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{config.split}.jsonl"
    # Maps are held against the true boxes of drawn films; of others nothing could be said.
    maps = config.evidence.pointing and locate_truth(config.truth, config.data.root) is not None
    generate_dataset(run, config.data, config.split, path, evidence=folder / "evidence", maps=maps)
    return path
