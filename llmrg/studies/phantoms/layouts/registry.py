"""Layouts by the name of their format."""

from __future__ import annotations

from llmrg.errors import UserError
from llmrg.studies.phantoms.layouts.chexpert_plus import CheXpertPlusLayout
from llmrg.studies.phantoms.layouts.cn_cxr import CnCxrLayout
from llmrg.studies.phantoms.layouts.layout import Layout
from llmrg.studies.phantoms.layouts.ped_xray import PedXrayLayout
from llmrg.studies.phantoms.layouts.r2gen import IuXrayLayout, MimicCxrLayout

__all__ = ["get_layout", "layout_names"]

_LAYOUTS: dict[str, type[Layout]] = {
    "ped-xray": PedXrayLayout,
    "chexpert-plus": CheXpertPlusLayout,
    "iu-xray": IuXrayLayout,
    "mimic-cxr": MimicCxrLayout,
    "cn-cxr": CnCxrLayout,
}


def layout_names() -> tuple[str, ...]:
    """Formats that phantoms can be written in."""
    return tuple(_LAYOUTS)


def get_layout(name: str) -> Layout:
    """Return a layout by the name of its format.

    Raises:
        UserError: phantoms cannot be written in that format.
    """
    if name not in _LAYOUTS:
        raise UserError(f"Phantoms cannot be written as {name!r}", where="format", allowed=_LAYOUTS, got=name)
    return _LAYOUTS[name]()
