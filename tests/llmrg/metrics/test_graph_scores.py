"""Graph figures against counts made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from llmrg.errors import UserError
from llmrg.findings.graphs.graph import Entity, Relation, ReportGraph
from llmrg.metrics.graph_scores import GRAPH_FIGURES, GraphScore, graph_statistics, keyword_scores

# 右肺斑片影，主动脉迂曲
TRUE = ReportGraph(
    (
        Entity("右肺", 0, 2, "Anatomy"),
        Entity("斑片", 2, 4, "DPO"),
        Entity("影", 4, 5, "NO"),
        Entity("主动脉", 6, 9, "Anatomy"),
        Entity("迂曲", 9, 11, "DPO"),
    ),
    (Relation("modify", 1, 2), Relation("located_at", 2, 0), Relation("located_at", 4, 3)),
)
# 右肺斑片影，未见积液: the aorta is missed, and a denied effusion is no pair
SAID = ReportGraph(
    (
        Entity("右肺", 0, 2, "Anatomy"),
        Entity("斑片", 2, 4, "DPO"),
        Entity("影", 4, 5, "NO"),
        Entity("未见", 6, 8, "DNO"),
        Entity("积液", 8, 10, "NO"),
    ),
    (Relation("modify", 1, 2), Relation("located_at", 2, 0), Relation("modify", 3, 4)),
)
# 右肺斑片影 again, at the left
LEFT = ReportGraph(
    (Entity("左肺门", 0, 3, "Anatomy"), Entity("斑片", 3, 5, "DPO"), Entity("影", 5, 6, "NO")),
    (Relation("modify", 1, 2), Relation("located_at", 2, 0)),
)


def figures(hypotheses: list[ReportGraph], references: list[ReportGraph]) -> dict[str, float]:
    sums = graph_statistics(hypotheses, references, "zh").sum(axis=0)
    return {name: float(GraphScore(name, "zh").value(sums)) for name in GRAPH_FIGURES}


def test_counts_by_hand() -> None:
    # entities: 3 right, 2 invented, 2 missed; relations: 2 right, 1 invented, 1 missed;
    # pairs: (Lung, Shadow) right, (Aorta, Torque) missed
    assert figures([SAID], [TRUE]) == pytest.approx(
        {"graph_entity_f1": 6 / 10, "graph_relation_f1": 4 / 6, "graph_f1": 2 / 3}
    )


def test_micro_over_reports() -> None:
    # the second report: entities 2 of 3 on both sides; relations 1 of 2 (斑片 > 影); pair at another anatomy
    shadow = ReportGraph(TRUE.entities[:3], TRUE.relations[:2])
    assert figures([SAID, LEFT], [TRUE, shadow]) == pytest.approx(
        {"graph_entity_f1": 10 / 16, "graph_relation_f1": 6 / 10, "graph_f1": 2 * 1 / (2 * 1 + 1 + 2)}
    )


def test_keywords_are_credited_by_pair() -> None:
    sums = graph_statistics([SAID, LEFT], [TRUE, ReportGraph(TRUE.entities[:3], TRUE.relations[:2])], "zh").sum(axis=0)
    scores = keyword_scores(sums)
    assert scores["Shadow"] == pytest.approx({"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 2})
    assert scores["Lung"] == pytest.approx({"precision": 1.0, "recall": 0.5, "f1": 2 / 3, "support": 2})
    assert scores["Hilum"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}
    assert scores["Torque"]["support"] == 1
    assert len(scores) == 48


def test_equal_graphs_score_one_and_nothing_scores_zero() -> None:
    assert set(figures([TRUE], [TRUE]).values()) == {1.0}
    assert set(figures([ReportGraph()], [ReportGraph()]).values()) == {0.0}


def test_values_of_many_sums() -> None:
    sums = graph_statistics([SAID, LEFT], [TRUE, LEFT], "zh")
    values = GraphScore("graph_f1", "zh").value(sums)
    np.testing.assert_allclose(values, [2 / 3, 1.0])


def test_unknown_figure() -> None:
    with pytest.raises(UserError):
        GraphScore("graph_recall", "zh")


def test_repeated_words_count_as_often() -> None:
    once = ReportGraph((Entity("增多", 0, 2, "DPO"),))
    twice = ReportGraph((Entity("增多", 0, 2, "DPO"), Entity("增多", 3, 5, "DPO")))
    assert figures([twice], [once])["graph_entity_f1"] == pytest.approx(2 / 3)
