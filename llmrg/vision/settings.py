"""Configuration of the vision backbone."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["BackboneConfig", "VisionLoraConfig"]


@dataclass(frozen=True, kw_only=True)
class BackboneConfig:
    """Which trunk reads the films.

    Args:
        architecture: a timm model name, or a Mamba trunk (``arm_base``, ``arm_large``, ``arm_small``, ``arm_tiny``,
            ``arm_micro``, ``vmamba_base``, ``vmamba_small``, ``vmamba_tiny``, ``vmamba_tiny_s1l8``, ``vmamba_micro``).
        pretrained: load timm's published weights (needs hub access or a filled cache).
        checkpoint: local ``.safetensors`` file with trunk weights, instead of ``pretrained``; a classifier's are
            left out. Of Mamba trunks the published ``.pth`` files, too.
        options: keyword arguments for the model (depths, channels, output_stride, ...; of Mamba trunks patch, width,
            depth, directions, drop_path, scan, checkpointing; of VMamba trunks width, depths, ratio, drop_path,
            normalise, scan, checkpointing).
        channels: 1 or 3 input channels; films are grey and repeated for 3.
        mean: subtracted from grey values in [0, 1]; None takes the mean of timm's configuration.
        std: divides grey values; None takes timm's.
        positions: add learnt row, column and view embeddings to the tokens.
        freeze: keep the trunk's weights and its normalisation statistics fixed.
    """

    architecture: str = "swin_base_patch4_window7_224"
    pretrained: bool = False
    checkpoint: Path | None = None
    options: dict[str, Any] = field(default_factory=dict)
    channels: int = 3
    mean: float | None = None
    std: float | None = None
    positions: bool = True
    freeze: bool = False

    def __post_init__(self) -> None:
        if self.pretrained and self.checkpoint is not None:
            raise ValueError("pretrained and checkpoint exclude each other")
        if self.channels not in (1, 3):
            raise ValueError(f"channels must be 1 or 3, not {self.channels}")
        if self.std is not None and self.std <= 0:
            raise ValueError(f"std must be positive, not {self.std}")


@dataclass(frozen=True, kw_only=True)
class VisionLoraConfig:
    """Low-rank adapters on the queries and values of a trunk's attention, with R2GenGPT's sizes.

    Args:
        rank: of the adapters.
        alpha: adapters are scaled by ``alpha / rank``.
        dropout: on the input of the adapters.
    """

    rank: int = 16
    alpha: float = 16
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if self.rank < 1 or self.alpha <= 0:
            raise ValueError("rank and alpha must be positive")
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError("dropout must lie in [0, 1)")
