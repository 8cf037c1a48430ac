"""Chinese words by jieba: as it comes, or with radiology's own words."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import Any

from llmrg.errors import UserError

__all__ = ["get_segmenter", "radiology_words", "segmenter_version"]

_FILE = "radiology_words.txt"
_VERSION = "radiology-1"
"""Changes with every change of the word list, because it changes scores."""

# Far more often than any split of a listed word could be, so that the list decides.
_FREQUENCY = 2_000_000


def radiology_words() -> tuple[str, ...]:
    """Return the terms of radiology reports that ``jieba-radiology`` keeps whole, in the order of the file."""
    lines = resources.files("llmrg.text").joinpath(_FILE).read_text(encoding="utf-8").splitlines()
    return tuple(dict.fromkeys(word for line in lines if not line.startswith("#") for word in line.split()))


def segmenter_version(name: str) -> str:
    """Return what a segmenter is in a signature: ``jieba-0.42.1``, ``jieba-0.42.1+radiology-1``."""
    version = f"jieba-{_module().__version__}"
    return version if name == "jieba" else f"{version}+{_VERSION}"


@cache
def get_segmenter(name: str) -> Callable[[str], list[str]]:
    """Return a function from text to words, white space among them.

    ``jieba``: without a user dictionary, as KPCL uses it. ``jieba-radiology``: with :func:`radiology_words`.

    Raises:
        UserError: an unknown name, or jieba is not installed.
    """
    if name not in ("jieba", "jieba-radiology"):
        raise UserError(f"Unknown segmenter {name!r}", allowed=("jieba", "jieba-radiology"), got=name)
    # Its own, so that a dictionary loaded elsewhere in the process changes no score.
    tokenizer = _module().Tokenizer()
    if name == "jieba-radiology":
        for word in radiology_words():
            tokenizer.add_word(word, freq=_FREQUENCY)
    return tokenizer.lcut


def _module() -> Any:
    try:
        import jieba
    except ImportError as error:
        raise UserError("The tokenizer 'jieba' is not installed", next_step="pip install jieba") from error
    jieba.setLogLevel(logging.WARNING)
    return jieba
