"""Several tests at once: Holm's correction of p values."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["holm"]


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Correct p values for the number of tests, so that the chance of any false claim stays at the level (Holm 1979).

    The smallest of m values is multiplied by m, the next by m - 1, and so on; a value never becomes smaller than one
    before it, nor larger than 1.

    Args:
        p_values: of one family of tests; None where there was none, which does not count.

    Returns:
        Corrected values in the order given.
    """
    order = sorted((value, place) for place, value in enumerate(p_values) if value is not None)
    corrected: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (value, place) in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * value))
        corrected[place] = largest
    return corrected
