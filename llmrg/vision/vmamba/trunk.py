"""The VMamba trunk: a pyramid of maps, halved between its stages."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from timm.layers import DropPath, Mlp, trunc_normal_
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from llmrg.vision.vmamba.mixer import CrossScanMixer

__all__ = ["HalvingConvolution", "VMambaBlock", "VMambaTrunk"]


class HalvingConvolution(nn.Module):
    """A 3 x 3 convolution with stride 2 and a norm over channels.

    Args:
        before: channels that come in.
        after: channels that go out.
    """

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, 3, stride=2, padding=1)
        self.norm = nn.LayerNorm(after)

    def forward(self, maps: Tensor) -> Tensor:
        """Return [N, ceil(h / 2), ceil(w / 2), after] of maps [N, h, w, before]."""
        out: Tensor = self.norm(self.conv(maps.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))
        return out


class VMambaBlock(nn.Module):
    """A mixer and a feed-forward network, each behind a norm and a residual connection.

    Args:
        width: of the map.
        ratio: inner width of the mixer divided by ``width``.
        states: numbers a state.
        mlp_ratio: width of the feed-forward network divided by ``width``.
        drop_path: probability that a residual branch is left out in training.
        scan: implementation of the selective scan.
    """

    def __init__(
        self,
        *,
        width: int,
        ratio: float = 2.0,
        states: int = 1,
        mlp_ratio: float = 4.0,
        drop_path: float = 0.0,
        scan: str = "auto",
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.mixer = CrossScanMixer(width=width, ratio=ratio, states=states, scan=scan)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width, int(mlp_ratio * width))
        self.drop_path = DropPath(drop_path) if drop_path else nn.Identity()

    def forward(self, maps: Tensor) -> Tensor:
        """Return the maps [N, h, w, width] after both branches."""
        maps = maps + self.drop_path(self.mixer(self.norm1(maps)))
        out: Tensor = maps + self.drop_path(self.mlp(self.norm2(maps)))
        return out


class VMambaTrunk(nn.Module):
    """Two halving convolutions, then stages of blocks with a halving convolution between any two.

    The architecture of VMamba's second version (Liu et al. 2024, arXiv 2401.10166v2) as R2GenCSR reads films with it.
    It has no position embeddings: films of every size and shape are read, and a side of s pixels gives
    ``ceil(s / 2 ** (stages + 1))`` places.

    Args:
        channels: of the films.
        width: of the first stage, even; each later stage has twice the width of the one before.
        depths: blocks of each stage.
        ratio: inner width of a mixer divided by its width.
        states: numbers a state.
        mlp_ratio: width of the feed-forward networks divided by that of their stage.
        drop_path: probability of leaving out a branch of the last block; rises linearly from 0.
        normalise: give maps behind the last norm. R2GenCSR takes them as the last block leaves them, and only its
            global vector behind the norm.
        scan: implementation of the selective scan.
        checkpointing: compute blocks again in the backward pass instead of keeping their states.

    Raises:
        ValueError: sizes that make no trunk.
    """

    output_fmt = "NHWC"

    def __init__(
        self,
        *,
        channels: int = 3,
        width: int = 128,
        depths: Sequence[int] = (2, 2, 15, 2),
        ratio: float = 2.0,
        states: int = 1,
        mlp_ratio: float = 4.0,
        drop_path: float = 0.0,
        normalise: bool = False,
        scan: str = "auto",
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        _check_sizes(width, depths, ratio=ratio, states=states, mlp_ratio=mlp_ratio, drop_path=drop_path)
        self.num_features = width * 2 ** (len(depths) - 1)
        self.normalise = normalise
        self.checkpointing = checkpointing
        self.stem = nn.ModuleList([HalvingConvolution(channels, width // 2), HalvingConvolution(width // 2, width)])
        last = max(1, sum(depths) - 1)
        stages, halvings, done = [], [], 0
        for place, depth in enumerate(depths):
            own = width * 2**place
            if place:
                halvings.append(HalvingConvolution(own // 2, own))
            stages.append(
                nn.ModuleList(
                    VMambaBlock(
                        width=own,
                        ratio=ratio,
                        states=states,
                        mlp_ratio=mlp_ratio,
                        drop_path=drop_path * block / last,
                        scan=scan,
                    )
                    for block in range(done, done + depth)
                )
            )
            done += depth
        self.stages = nn.ModuleList(stages)
        self.halvings = nn.ModuleList(halvings)
        self.norm = nn.LayerNorm(self.num_features)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward_features(self, images: Tensor) -> Tensor:
        """Return the map [N, h, w, D] of images [N, C, H, W]."""
        first, second = self.stem
        maps = second(F.gelu(first(images.permute(0, 2, 3, 1))))
        for place, stage in enumerate(self.stages):
            if place:
                maps = self.halvings[place - 1](maps)
            for block in stage:  # type: ignore[attr-defined]
                if self.checkpointing and self.training and torch.is_grad_enabled():
                    maps = checkpoint(block, maps, use_reentrant=False)
                else:
                    maps = block(maps)
        out: Tensor = self.norm(maps) if self.normalise else maps
        return out

    def global_vectors(self, maps: Tensor) -> Tensor:
        """Return the global vector [N, D] of each film from its map [N, h, w, D]: norm, then mean over places.

        Args:
            maps: what :meth:`forward_features` has given; the blocks run once for both.
        """
        out: Tensor = (maps if self.normalise else self.norm(maps)).mean((1, 2))
        return out

    def forward(self, images: Tensor) -> Tensor:
        """Return the map of features, as :meth:`forward_features`."""
        return self.forward_features(images)

    def no_weight_decay(self) -> set[str]:
        """Names of parameters that are not decayed: decays, skips, steps."""
        kept = ("log_decay", "skip", "step_bias")
        return {name for name, _ in self.named_parameters() if name.rpartition(".")[2] in kept}


def _check_sizes(
    width: int, depths: Sequence[int], *, ratio: float, states: int, mlp_ratio: float, drop_path: float
) -> None:
    if width < 2 or width % 2:
        raise ValueError(f"width must be even and positive, not {width}")
    if not depths or any(depth < 1 for depth in depths):
        raise ValueError(f"depths must be one positive number a stage, not {list(depths)}")
    if int(ratio * width) < 1 or int(mlp_ratio * width) < 1 or states < 1:
        raise ValueError(
            f"ratio, mlp_ratio and states must leave at least one channel, not {ratio}, {mlp_ratio}, {states}"
        )
    if not 0 <= drop_path < 1:
        raise ValueError(f"drop_path must be at least 0 and below 1, not {drop_path}")
