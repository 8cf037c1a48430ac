"""Cleaning that never changes what a text says."""

from __future__ import annotations

import re

__all__ = ["clean_text"]

_LINE_BREAK = re.compile(r"\r\n?|\u2028|\u2029|\x85|\x0b|\x0c|\\r\\n|\\n(?![a-z])")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060\ufeff]")
_SPACES = re.compile(r"[^\S\n]+")
_AROUND_BREAK = re.compile(r" *\n[ \n]*")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def clean_text(text: str) -> str:
    r"""Normalise white space and drop control characters; every visible character stays.

    Line ends become ``\n`` (also the two characters backslash and n that CSV exports leave), runs of other white
    space one space, blank lines vanish. Full-width punctuation, case, digits and the full stops in them are kept.
    Lone surrogates, which no file can hold, are dropped.

    Args:
        text: as read from a file or a form.

    Returns:
        The text without leading or trailing white space.
    """
    text = _LINE_BREAK.sub("\n", text)
    text = _SURROGATE.sub("", _CONTROL.sub("", text))
    return _AROUND_BREAK.sub("\n", _SPACES.sub(" ", text)).strip()
