"""Reports of phantoms: what is to be seen, in varied hospital wording, Chinese and English."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from llmrg.studies.phantoms import _wording_en, _wording_zh
from llmrg.studies.phantoms._phrases import PhraseBook, choose, fill

if TYPE_CHECKING:
    from llmrg.studies.phantoms.truth import FindingTruth, PhantomTruth
    from llmrg.studies.study import Language

__all__ = ["render_truth", "write_report"]

_REGION = {
    "increased_lung_markings": "lung",
    "patchy_opacity": "lung",
    "consolidation": "lung",
    "nodule": "lung",
    "atelectasis": "lung",
    "edema": "lung",
    "pneumothorax": "pleura",
    "pleural_effusion": "pleura",
    "pleural_thickening": "pleura",
    "cardiomegaly": "heart",
    "rib_fracture": "bones",
    "support_device": "device",
}
_IN_LUNG = tuple(observation for observation, region in _REGION.items() if region == "lung")
# A normal topic is said only where none of these is present: it would contradict them, or hide behind them.
_SPOILED_BY = {
    "clear": _IN_LUNG,
    "markings": ("increased_lung_markings", "edema"),
    "hila": ("edema",),
    "heart": ("cardiomegaly",),
    "angles": ("pleural_effusion", "pleural_thickening"),
    "bones": ("rib_fracture",),
}
# What shifts the mediastinum or hides it when severe.
_SHIFTS = ("pleural_effusion", "pneumothorax", "atelectasis")
_TOPICS = {
    "lung": ("clear", "markings", "hila"),
    "pleura": ("none", "angles", "other_angle"),
    "heart": ("heart",),
    "mediastinum": ("mediastinum",),
    "bones": ("bones",),
    "device": (),
}
# Words for what was looked for and not found; a word needs the absence of all its observations.
_ABSENT = {
    "zh": (
        ("实变", ("consolidation",)),
        ("渗出", ("patchy_opacity", "consolidation", "edema")),
        ("结节影", ("nodule",)),
        ("气胸", ("pneumothorax",)),
        ("胸腔积液", ("pleural_effusion",)),
    ),
    "en": (
        ("focal consolidation", ("consolidation",)),
        ("infiltrate", ("patchy_opacity", "consolidation", "edema")),
        ("nodule", ("nodule",)),
        ("pneumothorax", ("pneumothorax",)),
        ("pleural effusion", ("pleural_effusion",)),
    ),
}
_OTHER = {"zh": {"left": "右", "right": "左"}, "en": {"left": "right", "right": "left"}}
_BOOKS: dict[str, tuple[PhraseBook, PhraseBook, PhraseBook]] = {
    "zh": (_wording_zh.MAIN, _wording_zh.SHIFTED, _wording_zh.FIXED),
    "en": (_wording_en.MAIN, _wording_en.SHIFTED, _wording_en.FIXED),
}


def write_report(
    truth: PhantomTruth, *, language: Language, rng: np.random.Generator, shifted: bool = False
) -> dict[str, str]:
    """Word the report of a drawn study.

    Every finding is stated with its side, zone and degree, some of what is normal as well; nothing contradicts the
    truth. Each section alone states every finding.

    Args:
        truth: what is to be seen.
        language: ``zh`` or ``en``.
        rng: source of every choice; the same state gives the same words.
        shifted: use the second hospital's phrases, order and connectives.

    Returns:
        ``findings`` and ``impression``.
    """
    book = _BOOKS[language][1 if shifted else 0]
    writer = _Writer(truth, language=language, book=book, rng=rng, shifted=shifted)
    return {"findings": writer.findings(), "impression": writer.impression()}


def render_truth(truth: PhantomTruth, language: Language) -> str:
    """Word the findings section in one fixed plain wording: what a perfect reader of films would write.

    Args:
        truth: what is to be seen.
        language: ``zh`` or ``en``.

    Returns:
        The findings section; the same truth always gives the same words.
    """
    return _Writer(
        truth, language=language, book=_BOOKS[language][2], rng=np.random.default_rng(0), plain=True
    ).findings()


class _Writer:
    """Words one report."""

    def __init__(
        self,
        truth: PhantomTruth,
        *,
        language: Language,
        book: PhraseBook,
        rng: np.random.Generator,
        shifted: bool = False,
        plain: bool = False,
    ) -> None:
        self._truth, self._language, self._book, self._rng = truth, language, book, rng
        self._shifted, self._plain = shifted, plain
        self._present = {finding.observation: finding for finding in truth.findings}
        self._style = int(rng.integers(2))
        self._order: tuple[str, ...] = tuple(book.orders[int(rng.integers(len(book.orders)))])
        self._slots: Callable[..., dict[str, str]] = (
            _wording_zh.chinese_slots if language == "zh" else _wording_en.english_slots
        )

    def findings(self) -> str:
        """Word the findings section: abnormal and normal statements, region by region."""
        topics = self._normal_topics()
        statements: list[str] = []
        for region in self._order:
            statements += [self._abnormal(finding) for finding in self._in_region(region)]
            statements += [self._normal(topic) for topic in _TOPICS[region] if topic in topics]
            if region == "lung" and "rest" in topics:
                statements.append(self._normal("rest"))
        return self._join(statements)

    def impression(self) -> str:
        """Word the impression: every finding again, briefly, or that there is none."""
        found = [finding for region in self._order for finding in self._in_region(region)]
        if not found:
            return self._join([self._tidy(fill(self._book.clean, self._words_about(), self._rng))])
        words = [self._abnormal(finding, impression=True) for finding in found]
        if len(words) > 1 and self._rng.random() < (0.3 if self._shifted else 0.6):
            mark = "{}.{}" if self._language == "zh" else "{}. {}"
            stop = "；" if self._language == "zh" else "."
            numbered = [mark.format(i, _capital(word)) for i, word in enumerate(words, start=1)]
            return (stop if self._language == "zh" else stop + " ").join(numbered) + ("。" if stop == "；" else ".")
        return self._join(words)

    def _in_region(self, region: str) -> list[FindingTruth]:
        return [finding for finding in self._truth.findings if _REGION[finding.observation] == region]

    def _abnormal(self, finding: FindingTruth, *, impression: bool = False) -> str:
        table = (self._book.impressions if impression else self._book.findings)[finding.observation]
        slots = self._slots(finding, style=self._style, shifted=self._shifted)
        options = (*table.get(finding.severity, ()), *table.get("any", ()))
        return self._tidy(fill(options, slots, self._rng))

    def _normal(self, topic: str) -> str:
        return self._tidy(fill(self._book.normal[topic], self._words_about(), self._rng))

    def _tidy(self, words: str) -> str:
        return words.replace(" ", "") if self._language == "zh" else re.sub(r"\s+", " ", words).replace(" ,", ",")

    def _words_about(self) -> dict[str, str]:
        group = "child" if self._truth.age_group == "paediatric" else "adult"
        return {group: " ", "absent": self._absent_list(), "other": self._other_side() or ""}

    def _normal_topics(self) -> set[str]:
        """Choose which normal topics are said; a study without findings always names lungs and heart."""
        allowed = [
            topic
            for topic in self._book.normal
            if not any(observation in self._present for observation in _SPOILED_BY.get(topic, ()))
        ]
        if any(self._is_severe(observation) for observation in _SHIFTS):
            allowed = [topic for topic in allowed if topic != "mediastinum"]
        if not self._other_side():
            allowed = [topic for topic in allowed if topic != "other_angle"]
        if "clear" in allowed or self._plain:
            allowed = [topic for topic in allowed if topic != "rest"]
        if len(self._absent()) < 2:
            allowed = [topic for topic in allowed if topic != "none"]
        if self._plain:
            return set(allowed)
        if "clear" in allowed and self._rng.random() < 0.5:
            allowed = [topic for topic in allowed if topic != "none"]
        must = {"clear", "heart"} if not self._present else set()
        wanted = max(2, 6 - len(self._present))
        chosen = [str(topic) for topic in self._rng.permutation(sorted(set(allowed) - must))]
        return must | set(chosen[: max(0, wanted - len(must))])

    def _is_severe(self, observation: str) -> bool:
        finding = self._present.get(observation)
        return finding is not None and finding.severity == "severe"

    def _other_side(self) -> str | None:
        """Side whose costophrenic angle is free while the other's is not."""
        sides = {self._present[name].side for name in _SPOILED_BY["angles"] if name in self._present}
        side = sides.pop() if len(sides) == 1 else None
        return _OTHER[self._language].get(side) if side else None

    def _absent(self) -> list[str]:
        return [
            word
            for word, needs in _ABSENT[self._language]
            if not any(observation in self._present for observation in needs)
        ]

    def _absent_list(self) -> str:
        """List some of what was looked for and not found, sharing one cue."""
        words = self._absent()
        if not words:
            return ""
        size = min(len(words), int(self._rng.integers(2, 4)))
        words = [words[int(i)] for i in sorted(self._rng.choice(len(words), size=size, replace=False))]
        if self._rng.random() < 0.3:
            words.reverse()
        if len(words) == 1:
            return words[0]
        if self._language == "zh":
            return "、".join(words[:-1]) + choose(("及", "、", "或"), self._rng) + words[-1]
        return ", ".join(words[:-1]) + (", or " if len(words) > 2 else " or ") + words[-1]

    def _join(self, statements: list[str]) -> str:
        if self._language == "en":
            return " ".join(_sentence(statement) for statement in statements if statement)
        text = ""
        marks = ("。", "，") if self._plain else (("；", "。") if self._shifted else ("。", "，", "。"))
        for number, statement in enumerate(statements, start=1):
            last = number == len(statements)
            stop = "。" if last or self._plain or "，" in statement else choose(marks, self._rng)
            text += statement + stop
        return text


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _sentence(words: str) -> str:
    return _capital(words) + "."
