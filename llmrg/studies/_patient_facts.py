"""Age and sex as tables write them."""

from __future__ import annotations

import re

_YEARS: dict[str, float] = {
    **dict.fromkeys(("m", "月", "个"), 1 / 12),
    **dict.fromkeys(("w", "周"), 7 / 365.25),
    **dict.fromkeys(("d", "天"), 1 / 365.25),
}
_SEXES = {"f": "female", "female": "female", "女": "female", "m": "male", "male": "male", "男": "male"}


def parse_age(text: str) -> float | None:
    """Read an age in years (``62.0``, ``045Y``, ``3 months``, ``5岁``); None where there is none."""
    match = re.match(r"^\s*(\d+(?:\.\d+)?)\s*(\D?)", text)
    if not match:
        return None
    unit = match.group(2).lower()
    return float(match.group(1)) * _YEARS.get(unit, 1.0)


def parse_sex(text: str) -> str | None:
    """Normalise a sex to ``female`` or ``male``; other words are kept, nothing gives None."""
    return _SEXES.get(text.strip().lower(), text.strip() or None)
