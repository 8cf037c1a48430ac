"""Pictures as 8-bit grey: palettes, transparency, colours, and 16-bit values of any depth."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as PilImage
from PIL import ImageChops

__all__ = ["GreyImage", "grey_picture", "scale_deep"]

GreyImage = npt.NDArray[np.uint8]


def grey_picture(picture: PilImage.Image) -> GreyImage:
    """Turn a decoded picture to 8-bit grey.

    Colours become their luma (ITU-R BT.601), which leaves grey written as red, green and blue as it is; transparency
    is laid on black, the background of a film; 16-bit grey is scaled by :func:`scale_deep`.

    Args:
        picture: of any mode that PNG and JPEG decode to.

    Returns:
        Grey values [H, W].
    """
    if picture.mode.startswith("I"):
        return scale_deep(np.asarray(picture))
    if "transparency" in picture.info and picture.mode not in ("LA", "RGBA"):
        picture = picture.convert("RGBA")
    luma = picture.convert("L")
    if picture.mode in ("LA", "RGBA"):
        luma = ImageChops.multiply(luma, picture.getchannel("A"))
    return np.array(luma, dtype=np.uint8)


def scale_deep(values: npt.NDArray[Any]) -> GreyImage:
    """Scale grey values of more than 8 bits to 8.

    Detectors deliver 10, 12 or 14 bits, and files hold them in 16 without saying so. The brightest pixel tells the
    depth: the fewest bits, at least 8, that hold it (a value of exactly 2^n counts as n bits). So a film that uses the
    whole range of 16 bits keeps its look, and 12 bits in 16 are not shown sixteen times too dark.

    Args:
        values: [H, W], 0 black; what lies outside of 0..65535 is clipped.

    Returns:
        Grey values [H, W].
    """
    if values.dtype != np.uint16:
        values = np.clip(values, 0, 65535).astype(np.uint16)
    top = int(values.max(initial=0))
    bits = max(8, (top - 1).bit_length() if top else 0)
    return np.minimum(values >> (bits - 8), 255).astype(np.uint8)
