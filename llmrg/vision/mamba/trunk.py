"""Trunks of Mamba blocks over the patches of a film."""

from __future__ import annotations

import torch
from timm.layers import DropPath, PatchEmbed, SwiGLU, resample_abs_pos_embed, trunc_normal_
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from llmrg.vision.mamba.directions import scan_orders
from llmrg.vision.mamba.mixer import MambaMixer

__all__ = ["MambaBlock", "MambaTrunk", "resize_positions"]


class MambaBlock(nn.Module):
    """A mixer and a gated feed-forward network, each behind a norm and a residual connection.

    Args:
        width: of the tokens.
        orders: scan orders [K, L].
        hidden: width of the feed-forward network; None takes ``8 / 3`` of ``width``.
        drop_path: probability that a residual branch is left out in training.
        scan: implementation of the selective scan.
    """

    def __init__(
        self, *, width: int, orders: Tensor, hidden: int | None = None, drop_path: float = 0.0, scan: str = "auto"
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.mixer = MambaMixer(width=width, orders=orders, scan=scan)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = SwiGLU(width, width * 4 * 2 // 3 if hidden is None else hidden)
        self.drop_path = DropPath(drop_path) if drop_path else nn.Identity()

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the tokens [B, L, width] after both branches."""
        tokens = tokens + self.drop_path(self.mixer(self.norm1(tokens)))
        out: Tensor = tokens + self.drop_path(self.mlp(self.norm2(tokens)))
        return out


class MambaTrunk(nn.Module):
    """Patches, position embeddings, a class token in the middle, and Mamba blocks.

    The architecture of MambaXray-VL (Wang et al. 2024), which is that of ARM (Ren et al. 2024) with four scan
    directions; ``directions=1`` is the network of its autoregressive stage.

    Args:
        image_size: side of the square films, pixels.
        channels: of the films.
        patch: side of a patch, pixels; it must divide ``image_size``.
        width: of the tokens.
        depth: blocks.
        directions: 1, 2 or 4.
        drop_path: probability of leaving out a branch of the last block; rises linearly from 0.
        scan: implementation of the selective scan.
        checkpointing: compute blocks again in the backward pass instead of keeping their states.
    """

    output_fmt = "NHWC"

    def __init__(
        self,
        *,
        image_size: int = 224,
        channels: int = 3,
        patch: int = 16,
        width: int = 768,
        depth: int = 12,
        directions: int = 4,
        drop_path: float = 0.1,
        scan: str = "auto",
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        if image_size % patch:
            raise ValueError(f"patches of {patch} pixels do not divide films of {image_size}")
        self.num_features = width
        self.grid = image_size // patch
        self.directions = directions
        self.checkpointing = checkpointing
        self.patch_embed = PatchEmbed(image_size, patch, channels, width)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(torch.zeros(1, self.grid**2 + 1, width))
        orders = scan_orders(self.grid, self.grid, directions=directions)
        rates = [drop_path * place / max(1, depth - 1) for place in range(depth)]
        blocks = [MambaBlock(width=width, orders=orders, drop_path=rate, scan=scan) for rate in rates]
        for block in blocks:
            block.mixer.out_proj.weight.data.div_(depth**0.5)
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(width)
        trunc_normal_(self.class_token, std=0.02)
        trunc_normal_(self.positions, std=0.02)
        trunc_normal_(self.patch_embed.proj.weight, std=0.02)
        nn.init.zeros_(self.patch_embed.proj.bias)

    @property
    def middle(self) -> int:
        """The place of the class token."""
        return self.grid**2 // 2

    def forward_tokens(self, images: Tensor) -> Tensor:
        """Return all tokens [N, h * w + 1, D] of images [N, C, H, W]: row by row, the class token in the middle."""
        patches = self.patch_embed(images)
        token = self.class_token.expand(len(patches), -1, -1)
        tokens = torch.cat([patches[:, : self.middle], token, patches[:, self.middle :]], dim=1) + self.positions
        for block in self.blocks:
            if self.checkpointing and self.training and torch.is_grad_enabled():
                tokens = checkpoint(block, tokens, use_reentrant=False)
            else:
                tokens = block(tokens)
        out: Tensor = self.norm(tokens)
        return out

    def map_and_class_token(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the patches' tokens as a map [N, h, w, D], and the class token [N, D]."""
        tokens = self.forward_tokens(images)
        patches = torch.cat([tokens[:, : self.middle], tokens[:, self.middle + 1 :]], dim=1)
        return patches.view(len(patches), self.grid, self.grid, -1), tokens[:, self.middle]

    def forward_features(self, images: Tensor) -> Tensor:
        """Return the patches' tokens as a map [N, h, w, D]."""
        return self.map_and_class_token(images)[0]

    def forward(self, images: Tensor) -> Tensor:
        """Return the map of features, as :meth:`forward_features`."""
        return self.forward_features(images)

    def no_weight_decay(self) -> set[str]:
        """Names of parameters that are not decayed: positions, class token, decays, skips, steps."""
        kept = ("log_decay", "skip", "step_bias", "conv_bias")
        return {"class_token", "positions"} | {
            name for name, _ in self.named_parameters() if name.rpartition(".")[2] in kept
        }


def resize_positions(positions: Tensor, grid: int) -> Tensor:
    """Resize position embeddings [1, h * h + 1, D] with the class token in the middle to another grid, bicubically."""
    patches = positions.shape[1] - 1
    if patches == grid**2:
        return positions
    middle = patches // 2
    own, token = (
        torch.cat([positions[:, :middle], positions[:, middle + 1 :]], dim=1),
        positions[:, middle : middle + 1],
    )
    resized = resample_abs_pos_embed(own, [grid, grid], num_prefix_tokens=0)
    return torch.cat([resized[:, : grid**2 // 2], token, resized[:, grid**2 // 2 :]], dim=1)
