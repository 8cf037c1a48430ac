"""What a report says without observing it: indications, recommendations, cues of doubt."""

from __future__ import annotations

import re
from collections.abc import Sequence

from llmrg.findings.graphs._token import Token

__all__ = ["is_background", "leave_out"]

_BACKGROUND = {
    "zh": re.compile(
        r"\s*(?:临床)?(?:病史|主诉|症状|诊断|资料|检查方法|检查技术|检查目的|检查项目|检查部位|适应证|申请目的)[:：]"
    ),
    "en": re.compile(
        r"\s*(?:clinical )?(?:indications?|history|information|technique|comparison"
        r"|reason for (?:the )?(?:exam\w*|study)|procedure|examination|exam|study)\s*:"
    ),
}
_ADVICE = {
    "zh": re.compile(r"(?:建议|请(?!示)|必要时)[^，,。；;]*"),
    "en": re.compile(
        r"(?:\b(?:recommend|suggest|advise|consider)\b(?= (?:a |an |further |follow|repeat|clinical|correl|ct|short|pa|"
        r"non|dedicated|comparison|upright|decubitus))|\bfollow[- ]?up\b|\bcorrelat\w+|\bplease\b)[^,;.]*"
        r"|[^,;.:]*\b(?:is|are|would be|may be|should be) (?:also )?(?:recommended|advised|suggested)\b[^,;.]*"
    ),
}
_ADVISING = {
    "zh": ("建议", "请", "必要时"),
    "en": ("recommend", "suggest", "advise", "consider", "follow", "correlat", "please"),
}
"""Without one of these words there is no advice."""
_CUES = frozenset({"denial", "denied", "gone", "normal"})
_SURELY = frozenset({"entirely", "completely", "fully", "完全"})


def is_background(sentence: str, language: str) -> bool:
    """Tell whether a sentence is headed as one that observes nothing (indication, history, technique).

    Args:
        sentence: in lower case where the language has one.
        language: ``zh`` or ``en``.
    """
    return _BACKGROUND[language].match(sentence) is not None


def leave_out(sentence: str, tokens: list[Token], language: str, hedges: Sequence[re.Match[str]]) -> list[Token]:
    """Return the tokens without those of advice; what denies or affirms as part of a hedge is no cue.

    Args:
        sentence: in lower case where the language has one.
        tokens: of the sentence.
        language: ``zh`` or ``en``.
        hedges: where the sentence doubts.
    """
    advised = any(word in sentence for word in _ADVISING[language])
    advice = [match.span() for match in _ADVICE[language].finditer(sentence)] if advised else []
    if not advice and not hedges:
        return tokens
    doubt = [match.span() for match in hedges]
    kept: list[Token] = []
    for token in tokens:
        if any(start <= token.start < end for start, end in advice):
            continue
        if (token.role in _CUES or token.text in _SURELY) and any(start <= token.start < end for start, end in doubt):
            token.role = "skip"
        kept.append(token)
    return kept
