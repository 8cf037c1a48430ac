"""A trunk (timm's, a Mamba or a VMamba trunk) over the 1..N views of a study."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import timm
import torch
from safetensors.torch import load_file
from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from torch import Tensor, nn

from llmrg.errors import UserError
from llmrg.vision.features import VisualFeatures
from llmrg.vision.mamba import MAMBA_TRUNKS, build_mamba_trunk
from llmrg.vision.mamba.published import from_published, read_published
from llmrg.vision.mamba.trunk import MambaTrunk
from llmrg.vision.positions import GridPositions
from llmrg.vision.settings import BackboneConfig
from llmrg.vision.vmamba import VMAMBA_TRUNKS, build_vmamba_trunk
from llmrg.vision.vmamba.published import from_published as from_published_vmamba
from llmrg.vision.vmamba.trunk import VMambaTrunk

__all__ = ["Backbone", "build_backbone"]

_Trunk = TypeVar("_Trunk", MambaTrunk, VMambaTrunk)


class Backbone(nn.Module):
    """Run a trunk over every film that exists and lay its feature maps side by side as tokens.

    Legend: B studies, V views, C channels, H x W pixels, h x w grid, D width.

    Args:
        trunk: a model with ``forward_features`` giving [N, h, w, D], [N, D, h, w] or [N, prefix + h * w, D].
        width: D.
        channels: input channels of the trunk.
        mean: grey value subtracted before the trunk, one number a channel.
        std: divisor, one number a channel.
        positions: adds position and view embeddings, or None.
        frozen: keep trunk weights and statistics fixed, also in training mode.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        *,
        trunk: nn.Module,
        width: int,
        channels: int,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        positions: GridPositions | None,
        frozen: bool = False,
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.width = width
        self.channels = channels
        self.positions = positions
        self.frozen = frozen
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)
        if frozen:
            self.trunk.requires_grad_(False)

    def train(self, mode: bool = True) -> Backbone:
        """Switch the mode; a frozen trunk stays in evaluation mode."""
        super().train(mode)
        if self.frozen:
            self.trunk.eval()
        return self

    @property
    def has_class_token(self) -> bool:
        """Whether the trunk has a class token that the decoder may see."""
        return hasattr(self.trunk, "map_and_class_token")

    def feature_map(self, images: Tensor) -> Tensor:
        """Run the trunk.

        Args:
            images: [N, 1, H, W], uint8 or floating point in [0, 1].

        Returns:
            [N, h, w, D].

        Raises:
            UserError: a trunk whose tokens do not form a square grid.
        """
        return self.look(images)[0]

    def look(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Run the trunk as :meth:`feature_map` and return its class tokens [N, D] (None where it has none), too."""
        grey = images.to(self.mean.dtype)
        if images.dtype == torch.uint8:
            grey = grey / 255
        images = (grey.expand(-1, self.channels, -1, -1) - self.mean) / self.std
        images = images.contiguous(memory_format=torch.channels_last)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            if self.has_class_token:
                found: tuple[Tensor, Tensor] = self.trunk.map_and_class_token(images)  # type: ignore[operator]
                return found
            maps = self.trunk.forward_features(images)  # type: ignore[operator]
        return self._as_map(maps), None

    def _as_map(self, maps: Tensor) -> Tensor:
        if maps.dim() == 3:
            maps = maps[:, getattr(self.trunk, "num_prefix_tokens", 0) :]
            side = math.isqrt(maps.shape[1])
            if side**2 != maps.shape[1]:
                raise UserError(
                    f"The trunk gives {maps.shape[1]} tokens a film, which are no square grid",
                    where="vision.architecture",
                    next_step="take a trunk whose tokens are places of the film, and square films",
                )
            return maps.reshape(maps.shape[0], side, side, -1)
        if str(getattr(self.trunk, "output_fmt", "NCHW")).endswith("NHWC"):
            return maps
        return maps.permute(0, 2, 3, 1)

    def forward(self, pixels: Tensor, view_mask: Tensor, views: Tensor | None = None) -> VisualFeatures:
        """Read all films of a batch.

        Args:
            pixels: [B, V, 1, H, W], uint8 or floating point in [0, 1].
            view_mask: [B, V] bool, True where a film exists; at least one a study.
            views: [B, V] long view codes; None means unknown (code 0).

        Returns:
            Tokens, mask and pooled vectors.
        """
        batch, count = view_mask.shape
        view_mask = view_mask.bool()
        views = torch.zeros_like(view_mask, dtype=torch.long) if views is None else views
        found, class_tokens = self.look(pixels[view_mask])
        _, height, width, depth = found.shape
        # Before positions are added: the trunk's own vector does not know of them.
        summary = getattr(self.trunk, "global_vectors", None)
        global_vectors = None if summary is None else _by_view(summary(found), view_mask)
        if self.positions is not None:
            found = self.positions(found, views[view_mask])
        maps = found.new_zeros(batch, count, height, width, depth)
        maps[view_mask] = found
        tokens = maps.reshape(batch, count * height * width, depth)
        mask = view_mask.repeat_interleave(height * width, dim=1)
        weights = mask.unsqueeze(-1).to(tokens.dtype)
        pooled = (tokens * weights).sum(1) / weights.sum(1).clamp(min=1)
        return VisualFeatures(
            tokens=tokens,
            mask=mask,
            pooled=pooled,
            grid=(count, height, width),
            view=views.repeat_interleave(height * width, dim=1),
            global_vectors=global_vectors,
            class_tokens=None if class_tokens is None else _by_view(class_tokens, view_mask),
        )


def _by_view(vectors: Tensor, view_mask: Tensor) -> Tensor:
    """Put vectors of the films that exist [N, D] at their places [B, V, D]."""
    placed = vectors.new_zeros(*view_mask.shape, vectors.shape[-1])
    placed[view_mask] = vectors
    return placed


def build_backbone(config: BackboneConfig, *, image_size: int) -> Backbone:
    """Build the trunk that a configuration names.

    Args:
        config: the trunk.
        image_size: side of the square films in pixels.

    Raises:
        UserError: unknown architecture (with the nearest names) or pretrained tag, options that do not fit, or a
            checkpoint that does not fit.
    """
    if config.architecture in MAMBA_TRUNKS or config.architecture in VMAMBA_TRUNKS:
        trunk: Any = _mamba_trunk(config, image_size)
        defaults: Any = None
    else:
        trunk, defaults = _timm_trunk(config, image_size)
    mean = (config.mean,) * config.channels if config.mean is not None else _channels(defaults, "mean", config.channels)
    std = (config.std,) * config.channels if config.std is not None else _channels(defaults, "std", config.channels)
    width = int(trunk.num_features)
    return Backbone(
        trunk=trunk.to(memory_format=torch.channels_last),
        width=width,
        channels=config.channels,
        mean=mean,
        std=std,
        positions=GridPositions(width=width) if config.positions else None,
        frozen=config.freeze,
    )


def _mamba_trunk(config: BackboneConfig, image_size: int) -> MambaTrunk | VMambaTrunk:
    if config.pretrained:
        raise UserError(
            "Mamba trunks have no weights that could be fetched",
            where="vision.pretrained",
            next_step="set vision.checkpoint to a file of published weights (.pth or .safetensors)",
        )
    films = {"image_size": image_size, "channels": config.channels}
    if config.architecture in VMAMBA_TRUNKS:
        vmamba = build_vmamba_trunk(config.architecture, **films, **config.options)
        return _filled(vmamba, config, from_published_vmamba)
    return _filled(build_mamba_trunk(config.architecture, **films, **config.options), config, from_published)


def _filled(
    trunk: _Trunk, config: BackboneConfig, rename: Callable[[Mapping[str, Tensor], _Trunk], dict[str, Tensor]]
) -> _Trunk:
    if config.checkpoint is not None:
        try:
            trunk.load_state_dict(rename(read_published(config.checkpoint), trunk))
        except RuntimeError as error:
            raise _unfitting(config, error) from error
    return trunk


def _timm_trunk(config: BackboneConfig, image_size: int) -> tuple[nn.Module, Any]:
    if not timm.is_model(config.architecture):
        known = [*timm.list_models(), *MAMBA_TRUNKS, *VMAMBA_TRUNKS]
        raise UserError(
            f"Unknown vision architecture {config.architecture!r}",
            where="vision.architecture",
            allowed=[
                "any name that timm.list_models() prints, such as swin_base_patch4_window7_224, resnet50",
                *MAMBA_TRUNKS,
                *VMAMBA_TRUNKS,
            ],
            next_step=_spelling_hint(config.architecture, known),
        )
    options: dict[str, Any] = dict(config.options)
    try:
        defaults = timm.get_pretrained_cfg(config.architecture)
    except RuntimeError as error:
        raise UserError(
            f"timm has no weights {config.architecture!r}",
            where="vision.architecture",
            allowed=timm.list_pretrained(config.architecture.split(".")[0]),
            got=config.architecture,
        ) from error
    if getattr(defaults, "fixed_input_size", False):
        options.setdefault("img_size", image_size)
    try:
        trunk = timm.create_model(
            config.architecture,
            pretrained=config.pretrained,
            in_chans=config.channels,
            num_classes=0,
            **options,
        )
    except Exception as error:
        raise UserError(
            f"timm cannot build {config.architecture}: {type(error).__name__}: {str(error).splitlines()[0][:200]}",
            where="vision.options",
            next_step="check the options, and with pretrained=true that the weights are in the local cache",
        ) from error
    if config.checkpoint is not None:
        _load_checkpoint(trunk, config)
    return trunk, defaults


def _channels(defaults: Any, name: str, channels: int) -> tuple[float, ...]:
    usual = IMAGENET_DEFAULT_MEAN if name == "mean" else IMAGENET_DEFAULT_STD
    given = (0.5, 0.5, 0.5) if defaults is not None else usual
    values = tuple(float(value) for value in getattr(defaults, name, None) or given)
    return values if channels == 3 else (sum(values) / len(values),)


def _spelling_hint(name: str, known: list[str]) -> str:
    matches = difflib.get_close_matches(name, known, n=3)
    return f"did you mean {' or '.join(matches)}?" if matches else "see timm.list_models()"


def _load_checkpoint(trunk: nn.Module, config: BackboneConfig) -> None:
    path = config.checkpoint
    if path is None:
        return
    if path.suffix != ".safetensors":
        raise UserError("Trunk weights are read from .safetensors files alone", where=str(path))
    try:
        weights = load_file(path)
    except Exception as error:
        raise UserError(f"The checkpoint cannot be read: {type(error).__name__}", where=str(path)) from error
    named = (getattr(trunk, "pretrained_cfg", None) or {}).get("classifier") or ()
    heads = tuple(f"{name}." for name in ((named,) if isinstance(named, str) else named))
    weights = {name: tensor for name, tensor in weights.items() if not name.startswith(heads)}  # published weights
    try:
        trunk.load_state_dict(weights)
    except RuntimeError as error:
        raise _unfitting(config, error) from error


def _unfitting(config: BackboneConfig, error: RuntimeError) -> UserError:
    return UserError(
        f"The checkpoint does not fit {config.architecture}: {str(error).splitlines()[1].strip()[:200]}",
        where=str(config.checkpoint),
    )
