"""Ways to cut a text into tokens for scoring; the same outputs score BLEU-4 .08 or .25 by this choice alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from llmrg.errors import UserError
from llmrg.metrics.ptb import PTB_VERSION, ptb_tokens
from llmrg.metrics.ptb_jar import PTB_JAR_VERSION, ptb_jar
from llmrg.text.segmentation import get_segmenter, segmenter_version

__all__ = ["Tokenizer", "default_tokenizer", "get_tokenizer", "tokenizer_names"]


@dataclass(frozen=True, kw_only=True)
class Tokenizer:
    """A way to cut texts, with the words that name it in signatures.

    Args:
        name: the name users give.
        version: what it is in a signature (``ptb-py1``, ``jieba-0.42.1``).
        case: ``as-is`` or ``lc`` (lower case).
        cut: the function from text to tokens.
        cut_all: the same for many texts, where that is faster.
    """

    name: str
    version: str
    case: str
    cut: Callable[[str], list[str]]
    cut_all: Callable[[Sequence[str]], list[list[str]]] | None = None

    def __call__(self, text: str) -> str:
        """Return the tokens separated by single spaces, the form that metrics take."""
        return _joined(self.cut(text))

    def all(self, texts: Sequence[str]) -> list[str]:
        """Return the tokens of each text, separated by single spaces."""
        if self.cut_all is not None:
            return [_joined(tokens) for tokens in self.cut_all(texts)]
        known: dict[str, str] = {}
        for text in texts:
            if text not in known:
                known[text] = self(text)
        return [known[text] for text in texts]


def tokenizer_names() -> tuple[str, ...]:
    """Names that :func:`get_tokenizer` knows."""
    return ("raw", "lower", "ptb", "char", "jieba", "jieba-radiology", "ptb-jar")


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
    ``jieba-radiology``: the same with radiology's own words (:mod:`llmrg.text.segmentation`). ``ptb-jar``: Stanford's
    own program in Java, with COCO's options (English).

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
    if name in ("jieba", "jieba-radiology"):
        return Tokenizer(name=name, version=segmenter_version(name), case="as-is", cut=get_segmenter(name))
    if name == "ptb-jar":
        return Tokenizer(
            name=name, version=PTB_JAR_VERSION, case="lc", cut=lambda text: ptb_jar([text])[0], cut_all=ptb_jar
        )
    raise UserError(f"Unknown tokenizer {name!r}", allowed=tokenizer_names(), got=name)


def _joined(tokens: Sequence[str]) -> str:
    return " ".join(token for token in tokens if token and not token.isspace())
