"""From the trunk's width to the memory's: a fixed linear map that is saved with what it made."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from llmrg.errors import UserError

__all__ = ["ProjectionKind", "RegionProjection"]

ProjectionKind = Literal["auto", "identity", "orthogonal", "random"]
FILE = "projection.safetensors"


class RegionProjection(nn.Module):
    """A linear map that is drawn once and never trained.

    Args:
        kind: ``identity`` changes nothing; ``orthogonal`` has orthonormal rows, times ``sqrt(width / out_width)``, so
            that lengths stay as they are on average; ``random`` is a fresh linear layer with a bias, as AM-MRG's code
            takes (and forgets); ``auto`` is the identity where the widths are equal and orthogonal elsewhere.
        width: of the incoming vectors.
        out_width: of the outgoing vectors.
        seed: of the drawing.

    Raises:
        UserError: an identity between two widths.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, kind: ProjectionKind, *, width: int, out_width: int, seed: int = 0) -> None:
        super().__init__()
        if kind == "auto":
            kind = "identity" if width == out_width else "orthogonal"
        if kind == "identity" and width != out_width:
            raise UserError(
                f"The identity cannot bring vectors of width {width} to width {out_width}",
                where="stages.activation_maps.projection",
                allowed=("auto", "orthogonal", "random"),
            )
        self.kind = kind
        generator = torch.Generator().manual_seed(seed)
        weight, bias = torch.eye(width), torch.zeros(out_width)
        if kind == "orthogonal":
            weight = torch.empty(out_width, width)
            nn.init.orthogonal_(weight, gain=(width / out_width) ** 0.5, generator=generator)
        elif kind == "random":
            reach = width**-0.5  # of torch's linear layers
            weight = torch.empty(out_width, width).uniform_(-reach, reach, generator=generator)
            bias.uniform_(-reach, reach, generator=generator)
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)

    def forward(self, vectors: Tensor) -> Tensor:
        """Map [..., width] to [..., out_width]."""
        return vectors @ self.weight.T + self.bias

    def save(self, directory: Path) -> None:
        """Write ``projection.safetensors``."""
        save_file({"weight": self.weight.contiguous(), "bias": self.bias}, directory / FILE, {"kind": self.kind})

    @classmethod
    def load(cls, directory: Path) -> RegionProjection:
        """Read what :meth:`save` wrote.

        Raises:
            UserError: missing or damaged.
        """
        try:
            tensors = load_file(directory / FILE)
            weight, bias = tensors["weight"], tensors["bias"]
        except (OSError, KeyError, SafetensorError) as error:
            raise UserError(
                "The projection of the regions cannot be read",
                where=str(directory / FILE),
                next_step="build it again with llmrg mine-maps",
            ) from error
        projection = cls("random", width=weight.shape[1], out_width=weight.shape[0])
        projection.weight, projection.bias = weight, bias
        return projection
