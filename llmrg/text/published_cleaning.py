"""Cleaning of reports exactly as published systems do it, mistakes included, so that their figures can be understood.

Nothing of llmrg trains on texts cleaned so: "1.5 cm" becomes "15 cm" here. The rules are facts about R2Gen
(Chen et al. 2020), R2GenGPT (Wang et al. 2023) and KPCL; :func:`llmrg.text.cleaning.clean_text` is the harmless one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from llmrg.errors import UserError
from llmrg.text.segmentation import get_segmenter

__all__ = ["PUBLISHED_CLEANINGS", "default_cleaning", "get_cleaning"]

_LIST_NUMBERS = "2345"
_QUOTES_AND_SLASHES = str.maketrans("", "", "\"/\\'")
# R2Gen's class holds the range from ":" to "[", which takes the signs : ; < = > ? @ [ but not the hyphen.
_R2GEN_SIGNS = re.compile(r"[.,?;*!%^&_+():-\[\]{}]")
_R2GENGPT_SIGNS = re.compile(r"[.,?;*!%^&_+()\[\]{}]")
_KPCL_STOPS = re.compile("[。！？]")


def get_cleaning(name: str) -> Callable[[str], str]:
    """Return a cleaning by name.

    ``none``: the text itself. ``r2gen-iu``: R2Gen on IU X-ray (R2GenGPT and EKAGen do the same there).
    ``r2gen-mimic``: R2Gen on MIMIC-CXR. ``r2gengpt-mimic``: R2GenGPT on anything but IU X-ray. ``kpcl``: KPCL on
    PED-Xray, words of jieba without a user dictionary.

    Raises:
        UserError: an unknown name.
    """
    if name not in PUBLISHED_CLEANINGS:
        raise UserError(f"Unknown cleaning {name!r}", allowed=PUBLISHED_CLEANINGS, got=name)
    return PUBLISHED_CLEANINGS[name]


def default_cleaning(language: str) -> str:
    """Return the cleaning that most published figures of a language went through: kpcl for zh, r2gen-mimic for en."""
    return "kpcl" if language == "zh" else "r2gen-mimic"


def _as_it_is(text: str) -> str:
    return text


def _r2gen_iu(text: str) -> str:
    return _join_sentences(_without_list_numbers(_replace_again(text, "..", ".", 3)), _R2GEN_SIGNS)


def _r2gen_mimic(text: str) -> str:
    return _join_sentences(_without_list_numbers(_mimic_spaces(text)), _R2GEN_SIGNS)


def _r2gengpt_mimic(text: str) -> str:
    return _join_sentences(_without_list_numbers(_mimic_spaces(text)).replace(":", " :"), _R2GENGPT_SIGNS)


def _kpcl(text: str) -> str:
    for sign, replacement in (("\n", ""), ("\r", ""), ("、", "，"), ("．", "。"), ("  ", "")):
        text = text.replace(sign, replacement)
    cut = get_segmenter("jieba")
    sentences = [" ".join(cut(part.strip())) for part in _KPCL_STOPS.split(text.strip()) if part.strip()]
    return " . ".join(sentences) + " ."


def _mimic_spaces(text: str) -> str:
    text = _replace_again(text.replace("\n", " "), "__", "_", 7)
    return _replace_again(_replace_again(text, "  ", " ", 6), "..", ".", 8)


def _replace_again(text: str, old: str, new: str, times: int) -> str:
    for _ in range(times):
        text = text.replace(old, new)
    return text


def _without_list_numbers(text: str) -> str:
    text = text.replace("1. ", "")
    for before in (". ", " "):
        for number in _LIST_NUMBERS:
            text = text.replace(f"{before}{number}. ", ". ")
    return text


def _join_sentences(text: str, signs: re.Pattern[str]) -> str:
    sentences = text.strip().lower().split(". ")
    # An empty sentence stays: the released filter compares a text with an empty list.
    cleaned = [signs.sub("", sentence.translate(_QUOTES_AND_SLASHES).strip().lower()) for sentence in sentences]
    return " . ".join(cleaned) + " ."


PUBLISHED_CLEANINGS: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {
        "none": _as_it_is,
        "r2gen-iu": _r2gen_iu,
        "r2gen-mimic": _r2gen_mimic,
        "r2gengpt-mimic": _r2gengpt_mimic,
        "kpcl": _kpcl,
    }
)
