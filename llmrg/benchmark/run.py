"""The benchmark: systems and baselines on one split of one dataset, scored the same way."""

from __future__ import annotations

import importlib.metadata
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cache

from llmrg.artefacts import write_text
from llmrg.benchmark.baselines import TrainingPool
from llmrg.benchmark.gallery_view import gallery_view
from llmrg.benchmark.page import find_results, may_write, write_index, write_page
from llmrg.benchmark.references import References, build_references, locate_truth
from llmrg.benchmark.results import Results
from llmrg.benchmark.rows import ReportRow, baseline_rows, oracle_row, system_row
from llmrg.benchmark.scoring import Scorer
from llmrg.benchmark.settings import BenchmarkConfig
from llmrg.benchmark.table import csv_table, markdown_table
from llmrg.findings.labeler import Labeler, get_labeler
from llmrg.findings.mention import Mention
from llmrg.findings.vocabulary import FindingVocabulary, get_vocabulary
from llmrg.studies.reading import read_studies
from llmrg.version import __version__

__all__ = ["run_benchmark"]

_log = logging.getLogger(__name__)
_PACKAGES = ("numpy", "jieba", "torch", "transformers")


def run_benchmark(config: BenchmarkConfig) -> Results:
    """Score every system and every baseline, and write the results.

    Writes ``results.json``, ``results.csv``, ``results.md``, ``index.html`` and ``gallery.json`` into ``config.out``,
    predictions made here into its ``predictions`` folder, and renews ``index.html`` of the folder above over all
    results that lie there.

    Args:
        config: what to compare, and on which studies.

    Returns:
        The figures.

    Raises:
        UserError: no study to score, predictions that do not answer each study once, a broken side file.
    """
    table = read_studies(config.data)
    source = table if config.training is None else read_studies(config.training)
    training = source.split(config.train_split)
    validation = source.split(config.validation_split) if config.validation_split in source.splits else ()
    split = table.split(config.split)
    vocabulary = get_vocabulary(config.data.vocabulary)
    labeler = get_labeler(vocabulary, config.data.language)
    read = cache(labeler.label)
    references = build_references(
        split,
        target=config.data.target,
        labeler=labeler,
        vocabulary=vocabulary,
        truth_root=locate_truth(config.truth, config.data.root),
    )
    known = {study.id for study in split}
    systems = [system_row(entry, config, required=references.ids, known=known) for entry in config.systems]
    pool = TrainingPool.build(training, split, target=config.data.target)
    rows = [
        *systems,
        *baseline_rows(
            config,
            pool=pool,
            training=training,
            validation=[study.report(config.data.target) for study in validation],
            references=references,
            systems=systems,
        ),
    ]
    oracle = oracle_row(references, config.data.language)
    rows += [oracle] if oracle is not None else []
    results = _score(config, rows, references=references, vocabulary=vocabulary, labeler=labeler, read=read, pool=pool)
    gallery = gallery_view(
        config, rows, references=references, vocabulary=vocabulary, read=read, pool=pool, training=training
    )
    config.out.mkdir(parents=True, exist_ok=True)
    results.write(config.out)
    write_text(config.out / "results.csv", csv_table(results))
    write_text(config.out / "results.md", markdown_table(results))
    index = config.out.resolve().parent / "index.html"
    ours = may_write(index)
    write_page(results, gallery, config.out, parent="../index.html" if ours else None)
    if ours:
        write_index(find_results(index.parent), index)
    else:
        _log.warning("%s was not written by a benchmark and is left alone", index)
    return results


def _score(
    config: BenchmarkConfig,
    rows: Sequence[ReportRow],
    *,
    references: References,
    vocabulary: FindingVocabulary,
    labeler: Labeler,
    read: Callable[[str], Mapping[str, Mention]],
    pool: TrainingPool,
) -> Results:
    language = config.data.language
    scorer = Scorer(
        references,
        vocabulary=vocabulary,
        read=read,
        labeler_version=labeler.version,
        language=language,
        resamples=config.resamples,
        seed=config.seed,
    )
    scored = [scorer.score(row.system, row.kind, row.reports) for row in rows]
    against = (
        "the true findings of the dataset's side file"
        if references.truths is not None
        else "the findings that the labeler reads in the reference report"
    )
    return Results(
        dataset=config.name,
        split=config.split,
        n=len(references.studies),
        patients=len(set(references.patients)),
        language=language,
        rows=tuple(scored),
        title=config.title or config.name,
        vocabulary=vocabulary.name,
        protocol={
            "findings": f"read in each generated report by the labeler, held against {against}; only positive "
            f"statements count; all {len(vocabulary.abnormal)} findings of the vocabulary {vocabulary.name}",
            "side": "of the sided findings rightly stated, the part with the true side",
            "wording": "against the full reference, never cut; sections " + ", ".join(config.data.target),
            "intervals": f"95 %, {config.resamples} bootstrap resamples of patients"
            if config.resamples
            else "not computed",
            "constant": f"of the distinct training reports (at most {config.constant_candidates} tried) the one with "
            "the best BLEU-4 on validation",
            "random": "a training report drawn for each study",
            "nearest": "the report of the training study with the most similar film: cosine of standardised 32-px "
            "frontal thumbnails",
            "patients": "no baseline copies a report of a scored patient",
        },
        signature=scorer.signature,
        labeler=labeler.version,
        seeds={"baselines": config.seed, "bootstrap": config.seed, "gallery": config.seed},
        versions={"llmrg": __version__, **_versions()},
        training_studies=len(pool.ids),
    )


def _versions() -> dict[str, str]:
    found: dict[str, str] = {}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
