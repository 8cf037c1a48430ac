"""Where on a film the tokens of a trunk look: not always in the middle of their cells."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from llmrg.vision.backbone import Backbone

__all__ = ["token_offset"]

_FILMS = 32
_BLOCK = 8
_COARSE = 16


def token_offset(backbone: Backbone, *, image_size: int) -> tuple[float, float]:
    """Measure how far the centres of what tokens see lie from the middles of their cells.

    Trunks that cut films into patches have none. Convolutions with strides see more to the left and above their cell
    (padding stands on both sides, but the last column falls between strides), averaging shortcuts of dilated stages
    more to the right and below; how much of either counts depends on the weights. So the effective receptive field (Luo
    et al. 2016, "Understanding the effective receptive field in deep convolutional neural networks") of the middle
    tokens is measured: the centre of the squared gradient of a random direction of each token with respect to the
    pixels of smooth noise, which has a fixed seed.

    Args:
        backbone: the trunk with its weights; it is measured in evaluation mode, and again only when weights change.
        image_size: side of the square films in pixels.

    Returns:
        To the right and down, in parts of the film's side.
    """
    if not _overlaps(backbone.trunk):
        return 0.0, 0.0
    key = (image_size, sum(parameter._version for parameter in backbone.trunk.parameters()))
    known: tuple[object, tuple[float, float]] | None = getattr(backbone, "_token_offset", None)
    if known is None or known[0] != key:
        known = (key, _measure(backbone, image_size))
        object.__setattr__(backbone, "_token_offset", known)
    return known[1]


def _overlaps(trunk: nn.Module) -> bool:
    """Whether convolutions or poolings with strides see more than the cells that they make."""
    return any(
        _first(module.kernel_size) > _first(module.stride) > 1
        for module in trunk.modules()
        if isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d)
    )


def _first(value: object) -> int:
    found = value[0] if isinstance(value, tuple) else value
    return found if isinstance(found, int) else 1


def _measure(backbone: Backbone, size: int) -> tuple[float, float]:
    training, frozen = backbone.training, backbone.frozen
    draw = torch.Generator().manual_seed(0)
    device = backbone.mean.device
    found: list[Tensor] = []
    backbone.eval()
    backbone.frozen = False  # a frozen trunk gives no gradient
    try:
        with torch.inference_mode(False), torch.enable_grad():
            for start in range(0, _FILMS, _BLOCK):
                coarse = torch.rand(_BLOCK, 1, _COARSE, _COARSE, generator=draw)
                noise = functional.interpolate(coarse, size=(size, size), mode="bicubic").clamp(0, 1)
                films = noise.to(device).requires_grad_(True)
                maps = backbone.feature_map(films)
                direction = torch.randn(_BLOCK, maps.shape[-1], generator=draw).to(maps)
                rows, columns = _middle(maps, start)
                answers = (maps[torch.arange(_BLOCK), rows, columns] * direction).sum()
                (gradient,) = torch.autograd.grad(answers, films)
                cells = torch.stack([(columns + 0.5) / maps.shape[2], (rows + 0.5) / maps.shape[1]], dim=1)
                found.append(_centres(gradient.float().cpu()) - cells)
    finally:
        backbone.frozen = frozen
        backbone.train(training)
    offsets = torch.cat(found)
    x, y = (round(float(value), 4) for value in offsets[offsets.isfinite().all(1)].mean(0).nan_to_num())
    return x, y


def _middle(maps: Tensor, start: int) -> tuple[Tensor, Tensor]:
    """Rows and columns of tokens around the middle, symmetrical over all films, so that what all tokens see cancels."""
    height, width = maps.shape[1:3]
    number = torch.arange(start, start + len(maps))
    pair, mirrored = number // 2, number % 2 == 1
    rows = (height - min(4, height)) // 2 + pair // 4 % min(4, height)
    columns = (width - min(4, width)) // 2 + pair % 4 % min(4, width)
    return torch.where(mirrored, height - 1 - rows, rows), torch.where(mirrored, width - 1 - columns, columns)


def _centres(gradient: Tensor) -> Tensor:
    """Centres [N, 2] of squared gradients [N, 1, S, S], across and down, in parts of the side."""
    energy = gradient.square().sum(1)
    middles = (torch.arange(energy.shape[-1]) + 0.5) / energy.shape[-1]
    total = energy.sum((1, 2))
    return torch.stack([energy.sum(1) @ middles, energy.sum(2) @ middles], dim=1) / total.unsqueeze(1)
