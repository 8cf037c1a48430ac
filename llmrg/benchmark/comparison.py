"""How the findings a report states differ from those that are true."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from llmrg.findings.mention import Mention, Side
from llmrg.findings.vocabulary import FindingVocabulary

__all__ = ["OUTCOMES", "FindingOutcome", "Outcome", "compare_findings", "worst_outcome"]

Outcome = Literal["right", "missed", "invented", "wrong_side"]
OUTCOMES: tuple[Outcome, ...] = ("wrong_side", "invented", "missed", "right")


@dataclass(frozen=True, kw_only=True)
class FindingOutcome:
    """What became of one finding.

    Args:
        finding: its name in the vocabulary.
        outcome: right, missed (true, not stated), invented (stated, not true) or wrong side.
        expected_side: the true side, where one is known.
        stated_side: the side that the report states, where it states one.
        proof: the words of the report that state the finding; empty where it is missed.
    """

    finding: str
    outcome: Outcome
    expected_side: Side | None = None
    stated_side: Side | None = None
    proof: str = ""


def compare_findings(
    expected: Mapping[str, Mention], stated: Mapping[str, Mention], vocabulary: FindingVocabulary
) -> tuple[FindingOutcome, ...]:
    """Compare the positive findings of a report with the true ones, in the vocabulary's order.

    Uncertain and negative statements count as not stated. The side is wrong where the finding has a side, the truth
    knows it, and the report states another one or none.
    """
    found: list[FindingOutcome] = []
    for finding in vocabulary.abnormal:
        true, said = expected.get(finding.name), stated.get(finding.name)
        is_true = true is not None and true.polarity == "positive"
        is_said = said is not None and said.polarity == "positive"
        if not is_true and not is_said:
            continue
        outcome: Outcome
        expected_side = true.whole_side if true is not None and is_true else None
        stated_side = said.whole_side if said is not None and is_said else None
        if is_true and is_said:
            wrong = finding.sided and expected_side is not None and expected_side != stated_side
            outcome = "wrong_side" if wrong else "right"
        else:
            outcome = "missed" if is_true else "invented"
        found.append(
            FindingOutcome(
                finding=finding.name,
                outcome=outcome,
                expected_side=expected_side if finding.sided else None,
                stated_side=stated_side if finding.sided else None,
                proof=said.proof if said is not None and is_said else "",
            )
        )
    return tuple(found)


def worst_outcome(outcomes: tuple[FindingOutcome, ...]) -> Outcome:
    """Return the group a study belongs to: wrong side, then invented, then missed, else right."""
    present = {outcome.outcome for outcome in outcomes}
    return next((name for name in OUTCOMES if name in present), "right")
