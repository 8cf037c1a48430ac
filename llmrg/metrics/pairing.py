"""Which generated report belongs to which reference: every study once, or an error; never the intersection."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from llmrg.errors import UserError

__all__ = ["Keyed", "pair_up", "read_keyed", "reference_hash"]

Keyed = Mapping[str, Any] | Iterable[tuple[str, Any]]
"""Values by study id; pairs keep a repeated id visible, which a mapping would swallow."""


def read_keyed(values: Keyed, *, name: str) -> dict[str, Any]:
    """Return values by id.

    Raises:
        UserError: an id that occurs twice, or is no string.
    """
    pairs = values.items() if isinstance(values, Mapping) else values
    result: dict[str, Any] = {}
    for key, value in pairs:
        if not isinstance(key, str):
            raise UserError(f"An id must be a string, not {type(key).__name__}", where=name)
        if key in result:
            raise UserError(f"The id {key!r} occurs twice", where=name, next_step="keep one entry for each study")
        result[key] = value
    return result


def pair_up(values: Mapping[str, Any], ids: Iterable[str], *, name: str, against: str, superset: bool = False) -> None:
    """Check that ``values`` has exactly these ids.

    Args:
        values: what is checked.
        ids: the ids it should have.
        name: what to call it.
        against: what to call the owner of the ids.
        superset: allow more ids.

    Raises:
        UserError: missing or surplus ids; says how many and names one.
    """
    wanted = set(ids)
    missing, surplus = wanted - values.keys(), values.keys() - wanted
    problems = []
    if missing:
        problems.append(f"{len(missing)} ids of the {against} are missing from the {name} (first: {min(missing)!r})")
    if surplus and not superset:
        problems.append(f"{len(surplus)} ids of the {name} are not among the {against} (first: {min(surplus)!r})")
    if problems:
        raise UserError(
            "; ".join(problems),
            where=name,
            next_step="score exactly the same studies; leaving some out would change every figure",
        )


def reference_hash(ids: Sequence[str], references: Sequence[str]) -> str:
    """Return the sha256 of ids and references in any order; two systems are compared only where it is the same.

    Args:
        ids: of the studies.
        references: their texts as they are scored, so after the reference protocol.
    """
    pairs = sorted(zip(ids, references, strict=True))
    # ASCII escapes, because a lone surrogate has no bytes.
    return hashlib.sha256(json.dumps(pairs, ensure_ascii=True, separators=(",", ":")).encode("ascii")).hexdigest()
