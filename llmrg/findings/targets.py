"""Labels as numbers: what training learns from mentions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from llmrg.findings.mention import Mention, Side
from llmrg.findings.vocabulary import FindingVocabulary

__all__ = ["Targets", "positive_findings", "targets"]


@dataclass(frozen=True, kw_only=True)
class Targets:
    """Label vectors of one report, in the vocabulary's order.

    Args:
        present: 1 where the finding is stated as positive, else 0.
        observed: 1 where the label may be learnt from: everything but uncertain findings. A finding that a report
            does not mention is taken as absent, as radiologists mean it.
        left: 1 where the finding is positive on the left (or on both sides).
        right: 1 where the finding is positive on the right (or on both sides).
        side_observed: 1 where the finding is positive and its side is stated.
    """

    present: tuple[int, ...]
    observed: tuple[int, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    side_observed: tuple[int, ...]


def targets(mentions: Mapping[str, Mention], vocabulary: FindingVocabulary) -> Targets:
    """Turn the mentions of a report into label vectors.

    Args:
        mentions: by finding name, as a labeler returns them.
        vocabulary: gives order and length.

    Returns:
        Vectors of ``len(vocabulary)`` zeros and ones.
    """
    stated = [mentions.get(name) for name in vocabulary.names]
    positive = [mention is not None and mention.polarity == "positive" for mention in stated]
    sides = [mention.whole_side if mention and yes else None for mention, yes in zip(stated, positive, strict=True)]
    return Targets(
        present=tuple(int(yes) for yes in positive),
        observed=tuple(int(mention is None or mention.polarity != "uncertain") for mention in stated),
        left=tuple(int(side in ("left", "bilateral")) for side in sides),
        right=tuple(int(side in ("right", "bilateral")) for side in sides),
        side_observed=tuple(int(side is not None) for side in sides),
    )


def positive_findings(mentions: Mapping[str, Mention], vocabulary: FindingVocabulary) -> dict[str, Side | None]:
    """Return the positive findings with their side, without the vocabulary's entry for a normal study."""
    abnormal = {finding.name for finding in vocabulary.abnormal}
    return {
        name: mention.whole_side
        for name, mention in mentions.items()
        if name in abnormal and mention.polarity == "positive"
    }
