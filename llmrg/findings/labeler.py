"""Labelers: what a report says of each finding of a vocabulary."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from typing import Literal, Protocol

from llmrg.errors import UserError
from llmrg.findings._background_en import without_background
from llmrg.findings._reading import Reading
from llmrg.findings._reading_en import read_english_sentence
from llmrg.findings._reading_zh import read_chinese_sentence
from llmrg.findings.graphs.keyword_labeler import KeywordLabeler
from llmrg.findings.mention import Mention, Polarity, Severity, Side
from llmrg.findings.vocabulary import FindingVocabulary
from llmrg.text.sentences import cut_long_sentence, split_sentences

__all__ = ["LABELER_VERSION", "Labeler", "RuleLabeler", "get_labeler"]

LABELER_VERSION = "rules-3"
"""Changes with every change of rules or phrases that can change a label."""

_READERS: dict[str, Callable[[str, tuple[str, ...]], tuple[Reading, ...]]] = {
    "zh": read_chinese_sentence,
    "en": read_english_sentence,
}
_RANK: dict[Polarity, int] = {"negative": 0, "uncertain": 1, "positive": 2}
_SENTENCES_KEPT = 1 << 16
_LONGEST_SENTENCE = 1000
"""Letters: reading takes time by the square of the findings in a sentence."""


class Labeler(Protocol):
    """Reads reports of one language for the findings of one vocabulary."""

    @property
    def version(self) -> str:
        """Name and version of the method, as results state it."""
        ...

    def label(self, text: str) -> dict[str, Mention]:
        """Return what a report says of each finding, by its name; a finding that is not mentioned is absent."""
        ...

    def label_many(self, texts: Iterable[str]) -> list[dict[str, Mention]]:
        """Label several reports."""
        ...


@cache
def get_labeler(vocabulary: FindingVocabulary, language: Literal["zh", "en"]) -> Labeler:
    """Return the labeler of a vocabulary and a language.

    The keywords of ``cn48`` are read from report graphs, other vocabularies by phrases.

    Raises:
        UserError: there is none for the language.
    """
    if language not in _READERS:
        raise UserError("No labeler for this language", allowed=tuple(_READERS), got=language)
    if vocabulary.name == "cn48":
        return KeywordLabeler(vocabulary, language)
    return RuleLabeler(vocabulary, language)


class RuleLabeler:
    """Labels by phrases, clause-scoped negation and uncertainty.

    Args:
        vocabulary: the findings to look for.
        language: ``zh`` or ``en``.
    """

    def __init__(self, vocabulary: FindingVocabulary, language: Literal["zh", "en"]) -> None:
        self.vocabulary = vocabulary
        self.language = language
        self._names = {finding.observation: finding.name for finding in vocabulary.abnormal}
        self._sided = {finding.observation for finding in vocabulary.abnormal if finding.sided}
        self._normal = next((finding.name for finding in vocabulary if finding.normal), None)
        read_one = _READERS[language]
        observations = tuple({*self._names, "patchy_opacity", "cardiomegaly", "enlarged_mediastinum"})

        @lru_cache(maxsize=_SENTENCES_KEPT)
        def read(sentence: str) -> tuple[Reading, ...]:
            return read_one(sentence, observations)

        self._read = read

    @property
    def version(self) -> str:
        """Name and version of the method, as results state it."""
        return f"llmrg-{LABELER_VERSION}-{self.vocabulary.name}-{self.language}"

    def label(self, text: str) -> dict[str, Mention]:
        """Return what a report says of each finding.

        Several mentions of one finding are summed up: positive over uncertain over negative; of the mentions that
        count, the first stated side and degree are kept, and the extent joins their sides. A mere sign (a blunted
        angle) does not count against a report that denies the finding itself.

        Args:
            text: a report, or a section of one.

        Returns:
            Mentions by the vocabulary's names, in its order; a finding that is not mentioned is absent.
        """
        if self.language == "en":
            text = without_background(text)
        found: dict[str, list[Reading]] = {}
        for sentence in split_sentences(text, self.language):
            for piece in cut_long_sentence(sentence, _LONGEST_SENTENCE):
                for reading in self._read(piece):
                    found.setdefault(reading.observation, []).append(reading)
        mentions = {
            self._names[observation]: self._sum_up(observation, found[observation])
            for observation in self._names
            if observation in found
        }
        if self._normal and self._nothing_found(found, mentions):
            mentions[self._normal] = Mention(finding=self._normal, polarity="positive")
        return mentions

    def label_many(self, texts: Iterable[str]) -> list[dict[str, Mention]]:
        """Label several reports, in order."""
        return [self.label(text) for text in texts]

    def _sum_up(self, observation: str, readings: list[Reading]) -> Mention:
        readings = [reading for reading in readings if not (reading.sign and _is_denied(reading, readings))] or readings
        polarity = max((reading.polarity for reading in readings), key=_RANK.__getitem__)
        counting = [reading for reading in readings if reading.polarity == polarity]
        sides: list[Side] = []
        if observation in self._sided:
            sides = [reading.side for reading in counting if reading.side]
        severity: Severity | None = next((reading.severity for reading in counting if reading.severity), None)
        return Mention(
            finding=self._names[observation],
            polarity=polarity,
            side=sides[0] if sides else None,
            severity=severity,
            proof=counting[0].proof,
            location=next((reading.location for reading in counting if reading.location), None),
            extent=None if not sides else sides[0] if len(set(sides)) == 1 else "bilateral",
        )

    def _nothing_found(self, found: dict[str, list[Reading]], mentions: dict[str, Mention]) -> bool:
        devices = self._names.get("support_device")
        if any(mention.polarity != "negative" for name, mention in mentions.items() if name != devices):
            return False
        if "no_finding" in found:
            return True
        lungs_normal = any(reading.normal for reading in found.get("patchy_opacity", ()))
        return lungs_normal and ("cardiomegaly" in found or _names_heart(found.get("enlarged_mediastinum", ())))


def _is_denied(sign: Reading, readings: list[Reading]) -> bool:
    """Whether the report denies, wholly and for that side, the finding that a sign would stand for."""
    return any(
        reading.polarity == "negative"
        and not reading.sign
        and not reading.normal
        and reading.whole
        and (reading.side is None or sign.side is None or reading.side == sign.side)
        for reading in readings
    )


def _names_heart(mediastinum: Iterable[Reading]) -> bool:
    return any(reading.normal and "cardi" in reading.proof.lower() for reading in mediastinum)
