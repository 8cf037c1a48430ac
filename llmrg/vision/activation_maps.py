"""Activation maps: which places of its films raise the score of a finding (Grad-CAM)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from llmrg.vision.backbone import Backbone
from llmrg.vision.features import VisualFeatures

__all__ = ["ActivationMaps", "Extent", "Method", "activation_maps"]

Method = Literal["grad_cam", "hires_cam"]
Extent = Literal["film", "study"]
ROUNDING = 1e-6
"""A map whose values differ by no more than this share of the greatest is constant."""


@dataclass(frozen=True, kw_only=True)
class ActivationMaps:
    """Maps of several studies, and of several findings of a study.

    Legend: M maps, V views, H x W pixels of a film.

    Args:
        study: M rows of the batch.
        finding: M columns of the scores.
        maps: [M, V, H, W] in [0, 1], float32 on the CPU; 0 where a view is absent, and everywhere where nothing speaks
            for the finding.
    """

    study: tuple[int, ...]
    finding: tuple[int, ...]
    maps: Tensor


def activation_maps(
    backbone: Backbone,
    pixels: Tensor,
    view_mask: Tensor,
    views: Tensor | None = None,
    *,
    wanted: Sequence[Sequence[int]],
    scores: Callable[[VisualFeatures], Tensor],
    method: Method = "grad_cam",
    extent: Extent = "study",
) -> ActivationMaps:
    """Map the findings that are wanted of each study.

    This takes one pass through the trunk, and as many backward passes through the head alone as one study has findings.
    Grad-CAM (Selvaraju et al., ICCV 2017, equations 1 and 2) weighs the channels of a film's last feature map (behind
    the trunk's last norm, where it has one) by the mean of their gradients over its places, and keeps what is positive
    of their sum. HiResCAM (Draelos & Carin 2020, equation 4) sums the products of gradient and channel place by place,
    which stays true to heads that look at some places more than at others.

    Legend: B studies, V views, H x W pixels, F findings.

    Args:
        backbone: trunk; it and the head are in evaluation mode, so that no study changes another's scores.
        pixels: [B, V, 1, H, W], uint8 or floating point in [0, 1].
        view_mask: [B, V] bool, True where a film exists; at least one a study.
        views: [B, V] long view codes; None means unknown.
        wanted: the findings to map, of each study; a study may have none.
        scores: the head: one number a study and finding [B, F], such as a logit or a probability.
        method: Grad-CAM or HiResCAM.
        extent: what a map's values are scaled over, from their least (0) to their greatest (1): each film by itself,
            or all films of the study, so that a film on which little is to be seen stays dark.

    Returns:
        The maps, scaled up bilinearly to the size of the films; study by study, findings as they were wanted.

    Raises:
        ValueError: not one list of findings a study.
    """
    if len(wanted) != len(view_mask):
        raise ValueError(f"{len(wanted)} lists of findings for {len(view_mask)} studies")
    view_mask = view_mask.bool()
    with torch.no_grad():
        features = backbone(pixels, view_mask, views)
    size = (int(pixels.shape[-2]), int(pixels.shape[-1]))
    order = [(row, finding) for row, findings in enumerate(wanted) for finding in findings]
    maps = torch.zeros(len(order), view_mask.shape[1], *size)
    places = {pair: number for number, pair in enumerate(order)}
    for pairs, seen in _passes(features, _places(backbone, features), wanted, scores, method):
        chosen = [row for row, _ in pairs]
        large = functional.interpolate(seen[chosen], size=size, mode="bilinear", align_corners=False)
        maps[[places[pair] for pair in pairs]] = _scaled(large, view_mask[chosen], extent).cpu()
    return ActivationMaps(study=tuple(row for row, _ in order), finding=tuple(f for _, f in order), maps=maps)


def _places(backbone: Backbone, features: VisualFeatures) -> Tensor:
    """The trunk's own feature maps [B, V, h, w, D], without the position embeddings that stand on the tokens."""
    views, height, width = features.grid
    batch, _, depth = features.tokens.shape
    tokens = features.tokens
    if backbone.positions is not None:
        blank = tokens.new_zeros(batch * views, height, width, depth)
        codes = features.view.reshape(batch * views, height * width)[:, 0]
        with torch.no_grad():
            tokens = tokens - backbone.positions(blank, codes).reshape(tokens.shape)
    return tokens.reshape(batch, views, height, width, depth)


def _passes(
    features: VisualFeatures,
    maps: Tensor,
    wanted: Sequence[Sequence[int]],
    scores: Callable[[VisualFeatures], Tensor],
    method: Method,
) -> Iterator[tuple[list[tuple[int, int]], Tensor]]:
    """Of each backward pass, the studies and findings it is about, and the maps [B, V, h, w] at the grid's size."""
    deepest = max(map(len, wanted), default=0)
    if not deepest:
        return
    with torch.enable_grad():
        leaf = features.tokens.detach().requires_grad_()
        shown = features.mask.unsqueeze(-1).to(leaf.dtype)
        pooled = (leaf * shown).sum(1) / shown.sum(1).clamp(min=1)
        scored = scores(replace(features, tokens=leaf, pooled=pooled))
    for rank in range(deepest):
        pairs = [(row, findings[rank]) for row, findings in enumerate(wanted) if len(findings) > rank]
        # The scores of a study know no other's films: the gradient of their sum holds each study's own.
        total = scored[[row for row, _ in pairs], [finding for _, finding in pairs]]
        (gradient,) = torch.autograd.grad(total, leaf, torch.ones_like(total), retain_graph=rank + 1 < deepest)
        gradient = gradient.reshape(maps.shape)
        weights = gradient.mean(dim=(2, 3), keepdim=True) if method == "grad_cam" else gradient
        yield pairs, (weights * maps).sum(dim=-1).relu().float()


def _scaled(maps: Tensor, exists: Tensor, extent: Extent) -> Tensor:
    """Scale [M, V, H, W] to [0, 1]; what is constant, or no number, becomes 0."""
    absent = ~exists[:, :, None, None]
    over = (2, 3) if extent == "film" else (1, 2, 3)
    least = maps.masked_fill(absent, float("inf")).amin(dim=over, keepdim=True)
    most = maps.masked_fill(absent, float("-inf")).amax(dim=over, keepdim=True)
    span = most - least
    usable = (span > ROUNDING * most) & span.isfinite() & ~absent
    return torch.where(usable, (maps - least) / span.clamp(min=torch.finfo(maps.dtype).tiny), 0.0)
