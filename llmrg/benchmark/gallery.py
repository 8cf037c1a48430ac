"""Choosing the studies that the page shows: by seed, errors first, some right ones for fairness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from llmrg.benchmark.comparison import OUTCOMES, FindingOutcome, Outcome, worst_outcome

__all__ = ["GalleryChoice", "choose_gallery"]


@dataclass(frozen=True, kw_only=True)
class GalleryChoice:
    """The studies chosen.

    Args:
        picks: position of each study and the group it stands for, errors first.
        totals: how many studies of the split fall into each group.
    """

    picks: tuple[tuple[int, Outcome], ...]
    totals: dict[Outcome, int]


def choose_gallery(outcomes: Sequence[tuple[FindingOutcome, ...]], *, count: int, seed: int) -> GalleryChoice:
    """Choose studies to look at.

    Every study belongs to one group: wrong side, else invented, else missed, else right. Each group gets an equal
    share of the places, drawn at random; places that a small group leaves go to the others. Of the right studies, up
    to three quarters have findings, so that not only normal films are shown as successes.

    Args:
        outcomes: the compared findings of each study.
        count: places.
        seed: seed of the draw.
    """
    rng = np.random.default_rng([seed, 4])
    groups: dict[Outcome, list[int]] = {name: [] for name in OUTCOMES}
    for position, found in enumerate(outcomes):
        groups[worst_outcome(found)].append(position)
    queues = {name: [members[int(i)] for i in rng.permutation(len(members))] for name, members in groups.items()}
    queues["right"] = _abnormal_first(queues["right"], outcomes)
    shares = dict.fromkeys(OUTCOMES, 0)
    left = min(count, len(outcomes))
    while left:
        for name in OUTCOMES:
            if left and shares[name] < len(queues[name]):
                shares[name] += 1
                left -= 1
    picks = tuple((position, name) for name in OUTCOMES for position in queues[name][: shares[name]])
    return GalleryChoice(picks=picks, totals={name: len(members) for name, members in groups.items()})


def _abnormal_first(positions: list[int], outcomes: Sequence[tuple[FindingOutcome, ...]]) -> list[int]:
    """Order the right studies so that three of every four have findings, as long as there are such."""
    with_findings = [p for p in positions if outcomes[p]]
    normal = [p for p in positions if not outcomes[p]]
    ordered: list[int] = []
    while with_findings or normal:
        take_normal = bool(normal) and (not with_findings or len(ordered) % 4 == 3)
        ordered.append((normal if take_normal else with_findings).pop(0))
    return ordered
