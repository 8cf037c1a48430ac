"""Label the reports of a file: its rows as they are, with a column for every finding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from llmrg.artefacts import atomic_file
from llmrg.errors import UserError
from llmrg.findings._report_rows import detect_encoding, open_rows
from llmrg.findings.labeler import Labeler, get_labeler
from llmrg.findings.mention import Mention, Polarity
from llmrg.findings.vocabulary import FindingVocabulary, get_vocabulary

__all__ = ["LabelFile", "LabelSummary", "label_file"]

VALUES: dict[Polarity, int] = {"positive": 1, "negative": 0, "uncertain": -1}
"""What label files write; nothing where a finding is not mentioned."""
_EVERY = 500


@dataclass(frozen=True, kw_only=True)
class LabelFile:
    """What is to be labelled, and how.

    Args:
        source: a ``.csv``, ``.tsv`` or ``.jsonl`` file (UTF-8, with or without BOM, or GB18030).
        out: where the labelled rows go, in the same format and encoding.
        language: of the reports.
        column: the column (or field) that holds them.
        vocabulary: the findings to look for.
        side: whether to add a column with left, right or bilateral for every finding that has sides.
        severity: whether to add a column with mild, moderate or severe for every finding.
        prefix: put in front of the names of all added columns.
    """

    source: Path
    out: Path
    language: str
    column: str = "report"
    vocabulary: str = "chexpert14"
    side: bool = False
    severity: bool = False
    prefix: str = ""


@dataclass(frozen=True, kw_only=True)
class LabelSummary:
    """What was labelled.

    Args:
        labeler: name and version of the method.
        rows: how many were read and written.
        empty: how many of them have no report.
        counts: of each finding, how often it was positive, negative, uncertain or not mentioned.
    """

    labeler: str
    rows: int
    empty: int
    counts: Mapping[str, Mapping[str, int]]

    def to_mapping(self) -> dict[str, Any]:
        """Return the summary as plain values."""
        return {
            "labeler": self.labeler,
            "rows": self.rows,
            "empty": self.empty,
            "counts": {name: dict(counts) for name, counts in self.counts.items()},
        }


def label_file(request: LabelFile, *, progress: Callable[[int], None] | None = None) -> LabelSummary:
    """Label a file of reports.

    Rows, their order, their columns and every value stay as they are. Lines without any field are no rows.

    Args:
        request: what to label.
        progress: called with the number of rows done, every few hundred.

    Returns:
        Counts over all rows.

    Raises:
        UserError: the file or its column is not there, cannot be read, or has columns of the same names already; the
            output would replace the source or has another format. Nothing is written then.
    """
    vocabulary = get_vocabulary(request.vocabulary)
    labeler = get_labeler(vocabulary, _language(request.language))
    _check_out(request)
    encoding = detect_encoding(request.source)
    file = open_rows(request.source, column=request.column, encoding=encoding)
    columns = _columns(request, vocabulary)
    file.check_new(columns)
    counts = {name: Counter[str]() for name in vocabulary.names}
    rows = empty = 0
    with atomic_file(request.out, encoding=encoding) as out:
        file.start(out, columns)
        for row in file.rows():
            text = row.text()
            mentions = _mentions(labeler, text)
            empty += not text.strip()
            for name, counter in counts.items():
                counter[mentions[name].polarity if name in mentions else "unmentioned"] += 1
            file.write(out, row, _values(request, vocabulary, mentions))
            rows += 1
            if progress and rows % _EVERY == 0:
                progress(rows)
    return LabelSummary(
        labeler=labeler.version,
        rows=rows,
        empty=empty,
        counts={
            name: {state: counter[state] for state in (*VALUES, "unmentioned")} for name, counter in counts.items()
        },
    )


def _language(language: str) -> Literal["zh", "en"]:
    if language == "zh":
        return "zh"
    if language == "en":
        return "en"
    raise UserError("No labeler for this language", allowed=("zh", "en"), got=language)


def _check_out(request: LabelFile) -> None:
    source, out = request.source, request.out
    if out.suffix.lower() != source.suffix.lower():
        raise UserError(
            "The labelled file has the format of the source",
            where=str(out),
            allowed=[source.suffix],
            got=out.suffix or out.name,
        )
    if out.exists() and source.exists() and out.samefile(source):
        raise UserError("The labelled file would replace the source", where=str(out), next_step="name another --out")
    if out.is_dir():
        raise UserError("The output is a folder", where=str(out), next_step="name a file")


def _mentions(labeler: Labeler, text: str) -> dict[str, Mention]:
    return labeler.label(text) if text.strip() else {}


def _columns(request: LabelFile, vocabulary: FindingVocabulary) -> list[str]:
    return list(_values(request, vocabulary, {}))


def _values(
    request: LabelFile, vocabulary: FindingVocabulary, mentions: Mapping[str, Mention]
) -> dict[str, int | str | None]:
    space = " " if any(" " in name for name in vocabulary.names) else "_"
    values: dict[str, int | str | None] = {}
    for finding in vocabulary:
        mention = mentions.get(finding.name)
        name = request.prefix + finding.name
        values[name] = None if mention is None else VALUES[mention.polarity]
        if request.side and finding.sided:
            values[f"{name}{space}side"] = mention.side if mention else None
        if request.severity and not finding.normal:
            values[f"{name}{space}severity"] = mention.severity if mention else None
    return values
