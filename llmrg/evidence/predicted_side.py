"""The side on which a disease query finds its finding: decided in one place for records and for hints."""

from __future__ import annotations

from llmrg.findings.mention import Side
from llmrg.findings.vocabulary import Finding

__all__ = ["predicted_side"]


def predicted_side(finding: Finding, left: float, right: float) -> Side | None:
    """Decide the side of a finding, supposing that it is present.

    Args:
        finding: which.
        left: probability that it is on the patient's left.
        right: on the right.

    Returns:
        Both where both are likelier than not, otherwise the likelier one; None for a finding without sides.
    """
    if not finding.sided:
        return None
    if left >= 0.5 and right >= 0.5:
        return "bilateral"
    return "left" if left >= right else "right"
