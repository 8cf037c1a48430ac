"""Reading values of results that may be missing or of another kind: what does not fit is as if it were not there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["bounds_of", "mapping_of", "number_of", "records_of"]


def mapping_of(value: object) -> Mapping[str, Any]:
    """The value if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def records_of(value: object) -> list[Mapping[str, Any]]:
    """The mappings of a list; empty for anything else."""
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, (list, tuple)) else []


def number_of(value: object) -> float | None:
    """The value as a number, or None; truth values are none."""
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def bounds_of(values: Mapping[str, Any], key: str = "interval") -> tuple[float, float] | None:
    """The two ends of an interval, or None."""
    ends = values.get(key)
    if not isinstance(ends, (list, tuple)) or len(ends) != 2:
        return None
    low, high = number_of(ends[0]), number_of(ends[1])
    return None if low is None or high is None else (low, high)
