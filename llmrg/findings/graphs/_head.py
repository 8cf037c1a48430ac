"""Observation chains while they are being put together."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Head"]


@dataclass(slots=True)
class Head:
    """The innermost node of a chain.

    Args:
        token: its index.
        edges: (modifier, modified) by token index.
        own_places: places of its own phrase, where they stand behind it.
        denied_by: the cue that denies it.
        gone_by: the word that says it is gone.
        states: states that modify it, by token index.
        denied_states: those of them that a cue denies.
        places: where it lies.
        uncertain: whether a hedge reaches it.
    """

    token: int
    edges: list[tuple[int, int]] = field(default_factory=list)
    own_places: list[int] = field(default_factory=list)
    denied_by: int | None = None
    gone_by: int | None = None
    states: list[int] = field(default_factory=list)
    denied_states: dict[int, int] = field(default_factory=dict)
    places: list[int] = field(default_factory=list)
    uncertain: bool = False
