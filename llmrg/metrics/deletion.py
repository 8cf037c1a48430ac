"""The deletion test: does a report change where it rests on a source when that source is taken away?

The idea of erasing what an explanation names and watching the output: DeYoung et al., "ERASER", ACL 2020, section 4.2
(comprehensiveness); here whole sources of evidence are erased, and reports are compared by what they say.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from llmrg.errors import UserError
from llmrg.findings.mention import Mention
from llmrg.metrics.metric import Statistics

__all__ = ["DELETION_COLUMNS", "DELETION_FIGURES", "DeletionScore", "deletion_statistics", "resting_findings"]

Mentions = Mapping[str, Mention]
Record = Mapping[str, Any]

DELETION_COLUMNS = (
    *("resting", "resting_changed", "resting_reworded"),
    *("others", "others_changed"),
    *("positive_others", "positive_others_changed"),
    *("rest", "rest_reworded"),
    *("studies", "studies_changed", "studies_reworded"),
)
"""What a study adds, in this order."""

DELETION_FIGURES: Mapping[str, tuple[str, str]] = {
    "resting_changed": ("resting_changed", "resting"),
    "others_changed": ("others_changed", "others"),
    "positive_others_changed": ("positive_others_changed", "positive_others"),
    "resting_reworded": ("resting_reworded", "resting"),
    "others_reworded": ("rest_reworded", "rest"),
    "studies_changed": ("studies_changed", "studies"),
    "studies_reworded": ("studies_reworded", "studies"),
}
_FAITHFULNESS = "faithfulness"


def resting_findings(
    records: Sequence[Record],
    *,
    stated_by: Callable[[str], Collection[str]],
    said_by: Callable[[str], Collection[str]],
    threshold: float = 0.5,
) -> dict[str, frozenset[str]]:
    """Return, for each source of a report, the findings for which its record speaks.

    * ``disease_queries``: findings whose probability reaches the threshold.
    * ``visual_memory``, ``report_memory``: findings whose query remembered a pattern of the same finding more strongly
      than any pattern of another one.
    * ``retrieved_context``, ``context_residuals``: findings that a study retrieved as positive states (none where the
      same studies serve every query: nothing was retrieved).
    * ``diagnosis_hints``: findings that its words state.
    * Another source (``patches``) has no record a finding: nothing can be said to rest on it alone.

    Args:
        records: the evidence records of one prediction.
        stated_by: the findings that the report of a training study states, by study id; none where it is not known.
        said_by: the findings that words state.
        threshold: of the disease queries.
    """
    found: dict[str, frozenset[str]] = {}
    for record in records:
        kind, items = str(record.get("kind")), record.get("items")
        known = [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []
        names: set[str] = set()
        if kind == "disease_queries":
            names = {str(item.get("finding")) for item in known if _number(item.get("probability")) >= threshold}
        elif kind in ("visual_memory", "report_memory"):
            names = _remembered(known)
        elif kind in ("retrieved_context", "context_residuals"):
            for item in known:
                if item.get("role") == "positive" and (kind == "retrieved_context" or "similarity" in item):
                    names.update(stated_by(str(item.get("study_id"))))
        elif kind == "diagnosis_hints":
            for item in known:
                names.update(said_by(str(item.get("words") or "")))
        found[kind] = found.get(kind, frozenset()) | names
    return found


def deletion_statistics(
    reports: Sequence[str],
    without: Sequence[str],
    resting: Sequence[Collection[str]],
    *,
    read: Callable[[str], Mentions],
    sentences: Callable[[str], Sequence[str]],
) -> Statistics:
    """Return what each study adds to the figures of one source, ``[N, K]``: :data:`DELETION_COLUMNS`.

    A sentence rests on the source if it states a finding as present for which the source's record speaks. What it says
    changes if the report without the source no longer has it: a positive statement needs the finding positive and,
    where the sentence names a side, on that side or both; an uncertain one needs it uncertain; a negative one needs it
    not positive (unmentioned means absent), and is not judged where the report itself calls the finding present
    elsewhere ("no further consolidation"). Other sentences are judged in the same way if they state a finding at all;
    ``positive_others`` are those of them that state one as present. A sentence is reworded if its words no longer
    stand in the report.

    Args:
        reports: N reports with every source.
        without: the same studies' reports without the source.
        resting: the findings of each study for which the source's record speaks.
        read: reads findings in a report or a sentence.
        sentences: cuts a report into sentences.

    Raises:
        ValueError: lists of different lengths.
    """
    rows = np.zeros((len(reports), len(DELETION_COLUMNS)))
    for place, (report, other, names) in enumerate(zip(reports, without, resting, strict=True)):
        row = dict.fromkeys(DELETION_COLUMNS, 0)
        own, new = read(report), read(other)
        still = {_plain(sentence) for sentence in sentences(other)}
        for sentence in sentences(report):
            said = read(sentence)
            reworded = _plain(sentence) not in still
            judged = [mention for mention in said.values() if _is_judged(mention, own)]
            changed = any(_has_changed(mention, new) for mention in judged)
            positive = [mention for mention in said.values() if mention.polarity == "positive"]
            if any(mention.finding in names for mention in positive):
                row["resting"] += 1
                row["resting_changed"] += changed
                row["resting_reworded"] += reworded
                continue
            row["rest"] += 1
            row["rest_reworded"] += reworded
            if judged:
                row["others"] += 1
                row["others_changed"] += changed
                row["positive_others"] += bool(positive)
                row["positive_others_changed"] += bool(positive) and changed
        row["studies"] = 1
        row["studies_changed"] = _claims(own) != _claims(new)
        row["studies_reworded"] = _plain(report) != _plain(other)
        rows[place] = [row[name] for name in DELETION_COLUMNS]
    return rows


class DeletionScore:
    """One figure of :func:`deletion_statistics`: a share, NaN where there is nothing to take a share of.

    Args:
        figure: one of :data:`DELETION_FIGURES`, or ``faithfulness``: the share of changed sentences among those that
            rest on the source minus that among the others.

    Raises:
        UserError: an unknown figure.
    """

    family = "deletion"

    def __init__(self, figure: str) -> None:
        known = (*DELETION_FIGURES, _FAITHFULNESS)
        if figure not in known:
            raise UserError(f"Unknown figure {figure!r}", allowed=known, got=figure)
        self.name = figure

    def value(self, sums: Statistics) -> Any:
        """Return the figure for sums of statistics ``[..., K]``: shape ``[...]``."""
        sums = np.asarray(sums, dtype=np.float64)
        if self.name == _FAITHFULNESS:
            return _share(sums, "resting_changed") - _share(sums, "others_changed")
        return _share(sums, self.name)


def _share(sums: Statistics, figure: str) -> Any:
    part, whole = (sums[..., DELETION_COLUMNS.index(name)] for name in DELETION_FIGURES[figure])
    return np.divide(part, whole, out=np.full_like(whole, np.nan), where=whole > 0)


def _remembered(items: Sequence[Record]) -> set[str]:
    strongest: dict[str, tuple[float, bool]] = {}
    for item in items:
        pattern, name, weight = item.get("pattern"), str(item.get("finding")), _number(item.get("weight"))
        if isinstance(pattern, Mapping) and weight > strongest.get(name, (0.0, False))[0]:
            strongest[name] = weight, pattern.get("finding") == name
    return {name for name, (_, same) in strongest.items() if same}


def _is_judged(mention: Mention, report: Mentions) -> bool:
    whole = report.get(mention.finding)
    return mention.polarity == "positive" or (whole is not None and whole.polarity == mention.polarity)


def _has_changed(mention: Mention, new: Mentions) -> bool:
    found = new.get(mention.finding)
    polarity = "negative" if found is None else found.polarity
    if mention.polarity == "negative":
        return polarity == "positive"
    if polarity != mention.polarity:
        return True
    return mention.side is not None and found is not None and found.side not in (mention.side, "bilateral")


def _claims(mentions: Mentions) -> dict[str, tuple[str, str | None]]:
    return {
        name: (mention.polarity, mention.side) for name, mention in mentions.items() if mention.polarity != "negative"
    }


def _plain(text: str) -> str:
    return "".join(character for character in text.lower() if character.isalnum())


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
