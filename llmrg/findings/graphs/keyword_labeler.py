"""The keywords of CN-X2RG as labels of a report."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from llmrg.findings.graphs.extractor import get_extractor, sentence_spans
from llmrg.findings.graphs.graph import Language
from llmrg.findings.graphs.keywords import Statement, keyword_statements
from llmrg.findings.mention import Mention, Polarity, Side
from llmrg.findings.vocabulary import FindingVocabulary

__all__ = ["KeywordLabeler"]

_RANK: dict[Polarity, int] = {"negative": 0, "uncertain": 1, "positive": 2}
_SENTENCES_KEPT = 1 << 16


class KeywordLabeler:
    """Labels by the report's graph: a keyword is positive where a disease-positive observation names it.

    An anatomy keyword is positive where a lesion lies there, a lesion keyword where it is affirmed; either is
    uncertain where it is only hedged, and negative where it is only denied.

    Args:
        vocabulary: the keywords (``cn48``).
        language: ``zh`` or ``en``.

    Raises:
        UserError: there is no graph extractor for the language.
    """

    def __init__(self, vocabulary: FindingVocabulary, language: Language) -> None:
        self.vocabulary = vocabulary
        self.language = language
        extractor = get_extractor(language)
        self._graph_version = extractor.version
        self._sided = {finding.name for finding in vocabulary if finding.sided}

        @lru_cache(maxsize=_SENTENCES_KEPT)
        def read(sentence: str) -> tuple[Statement, ...]:
            return tuple(keyword_statements(extractor.extract(sentence), language))

        self._read = read

    @property
    def version(self) -> str:
        """Name and version of the method, as results state it."""
        return f"{self._graph_version}-{self.vocabulary.name}"

    def label(self, text: str) -> dict[str, Mention]:
        """Return what a report says of each keyword.

        Args:
            text: a report, or a section of one.

        Returns:
            Mentions by keyword, in the vocabulary's order; a keyword that is not mentioned is absent.
        """
        found: dict[str, list[Statement]] = {}
        for start, end in sentence_spans(text, self.language):
            for statement in self._read(text[start:end]):
                for keyword in (statement.anatomy, statement.lesion):
                    if keyword is not None:
                        found.setdefault(keyword, []).append(statement)
        return {name: self._sum_up(name, found[name]) for name in self.vocabulary.names if name in found}

    def label_many(self, texts: Iterable[str]) -> list[dict[str, Mention]]:
        """Label several reports, in order."""
        return [self.label(text) for text in texts]

    def _sum_up(self, name: str, statements: list[Statement]) -> Mention:
        polarity = max((statement.polarity for statement in statements), key=_RANK.__getitem__)
        counting = [statement for statement in statements if statement.polarity == polarity]
        sides: set[Side] = {statement.side for statement in counting if statement.side}
        side: Side | None = None
        if name in self._sided and sides:
            side = sides.pop() if len(sides) == 1 else "bilateral"
        return Mention(finding=name, polarity=polarity, side=side, proof=counting[0].proof)
