"""Patch tokens: what the films look like, place by place."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional

from llmrg.evidence.base import Evidence
from llmrg.evidence.projection import TokenProjection
from llmrg.language.token_space import TokenSpace
from llmrg.studies.batches import StudyBatch
from llmrg.vision.features import VisualFeatures

__all__ = ["Patches"]


class Patches(nn.Module):
    """Give the decoder the visual tokens of every view (R2GenGPT's visual prefix).

    Args:
        width: D, width of the visual tokens.
        size: width of the decoder's word embeddings.
        scale: root mean square of the decoder's word embeddings.
        pool: side of the grid each view is averaged to, or None to keep the trunk's own grid.
    """

    kind = "patches"

    def __init__(self, *, width: int, size: int, scale: float, pool: int | None = None) -> None:
        super().__init__()
        self.pool = pool
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
        """Project the (pooled) visual tokens; the mask leaves out absent views."""
        tokens, mask = self._pooled(features)
        records = [{"kind": self.kind, "items": []} for _ in batch.studies] if with_records else []
        return Evidence(kind=self.kind, embeddings=self.projection(tokens), mask=mask, records=records)

    def _pooled(self, features: VisualFeatures) -> tuple[Tensor, Tensor]:
        views, height, width = features.grid
        if self.pool is None or (height <= self.pool and width <= self.pool):
            return features.tokens, features.mask
        batch, _, depth = features.tokens.shape
        maps = features.tokens.view(batch * views, height, width, depth).permute(0, 3, 1, 2)
        small = functional.adaptive_avg_pool2d(maps, self.pool).permute(0, 2, 3, 1)
        tokens = small.reshape(batch, views * self.pool**2, depth)
        exists = features.mask.view(batch, views, -1)[:, :, 0]
        return tokens, exists.repeat_interleave(self.pool**2, dim=1)
