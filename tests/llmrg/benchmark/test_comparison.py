from __future__ import annotations

from llmrg.benchmark.comparison import compare_findings, worst_outcome
from llmrg.findings.mention import Mention, Polarity, Side
from llmrg.findings.vocabulary import get_vocabulary

VOCABULARY = get_vocabulary("ped_xray")


def mention(name: str, side: Side | None = None, polarity: Polarity = "positive") -> dict[str, Mention]:
    return {name: Mention(finding=name, polarity=polarity, side=side, proof=f"words of {name}")}


def outcomes(expected: dict[str, Mention], stated: dict[str, Mention]) -> dict[str, str]:
    return {found.finding: found.outcome for found in compare_findings(expected, stated, VOCABULARY)}


def test_every_outcome() -> None:
    expected = mention("nodule", "left") | mention("pneumothorax", "left") | mention("consolidation")
    stated = mention("nodule", "left") | mention("pneumothorax", "right") | mention("edema")
    assert outcomes(expected, stated) == {
        "nodule": "right",
        "pneumothorax": "wrong_side",
        "consolidation": "missed",
        "edema": "invented",
    }


def test_no_side_and_both_sides_are_wrong_where_one_is_true() -> None:
    assert outcomes(mention("nodule", "left"), mention("nodule")) == {"nodule": "wrong_side"}
    assert outcomes(mention("nodule", "left"), mention("nodule", "bilateral")) == {"nodule": "wrong_side"}


def test_a_side_counts_only_where_finding_and_truth_have_one() -> None:
    assert outcomes(mention("nodule"), mention("nodule", "left")) == {"nodule": "right"}
    assert outcomes(mention("cardiomegaly", "left"), mention("cardiomegaly")) == {"cardiomegaly": "right"}


def test_negative_and_uncertain_statements_state_nothing() -> None:
    assert outcomes(mention("nodule"), mention("nodule", polarity="negative")) == {"nodule": "missed"}
    assert outcomes({}, mention("nodule", polarity="uncertain")) == {}


def test_groups_go_from_wrong_side_to_right() -> None:
    found = compare_findings(mention("nodule", "left"), mention("nodule", "right") | mention("edema"), VOCABULARY)
    assert worst_outcome(found) == "wrong_side"
    assert worst_outcome(()) == "right"
