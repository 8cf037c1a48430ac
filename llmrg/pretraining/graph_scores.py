"""How well an extractor reads annotated reports."""

from __future__ import annotations

from collections.abc import Sequence

from llmrg.findings.graphs.graph import Language, ReportGraph
from llmrg.metrics.graph_scores import GRAPH_FIGURES, GraphScore, graph_statistics

__all__ = ["extractor_scores"]


def extractor_scores(
    predicted: Sequence[ReportGraph], true: Sequence[ReportGraph], language: Language
) -> dict[str, float]:
    """Return micro-averaged figures over reports.

    Args:
        predicted: graphs of the extractor.
        true: annotated graphs.
        language: of the reports.

    Returns:
        ``entity_precision``, ``entity_recall``, ``entity_f1``, the same of ``relation``, ``pair_f1`` (anatomy and
        lesion keywords) and ``mean_f1`` of entities and relations; see :mod:`llmrg.metrics.graph_scores`.
    """
    sums = graph_statistics(predicted, true, language).sum(axis=0)
    figures: dict[str, float] = {}
    for first, name in ((0, "entity"), (3, "relation")):
        hits, wrong, missed = (float(value) for value in sums[first : first + 3])
        figures[f"{name}_precision"] = hits / (hits + wrong) if hits else 0.0
        figures[f"{name}_recall"] = hits / (hits + missed) if hits else 0.0
        figures[f"{name}_f1"] = 2 * hits / (2 * hits + wrong + missed) if hits else 0.0
    figures["pair_f1"] = float(GraphScore(GRAPH_FIGURES[2], language).value(sums))
    figures["mean_f1"] = (figures["entity_f1"] + figures["relation_f1"]) / 2
    return figures
