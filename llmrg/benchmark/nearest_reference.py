"""The training report most like each reference: a bound for systems that copy, for it is told the reference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import sparse

from llmrg.benchmark.occurrences import Occurrences, occurrences

__all__ = ["nearest_by_reference"]

_CHUNK = 256
_DENSE = 768


def nearest_by_reference(reports: Sequence[str], references: Sequence[str]) -> tuple[list[int], list[float]]:
    """Return, for each reference, the report with the best unigram F1 to it, and that F1.

    F1 is the harmonic mean of precision and recall of tokens with clipped counts: twice the shared tokens by the
    tokens of both. Ties go to the first report.

    Args:
        reports: tokenised reports (tokens separated by white space), at least one.
        references: tokenised references.

    Returns:
        Positions of the reports, and F1 in [0, 1].
    """
    found = next(occurrences([*reports, *references]))
    border = int(np.searchsorted(found.text, len(reports)))
    whole = sparse.csr_array(
        (np.ones(len(found.text), dtype=np.float32), (found.text, found.occurrence)),
        shape=(len(reports) + len(references), found.kinds),
    )
    frequent = _frequent(found, border)
    rest = np.setdiff1d(np.arange(found.kinds), frequent)
    # What nearly every report has would make a sparse product slow, what few have a dense one.
    dense = whole[:, frequent].toarray()
    thin = whole[:, rest].tocsr()
    keys, thin_keys = np.ascontiguousarray(dense[: len(reports)].T), thin[: len(reports)].T.tocsr()
    lengths = np.asarray(whole.sum(axis=1), dtype=np.float32).ravel()
    picks: list[int] = []
    scores: list[float] = []
    for start in range(len(reports), whole.shape[0], _CHUNK):
        rows = slice(start, min(start + _CHUNK, whole.shape[0]))
        shared: npt.NDArray[np.float32] = dense[rows] @ keys
        product = (thin[rows] @ thin_keys).tocoo()
        shared[product.row, product.col] += product.data
        shared *= 2
        shared /= np.maximum(1, lengths[rows, None] + lengths[None, : len(reports)])
        best = np.argmax(shared, axis=1)
        picks.extend(best.tolist())
        scores.extend(shared[np.arange(len(best)), best].tolist())
    return picks, scores


def _frequent(found: Occurrences, border: int) -> npt.NDArray[np.int64]:
    """Occurrences that most reports have, at most as many as a dense table holds."""
    counts = np.bincount(found.occurrence[:border], minlength=found.kinds)
    return np.sort(np.argsort(-counts, kind="stable")[:_DENSE])
