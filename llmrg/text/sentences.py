"""Sentences of a report."""

from __future__ import annotations

import re
from typing import Literal

from llmrg.text.cleaning import clean_text

__all__ = ["cut_long_sentence", "split_sentences"]

_ENUMERATOR = re.compile(r"^\s*(?:[(（]?\d{1,2}[.．、)）](?!\d)|[①-⑳]|[(（]?[一二三四五六七八九十][、)）])\s*")
_CHINESE_END = re.compile(
    r"(?<=[。；！？!?;])(?![”」』)）])"
    r"|\n"
    r"|(?<=[\u4e00-\u9fff）)])[.．](?=\s|$|[\u4e00-\u9fff（(])"
    r"|(?<=[\s。；，：:)）])(?=[(（]?\d{1,2}[.．、)）](?!\d)\s*[\u4e00-\u9fff])"
    r"|(?<=[\u4e00-\u9fff])(?=\d{1,2}[.．](?!\d)\s*[\u4e00-\u9fff])"
    r"|(?=[①-⑳])"
)
_ENGLISH_STOP = re.compile(
    r"[!;]+|(?<=[^\s(])\?+|\.+(?=\s|$)|(?<=[A-Za-z)])\.(?=[A-Z][A-Za-z]|\d{1,2}[.)]\s?[A-Za-z])"
    r"|(?<=[A-Za-z)])\s(?=\d{1,2}[.)]\s?[A-Z])"
)
_ABBREVIATION = re.compile(r"(?:^|[\s(])(?:dr|mr|mrs|ms|vs|e\.g|i\.e|approx|st|fig|prof|a\.m|p\.m)$", re.IGNORECASE)
_NUMBER_SIGN = re.compile(r"\bno$", re.IGNORECASE)
_LIST_NUMBER = re.compile(r"^\s*[(]?\d{1,2}$")
# A line that ends so goes on in the next one, as does one before a lower-case letter.
_GOES_ON = re.compile(
    r"(?:[,(]|\b(?:of|and|or|nor|no|the|a|an|in|with|without|to|for|at|is|are|on|by))$", re.IGNORECASE
)
_WRAPPED = re.compile(r"\n(?=[a-z])")


def split_sentences(text: str, language: Literal["zh", "en"]) -> list[str]:
    """Split a report into sentences.

    Chinese sentences end at 。；！？ and line ends. English ones end at full stops that are neither part of a number
    nor of an abbreviation, at semicolons and at line ends that do not merely wrap a sentence. List numbers (``1.``,
    ``2、``, ``1.NO EVIDENCE``) start a sentence and are dropped; the final punctuation is kept.

    Args:
        text: a report or a section of one.
        language: ``zh`` or ``en``.

    Returns:
        The sentences that are not empty, in order.
    """
    text = clean_text(text)
    parts = _CHINESE_END.split(text) if language == "zh" else _english_parts(text)
    stripped = (_ENUMERATOR.sub("", part).strip() for part in parts)
    return [part for part in stripped if any(character.isalnum() for character in part)]


def _english_parts(text: str) -> list[str]:
    parts: list[str] = []
    for line in _english_lines(text):
        start = 0
        for stop in _ENGLISH_STOP.finditer(line):
            if _ends_sentence(line[start : stop.start()], stop.group(), line[stop.end() :]):
                parts.append(line[start : stop.end()])
                start = stop.end()
        parts.append(line[start:])
    return parts


def _ends_sentence(before: str, stop: str, after: str) -> bool:
    if stop != ".":
        return True
    if _LIST_NUMBER.match(before) or _ABBREVIATION.search(before):
        return False
    return not (_NUMBER_SIGN.search(before) and after.lstrip()[:1].isdigit())


def _english_lines(text: str) -> list[str]:
    lines: list[str] = []
    for line in _WRAPPED.sub(" ", text).split("\n"):
        if lines and _GOES_ON.search(lines[-1]):
            lines[-1] += " " + line
        else:
            lines.append(line)
    return lines


def cut_long_sentence(sentence: str, longest: int) -> list[str]:
    """Cut a sentence that no person wrote (a model that repeats itself) into pieces at commas or spaces.

    Args:
        sentence: any text.
        longest: letters of a piece, at most.

    Returns:
        The sentence itself if it is short enough, else its pieces; joined they give the sentence.
    """
    pieces = []
    while len(sentence) > longest:
        head = sentence[:longest]
        cut = max(head.rfind(mark) + 1 for mark in ("，", ",", "、", " ")) or longest
        pieces.append(sentence[:cut])
        sentence = sentence[cut:]
    return [*pieces, sentence]
