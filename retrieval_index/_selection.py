"""Searching under restrictions, exactly: what must not be returned is not, and nothing admissible is lost by it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from retrieval_index._structures import Attempt, Mask
from retrieval_index._vectors import Vectors

Rows = npt.NDArray[np.int64]

# Up to so many excluded rows a query, fetching that many more in one batch beats a selector for each query.
_MOST_EXTRA = 64


def search_restricted(
    steps: Sequence[Attempt],
    queries: Vectors,
    k: int,
    *,
    count: int,
    allowed: Mask | None,
    excluded: Sequence[Rows],
) -> tuple[npt.NDArray[np.float32], Rows]:
    """Return the best ``k`` admissible rows of each query.

    Args:
        steps: ways to search, the last exhaustive; a query that found too little goes on to the next.
        queries: unit vectors ``[Q, D]``.
        k: rows wanted.
        count: rows in the index.
        allowed: rows that every query may get ``[N]``, or None for all.
        excluded: rows that each query may not get.

    Returns:
        scores ``[Q, k]`` padded with -inf and rows ``[Q, k]`` padded with -1.
    """
    scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
    rows = np.full((len(queries), k), -1, dtype=np.int64)
    total = count if allowed is None else int(allowed.sum())
    barred = [e if allowed is None else e[allowed[e]] for e in excluded]
    wanted = np.array([min(k, total - len(e)) for e in barred], dtype=np.int64)

    def settle(query: int, found_scores: npt.NDArray[np.float32], found_rows: Rows) -> bool:
        good = (found_rows >= 0) & ~np.isin(found_rows, barred[query])
        order = np.lexsort((found_rows[good], -found_scores[good]))[:k]
        scores[query], rows[query] = -np.inf, -1
        scores[query, : len(order)] = found_scores[good][order]
        rows[query, : len(order)] = found_rows[good][order]
        return len(order) >= int(wanted[query])

    pending = [query for query in range(len(queries)) if wanted[query] > 0]
    together = [query for query in pending if len(barred[query]) <= _MOST_EXTRA]
    if together:
        fetch = min(total, k + max(len(barred[query]) for query in together))
        found = steps[0](queries[together], fetch, allowed)
        settled = {query for place, query in enumerate(together) if settle(query, found[0][place], found[1][place])}
        pending = [query for query in pending if query not in settled]
    for query in pending:
        mask = np.ones(count, dtype=bool) if allowed is None else allowed.copy()
        mask[barred[query]] = False
        for step in steps:
            found = step(queries[query : query + 1], int(wanted[query]), mask)
            if settle(query, found[0][0], found[1][0]):
                break
    return scores, rows
