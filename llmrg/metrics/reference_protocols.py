"""What is done to references (and reports) before wording is scored; never silently, and by default nothing.

Published figures are mostly those of cleaned references cut to 59 or 99 words, or to 100 tokens of a language model,
which makes them shorter and BLEU's brevity penalty vanish.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from llmrg.errors import UserError
from llmrg.text.published_cleaning import PUBLISHED_CLEANINGS, default_cleaning, get_cleaning
from llmrg.text.segmentation import get_segmenter

__all__ = ["FULL", "ReferenceProtocol", "get_protocol"]

_UNKNOWN = "<unk>"
# Letters alone, so that every cleaning leaves it as it is.
_PLACEHOLDER = "zzunknownwordzz"
_NAME = re.compile(r"full|clean-full|words(?P<words>\d+)|llmtok(?P<tokens>\d+):(?P<path>.+)", re.DOTALL)
_KNOWN = ("full", "clean-full", "words60", "words100", "llmtok100:TOKENIZER")


@dataclass(frozen=True, kw_only=True)
class ReferenceProtocol:
    """One way to prepare the texts; build it with :func:`get_protocol`.

    Args:
        signature: names all that is done, for signatures.
        clean: the cleaning of both sides.
        cut: shortens a cleaned reference; a generated report is never cut.
        cuts: tells whether it does.
        tokenizer: the tokenizer that these figures are published with, or None for the language's headline one.
        note: what is not as it is in the published figures, in one sentence.
    """

    signature: str
    clean: Callable[[str], str] = field(repr=False)
    cut: Callable[[str], str] = field(repr=False)
    cuts: Callable[[str], bool] = field(repr=False)
    tokenizer: str | None = None
    note: str | None = None

    def reference(self, text: str) -> str:
        """Return a reference as it is scored."""
        return self.cut(self.clean(text))

    def notes(self, references: Sequence[str]) -> list[str]:
        """Return what must be said of these references under this protocol, one sentence each."""
        count = sum(self.cuts(self.clean(text)) for text in references)
        shortened = f"{count} of {len(references)} references are cut by {self.signature}, which raises BLEU."
        return [*([self.note] if self.note else []), *([shortened] if count else [])]

    def report(self, text: str) -> str:
        """Return a generated report as it is scored: cleaned, whole, its ``<unk>`` kept."""
        if _UNKNOWN not in text:
            return self.clean(text)
        return self.clean(text.replace(_UNKNOWN, _PLACEHOLDER)).replace(_PLACEHOLDER, _UNKNOWN)


def _same(text: str) -> str:
    return text


def _never(text: str) -> bool:
    return False


FULL = ReferenceProtocol(signature="full", clean=_same, cut=_same, cuts=_never)
"""References as they are: the default."""


def get_protocol(
    name: str,
    *,
    language: str,
    training: Iterable[str] | None = None,
    cleaning: str | None = None,
    threshold: int | None = None,
) -> ReferenceProtocol:
    """Return a protocol by name.

    ``full``: nothing is done. ``clean-full``: cleaned, whole. ``words60``, ``words100`` (any number): R2Gen's, and
    for Chinese KPCL's: cleaned, words outside the training split's vocabulary become ``<unk>``, cut to one word less
    than the number (the released code counts a leading mark). ``llmtok100:FILE`` (any number): R2GenGPT's: cleaned,
    cut to so many tokens of a language model's tokenizer (``tokenizer.json`` or the folder that holds it).

    Args:
        name: of the protocol.
        language: ``zh`` or ``en``; decides the default cleaning.
        training: reports of the training split, for the vocabulary of ``words``; without them no word becomes
            ``<unk>``, and the signature says so.
        cleaning: a name of :data:`llmrg.text.published_cleaning.PUBLISHED_CLEANINGS`; by default R2Gen's for IU X-ray
            under ``words60`` and its one for MIMIC-CXR otherwise, R2GenGPT's under ``llmtok``, KPCL's for Chinese
            (``llmtok`` leaves Chinese as it is, as the released code does).
        threshold: words that occur more seldom in training are unknown; by default 3 for ``words60``, 10 otherwise, 1
            for Chinese.

    Raises:
        UserError: an unknown name or cleaning, a number below 2, or a tokenizer that cannot be read.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        raise UserError(f"Unknown reference protocol {name!r}", allowed=_KNOWN, got=name)
    if cleaning is not None and cleaning not in PUBLISHED_CLEANINGS:
        raise UserError(f"Unknown cleaning {cleaning!r}", allowed=PUBLISHED_CLEANINGS, got=cleaning)
    if name == "full":
        if cleaning not in (None, "none"):
            raise UserError("The protocol 'full' cleans nothing", next_step="name the protocol clean-full")
        return FULL
    if name == "clean-full":
        chosen = cleaning or default_cleaning(language)
        return ReferenceProtocol(signature=f"clean-full({chosen})", clean=get_cleaning(chosen), cut=_same, cuts=_never)
    limit = int(found["words"] or found["tokens"])
    if limit < 2:
        raise UserError("References cannot be cut to fewer than 2 words or tokens", got=name)
    if found["words"]:
        return _words(limit, language, training, cleaning, threshold)
    chosen = cleaning or ("none" if language == "zh" else "r2gen-iu" if limit == 60 else "r2gengpt-mimic")
    cut, version = _token_cut(found["path"], limit)
    signature = f"llmtok{limit}({chosen},{version})"
    return ReferenceProtocol(
        signature=signature, clean=get_cleaning(chosen), cut=cut, cuts=lambda text: cut(text) != text
    )


def _words(
    limit: int, language: str, training: Iterable[str] | None, cleaning: str | None, threshold: int | None
) -> ReferenceProtocol:
    chosen = cleaning or ("kpcl" if language == "zh" else "r2gen-iu" if limit == 60 else "r2gen-mimic")
    clean = get_cleaning(chosen)
    least = threshold if threshold is not None else 1 if chosen == "kpcl" else 3 if limit == 60 else 10
    vocabulary: frozenset[str] | None = None
    note = None
    if training is not None:
        # KPCL counts the words of reports as they come, so that the full stop it puts between sentences is unknown.
        words = get_segmenter("jieba") if chosen == "kpcl" else lambda text: clean(text).split()
        counts = Counter(word for text in training for word in words(text))
        vocabulary = frozenset(word for word, count in counts.items() if count >= least)
        if not vocabulary:
            raise UserError(f"No word occurs {least} times in the training reports", where="vocabulary of the protocol")
        known = f"min{least},vocabulary{len(vocabulary | {_UNKNOWN})}"
    else:
        known = "no-vocabulary"
        note = f"No training reports were given: rare words of the references do not become {_UNKNOWN}."

    def cut(text: str) -> str:
        # Place 0 of the released code's list is a mark, which uses up one of the words.
        kept = text.split()[: limit - 1]
        return " ".join(word if vocabulary is None or word in vocabulary else _UNKNOWN for word in kept)

    signature = f"words{limit}({chosen},{known})"
    return ReferenceProtocol(
        signature=signature,
        clean=clean,
        cut=cut,
        cuts=lambda text: len(text.split()) >= limit,
        tokenizer="raw",
        note=note,
    )


def _token_cut(path: str, limit: int) -> tuple[Callable[[str], str], str]:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise UserError("The package 'tokenizers' is not installed", next_step="pip install tokenizers") from error
    file = Path(path).expanduser()
    file = file / "tokenizer.json" if file.is_dir() else file
    try:
        content = file.read_bytes()
        tokenizer = Tokenizer.from_buffer(content)
    except Exception as error:  # the library raises plain Exception for a file that it cannot use
        raise UserError(
            "The tokenizer of the reference protocol cannot be read",
            where=str(file),
            next_step="name a tokenizer.json, or the folder of a model that holds one",
        ) from error
    tokenizer.no_padding()
    tokenizer.no_truncation()

    @cache
    def cut(text: str) -> str:
        # A lone surrogate has no bytes to cut into tokens.
        readable = text.encode("utf-8", "replace").decode("utf-8")
        ids = tokenizer.encode(readable, add_special_tokens=False).ids
        if len(ids) <= limit:
            return text
        return str(tokenizer.decode(ids[:limit], skip_special_tokens=False)).replace(_UNKNOWN, "").strip()

    return cut, f"tokenizer-{hashlib.sha256(content).hexdigest()[:12]}"
