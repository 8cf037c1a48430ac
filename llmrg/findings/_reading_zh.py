"""Reading one Chinese sentence: which findings it names, with which polarity, side, degree and place."""

from __future__ import annotations

from llmrg.findings._place_zh import NO_SIDE, Places
from llmrg.findings._polarity_zh import is_angle, polarities
from llmrg.findings._reading import Reading
from llmrg.findings._statement_zh import Statement
from llmrg.findings.mention import Side

__all__ = ["read_chinese_sentence"]


def read_chinese_sentence(sentence: str, observations: tuple[str, ...]) -> tuple[Reading, ...]:
    """Read a sentence.

    A finding without a side of its own takes that of the one before it in the sentence. Denials have no side or
    degree: what is not there is nowhere.

    Args:
        sentence: one sentence, as :func:`llmrg.text.sentences.split_sentences` gives it.
        observations: those that are wanted; others still bound the words that belong to each finding.

    Returns:
        The wanted findings in reading order, and ``no_finding`` where the sentence states that nothing is wrong.
    """
    statement = Statement(sentence)
    readings: list[Reading] = []
    places = Places(statement)
    carried: tuple[Side | None, str | None] = (None, None)
    for index, (hit, polarity) in enumerate(zip(statement.hits, polarities(statement), strict=True)):
        side: Side | None = None
        place: str | None = None
        if not hit.normal:
            side, place = places.own(index)
            if side is not None and hit.observation not in NO_SIDE:
                carried = (side, place)
            elif side is None and polarity != "negative":
                side, place = carried[0], place or carried[1]
        if polarity is None or hit.observation not in observations:
            continue
        present = polarity != "negative"
        readings.append(
            Reading(
                observation=hit.observation,
                polarity=polarity,
                side=places.with_following(index, side) if present else None,
                severity=places.degree(index) if present else None,
                proof=sentence[hit.start : hit.end],
                normal=hit.normal,
                location=place,
                sign=is_angle(statement, hit),
            )
        )
    if statement.all_normal:
        start, end = statement.all_normal.span()
        readings.append(Reading("no_finding", "positive", None, None, sentence[start:end], normal=True))
    return tuple(readings)
