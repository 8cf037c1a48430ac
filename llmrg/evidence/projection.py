"""From visual width to the decoder's token space."""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["TokenProjection"]


class TokenProjection(nn.Module):
    """Linear map and layer norm into word-embedding space (the projector of R2GenGPT), scaled like word embeddings.

    Args:
        width: width of the incoming vectors.
        size: width of the decoder's word embeddings.
        scale: root mean square that the outgoing vectors start with (that of the word embeddings).
    """

    def __init__(self, *, width: int, size: int, scale: float) -> None:
        super().__init__()
        self.linear = nn.Linear(width, size)
        self.norm = nn.LayerNorm(size)
        nn.init.constant_(self.norm.weight, scale)

    def forward(self, vectors: Tensor) -> Tensor:
        """Map [..., width] to [..., size]."""
        return self.norm(self.linear(vectors))
