"""The rule extractor on sentences annotated from the guideline, blind to it (``../sentences/README.md``)."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import pytest

from llmrg.findings.graphs.extractor import get_extractor
from llmrg.findings.graphs.graph import Entity, Relation, ReportGraph
from llmrg.findings.graphs.keywords import keyword_pairs

SENTENCES = Path(__file__).parents[1] / "sentences"
FLOORS = {"zh": (0.985, 0.975, 0.985), "en": (0.98, 0.97, 0.975)}
"""F1 of entities, relations and keyword pairs, a little below what was measured."""


def rows(language: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SENTENCES / f"{language}.jsonl").read_text(encoding="utf-8").splitlines()]


def annotated(row: dict[str, Any]) -> ReportGraph:
    """Return the annotated graph: each span stands behind the one before."""
    entities: list[Entity] = []
    end = 0
    for words, kind in row["graph"]["entities"]:
        start = row["text"].index(words, end)
        end = start + len(words)
        entities.append(Entity(text=words, start=start, end=end, kind=kind))
    relations = (Relation(kind=kind, source=a, target=b) for kind, a, b in row["graph"]["relations"])
    return ReportGraph(entities=tuple(entities), relations=tuple(relations))


def spans(graph: ReportGraph) -> list[tuple[int, int, str]]:
    return [(one.start, one.end, one.kind) for one in graph.entities]


def facts(graph: ReportGraph, language: Literal["zh", "en"]) -> dict[str, set[object]]:
    ends = spans(graph)
    return {
        "entity": set(ends),
        "relation": {(one.kind, ends[one.source], ends[one.target]) for one in graph.relations},
        "pair": set(keyword_pairs(graph, language)),
    }


@pytest.mark.parametrize("language", ["zh", "en"])
def test_annotations_are_graphs(language: str) -> None:
    for row in rows(language):
        graph = annotated(row)
        graph.check(row["text"])
        linked = {index for edge in graph.relations for index in (edge.source, edge.target)}
        for index, entity in enumerate(graph.entities):
            assert entity.kind != "NO" or index in linked, (row["text"], entity)
        for edge in graph.relations:
            places = [graph.entities[index].kind == "Anatomy" for index in (edge.source, edge.target)]
            assert places == [False, True] if edge.kind == "located_at" else places[0] == places[1], row["text"]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_graphs(language: Literal["zh", "en"]) -> None:
    extractor = get_extractor(language)
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("entity", "relation", "pair")}
    wrong: list[str] = []
    for row in rows(language):
        true, found = facts(annotated(row), language), facts(extractor.extract(row["text"]), language)
        for name, counter in counts.items():
            both = true[name] & found[name]
            counter.update(right=len(both), said=len(found[name]), there=len(true[name]))
        if true["relation"] != found["relation"]:
            wrong.append(row["text"])
    values = [2 * one["right"] / (one["said"] + one["there"]) for one in counts.values()]
    figures = ", ".join(f"{name} {value:.4f}" for name, value in zip(counts, values, strict=True))
    for value, floor in zip(values, FLOORS[language], strict=True):
        assert value >= floor, f"{language}: {figures}\n" + "\n".join(wrong)
