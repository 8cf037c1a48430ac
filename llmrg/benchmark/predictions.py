"""Reading what systems predicted, and refusing files that do not answer every study exactly once."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmrg.benchmark.rexrank import is_rexrank, read_rexrank_predictions
from llmrg.errors import UserError

__all__ = ["Prediction", "read_predictions"]

_NAMED_AT_MOST = 5
_SURROGATE = re.compile("[\ud800-\udfff]")  # half a character, which no file can hold
ABSENT_WORDS = frozenset({"nan", "none", "null"})
"""What pandas and ``str`` make of an absent report."""


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """One generated report with the records that explain it.

    Args:
        id: the study.
        report: the generated text.
        confidence: mean token probability, where the system gives one.
        evidence: records as ``llmrg generate`` writes them.
        folder: folder that picture paths of the records are relative to.
    """

    id: str
    report: str
    confidence: float | None = None
    evidence: tuple[Mapping[str, Any], ...] = ()
    folder: Path = field(default_factory=Path)

    def records(self, kind: str) -> tuple[Mapping[str, Any], ...]:
        """All items of the evidence records of one kind, in order."""
        found: list[Mapping[str, Any]] = []
        for record in self.evidence:
            items = record.get("items")
            if record.get("kind") == kind and isinstance(items, list):
                found.extend(item for item in items if isinstance(item, Mapping))
        return tuple(found)


def read_predictions(
    path: str | Path, *, required: Sequence[str], known: Collection[str] | None = None
) -> dict[str, Prediction]:
    """Read a predictions file and check that it answers the right studies.

    Args:
        path: JSON Lines with at least ``id`` and ``report`` in every line, or (``.json``) JSON as ReXrank has it. An
            empty report is one that the model left empty, and is scored as such.
        required: ids that must be there exactly once.
        known: ids that may be there (by default those required).

    Returns:
        Predictions by id, in the order of ``required``.

    Raises:
        UserError: unreadable file, a line that is no prediction, missing, duplicate or unknown ids (named), or a report
            that is the word for an absent text (``nan``, ``None``, as tables write it).
    """
    path = Path(path)
    if is_rexrank(path):
        found = [
            Prediction(id=id_, report=_SURROGATE.sub("\ufffd", report))
            for id_, report in read_rexrank_predictions(path)
        ]
    else:
        found = _read_lines(path)
    absent = [prediction.id for prediction in found if prediction.report.strip().casefold() in ABSENT_WORDS]
    if absent:
        raise UserError(
            f"{len(absent)} reports are a word for an absent text, such as 'nan' or 'None' ({_name_some(absent)})",
            where=str(path),
            next_step="write the reports, or an empty text where the model wrote none",
        )
    counts = Counter(prediction.id for prediction in found)
    allowed = set(required) | set(known if known is not None else required)
    problems = {
        "duplicate": [id_ for id_, count in counts.items() if count > 1],
        "unknown": [id_ for id_ in counts if id_ not in allowed],
        "missing": [id_ for id_ in required if id_ not in counts],
    }
    stated = [f"{len(ids)} {kind} ({_name_some(ids)})" for kind, ids in problems.items() if ids]
    if stated:
        raise UserError(
            f"The predictions do not answer each study exactly once: {'; '.join(stated)}",
            where=str(path),
            next_step="generate them again for this split of this dataset",
        )
    by_id = {prediction.id: prediction for prediction in found}
    return {id_: by_id[id_] for id_ in required}


def _read_lines(path: Path) -> list[Prediction]:
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")  # splitlines would cut at U+2028 inside a report
    except (OSError, UnicodeDecodeError) as error:
        raise UserError("The predictions cannot be read", where=str(path)) from error
    return [
        _parse(line, where=f"{path}, line {n}", folder=path.parent) for n, line in enumerate(lines, 1) if line.strip()
    ]


def _parse(line: str, *, where: str, folder: Path) -> Prediction:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UserError("This line is not JSON", where=where) from error
    if (
        not isinstance(values, dict)
        or not isinstance(values.get("id"), str)
        or not isinstance(values.get("report"), str)
    ):
        raise UserError("A prediction needs the texts 'id' and 'report'", where=where)
    evidence = values.get("evidence")
    return Prediction(
        id=values["id"],
        report=_SURROGATE.sub("\ufffd", values["report"]),
        confidence=_confidence(values.get("confidence")),
        evidence=tuple(r for r in evidence if isinstance(r, dict)) if isinstance(evidence, list) else (),
        folder=folder,
    )


def _confidence(value: Any) -> float | None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if number and 0 <= value <= 1 else None


def _name_some(ids: Sequence[str]) -> str:
    shown = ", ".join(ids[:_NAMED_AT_MOST])
    return shown if len(ids) <= _NAMED_AT_MOST else f"{shown}, ..."
