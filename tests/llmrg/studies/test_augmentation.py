"""Augmentation: small, repeatable, and never a mirror."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrg.studies.augmentation import AugmentationConfig, augment, sample_generator

NOTHING = AugmentationConfig(rotation=0, zoom=0, shift=0, contrast=0, brightness=0, gamma=0)


class Fixed:
    """A generator that draws given values: angle, zoom, across, down, contrast, brightness, gamma."""

    def __init__(self, *values: float) -> None:
        self.values = np.array(values, dtype=float)

    def uniform(self, low: float, high: float, size: int) -> np.ndarray:
        assert (low, high, size) == (-1, 1, len(self.values))
        return self.values


def draw(film: np.ndarray, config: AugmentationConfig, *values: float) -> np.ndarray:
    return augment(film, config, Fixed(*values))  # type: ignore[arg-type]


def disc(size: int, x: float, y: float, radius: float = 5) -> np.ndarray:
    rows, columns = np.mgrid[:size, :size]
    return ((np.hypot(columns - x, rows - y) <= radius) * 200).astype(np.uint8)


def centre(film: np.ndarray) -> tuple[float, float]:
    rows, columns = np.mgrid[: film.shape[0], : film.shape[1]]
    weight = film.astype(float)
    return (float((columns * weight).sum() / weight.sum()), float((rows * weight).sum() / weight.sum()))


@given(seed=st.integers(0, 2**32 - 1))
def test_without_limits_every_grey_value_stays(seed: int) -> None:
    film = np.arange(256, dtype=np.uint8).reshape(8, 32)
    assert np.array_equal(augment(film, NOTHING, np.random.default_rng(seed)), film)


def test_switched_off_it_does_nothing() -> None:
    film = np.random.default_rng(0).integers(0, 256, (9, 9), dtype=np.uint8)
    found = augment(film, AugmentationConfig(enabled=False), np.random.default_rng(0))
    assert np.array_equal(found, film)


def test_seed_epoch_and_index_decide() -> None:
    film = np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8)

    def films(seed: int, epoch: int, index: int) -> bytes:
        return augment(film, AugmentationConfig(), sample_generator(seed, epoch, index)).tobytes()

    assert films(1, 2, 3) == films(1, 2, 3)
    others = [films(*which) for which in [(1, 2, 3), (2, 2, 3), (1, 3, 3), (1, 2, 4), (3, 2, 1), (2, 1, 3)]]
    assert len(set(others)) == len(others)


def test_the_film_itself_is_left_alone() -> None:
    film = np.random.default_rng(0).integers(0, 256, (32, 48), dtype=np.uint8)
    copy = film.copy()
    found = augment(film, AugmentationConfig(), np.random.default_rng(1))
    assert np.array_equal(film, copy)
    assert (found.shape, found.dtype) == (film.shape, np.uint8)


@given(seed=st.integers(0, 2**32 - 1))
def test_left_stays_left_and_up_stays_up(seed: int) -> None:
    """A marker in a corner region stays in it for the default limits: no flip, no quarter turn."""
    config = AugmentationConfig(contrast=0, brightness=0)  # so that black stays black
    found = augment(disc(96, 24, 30), config, np.random.default_rng(seed))
    x, y = centre(found)
    assert x < 40
    assert y < 44


def test_shift_takes_the_film_against_the_source_coordinates() -> None:
    config = AugmentationConfig(rotation=0, zoom=0, shift=0.1, contrast=0, brightness=0, gamma=0)
    film = disc(100, 40, 60)
    assert centre(draw(film, config, 0, 0, 1, 0, 0, 0, 0)) == pytest.approx((30, 60), abs=0.05)
    assert centre(draw(film, config, 0, 0, -1, 0.5, 0, 0, 0)) == pytest.approx((50, 55), abs=0.05)
    moved = draw(np.full((100, 100), 200, dtype=np.uint8), config, 0, 0, 1, 0, 0, 0, 0)
    assert not moved[:, 91:].any()  # what comes from outside is black
    assert (moved[:, :90] == 200).all()


@pytest.mark.parametrize("zoom", [-1, 1])
def test_zoom_keeps_the_centre_and_scales_distances(zoom: float) -> None:
    config = AugmentationConfig(rotation=0, zoom=0.2, shift=0, contrast=0, brightness=0, gamma=0)
    middle = (100 - 1) / 2
    assert centre(draw(disc(100, middle, middle, 12), config, 0, zoom, 0, 0, 0, 0, 0)) == pytest.approx(
        (middle, middle), abs=0.02
    )
    x, _ = centre(draw(disc(100, middle + 20, middle), config, 0, zoom, 0, 0, 0, 0, 0))
    assert x - middle == pytest.approx(20 * (1 + 0.2 * zoom), abs=0.3)


def test_rotation_turns_around_the_centre_by_its_angle() -> None:
    config = AugmentationConfig(rotation=10, zoom=0, shift=0, contrast=0, brightness=0, gamma=0)
    middle = (100 - 1) / 2
    assert centre(draw(disc(100, middle, middle, 12), config, 1, 0, 0, 0, 0, 0, 0)) == pytest.approx(
        (middle, middle), abs=0.02
    )
    x, y = centre(draw(disc(100, middle + 30, middle), config, 1, 0, 0, 0, 0, 0, 0))
    assert np.hypot(x - middle, y - middle) == pytest.approx(30, abs=0.2)
    assert abs(np.degrees(np.arctan2(y - middle, x - middle))) == pytest.approx(10, abs=0.3)


def test_exposure_follows_its_curve() -> None:
    film = np.arange(256, dtype=np.uint8).reshape(16, 16)
    grey = film / 255
    limits = AugmentationConfig(rotation=0, zoom=0, shift=0, contrast=0.5, brightness=0.2, gamma=1)

    def close(found: np.ndarray, expected: np.ndarray) -> None:
        assert np.abs(found - np.clip(expected, 0, 1) * 255).max() <= 0.51

    close(draw(film, limits, 0, 0, 0, 0, 1, 0, 0), (grey - 0.5) * 1.5 + 0.5)
    close(draw(film, limits, 0, 0, 0, 0, 0, -1, 0), grey - 0.2)
    close(draw(film, limits, 0, 0, 0, 0, 0, 0, 1), grey**2)
    close(draw(film, limits, 0, 0, 0, 0, 0, 0, -1), grey**0.5)


@given(seed=st.integers(0, 2**32 - 1))
def test_exposure_never_inverts(seed: int) -> None:
    film = np.arange(256, dtype=np.uint8).reshape(1, 256)
    found = augment(film, AugmentationConfig(rotation=0, zoom=0, shift=0), np.random.default_rng(seed))
    assert (np.diff(found[0].astype(int)) >= 0).all()


@pytest.mark.parametrize("values", [{"rotation": -1.0}, {"shift": -0.1}, {"zoom": 1.0}, {"contrast": 1.5}])
def test_limits_that_cannot_be_meant_are_refused(values: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        AugmentationConfig(**values)
