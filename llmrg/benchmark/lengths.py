"""Histograms of report lengths, in the same bins for the references and every row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from llmrg.benchmark.result_parts import Lengths

__all__ = ["length_edges", "length_histogram", "report_lengths"]

_BINS = 24


def report_lengths(tokenised: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the number of tokens of each text ``[N]``; tokens are separated by white space."""
    return np.array([len(text.split()) for text in tokenised], dtype=np.int64)


def length_edges(references: npt.NDArray[np.int64]) -> list[int]:
    """Return rising edges of round width, from 0 to somewhat above the longest reference of nearly all."""
    high = max(_BINS, int(np.ceil(1.25 * np.quantile(references, 0.99))) if len(references) else 0)
    width = max(1, -(-high // _BINS))
    width = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, width) if step >= width)
    return list(range(0, -(-high // width) * width + 1, width))


def length_histogram(lengths: npt.NDArray[np.int64], edges: Sequence[int], *, language: str) -> Lengths:
    """Count lengths in bins; what is longer than the last edge is counted in the last bin.

    Args:
        lengths: tokens of each report.
        edges: rising, from 0.
        language: ``zh`` counts characters, ``en`` words.
    """
    counts, _ = np.histogram(np.minimum(lengths, edges[-1]), bins=np.asarray(edges))
    return {
        "unit": "characters" if language == "zh" else "words",
        "edges": list(edges),
        "counts": [int(count) for count in counts],
        "mean": float(lengths.mean()) if len(lengths) else 0.0,
        "median": float(np.median(lengths)) if len(lengths) else 0.0,
        "longest": int(lengths.max(initial=0)),
        "empty": int(np.sum(lengths == 0)),
    }
