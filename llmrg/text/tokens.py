"""Tokens for counting and comparing: characters for Chinese, words for English."""

from __future__ import annotations

import re
from typing import Literal

__all__ = ["tokenize"]

_CHINESE = re.compile(r"[A-Za-z0-9]+(?:[.\-/][A-Za-z0-9]+)*%?|\S")
_ENGLISH = re.compile(r"\d+(?:[.,:/]\d+)*%?|[^\W\d_](?:[^\W_]|['’\-](?=[^\W_]))*|[^\W_]+|_+|[^\w\s]")


def tokenize(text: str, language: Literal["zh", "en"]) -> list[str]:
    """Split a text into tokens, case kept.

    Chinese: one token a character, except that a run of Latin letters and digits (``CT``, ``3.5cm``, ``T4-T5``,
    ``30%``) is one token. English: words (with inner hyphens and apostrophes), numbers (with their decimals) and
    single punctuation marks. Nothing but white space is lost.

    Args:
        text: any text.
        language: ``zh`` or ``en``.

    Returns:
        The tokens in order.
    """
    return (_CHINESE if language == "zh" else _ENGLISH).findall(text)
