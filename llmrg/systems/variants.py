"""What the variants of a published system set, and the names of the systems that can be built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from llmrg.errors import UserError

__all__ = ["VARIANTS", "Kind", "Variant", "fill_variant", "find_variant"]

Kind = Literal["llmrg", "r2gengpt", "r2gencsr", "mambaxray_vl", "ammrg"]
"""The systems: our own and published ones."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """How a variant treats the trunk.

    Args:
        tune_vision: the trunk, or adapters in it, learn.
        vision_lora: adapters learn in place of the trunk's weights.
        learns: what learns besides the projection and its layer norm.
    """

    tune_vision: bool
    vision_lora: bool
    learns: str


VARIANTS: Mapping[str, Mapping[str, Variant]] = MappingProxyType(
    {
        "r2gengpt": {
            "shallow": Variant(tune_vision=False, vision_lora=False, learns="nothing"),
            "delta": Variant(tune_vision=True, vision_lora=True, learns="LoRA on Swin's queries and values"),
            "deep": Variant(tune_vision=True, vision_lora=False, learns="all of Swin"),
        }
    }
)
"""Variants by system (R2GenGPT's *alignments*, Wang et al. 2023); the others have none."""


def find_variant(kind: str, name: str) -> Variant:
    """Return a variant of a system.

    Raises:
        UserError: the system has no variants, or none of this name.
    """
    known = VARIANTS.get(kind)
    if known is None:
        raise UserError(
            f"The system {kind} has no variants",
            where="system.variant",
            got=name,
            next_step=f"leave it out; systems with variants: {', '.join(VARIANTS)}",
        )
    if name not in known:
        raise UserError(f"Unknown variant {name!r} of {kind}", where="system.variant", allowed=tuple(known), got=name)
    return known[name]


def fill_variant(values: Mapping[str, Any]) -> dict[str, Any]:
    """Add to the keys of a system's configuration those that its variant sets and that it does not say itself.

    Raises:
        UserError: of :func:`find_variant`.
    """
    filled = dict(values)
    if filled.get("variant") is not None:
        variant = find_variant(str(filled.get("kind", "llmrg")), str(filled["variant"]))
        filled.setdefault("tune_vision", variant.tune_vision)
        filled.setdefault("vision_lora", {} if variant.vision_lora else None)
    return filled
