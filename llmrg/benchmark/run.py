"""The benchmark: systems and baselines on one split of one dataset, scored the same way."""

from __future__ import annotations

import importlib.metadata
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, lru_cache

from llmrg.artefacts import write_text
from llmrg.benchmark.baselines import TrainingPool
from llmrg.benchmark.copies import find_leakage, normal_forms
from llmrg.benchmark.evidence_scores import EvidenceScorer
from llmrg.benchmark.gallery_view import gallery_view
from llmrg.benchmark.gate import judge
from llmrg.benchmark.headline import check_headline, default_headline
from llmrg.benchmark.latex import latex_table
from llmrg.benchmark.markdown import markdown_table
from llmrg.benchmark.page import find_results, may_write, write_index, write_page
from llmrg.benchmark.paired import paired_tests
from llmrg.benchmark.protocol_words import protocol_words, reference_words
from llmrg.benchmark.published import read_published
from llmrg.benchmark.references import References, build_references, locate_truth
from llmrg.benchmark.result_parts import Leakage, PairedResult
from llmrg.benchmark.results import Results, Row
from llmrg.benchmark.rows import ReportRow, baseline_rows, oracle_rows, predictions_folder, system_row
from llmrg.benchmark.scoring import ScoredRow, Scorer
from llmrg.benchmark.settings import BenchmarkConfig
from llmrg.benchmark.shipped_labels import agreement_with_shipped
from llmrg.benchmark.table import csv_table
from llmrg.findings.graphs.extractor import get_extractor
from llmrg.findings.labeler import get_labeler
from llmrg.findings.vocabulary import get_vocabulary
from llmrg.language.graph_choice import load_graph_extractor
from llmrg.metrics.reference_protocols import get_protocol
from llmrg.metrics.tokens import default_tokenizer, get_tokenizer
from llmrg.studies.reading import read_studies
from llmrg.studies.study import Study
from llmrg.version import __version__

__all__ = ["run_benchmark"]

_log = logging.getLogger(__name__)
_PACKAGES = ("numpy", "jieba", "torch", "transformers")
_READ_AT_ONCE = 1 << 17


def run_benchmark(config: BenchmarkConfig) -> Results:
    """Score every system and every baseline, and write the results.

    Writes ``results.json``, ``results.csv``, ``results.md``, ``results.tex``, ``index.html`` and ``gallery.json`` into
    ``config.out``, predictions made here into its ``predictions`` folder, and renews ``index.html`` of the folder above
    over all results that lie there.

    Args:
        config: what to compare, and on which studies.

    Returns:
        The figures.

    Raises:
        UserError: no study to score, predictions that do not answer each study once, a broken side file, an unknown
            headline metric, reference protocol or published dataset.
    """
    published = () if config.published is None else read_published(config.published)
    table = read_studies(config.data)
    source = table if config.training is None else read_studies(config.training)
    training = source.split(config.train_split)
    validation = source.split(config.validation_split) if config.validation_split in source.splits else ()
    split = table.split(config.split)
    vocabulary = get_vocabulary(config.data.vocabulary)
    labeler = get_labeler(vocabulary, config.data.language)
    language = config.data.language
    extractor = load_graph_extractor(config.graph_extractor, language=language) or get_extractor(language)
    read = lru_cache(maxsize=_READ_AT_ONCE)(labeler.label)
    references = build_references(
        split,
        target=config.data.target,
        labeler=labeler,
        vocabulary=vocabulary,
        truth_root=locate_truth(config.truth, config.data.root),
    )
    pool = TrainingPool.build(training, split, target=config.data.target)
    copied = normal_forms(study.report(config.data.target) for study in training)
    scorer = Scorer(
        references,
        vocabulary=vocabulary,
        read=read,
        labeler_version=labeler.version,
        extractor=extractor,
        language=config.data.language,
        copied=copied,
        wording=config.wording,
        headline=config.headline or default_headline(config.data.language, vocabulary),
        protocols={
            name: get_protocol(name, language=config.data.language, training=pool.reports) for name in config.protocols
        },
        resamples=config.resamples,
        seed=config.seed,
    )
    check_headline(scorer.headline, scorer.metrics)
    rows = _rows(config, references=references, pool=pool, training=training, validation=validation, split=split)
    evidence = EvidenceScorer(
        references,
        data=config.data,
        studies=split,
        split=config.split,
        vocabulary=vocabulary,
        read=read,
        training=dict(zip(pool.ids, pool.reports, strict=True)),
        settings=config.evidence,
        resamples=config.resamples,
        seed=config.seed,
    )
    scored = [_with_evidence(scorer.score(row), row, evidence, config) for row in rows]
    leakage = find_leakage(
        {
            config.train_split: training,
            **({config.validation_split: validation} if validation else {}),
            config.split: split,
        },
        scored=config.split,
        training=config.train_split,
        references=references.texts,
        copied=copied,
        kept_from_baselines=pool.left_out,
    )
    results = Results(
        dataset=config.name,
        split=config.split,
        n=len(references.studies),
        patients=len(set(references.patients)),
        language=config.data.language,
        rows=tuple(_judged(scored, headline=scorer.headline, leakage=leakage, studies=len(references.studies))),
        title=config.title or config.name,
        vocabulary=vocabulary.name,
        protocol=protocol_words(config, references=references, vocabulary=vocabulary, graphs=extractor.version),
        signature=scorer.signature,
        labeler=labeler.version,
        seeds={"baselines": config.seed, "bootstrap": config.seed, "tests": config.seed, "gallery": config.seed},
        versions={"llmrg": __version__, **_versions()},
        training_studies=len(pool.ids),
        headline=scorer.headline,
        tests=_tests(config, scorer, scored, {name: row.system for row in rows for name in row.copies}),
        published=published,
        leakage=leakage,
        agreement=agreement_with_shipped(
            references, vocabulary, labeler=labeler.version, resamples=config.resamples, seed=config.seed
        ),
        reference_lengths=scorer.reference_lengths,
        reference_hash=scored[0].runs[0].reference_hash,
        protocols={name: reference_words(name) for name in config.protocols},
    )
    gallery = gallery_view(
        config, rows, references=references, vocabulary=vocabulary, read=read, pool=pool, training=training
    )
    _write(config, results, gallery)
    return results


def _rows(
    config: BenchmarkConfig,
    *,
    references: References,
    pool: TrainingPool,
    training: Sequence[Study],
    validation: Sequence[Study],
    split: Sequence[Study],
) -> list[ReportRow]:
    known = {study.id for study in split}
    tokens = cache(get_tokenizer(default_tokenizer(config.data.language)))  # training reports are cut for several rows
    systems = [system_row(entry, config, required=references.ids, known=known) for entry in config.systems]
    return [
        *systems,
        *baseline_rows(
            config,
            pool=pool,
            training=training,
            validation=[study.report(config.data.target) for study in validation],
            references=references,
            systems=systems,
            tokens=tokens,
        ),
        *oracle_rows(references, pool=pool, language=config.data.language, tokens=tokens),
    ]


def _with_evidence(scored: ScoredRow, row: ReportRow, evidence: EvidenceScorer, config: BenchmarkConfig) -> ScoredRow:
    """Score the evidence of a system's first seed; baselines have none."""
    if row.predictions is None:
        return scored
    folder = predictions_folder(config, row.system) / "without"
    found = evidence.score(row.predictions, run=row.run, folder=folder)
    return replace(scored, row=replace(scored.row, evidence=found))


def _tests(
    config: BenchmarkConfig, scorer: Scorer, scored: Sequence[ScoredRow], copied_by: Mapping[str, str]
) -> tuple[PairedResult, ...]:
    if not config.trials:
        return ()
    return paired_tests(
        scored,
        scorer.headline,
        trials=config.trials,
        resamples=config.resamples,
        seed=config.seed,
        copied_by=copied_by,
    )


def _judged(scored: Sequence[ScoredRow], *, headline: Sequence[str], leakage: Leakage, studies: int) -> list[Row]:
    """The rows, with every system held against the constant report."""
    constant = next(one.row for one in scored if one.row.system == "constant")
    distinct = leakage["distinct_references"]
    return [
        replace(
            one.row,
            gate=judge(one.row, constant, headline=headline, studies=studies, distinct_references=distinct),
        )
        if one.row.kind == "system"
        else one.row
        for one in scored
    ]


def _write(config: BenchmarkConfig, results: Results, gallery: Mapping[str, object]) -> None:
    config.out.mkdir(parents=True, exist_ok=True)
    results.write(config.out)
    write_text(config.out / "results.csv", csv_table(results))
    write_text(config.out / "results.md", markdown_table(results))
    write_text(config.out / "results.tex", latex_table(results))
    index = config.out.resolve().parent / "index.html"
    ours = may_write(index)
    write_page(results, gallery, config.out, parent="../index.html" if ours else None)
    if ours:
        write_index(find_results(index.parent), index)
    else:
        _log.warning("%s was not written by a benchmark and is left alone", index)


def _versions() -> dict[str, str]:
    found: dict[str, str] = {}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
