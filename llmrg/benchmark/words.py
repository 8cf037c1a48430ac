"""Display words of findings, sides and outcomes, English with Chinese where the data are Chinese."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from llmrg.benchmark.comparison import FindingOutcome, Outcome
from llmrg.errors import UserError
from llmrg.findings.mention import Side
from llmrg.findings.vocabulary import FindingVocabulary, get_vocabulary

__all__ = [
    "OUTCOME_SYMBOLS",
    "OUTCOME_WORDS",
    "class_label",
    "describe_outcome",
    "finding_label",
    "mark_chinese",
    "side_word",
]

OUTCOME_WORDS: dict[Outcome, str] = {
    "wrong_side": "wrong side",
    "invented": "invented",
    "missed": "missed",
    "right": "right",
}
OUTCOME_SYMBOLS: dict[Outcome, str] = {"wrong_side": "⇄", "invented": "+", "missed": "−", "right": "✓"}
_SIDES = {
    "en": {"left": "left", "right": "right", "bilateral": "both sides"},
    "zh": {"left": "左侧", "right": "右侧", "bilateral": "双侧"},
}


_CHINESE = re.compile("[\u3000-\u303f\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]+")


def mark_chinese(text: object) -> Markup:
    """Escape a text for HTML and name the language of its Chinese parts, so that they are set in Chinese letters."""
    return Markup(_CHINESE.sub(r'<span lang="zh-Hans">\g<0></span>', str(escape(text))))


def class_label(name: str, vocabulary: str, language: str) -> str:
    """The display name of a finding of a named vocabulary; its key where the vocabulary is not known here."""
    try:
        return finding_label(name, get_vocabulary(vocabulary), language)
    except UserError:
        return name


def finding_label(name: str, vocabulary: FindingVocabulary, language: str, *, short: bool = False) -> str:
    """The display name of a finding: ``胸腔积液 pleural effusion`` where the data are Chinese, else English.

    Args:
        name: its name in the vocabulary.
        vocabulary: the vocabulary; a name it lacks is returned as it is.
        language: language of the data.
        short: leave out the English words beside the Chinese ones.
    """
    entry = next((finding for finding in vocabulary if finding.name == name), None)
    if entry is None:
        return name
    if language != "zh":
        return entry.en
    return entry.zh if short else f"{entry.zh} {entry.en}"


def side_word(side: Side | None, language: str) -> str:
    """The side in the language of the data; empty where there is none."""
    return "" if side is None else _SIDES["zh" if language == "zh" else "en"][side]


def describe_outcome(outcome: FindingOutcome, language: str) -> str:
    """What became of a finding, with sides: ``invented, right`` or ``says left, truth: right``."""
    if outcome.outcome == "wrong_side":
        said = side_word(outcome.stated_side, language) or "no side"
        return f"says {said}, truth: {side_word(outcome.expected_side, language)}"
    side = outcome.expected_side if outcome.outcome in ("missed", "right") else outcome.stated_side
    return side_word(side, language)
