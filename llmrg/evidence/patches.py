"""Patch tokens: what the films look like, place by place."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from llmrg.evidence.base import Evidence
from llmrg.evidence.projection import TokenProjection
from llmrg.language.token_space import TokenSpace
from llmrg.studies.batches import StudyBatch
from llmrg.vision.features import VisualFeatures

__all__ = ["Patches"]


class Patches(nn.Module):
    """Give the decoder the visual tokens of every view, or their mean over views (R2GenGPT's visual prefix).

    Args:
        width: D, width of the visual tokens.
        size: width of the decoder's word embeddings.
        scale: what the weights of the layer norm start with, such as the root mean square of the word embeddings.
        pool: side of the grid each view is averaged to, or None to keep the trunk's own grid.
        mean_of_views: show the mean over the views that exist.
        class_token: show the trunk's class token in the middle of each view's tokens.
    """

    kind = "patches"

    def __init__(
        self,
        *,
        width: int,
        size: int,
        scale: float,
        pool: int | None = None,
        mean_of_views: bool = False,
        class_token: bool = False,
    ) -> None:
        super().__init__()
        self.pool = pool
        self.mean_of_views = mean_of_views
        self.class_token = class_token
        self.projection = TokenProjection(width=width, size=size, scale=scale)

    def forward(
        self,
        features: VisualFeatures,
        batch: StudyBatch,
        space: TokenSpace,
        earlier: Mapping[str, Evidence],
        *,
        with_records: bool = False,
    ) -> Evidence:
        """Project the chosen visual tokens; the mask leaves out absent views.

        Raises:
            ValueError: a class token is asked for that the trunk does not have.
        """
        tokens, mask = self._chosen(features)
        records = [{"kind": self.kind, "items": []} for _ in batch.studies] if with_records else []
        return Evidence(kind=self.kind, embeddings=self.projection(tokens), mask=mask, records=records)

    def _chosen(self, features: VisualFeatures) -> tuple[Tensor, Tensor]:
        """The tokens [B, K, D] that are shown, and their mask [B, K]."""
        views, height, width = features.grid
        batch, _, depth = features.tokens.shape
        exists = features.mask.view(batch, views, -1)[:, :, 0]
        tokens = features.tokens.view(batch, views, height * width, depth)
        if self.pool is not None and (height > self.pool or width > self.pool):
            maps = tokens.view(batch * views, height, width, depth).permute(0, 3, 1, 2)
            small = functional.adaptive_avg_pool2d(maps, self.pool).permute(0, 2, 3, 1)
            tokens = small.reshape(batch, views, self.pool**2, depth)
        if self.class_token:
            if features.class_tokens is None:
                raise ValueError("the trunk has no class token")
            middle = tokens.shape[2] // 2
            token = features.class_tokens.to(tokens.dtype).unsqueeze(2)
            tokens = torch.cat([tokens[:, :, :middle], token, tokens[:, :, middle:]], dim=2)
        count = tokens.shape[2]
        if self.mean_of_views:
            weights = exists.to(tokens.dtype)[:, :, None, None]
            tokens = (tokens * weights).sum(1) / weights.sum(1).clamp(min=1)
            return tokens, exists.any(1, keepdim=True).expand(-1, count)
        return tokens.flatten(1, 2), exists.repeat_interleave(count, dim=1)
