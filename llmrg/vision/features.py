"""What a backbone gives: visual tokens of all views of a study."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

__all__ = ["VisualFeatures"]


@dataclass(frozen=True, kw_only=True)
class VisualFeatures:
    """Visual tokens of a batch of studies.

    Legend: B studies, V views, h x w grid of one view, T = V * h * w tokens, D width.

    Args:
        tokens: [B, T, D], view after view, each row by row.
        mask: [B, T] bool, True where the token belongs to a film that exists.
        pooled: [B, D], mean of the valid tokens.
        grid: (V, h, w).
        view: [B, T] long, the view code of each token (:data:`llmrg.studies.batches.VIEW_CODES`).
        class_tokens: [B, V, D], the class token of each view, zeros where there is no film; None where the trunk has
            none.
        global_vectors: [B, V, D], the trunk's own vector of each view (VMamba: the mean of its map behind the last
            norm), zeros where there is no film; None where the trunk has none.
    """

    tokens: Tensor
    mask: Tensor
    pooled: Tensor
    grid: tuple[int, int, int]
    view: Tensor
    global_vectors: Tensor | None = None
    class_tokens: Tensor | None = None
