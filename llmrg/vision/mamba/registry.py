"""Mamba trunks by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from llmrg.errors import UserError
from llmrg.vision.mamba.trunk import MambaTrunk

__all__ = ["MAMBA_TRUNKS", "build_mamba_trunk"]

MAMBA_TRUNKS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "arm_base": {"width": 768, "depth": 12},
        "arm_large": {"width": 1024, "depth": 24},
        "arm_small": {"width": 384, "depth": 12},
        "arm_tiny": {"width": 192, "depth": 12},
        "arm_micro": {"width": 96, "depth": 4, "drop_path": 0.0},
    }
)
"""``arm_base`` and ``arm_large``: MambaXray-VL's (84.3 and 296.0 million parameters). The others are ours, for small
films and for processors."""


def build_mamba_trunk(name: str, *, image_size: int, channels: int, **options: Any) -> MambaTrunk:
    """Build a trunk.

    Args:
        name: a name of :data:`MAMBA_TRUNKS`.
        image_size: side of the square films, pixels.
        channels: of the films.
        options: replace arguments of :class:`llmrg.vision.mamba.trunk.MambaTrunk` (patch, directions, depth, ...).

    Raises:
        UserError: an unknown name, or options that do not fit.
    """
    if name not in MAMBA_TRUNKS:
        raise UserError(f"Unknown Mamba trunk {name!r}", where="vision.architecture", allowed=MAMBA_TRUNKS, got=name)
    try:
        return MambaTrunk(image_size=image_size, channels=channels, **{**MAMBA_TRUNKS[name], **options})
    except (TypeError, ValueError) as error:
        raise UserError(f"The Mamba trunk {name} cannot be built: {error}", where="vision.options") from error
