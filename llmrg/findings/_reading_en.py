"""Reading one English sentence: which findings it names, with which polarity, side, degree and place."""

from __future__ import annotations

import re
from collections.abc import Collection

from llmrg.findings._lexicon_en_words import NO_SIDE
from llmrg.findings._modifiers_en import Modifiers
from llmrg.findings._reading import Reading
from llmrg.findings._scope_en import Scope
from llmrg.findings._sentence_en import SIGN, SIGN_OF, Sentence
from llmrg.findings.mention import Polarity, Side

__all__ = ["read_english_sentence"]

_DENIED_SIZE = re.compile(r"(?:large|sizable|sizeable|significant|gross|layering|massive|big|new)\W+(?:\w+\W+){0,3}$")


def read_english_sentence(sentence: str, observations: Collection[str]) -> tuple[Reading, ...]:
    """Read a sentence.

    Args:
        sentence: one sentence, as :func:`llmrg.text.sentences.split_sentences` gives it.
        observations: those that are wanted; others still bound the words that belong to each finding.

    Returns:
        The wanted findings in reading order; ``no_finding`` where the sentence says that nothing at all is wrong.
    """
    read = Sentence(sentence)
    readings = _readings(read, observations) if read.hits else []
    if read.normal:
        readings.append(Reading("no_finding", "positive", None, None, read.shown, True))
    return tuple(readings)


def _readings(sentence: Sentence, wanted: Collection[str]) -> list[Reading]:
    scope, modifiers = Scope(sentence), Modifiers(sentence)
    readings = []
    carried: Side | None = None
    for index, hit in enumerate(sentence.hits):
        name = SIGN_OF if hit.observation == SIGN else hit.observation
        polarity: Polarity = "negative" if hit.normal else scope.polarity(hit)
        stated = polarity != "negative"
        side = modifiers.side(index) if (stated or hit.observation == SIGN) and not hit.normal else None
        if side is None and stated:
            side = carried
        elif side is not None and hit.observation not in NO_SIDE:
            carried = side
        if name in wanted:
            readings.append(
                Reading(
                    name,
                    polarity,
                    side if stated else None,
                    modifiers.severity(index) if stated else None,
                    sentence.shown[hit.start : hit.end],
                    hit.normal,
                    modifiers.location(index) if stated else None,
                    sign=hit.observation == SIGN,
                    whole=stated or hit.normal or not _DENIED_SIZE.search(sentence.text[: hit.start]),
                )
            )
    return readings
