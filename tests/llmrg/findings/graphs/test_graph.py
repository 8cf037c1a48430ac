"""Graphs as values: what is one and what is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmrg.errors import UserError
from llmrg.findings.graphs.graph import Entity, Relation, ReportGraph

TEXT = "右肺下叶斑片影"
GRAPH = ReportGraph(
    (
        Entity("右肺", 0, 2, "Anatomy"),
        Entity("下叶", 2, 4, "Anatomy"),
        Entity("斑片影", 4, 7, "DPO", uncertain=True),
    ),
    (Relation("modify", 0, 1), Relation("located_at", 2, 1)),
)


def test_goes_through_json() -> None:
    mapping = json.loads(json.dumps(GRAPH.to_mapping(), ensure_ascii=False))
    again = ReportGraph.from_mapping(mapping, text=TEXT)
    assert again == GRAPH
    assert again.entities[2].uncertain


def test_empty_graph_is_one() -> None:
    assert ReportGraph.from_mapping({"entities": [], "relations": []}, text="") == ReportGraph()


@pytest.mark.parametrize(
    ("place", "key", "value"),
    [
        (0, "kind", "Organ"),
        (0, "end", 3),
        (0, "start", -1),
        (0, "start", 0.0),
        (1, "text", "上叶"),
        (1, "start", "2"),
    ],
)
def test_refuses_entities(place: int, key: str, value: Any) -> None:
    mapping = GRAPH.to_mapping()
    mapping["entities"][place][key] = value
    with pytest.raises(UserError):
        ReportGraph.from_mapping(mapping, text=TEXT)


@pytest.mark.parametrize(
    "edge",
    [
        {"kind": "near", "source": 0, "target": 1},
        {"kind": "modify", "source": 0, "target": 0},
        {"kind": "modify", "source": 0, "target": 2},
        {"kind": "located_at", "source": 0, "target": 1},
        {"kind": "located_at", "source": 2, "target": 3},
        {"kind": "located_at", "source": 2, "target": -1},
        {"kind": "located_at", "source": 2, "target": True},
        {"kind": "located_at", "source": 2},
        {"kind": "modify", "source": 0, "target": 1},
    ],
)
def test_refuses_relations(edge: dict[str, Any]) -> None:
    mapping = GRAPH.to_mapping()
    mapping["relations"].append(edge)
    with pytest.raises(UserError):
        ReportGraph.from_mapping(mapping)


def test_errors_hold_no_words_of_the_report() -> None:
    with pytest.raises(UserError) as caught:
        GRAPH.check("左肺上叶斑片影")
    assert "右肺" not in str(caught.value) and "左肺" not in str(caught.value)


@pytest.mark.parametrize("mapping", [{}, {"entities": 3, "relations": []}, {"entities": [1], "relations": []}])
def test_refuses_what_is_no_graph(mapping: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        ReportGraph.from_mapping(mapping)
