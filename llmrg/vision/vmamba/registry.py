"""VMamba trunks by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from llmrg.errors import UserError
from llmrg.vision.vmamba.trunk import VMambaTrunk

__all__ = ["VMAMBA_TRUNKS", "build_vmamba_trunk"]

VMAMBA_TRUNKS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "vmamba_base": {"width": 128, "depths": (2, 2, 15, 2), "drop_path": 0.6},
        "vmamba_small": {"width": 96, "depths": (2, 2, 15, 2), "drop_path": 0.3},
        "vmamba_tiny": {"width": 96, "depths": (2, 2, 5, 2), "drop_path": 0.2},
        "vmamba_tiny_s1l8": {"width": 96, "depths": (2, 2, 8, 2), "ratio": 1.0, "drop_path": 0.2},
        "vmamba_micro": {"width": 32, "depths": (1, 1, 2), "drop_path": 0.0},
    }
)
"""The first four as published (MzeroMiko/VMamba: ``vssm1_base_0229``, which R2GenCSR takes, ``vssm1_small_0229``,
``vssm1_tiny_0230``, ``vssm1_tiny_0230s``; 88.6, 50.1, 30.7 and 30.2 million parameters with their classifiers).
``vmamba_micro`` is ours, for small films and for processors: three stages, so that a place is 16 pixels."""


def build_vmamba_trunk(name: str, *, image_size: int, channels: int, **options: Any) -> VMambaTrunk:
    """Build a trunk.

    Args:
        name: a name of :data:`VMAMBA_TRUNKS`.
        image_size: side of the films, pixels; any will do, the trunk does not depend on it.
        channels: of the films.
        options: replace arguments of :class:`llmrg.vision.vmamba.trunk.VMambaTrunk` (width, depths, drop_path, ...).

    Raises:
        UserError: an unknown name, or options that do not fit.
    """
    if name not in VMAMBA_TRUNKS:
        raise UserError(f"Unknown VMamba trunk {name!r}", where="vision.architecture", allowed=VMAMBA_TRUNKS, got=name)
    try:
        if image_size < 1:
            raise ValueError(f"image_size must be positive, not {image_size}")
        return VMambaTrunk(channels=channels, **{**VMAMBA_TRUNKS[name], **options})
    except (TypeError, ValueError) as error:
        raise UserError(f"The VMamba trunk {name} cannot be built: {error}", where="vision.options") from error
