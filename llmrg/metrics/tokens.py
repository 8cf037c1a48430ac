"""Ways to cut a text into tokens for scoring; the same outputs score BLEU-4 .08 or .25 by this choice alone."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from llmrg.errors import UserError
from llmrg.metrics.ptb import PTB_VERSION, ptb_tokens

__all__ = ["Tokenizer", "default_tokenizer", "get_tokenizer", "tokenizer_names"]


@dataclass(frozen=True, kw_only=True)
class Tokenizer:
    """A way to cut texts, with the words that name it in signatures.

    Args:
        name: the name users give.
        version: what it is in a signature (``ptb-py1``, ``jieba-0.42.1``).
        case: ``as-is`` or ``lc`` (lower case).
        cut: the function from text to tokens.
    """

    name: str
    version: str
    case: str
    cut: Callable[[str], list[str]]

    def __call__(self, text: str) -> str:
        """Return the tokens separated by single spaces, the form that metrics take."""
        return " ".join(token for token in self.cut(text) if token and not token.isspace())


def tokenizer_names() -> tuple[str, ...]:
    """Names that :func:`get_tokenizer` knows."""
    return ("raw", "lower", "ptb", "char", "jieba")


def default_tokenizer(language: str) -> str:
    """Return the name of the headline tokenizer: ``char`` for zh, ``ptb`` for en.

    Raises:
        UserError: another language.
    """
    defaults = {"zh": "char", "en": "ptb"}
    if language not in defaults:
        raise UserError(f"Unknown report language {language!r}", allowed=defaults, got=language)
    return defaults[language]


@cache
def get_tokenizer(name: str) -> Tokenizer:
    """Return a tokenizer by name.

    ``raw``: words between white space. ``lower``: the same in lower case. ``ptb``: Penn Treebank words as in the COCO
    evaluation (English). ``char``: every character but white space (Chinese; as sacrebleu's ``char``). ``jieba``:
    words of jieba without a user dictionary (Chinese; for comparison with published word-level figures).

    Raises:
        UserError: the name is unknown, or jieba is not installed.
    """
    if name == "raw":
        return Tokenizer(name=name, version=name, case="as-is", cut=str.split)
    if name == "lower":
        return Tokenizer(name=name, version=name, case="lc", cut=lambda text: text.lower().split())
    if name == "ptb":
        return Tokenizer(name=name, version=PTB_VERSION, case="lc", cut=ptb_tokens)
    if name == "char":
        return Tokenizer(name=name, version=name, case="as-is", cut=list)
    if name == "jieba":
        return _jieba()
    raise UserError(f"Unknown tokenizer {name!r}", allowed=tokenizer_names(), got=name)


def _jieba() -> Tokenizer:
    try:
        import jieba
    except ImportError as error:
        raise UserError("The tokenizer 'jieba' is not installed", next_step="pip install jieba") from error
    jieba.setLogLevel(logging.WARNING)
    words = jieba.Tokenizer()  # its own, so that a dictionary loaded elsewhere in the process changes no score
    return Tokenizer(name="jieba", version=f"jieba-{jieba.__version__}", case="as-is", cut=words.lcut)
