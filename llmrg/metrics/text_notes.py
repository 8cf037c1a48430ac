"""What is odd about a set of texts that is scored: things that make figures mean less than they seem to."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["text_notes"]

_CHINESE = re.compile(r"[\u3400-\u9fff]")
_WORD = re.compile(r"[A-Za-z]+|[\u3400-\u9fff]")
_NO_TEXT = re.compile(r"\s*(?i:nan|none|null|n/a|<na>)\s*|.*\b(?:Findings|Impression):\s*(?:nan|None)\b.*", re.DOTALL)
_END = re.compile(r"[.。!！?？;；)）\]】\"”]\s*\Z")
_ENGLISH_TOKENS = ("raw", "lower", "ptb", "ptb-jar")
_MANY = 0.5
_CUT_SHARE, _CUT_LEAST = 0.02, 5


def text_notes(hypotheses: Sequence[str], references: Sequence[str], *, language: str, tokenizer: str) -> list[str]:
    """Return one sentence for each thing that is odd.

    Args:
        hypotheses: generated reports as they are.
        references: references as they are.
        language: ``zh`` or ``en``, as stated.
        tokenizer: name of the tokens.
    """
    notes = []
    for name, texts in (("references", references), ("generated reports", hypotheses)):
        empty = sum(not text.strip() for text in texts)
        if empty:
            notes.append(f"{empty} of {len(texts)} {name} are empty.")
        no_text = sum(_NO_TEXT.fullmatch(text) is not None for text in texts)
        if no_text:
            notes.append(f"{no_text} of {len(texts)} {name} say nan or None instead of a report.")
        chinese = sum(map(_is_chinese, texts))
        if tokenizer in _ENGLISH_TOKENS and chinese:
            notes.append(
                f"{chinese} of {len(texts)} {name} are Chinese, but tokens are {tokenizer!r}, which do not cut"
                " Chinese into words: figures of wording mean nothing for them. Use char, jieba or jieba-radiology."
            )
        written = sum(_WORD.search(text) is not None for text in texts)
        other = chinese if language == "en" else written - chinese
        if other > _MANY * max(1, written):
            notes.append(f"Most {name} are not in the stated language {language!r}: {other} of {written}.")
        elif other and not (tokenizer in _ENGLISH_TOKENS and chinese):
            notes.append(f"{other} of {written} {name} are not in the stated language {language!r}.")
    return [*notes, *_cut_note(references)]


def _is_chinese(text: str) -> bool:
    return 2 * len(_CHINESE.findall(text)) > len(_WORD.findall(text))


def _cut_note(references: Sequence[str]) -> list[str]:
    """Recognise references that were cut to a number of words or characters before they came here."""
    for unit, lengths in (
        ("words", [len(text.split()) for text in references]),
        ("characters", [len(text) for text in references]),
    ):
        longest = max(lengths, default=0)
        at_end = [text for text, length in zip(references, lengths, strict=True) if length == longest]
        broken = sum(_END.search(text) is None for text in at_end)
        if longest > 10 and broken >= max(_CUT_LEAST, _CUT_SHARE * len(references)) and len(set(at_end)) > 1:
            return [
                f"{broken} references have exactly {longest} {unit}, more than none has, and end without a full stop:"
                " they seem to have been cut, which raises BLEU."
            ]
    return []
