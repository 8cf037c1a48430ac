from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from llmrg.studies.grey import grey_picture, scale_deep

RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)


def test_colours_become_their_luma() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    luma = pixels.astype(np.float64) @ (0.299, 0.587, 0.114)  # ITU-R BT.601
    np.testing.assert_allclose(grey_picture(Image.fromarray(pixels)), luma, atol=1)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_lets_black_through(mode: str) -> None:
    alpha = np.broadcast_to(np.arange(0, 256, 16, dtype=np.uint8), (16, 16))
    picture = Image.fromarray(RAMP).convert(mode)
    picture.putalpha(Image.fromarray(alpha))
    np.testing.assert_allclose(grey_picture(picture), RAMP * (alpha / 255.0), atol=1)


def test_one_transparent_grey_value() -> None:
    picture = Image.fromarray(RAMP)
    picture.info["transparency"] = 200
    np.testing.assert_array_equal(grey_picture(picture), np.where(RAMP == 200, 0, RAMP))


def test_transparent_entries_of_a_palette() -> None:
    picture = Image.fromarray((RAMP % 4).astype(np.uint8)).convert("P")
    picture.putpalette([0, 0, 0, 50, 50, 50, 100, 100, 100, 200, 200, 200])
    picture.info["transparency"] = bytes([255, 255, 0, 255])
    np.testing.assert_array_equal(grey_picture(picture), np.array([0, 50, 0, 200])[RAMP % 4])


@pytest.mark.parametrize(
    ("top", "bits"), [(0, 8), (255, 8), (256, 8), (257, 9), (1023, 10), (4095, 12), (4096, 12), (4097, 13), (65535, 16)]
)
def test_the_brightest_value_tells_the_depth(top: int, bits: int) -> None:
    values = np.linspace(0, top, 64).astype(np.uint16).reshape(8, 8)
    expected = np.minimum(values.astype(int) // 2 ** (bits - 8), 255)
    np.testing.assert_array_equal(scale_deep(values), expected)


def test_wider_types_are_clipped() -> None:
    np.testing.assert_array_equal(scale_deep(np.array([[-5, 70000, 32768]], dtype=np.int32)), [[0, 255, 128]])
