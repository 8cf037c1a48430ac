"""Labelers: what a report says of each finding of a vocabulary."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Literal, Protocol

from llmrg.errors import UserError
from llmrg.findings._lexicon import Lexicon
from llmrg.findings._lexicon_en import ENGLISH
from llmrg.findings._lexicon_zh import CHINESE
from llmrg.findings._reading import Reading, read_sentence
from llmrg.findings._reading_zh import read_chinese_sentence
from llmrg.findings.mention import Mention, Polarity, Severity, Side
from llmrg.findings.vocabulary import FindingVocabulary
from llmrg.text.sentences import split_sentences

__all__ = ["LABELER_VERSION", "Labeler", "RuleLabeler", "get_labeler"]

LABELER_VERSION = "rules-2"
"""Changes with every change of rules or phrases that can change a label."""

_LEXICONS: dict[str, Lexicon] = {"zh": CHINESE, "en": ENGLISH}
_READERS = {"zh": read_chinese_sentence, "en": read_sentence}
_RANK: dict[Polarity, int] = {"negative": 0, "uncertain": 1, "positive": 2}
_SENTENCES_KEPT = 1 << 16


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
def get_labeler(vocabulary: FindingVocabulary, language: Literal["zh", "en"]) -> RuleLabeler:
    """Return the labeler of a vocabulary and a language.

    Raises:
        UserError: there is none for the language.
    """
    if language not in _LEXICONS:
        raise UserError("No labeler for this language", allowed=tuple(_LEXICONS), got=language)
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
        lexicon = _LEXICONS[language]
        self._lexicon = lexicon
        self._names = {finding.observation: finding.name for finding in vocabulary.abnormal}
        self._sided = {finding.observation for finding in vocabulary.abnormal if finding.sided}
        self._normal = next((finding.name for finding in vocabulary if finding.normal), None)
        read_one = _READERS[language]
        observations = tuple({*self._names, "patchy_opacity", "cardiomegaly"})

        @lru_cache(maxsize=_SENTENCES_KEPT)
        def read(sentence: str) -> tuple[Reading, ...]:
            return read_one(sentence, lexicon, observations)

        self._read = read

    @property
    def version(self) -> str:
        """Name and version of the method, as results state it."""
        return f"llmrg-{LABELER_VERSION}-{self.vocabulary.name}-{self.language}"

    def label(self, text: str) -> dict[str, Mention]:
        """Return what a report says of each finding.

        Several mentions of one finding are summed up: positive over uncertain over negative; the sides of the
        mentions that count are joined (left and right give bilateral), the first stated degree is kept.

        Args:
            text: a report, or a section of one.

        Returns:
            Mentions by the vocabulary's names, in its order; a finding that is not mentioned is absent.
        """
        sentences = split_sentences(text, self.language)
        found: dict[str, list[Reading]] = {}
        for sentence in sentences:
            for reading in self._read(sentence):
                found.setdefault(reading.observation, []).append(reading)
        mentions = {
            self._names[observation]: self._sum_up(observation, found[observation])
            for observation in self._names
            if observation in found
        }
        if self._normal and self._nothing_found(sentences, found, mentions):
            mentions[self._normal] = Mention(finding=self._normal, polarity="positive")
        return mentions

    def label_many(self, texts: Iterable[str]) -> list[dict[str, Mention]]:
        """Label several reports, in order."""
        return [self.label(text) for text in texts]

    def _sum_up(self, observation: str, readings: list[Reading]) -> Mention:
        polarity = max((reading.polarity for reading in readings), key=_RANK.__getitem__)
        counting = [reading for reading in readings if reading.polarity == polarity]
        sides: set[Side] = {reading.side for reading in counting if reading.side}
        side: Side | None = None
        if observation in self._sided and sides:
            side = sides.pop() if len(sides) == 1 else "bilateral"
        severity: Severity | None = next((reading.severity for reading in counting if reading.severity), None)
        return Mention(
            finding=self._names[observation],
            polarity=polarity,
            side=side,
            severity=severity,
            proof=counting[0].proof,
            location=next((reading.location for reading in counting if reading.location), None),
        )

    def _nothing_found(
        self, sentences: list[str], found: dict[str, list[Reading]], mentions: dict[str, Mention]
    ) -> bool:
        devices = self._names.get("support_device")
        if any(mention.polarity != "negative" for name, mention in mentions.items() if name != devices):
            return False
        lungs_normal = any(reading.normal for reading in found.get("patchy_opacity", ()))
        if lungs_normal and "cardiomegaly" in found:
            return True
        pattern = self._lexicon.globally_normal
        lowered = (sentence.lower() if self.language == "en" else sentence for sentence in sentences)
        return any(pattern.search(sentence) for sentence in lowered)
