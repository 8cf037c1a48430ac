"""The deletion test of one system: reports without one source, generated and held against the ones with all."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from llmrg.benchmark.evidence_settings import DeletionSettings
from llmrg.benchmark.pointing_scores import Resampling, number
from llmrg.benchmark.predictions import Prediction, read_predictions
from llmrg.benchmark.references import References
from llmrg.findings.mention import Mention
from llmrg.findings.targets import positive_findings
from llmrg.findings.vocabulary import FindingVocabulary
from llmrg.metrics.deletion import DELETION_COLUMNS, DeletionScore, deletion_statistics, resting_findings
from llmrg.metrics.finding_scores import FindingScore, finding_statistics
from llmrg.metrics.metric import Statistics
from llmrg.studies.settings import DataConfig
from llmrg.studies.study import Language
from llmrg.text.sentences import split_sentences

__all__ = ["deletion_scores", "reports_without"]


def reports_without(
    run: Path, data: DataConfig, split: str, folder: Path, settings: DeletionSettings
) -> dict[str, Path]:
    """Generate the reports of the first studies of a split without one source at a time; stopped work is continued.

    Args:
        run: the run directory.
        data: the dataset.
        split: which split.
        folder: where to; one file a source.
        settings: which sources, and how many studies.

    Returns:
        Predictions by source, in the order of the system's sources.

    Raises:
        UserError: a source that the run lacks.
    """
    from llmrg.generation.dataset import generate_dataset
    from llmrg.systems.run import open_run

    opened = open_run(run)
    wanted = tuple(opened.system.sources) if settings.sources == "all" else settings.sources
    sources = opened.system.removable(wanted)
    folder.mkdir(parents=True, exist_ok=True)
    for source in sources:
        generate_dataset(opened, data, split, folder / f"{source}.jsonl", limit=settings.studies, without=(source,))
    return {source: folder / f"{source}.jsonl" for source in sources}


def deletion_scores(
    predictions: Sequence[Prediction],
    files: Mapping[str, Path],
    references: References,
    vocabulary: FindingVocabulary,
    *,
    language: Language,
    read: Callable[[str], Mapping[str, Mention]],
    stated_by: Callable[[str], Collection[str]],
    chosen: Sequence[int],
    known: Collection[str],
    resampling: Resampling,
) -> dict[str, Any]:
    """Compute ``deletion``.

    Args:
        predictions: one a scored study, with every source.
        files: predictions without a source, by source.
        references: what is true.
        vocabulary: the findings.
        language: of the reports.
        read: reads findings in reports.
        stated_by: the findings that the report of a training study states.
        chosen: places of the scored studies that ``files`` answer.
        known: ids of all studies that ``files`` answer.
        resampling: for the intervals; its patients are those of all scored studies.
    """
    classes = {finding.name for finding in vocabulary.abnormal}

    def found(text: str) -> dict[str, Mention]:
        return {name: mention for name, mention in read(text).items() if name in classes}

    whole = [predictions[place] for place in chosen]
    rests = [
        resting_findings(
            prediction.evidence, stated_by=stated_by, said_by=lambda words: positive_findings(read(words), vocabulary)
        )
        for prediction in whole
    ]
    true = [positive_findings(references.expected[place], vocabulary) for place in chosen]
    own = Resampling(
        patients=[resampling.patients[place] for place in chosen],
        resamples=resampling.resamples,
        seed=resampling.seed,
    )
    before = finding_statistics([positive_findings(read(p.report), vocabulary) for p in whole], true, vocabulary)
    sources = []
    for source, path in files.items():
        answers = read_predictions(path, required=[prediction.id for prediction in whole], known=known)
        reports = [answers[prediction.id].report for prediction in whole]
        rows = deletion_statistics(
            [prediction.report for prediction in whole],
            reports,
            [names.get(source, frozenset()) for names in rests],
            read=found,
            sentences=lambda text: split_sentences(text, language),
        )
        after = finding_statistics([positive_findings(read(r), vocabulary) for r in reports], true, vocabulary)
        sources.append({"source": source, **_source(rows, own), **_findings(before, after, vocabulary, own)})
    return {"studies": len(whole), "sources": sources}


def _source(rows: Statistics, resampling: Resampling) -> dict[str, Any]:
    sums = rows.sum(axis=0)
    names = {
        "resting": "resting_changed",
        "others": "others_changed",
        "positive_others": "positive_others_changed",
        "resting_reworded": "resting_reworded",
        "others_reworded": "others_reworded",
        "studies_changed": "studies_changed",
        "faithfulness": "faithfulness",
    }
    score = DeletionScore("faithfulness")
    return {
        "n": int(sums[DELETION_COLUMNS.index("resting")]),
        "n_others": int(sums[DELETION_COLUMNS.index("others")]),
        "n_positive_others": int(sums[DELETION_COLUMNS.index("positive_others")]),
        **{key: number(DeletionScore(figure).value(sums)) for key, figure in names.items()},
        "interval": resampling.interval(rows, score.value),
    }


def _findings(
    before: Statistics, after: Statistics, vocabulary: FindingVocabulary, resampling: Resampling
) -> dict[str, Any]:
    """Finding F1 with every source and without this one, and what is lost, over the same resampled patients."""
    score = FindingScore("clinical_micro_f1", vocabulary)
    width = before.shape[1]

    def lost(sums: Statistics) -> Any:
        return score.value(sums[..., :width]) - score.value(sums[..., width:])

    both = np.hstack([before, after])
    return {
        "f1": number(score.value(before.sum(axis=0))),
        "f1_without": number(score.value(after.sum(axis=0))),
        "f1_lost": number(lost(both.sum(axis=0))),
        "f1_lost_interval": resampling.interval(both, lost),
    }
