"""Report graphs against each other: entities, relations, and (anatomy, lesion) pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from llmrg.errors import UserError
from llmrg.findings.graphs.graph import Language, ReportGraph
from llmrg.findings.graphs.keyword_names import ANATOMY_KEYWORDS, LESION_KEYWORDS
from llmrg.findings.graphs.keywords import keyword_pairs
from llmrg.metrics.metric import Statistics, require_pairs

__all__ = ["GRAPH_FIGURES", "GraphScore", "graph_statistics", "keyword_scores"]

GRAPH_FIGURES = ("graph_entity_f1", "graph_relation_f1", "graph_f1")
KEYWORDS = (*ANATOMY_KEYWORDS, *LESION_KEYWORDS)
_PLACE = {keyword: place for place, keyword in enumerate(KEYWORDS)}
_FIRST_KEYWORD = 3 * len(GRAPH_FIGURES)


class GraphScore:
    """Micro-averaged F1 of what predicted and true graphs state.

    ``graph_entity_f1``: an entity is right if its words and kind are; the same words may stand anywhere in the report,
    and count as often as they do. ``graph_relation_f1``: kind and both ends (words and kind) are right. ``graph_f1``:
    the set of (anatomy, lesion) keywords of positive observations, report by report (our reading of CN-X2RG's report
    F1). Case does not count. An F1 with nothing to divide by is 0.

    Args:
        figure: one of :data:`GRAPH_FIGURES`.
        language: of the reports.

    Raises:
        UserError: an unknown figure.
    """

    family = "graph"

    def __init__(self, figure: str, language: Language) -> None:
        if figure not in GRAPH_FIGURES:
            raise UserError(f"Unknown figure {figure!r}", allowed=GRAPH_FIGURES, got=figure)
        self.name = figure
        self.language = language

    def statistics(self, hypotheses: Sequence[ReportGraph], references: Sequence[ReportGraph]) -> Statistics:
        """Return :func:`graph_statistics` of predicted and true graphs."""
        return graph_statistics(hypotheses, references, self.language)

    def value(self, sums: Statistics) -> Any:
        """Return the figure for sums of statistics ``[..., 9 + 3 * 48]``."""
        sums = np.asarray(sums, dtype=np.float64)
        first = 3 * GRAPH_FIGURES.index(self.name)
        return _ratio(2 * sums[..., first], 2 * sums[..., first] + sums[..., first + 1] + sums[..., first + 2])


def graph_statistics(
    hypotheses: Sequence[ReportGraph], references: Sequence[ReportGraph], language: Language
) -> Statistics:
    """Return what each report adds to the figures, ``[N, 9 + 3 * 48]``.

    The columns are true positives, false positives and false negatives of entities, of relations and of pairs, then
    those three of each keyword: a pair counts for its anatomy and for its lesion.

    Args:
        hypotheses: predicted graphs.
        references: true graphs.
        language: of the reports.
    """
    require_pairs(hypotheses, references)
    rows = np.zeros((len(references), _FIRST_KEYWORD + 3 * len(KEYWORDS)))
    for row, own, real in zip(rows, hypotheses, references, strict=True):
        row[0:3] = _compare(_entities(own), _entities(real))
        row[3:6] = _compare(_relations(own), _relations(real))
        said, true = keyword_pairs(own, language), keyword_pairs(real, language)
        for kind, pairs in enumerate((said & true, said - true, true - said)):
            row[6 + kind] = len(pairs)
            for pair in pairs:
                for keyword in pair:
                    row[_FIRST_KEYWORD + 3 * _PLACE[keyword] + kind] += 1
    return rows


def keyword_scores(sums: Statistics) -> dict[str, dict[str, float | int]]:
    """Return precision, recall, F1 and support (true pairs) of each keyword.

    Args:
        sums: the sum of :func:`graph_statistics` over reports ``[9 + 3 * 48]``.
    """
    scores: dict[str, dict[str, float | int]] = {}
    for place, keyword in enumerate(KEYWORDS):
        first = _FIRST_KEYWORD + 3 * place
        hits, wrong, missed = (float(value) for value in sums[first : first + 3])
        scores[keyword] = {
            "precision": float(_ratio(hits, hits + wrong)),
            "recall": float(_ratio(hits, hits + missed)),
            "f1": float(_ratio(2 * hits, 2 * hits + wrong + missed)),
            "support": int(hits + missed),
        }
    return scores


def _entities(graph: ReportGraph) -> Counter[Hashable]:
    return Counter((entity.text.lower(), entity.kind) for entity in graph.entities)


def _relations(graph: ReportGraph) -> Counter[Hashable]:
    ends = [(entity.text.lower(), entity.kind) for entity in graph.entities]
    return Counter((edge.kind, ends[edge.source], ends[edge.target]) for edge in graph.relations)


def _compare(own: Counter[Hashable], real: Counter[Hashable]) -> tuple[int, int, int]:
    hits = (own & real).total()
    return hits, own.total() - hits, real.total() - hits


def _ratio(part: Any, whole: Any) -> Any:
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
