"""Configuration of context residuals (R2GenCSR), and what a system's setting decides of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

__all__ = ["ContextMode", "ContextResidualsConfig", "ResolvedContext"]

ContextMode = Literal["keyword", "labels", "random", "similarity"]


@dataclass(frozen=True, kw_only=True)
class ContextResidualsConfig:
    """Positive and negative training studies, as residuals of the query's global vector.

    Args:
        mode: who is a positive and who a negative study. ``keyword``: by a word of the report (English ``note``,
            Chinese without 未见); ``labels``: by the labeler (any finding, or none); ``random``: by chance;
            ``similarity``: for each query those of its nearest training studies that share the findings predicted for
            it most and least. None takes ``keyword`` in the setting ``faithful`` and ``similarity`` in ``fixed``.
        pairs: positive studies, and as many negative ones.
        residual: taken ``after`` the projection into the token space, or ``before`` it.
        reserve: studies of each role that are drawn by the modes with a fixed choice; a query takes the first ones that
            are not of its own patient.
        seed: of that draw.
        candidates: nearest training studies looked at (``similarity``).
        threshold: probability from which a finding counts as predicted (``similarity``).
    """

    mode: ContextMode | None = None
    pairs: int = 3
    residual: Literal["before", "after"] = "after"
    reserve: int = 30
    seed: int = 42
    candidates: int = 24
    threshold: float = 0.5

    def __post_init__(self) -> None:
        if self.mode is not None and self.mode not in get_args(ContextMode):
            raise ValueError(f"unknown mode {self.mode!r}; allowed: {', '.join(get_args(ContextMode))}")
        if self.residual not in ("before", "after"):
            raise ValueError(f"residual must be before or after, not {self.residual!r}")
        if self.pairs < 1:
            raise ValueError(f"pairs must be at least 1, not {self.pairs}")
        if self.reserve <= self.pairs:
            raise ValueError("reserve must exceed pairs, for a query's own studies are passed over")
        if self.candidates < 2 * self.pairs:
            raise ValueError("candidates must be at least twice the pairs")
        if not 0 < self.threshold < 1:
            raise ValueError(f"threshold must lie between 0 and 1, not {self.threshold}")

    def resolved(self, setting: str) -> ResolvedContext:
        """Say what the configuration means in a setting (``faithful`` or ``fixed``)."""
        faithful = setting == "faithful"
        mode: ContextMode = self.mode or ("keyword" if faithful else "similarity")
        return ResolvedContext(config=replace(self, mode=mode), mode=mode, faithful=faithful)


@dataclass(frozen=True, kw_only=True)
class ResolvedContext:
    """A configuration in a setting.

    Args:
        config: the configuration, its mode filled in.
        mode: the mode.
        faithful: as R2GenCSR was released: residuals over the embedded words too (where they are taken after the
            projection), no gradient through them, no layer norm, ``random`` with the same studies in both roles, the
            first film alone of every context study.
    """

    config: ContextResidualsConfig
    mode: ContextMode
    faithful: bool

    @property
    def searches(self) -> bool:
        """Whether every query has context studies of its own."""
        return self.mode == "similarity"
