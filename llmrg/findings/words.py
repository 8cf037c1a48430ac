"""Findings as plain words, for prompts and records."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal

from llmrg.findings.mention import Side
from llmrg.findings.vocabulary import FindingVocabulary

__all__ = ["finding_words"]

_SIDES: dict[str, dict[Side, str]] = {
    "zh": {"left": "左侧", "right": "右侧", "bilateral": "双侧"},
    "en": {"left": "left ", "right": "right ", "bilateral": "bilateral "},
}
_NOTHING = {"zh": "未见异常", "en": "no abnormality"}
_LIKELY = {"zh": "可能", "en": "likely "}
_GLUE = {"zh": "；", "en": "; "}


def finding_words(
    findings: Mapping[str, Side | None],
    vocabulary: FindingVocabulary,
    language: Literal["zh", "en"],
    *,
    likely: Collection[str] = (),
) -> str:
    """Say which findings there are, in the order of the vocabulary.

    Args:
        findings: names of the findings with their sides.
        vocabulary: gives the words.
        language: of the words.
        likely: names of the findings that are not sure; they are said so.

    Returns:
        ``左侧胸腔积液；可能心影增大`` or ``left pleural effusion; likely cardiomegaly``; words for "nothing" where
        there is none.
    """
    said = []
    for finding in vocabulary.abnormal:
        if finding.name in findings:
            side = findings[finding.name]
            place = _SIDES[language][side] if finding.sided and side is not None else ""
            doubt = _LIKELY[language] if finding.name in likely else ""
            said.append(doubt + place + (finding.zh if language == "zh" else finding.en))
    return _GLUE[language].join(said) or _NOTHING[language]
