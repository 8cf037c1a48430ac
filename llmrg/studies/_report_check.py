"""What the reports of a dataset are like: lengths, labels, languages, and reports that occur again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from llmrg.findings.labeler import get_labeler
from llmrg.findings.vocabulary import get_vocabulary
from llmrg.studies._check_values import quantiles
from llmrg.studies._hashing import hash_text
from llmrg.studies.settings import DataConfig
from llmrg.studies.study_table import StudyTable
from llmrg.text.tokens import tokenize

__all__ = ["check_reports"]

_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_LATIN = re.compile(r"[A-Za-z]{2}")


def check_reports(table: StudyTable, config: DataConfig) -> dict[str, Any]:
    """Read the target report of every study.

    Args:
        table: the studies.
        config: says what the target is and which findings are labelled.

    Returns:
        ``lengths`` (quantiles of characters and tokens by split), ``labels`` (positive, negative and uncertain mentions
        of each finding by split, and the labelers that read them), ``languages`` (studies by split and language),
        ``other_script`` (studies whose report has no letter of its language's script), ``empty`` (studies without a
        report, by split) and ``identical`` (reports that occur again). Never the text of a report.
    """
    vocabulary = get_vocabulary(config.vocabulary)
    lengths: dict[str, dict[str, list[int]]] = {}
    labels: dict[str, dict[str, dict[str, int]]] = {}
    languages: dict[str, dict[str, int]] = {}
    empty: dict[str, int] = {}
    keys: dict[str, dict[int, int]] = {}
    versions: set[str] = set()
    other_script = 0
    for study in table:
        report = study.report(config.target)
        if not report:
            empty[study.split] = empty.get(study.split, 0) + 1
            continue
        by_language = languages.setdefault(study.split, {})
        by_language[study.language] = by_language.get(study.language, 0) + 1
        script = _CHINESE if study.language == "zh" else _LATIN
        other_script += script.search(report) is None
        own = lengths.setdefault(study.split, {"characters": [], "tokens": []})
        own["characters"].append(len(report))
        own["tokens"].append(len(tokenize(report, study.language)))
        labeler = get_labeler(vocabulary, study.language)
        versions.add(labeler.version)
        counts = labels.setdefault(
            study.split, {name: {"positive": 0, "negative": 0, "uncertain": 0} for name in vocabulary.names}
        )
        for name, mention in labeler.label(report).items():
            counts[name][mention.polarity] += 1
        key = hash_text(" ".join(report.lower().split()))
        seen = keys.setdefault(study.split, {})
        seen[key] = seen.get(key, 0) + 1
    return {
        "lengths": {split: {name: quantiles(own[name]) for name in own} for split, own in lengths.items()},
        "labels": {"labeler": ", ".join(sorted(versions)), "by_split": labels},
        "languages": languages,
        "other_script": other_script,
        "empty": empty,
        "identical": _identical(keys),
    }


def _identical(keys: Mapping[str, Mapping[int, int]]) -> dict[str, Any]:
    """Count the studies whose report (case and white space aside) occurs before in their split, or in another split."""
    within = {}
    across = {}
    for split, own in keys.items():
        total = sum(own.values())
        again = total - len(own)
        within[split] = {"count": again, "share": again / total}
        for other, others in keys.items():
            if other != split:
                count = sum(number for key, number in own.items() if key in others)
                across[f"{split} in {other}"] = {"count": count, "share": count / total}
    return {"within": within, "across": across}
