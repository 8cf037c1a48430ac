"""Annotated reports: our own graph format, and RadGraph's."""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from llmrg.errors import UserError
from llmrg.findings.graphs.graph import Entity, EntityKind, Relation, ReportGraph

__all__ = ["AnnotatedReport", "AnnotationFormat", "Annotations", "read_annotations"]

logger = logging.getLogger(__name__)

AnnotationFormat = Literal["llmrg", "radgraph"]

_OWN_FIELDS = ("text", "entities", "relations")
# RadGraph (Jain et al. 2021) and, behind them, the names of RadGraph-XL (Delbrouck et al. 2024).
_RADGRAPH_KINDS: dict[str, tuple[EntityKind, bool]] = {
    "ANAT-DP": ("Anatomy", False),
    "OBS-DP": ("DPO", False),
    "OBS-DA": ("DNO", False),
    "OBS-U": ("DPO", True),
    "Anatomy::definitely present": ("Anatomy", False),
    "Anatomy::definitely absent": ("Anatomy", False),
    "Anatomy::uncertain": ("Anatomy", False),
    "Observation::definitely present": ("DPO", False),
    "Observation::definitely absent": ("DNO", False),
    "Observation::uncertain": ("DPO", True),
}
_RADGRAPH_RELATIONS = ("located_at", "modify", "suggestive_of")
_LABELERS = ("labeler_1", "labeler_2")


@dataclass(frozen=True)
class AnnotatedReport:
    """A report with its graph.

    Args:
        text: the report.
        graph: its graph, checked against it; entities do not overlap.
    """

    text: str
    graph: ReportGraph


@dataclass(frozen=True)
class Annotations:
    """Annotated reports of one or more files.

    Args:
        reports: in the order of the files.
        dropped: how much of what the files hold has no place in our schema, by reason.
    """

    reports: tuple[AnnotatedReport, ...]
    dropped: Mapping[str, int] = field(default_factory=dict)


def read_annotations(paths: Sequence[Path], *, format: AnnotationFormat) -> Annotations:
    """Read annotated reports.

    Args:
        paths: files: JSON Lines with ``text``, ``entities``, ``relations`` (``llmrg graph --with-text``), or RadGraph's
            JSON (a mapping of reports with ``text`` and ``entities``; of two labelers the first counts).
        format: which of them.

    Raises:
        UserError: a file that is not there, is empty or of another format; an unknown label; a span outside of the
            text, or over another one. Nothing of a report is quoted.
    """
    reports: list[AnnotatedReport] = []
    dropped: Counter[str] = Counter()
    for path in paths:
        content = _read(path)
        found = list(_own(content, path) if format == "llmrg" else _radgraph(content, path, dropped))
        if not found:
            raise UserError("There is no annotated report in this file", where=str(path))
        reports += found
    for reason, count in sorted(dropped.items()):
        logger.warning("%d %s were dropped", count, reason)
    return Annotations(tuple(reports), dict(dropped))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UserError("The annotations are not in UTF-8", where=str(path), next_step="save them as UTF-8") from None
    except OSError as error:
        raise UserError(f"The annotations cannot be read ({error.strerror})", where=str(path)) from None


def _own(content: str, path: Path) -> Iterator[AnnotatedReport]:
    for number, line in enumerate(content.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise UserError(
                "Annotations are JSON Lines: one object a line",
                where=where,
                next_step="write them like `llmrg graph --with-text`, or set format=radgraph",
            )
        missing = [name for name in _OWN_FIELDS if name not in row]
        if missing or not isinstance(row["text"], str):
            raise UserError(
                f"An annotated report lacks {', '.join(missing) or 'a text that is one'}",
                where=where,
                allowed=_OWN_FIELDS,
                next_step="write graphs with `llmrg graph --with-text` and correct them",
            )
        try:
            graph = ReportGraph.from_mapping(row, text=row["text"])
        except UserError as error:
            raise UserError(f"The graph is not one: {error}", where=where) from error
        for one, two in zip(graph.entities, graph.entities[1:], strict=False):
            if two.start < one.end:
                raise UserError(
                    f"Two entities overlap, from character {two.start}", where=where, next_step="join or part them"
                )
        yield AnnotatedReport(row["text"], graph)


def _radgraph(content: str, path: Path, dropped: Counter[str]) -> Iterator[AnnotatedReport]:
    try:
        rows = json.loads(content)
    except ValueError:
        rows = None
    if not isinstance(rows, dict):
        raise UserError(
            "This is not RadGraph's format: one JSON object of reports",
            where=str(path),
            next_step="for JSON Lines of our own graphs set format=llmrg",
        )
    for key, row in rows.items():
        where = f"{path}, report {key}"
        text = row.get("text") if isinstance(row, dict) else None
        entities = _radgraph_entities(row) if isinstance(row, dict) else None
        if not isinstance(text, str) or not isinstance(entities, dict):
            raise UserError("A report of RadGraph has text and entities", where=where)
        yield AnnotatedReport(text, _radgraph_graph(text, entities, where, dropped))


def _radgraph_entities(row: Mapping[str, Any]) -> Any:
    if "entities" in row:
        return row["entities"]
    for name in _LABELERS:
        if isinstance(row.get(name), dict):
            return row[name].get("entities")
    return None


def _radgraph_graph(text: str, rows: Mapping[str, Any], where: str, dropped: Counter[str]) -> ReportGraph:
    """Map the entities of a report; offsets of RadGraph count words between spaces, the last one included."""
    words = [match.span() for match in re.finditer(r"\S+", text)]
    entities: dict[str, Entity] = {}
    for key, row in rows.items():
        entities[key] = _radgraph_entity(text, words, row, f"{where}, entity {key}")
    kept: list[str] = []
    for key in sorted(entities, key=lambda one: (entities[one].start, -entities[one].end)):
        if kept and entities[key].start < entities[kept[-1]].end:
            dropped["entities that overlap another one"] += 1
        else:
            kept.append(key)
    relations: dict[Relation, None] = {}
    for key in rows:
        for kind, target in _radgraph_relations(rows[key], f"{where}, entity {key}"):
            if target not in entities:
                raise UserError(f"A relation leads to {target!r}, which is no entity of the report", where=where)
            reason = _refused(kind, key, target, entities, kept)
            if reason:
                dropped[reason] += 1
            elif kind != "suggestive_of":
                relations[Relation(kind, kept.index(key), kept.index(target))] = None
    graph = ReportGraph(tuple(entities[key] for key in kept), tuple(relations))
    graph.check(text)
    return graph


def _refused(kind: str, source: str, target: str, entities: Mapping[str, Entity], kept: Sequence[str]) -> str | None:
    """Why a relation has no place in our schema; None if it has one."""
    if kind == "suggestive_of":
        return "relations of kind suggestive_of"
    if source not in kept or target not in kept:
        return "relations of dropped entities"
    places = (entities[source].kind == "Anatomy", entities[target].kind == "Anatomy")
    fits = places == (False, True) if kind == "located_at" else places[0] == places[1]
    return (
        None if fits and source != target else f"relations of kind {kind} between ends that the schema does not allow"
    )


def _radgraph_entity(text: str, words: Sequence[tuple[int, int]], row: Any, where: str) -> Entity:
    try:
        label, first, last = row["label"], row["start_ix"], row["end_ix"]
    except (KeyError, TypeError):
        raise UserError("An entity of RadGraph has label, start_ix and end_ix", where=where) from None
    if label not in _RADGRAPH_KINDS:
        raise UserError("Unknown label", where=where, allowed=_RADGRAPH_KINDS, got=str(label))
    whole = type(first) is int and type(last) is int
    if not whole or not 0 <= first <= last < len(words):
        raise UserError(
            "An entity lies outside of the report",
            where=where,
            allowed=[f"words 0 to {len(words) - 1}"],
            got=f"{first} to {last}",
        )
    start, end = words[first][0], words[last][1]
    if "tokens" in row and str(row["tokens"]).split() != text[start:end].split():
        raise UserError("The words of an entity are not those of the report at its offsets", where=where)
    kind, uncertain = _RADGRAPH_KINDS[label]
    return Entity(text[start:end], start, end, kind, uncertain)


def _radgraph_relations(row: Mapping[str, Any], where: str) -> Iterator[tuple[Any, str]]:
    for relation in row.get("relations", ()):
        if not isinstance(relation, list) or len(relation) != 2:
            raise UserError("A relation of RadGraph is a pair of kind and entity", where=where)
        if relation[0] not in _RADGRAPH_RELATIONS:
            raise UserError("Unknown kind of relation", where=where, allowed=_RADGRAPH_RELATIONS, got=str(relation[0]))
        yield relation[0], str(relation[1])
