"""Who serves as context: training studies in two roles, drawn once by a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from llmrg.evidence.context_settings import ResolvedContext
from llmrg.studies.study import Study

__all__ = ["NEGATIVE", "POSITIVE", "draw_context", "is_positive_by_keyword"]

POSITIVE = "positive"
NEGATIVE = "negative"


def is_positive_by_keyword(report: str, language: str) -> bool:
    """Tell by one word whether a report counts as abnormal.

    As R2GenCSR was released: an English report that contains ``note`` (of "noted"), a Chinese one that lacks 未见.
    """
    return "未见" not in report if language == "zh" else "note" in report


def draw_context(
    studies: Sequence[Study],
    context: ResolvedContext,
    *,
    target: tuple[str, ...],
    has_finding: Callable[[str], bool],
) -> list[tuple[int, str]]:
    """Draw ``reserve`` studies of each role at random (all, where there are no more).

    The draw depends on the ids, not on the order of the studies. Reports are read, one after another, only until both
    roles are full.

    Args:
        studies: of the training split.
        context: mode, reserve and seed.
        target: report sections that are read.
        has_finding: tells by its id whether the labeler finds anything in a study's report.

    Returns:
        Place in ``studies`` and role, positive ones first, each in the order of the draw. In the mode ``random`` of the
        setting ``faithful`` both roles have the same studies, as released.

    Raises:
        ValueError: a mode that searches instead.
    """
    if context.searches:
        raise ValueError("similarity draws no studies")
    reserve = context.config.reserve
    order = sorted(range(len(studies)), key=lambda place: studies[place].id)
    random.Random(context.config.seed).shuffle(order)
    if context.mode == "random" and context.faithful:
        return [(place, role) for role in (POSITIVE, NEGATIVE) for place in order[:reserve]]
    drawn: dict[bool, list[int]] = {True: [], False: []}
    for number, place in enumerate(order):
        study = studies[place]
        if context.mode == "random":
            positive = number % 2 == 0
        elif context.mode == "labels":
            positive = has_finding(study.id)
        else:
            positive = is_positive_by_keyword(study.report(target), study.language)
        if len(drawn[positive]) < reserve:
            drawn[positive].append(place)
        if all(len(places) == reserve for places in drawn.values()):
            break
    return [(place, role) for role in (POSITIVE, NEGATIVE) for place in drawn[role == POSITIVE]]
