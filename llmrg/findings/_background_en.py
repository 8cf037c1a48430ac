"""Parts of an English report that say why it was asked for, not what is seen."""

from __future__ import annotations

import re

__all__ = ["without_background"]

_BACKGROUND = re.compile(
    r"(?:^|(?<=[.\n]))\s*(?:indications?|(?:clinical |past |patient )?(?:medical )?history|clinical (?:information"
    r"|indications?"
    r"|data|details|statement|context|question)|reason for (?:the )?(?:exam(?:ination)?|study|request)|comparisons?"
    r"|technique|procedure|exam(?:ination)?(?: type)?|study|symptoms?|priors?)\s*:",
    re.IGNORECASE,
)
_NEXT = re.compile(
    r"\b(?:findings?|impressions?|conclusions?|report|interpretation|opinion|comment|result)s?\s*:", re.IGNORECASE
)
_END = re.compile(r"[.!?](?=\s|$)|\n|$")


def without_background(text: str) -> str:
    """Drop indication, history, comparison and technique where they stand under their headings.

    Args:
        text: a report, or a section of one.

    Returns:
        The text from which each such heading is cut out up to the next heading of findings or, where none follows, to
        the end of its sentence.
    """
    if ":" not in text:
        return text
    kept: list[str] = []
    position = 0
    while heading := _BACKGROUND.search(text, position):
        kept.append(text[position : heading.start()])
        following = _NEXT.search(text, heading.end()) or _END.search(text, heading.end())
        position = following.start() if following else len(text)
        if following and following.group()[-1:] != ":":
            position = following.end()
    return "\n".join((*kept, text[position:]))
