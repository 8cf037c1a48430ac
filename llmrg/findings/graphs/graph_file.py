"""The graphs of a file of reports, and how often they state each keyword."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, get_args

from llmrg.artefacts import atomic_file
from llmrg.errors import UserError
from llmrg.findings._report_rows import detect_encoding, open_rows
from llmrg.findings.graphs.extractor import get_extractor
from llmrg.findings.graphs.graph import (
    BatchGraphExtractor,
    EntityKind,
    GraphExtractor,
    Language,
    RelationKind,
    ReportGraph,
)
from llmrg.findings.graphs.keyword_names import ANATOMY_KEYWORDS, LESION_KEYWORDS
from llmrg.findings.graphs.keywords import keyword_pairs

__all__ = ["GraphFile", "GraphSummary", "graph_file"]

_ID_COLUMNS = ("id", "study_id")
_EVERY = 500
_BATCH = 128


@dataclass(frozen=True, kw_only=True)
class GraphFile:
    """Which reports become graphs.

    Args:
        source: a ``.csv``, ``.tsv`` or ``.jsonl`` file (UTF-8, with or without BOM, or GB18030).
        out: where the graphs go, as JSON Lines.
        language: of the reports, ``zh`` or ``en``.
        column: the column (or field) that holds them.
        with_text: write each report beside its graph, as annotations to correct and to train an extractor on need it.
    """

    source: Path
    out: Path
    language: str
    column: str = "report"
    with_text: bool = False


@dataclass(frozen=True, kw_only=True)
class GraphSummary:
    """What the graphs of a file state, as in the tables of CN-RadGraph.

    Args:
        extractor: name and version of the method.
        rows: reports read, empty ones among them.
        empty: reports without a word.
        entities: how many of each kind.
        relations: how many of each kind.
        anatomy: for each anatomy keyword, the number of reports with a lesion there.
        lesions: for each lesion keyword, the number of reports that affirm it.
    """

    extractor: str
    rows: int
    empty: int
    entities: Mapping[str, int]
    relations: Mapping[str, int]
    anatomy: Mapping[str, int]
    lesions: Mapping[str, int]

    def to_mapping(self) -> dict[str, Any]:
        """Return the summary as plain values."""
        return {
            "extractor": self.extractor,
            "rows": self.rows,
            "empty": self.empty,
            "entities": dict(self.entities),
            "relations": dict(self.relations),
            "anatomy": dict(self.anatomy),
            "lesions": dict(self.lesions),
        }


def graph_file(
    request: GraphFile, *, extractor: GraphExtractor | None = None, progress: Callable[[int], None] | None = None
) -> GraphSummary:
    """Write the graph of every report of a file, one JSON line a row, in the order of the rows.

    A line holds ``id`` (where the file has a column ``id`` or ``study_id``), ``text`` (if asked for), ``entities``,
    ``relations`` and ``pairs`` (anatomy and lesion keywords of positive observations).

    Args:
        request: which reports, and where the graphs go.
        extractor: what reads them; None takes the rules of the language.
        progress: called with the number of rows done, every few hundred.

    Returns:
        Counts over all rows.

    Raises:
        UserError: the file or its column is not there or cannot be read, or the output would replace the source.
            Nothing is written then.
    """
    language = _language(request.language)
    extractor = extractor or get_extractor(language)
    encoding = detect_encoding(request.source)
    if request.out.exists() and request.out.samefile(request.source):
        raise UserError("The graphs would replace the reports", where=str(request.out), next_step="name another --out")
    if request.out.is_dir():
        raise UserError("The output is a folder", where=str(request.out), next_step="name a file")
    entities, relations, keywords = Counter[str](), Counter[str](), Counter[str]()
    rows = empty = 0
    with atomic_file(request.out) as out:
        for id_, text, graph in _graphs(extractor, _reports(request, encoding)):
            pairs = keyword_pairs(graph, language)
            line: dict[str, Any] = {} if id_ is None else {"id": id_}
            line |= {"text": text} if request.with_text else {}
            line |= {**graph.to_mapping(), "pairs": sorted(map(list, pairs))}
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
            rows += 1
            empty += not text.strip()
            entities.update(entity.kind for entity in graph.entities)
            relations.update(edge.kind for edge in graph.relations)
            keywords.update({keyword for pair in pairs for keyword in pair})
            if progress and rows % _EVERY == 0:
                progress(rows)
    return GraphSummary(
        extractor=extractor.version,
        rows=rows,
        empty=empty,
        entities={kind: entities[kind] for kind in get_args(EntityKind)},
        relations={kind: relations[kind] for kind in get_args(RelationKind)},
        anatomy={keyword: keywords[keyword] for keyword in ANATOMY_KEYWORDS},
        lesions={keyword: keywords[keyword] for keyword in LESION_KEYWORDS},
    )


def _graphs(
    extractor: GraphExtractor, reports: Iterator[tuple[str | None, str]]
) -> Iterator[tuple[str | None, str, ReportGraph]]:
    """Read reports in batches where the extractor can."""
    if not isinstance(extractor, BatchGraphExtractor):
        for id_, text in reports:
            yield id_, text, extractor.extract(text)
        return
    while batch := list(islice(reports, _BATCH)):
        graphs = extractor.extract_many([text for _, text in batch])
        yield from ((id_, text, graph) for (id_, text), graph in zip(batch, graphs, strict=True))


def _reports(request: GraphFile, encoding: str) -> Iterator[tuple[str | None, str]]:
    """Give the id, where there is one, and the text of each row."""
    texts = open_rows(request.source, column=request.column, encoding=encoding).rows()
    ids = _ids(request.source, encoding)
    if ids is None:
        for row in texts:
            yield None, row.text()
        return
    for row, id_ in zip(texts, ids, strict=False):
        yield id_ or None, row.text()


def _ids(source: Path, encoding: str) -> Iterator[str] | None:
    if source.suffix.lower() == ".jsonl":
        columns = [open_rows(source, column=name, encoding=encoding).rows() for name in _ID_COLUMNS]
        return (next((one.text() for one in row if one.text()), "") for row in zip(*columns, strict=True))
    for name in _ID_COLUMNS:
        try:
            rows = open_rows(source, column=name, encoding=encoding).rows()
        except UserError:  # the table has no such column
            continue
        return (row.text() for row in rows)
    return None


def _language(language: str) -> Language:
    if language == "zh":
        return "zh"
    if language == "en":
        return "en"
    raise UserError("No graph extractor for this language", allowed=("zh", "en"), got=language)
