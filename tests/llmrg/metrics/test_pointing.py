"""Pointing, energy and overlap against plain pixel counting, with what looking blindly gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmrg.errors import UserError
from llmrg.metrics.pointing import (
    POINTING_BASELINES,
    POINTING_COLUMNS,
    POINTING_FIGURES,
    PointingScore,
    StudyMaps,
    class_pointing,
    pointing_statistics,
)
from llmrg.metrics.statistics import bootstrap_interval

FINE = 40  # pixels of a cell's side in the counting below


def one(maps, boxes, *, others=(), threshold=0.5, tolerance=None):
    """The columns of the first of several studies with one query."""
    studies = [np.asarray(maps, dtype=float)[None], *(np.asarray(other, dtype=float)[None] for other in others)]
    rows = pointing_statistics(
        [StudyMaps(maps=study, views=("frontal", "lateral")[: study.shape[1]]) for study in studies],
        [boxes, *({} for _ in others)],
        queries=1,
        threshold=threshold,
        tolerance=tolerance,
    )
    return dict(zip(POINTING_COLUMNS, rows[0], strict=True))


def counted(grid: np.ndarray, box, threshold: float, tolerance: float) -> dict[str, float]:
    """The same by counting fine pixels; box edges lie on pixel edges."""
    height, width = grid.shape
    ys, xs = np.mgrid[0 : height * FINE, 0 : width * FINE]
    x, y = (xs + 0.5) / (width * FINE), (ys + 0.5) / (height * FINE)
    inside = (x > box[0]) & (x < box[2]) & (y > box[1]) & (y < box[3])
    big = np.kron(grid, np.ones((FINE, FINE)))
    chosen = big >= threshold * grid.max()
    rows, columns = np.nonzero(grid == grid.max())
    peaks = [((column + 0.5) / width, (row + 0.5) / height) for row, column in zip(rows, columns, strict=True)]
    distance = [
        ((max(box[0] - px, 0, px - box[2])) ** 2 + (max(box[1] - py, 0, py - box[3])) ** 2) ** 0.5 for px, py in peaks
    ]
    return {
        "hit": float(np.mean([d == 0 for d in distance])),
        "near": float(np.mean([d <= tolerance for d in distance])),
        "energy": float((big * inside).sum() / big.sum()),
        "iou": float((chosen & inside).sum() / (chosen | inside).sum()),
        "area": float(inside.mean()),
    }


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_equal_to_counting_pixels(data) -> None:
    height, width = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 5))
    seed = data.draw(st.integers(0, 10_000))
    grid = np.random.default_rng(seed).integers(0, 4, size=(height, width)).astype(float)
    grid.flat[data.draw(st.integers(0, height * width - 1))] += 1
    x = sorted(data.draw(st.lists(st.integers(0, width * FINE), min_size=2, max_size=2, unique=True)))
    y = sorted(data.draw(st.lists(st.integers(0, height * FINE), min_size=2, max_size=2, unique=True)))
    box = (x[0] / (width * FINE), y[0] / (height * FINE), x[1] / (width * FINE), y[1] / (height * FINE))
    threshold, tolerance = data.draw(st.sampled_from([0.2, 0.5, 1.0])), 0.1234
    found = one(grid[None], {(0, 0): box}, threshold=threshold, tolerance=tolerance)
    for name, expected in counted(grid, box, threshold, tolerance).items():
        assert found[name] == pytest.approx(expected, abs=1e-9), name


def test_a_map_that_is_the_box_is_perfect_and_its_opposite_is_nothing() -> None:
    grid = np.zeros((4, 4))
    grid[1:3, 2:4] = 1
    box = (0.5, 0.25, 1.0, 0.75)
    right, wrong = one(grid[None], {(0, 0): box}), one(1 - grid[None], {(0, 0): box})
    assert [right[name] for name in POINTING_FIGURES] == [1.0] * 6
    assert [wrong[name] for name in ("hit", "energy", "iou", "study_hit", "study_energy")] == [0.0] * 5


def test_an_even_map_is_chance() -> None:
    """Energy and overlap are the box's part of the film; equal maxima count their shares."""
    box = (0.1, 0.2, 0.7, 0.55)
    found = one(np.ones((1, 8, 8)), {(0, 0): box})
    assert found["energy"] == pytest.approx(0.6 * 0.35)
    assert found["iou"] == pytest.approx(0.6 * 0.35)
    assert found["near"] == pytest.approx(found["chance_near"])
    assert one(np.zeros((1, 8, 8)), {(0, 0): box}) == found  # a map of nothing says as much


def test_random_maps_hit_as_often_as_chance_says() -> None:
    rng = np.random.default_rng(1)
    box = (0.125, 0.25, 0.75, 0.5)  # on cell borders, so that the part of the cells is the part of the film
    rows = pointing_statistics(
        [StudyMaps(maps=rng.random((1, 1, 8, 8)), views=("frontal",)) for _ in range(3000)],
        [{(0, 0): box}] * 3000,
        queries=1,
    )
    score = {name: PointingScore(name, queries=1) for name in ("hit", "area", "near", "chance_near", "mean_hit")}
    sums = rows.sum(axis=0)
    for figure, chance in (("hit", "area"), ("near", "chance_near")):
        interval = bootstrap_interval(rows, score[figure].value, patients=[str(n) for n in range(3000)], resamples=200)
        assert interval is not None
        assert interval.low - 0.01 < score[chance].value(sums) < interval.high + 0.01


def test_the_tolerance_is_a_distance_and_half_a_cell_touches_the_cell() -> None:
    grid = np.zeros((4, 4))
    grid[0, 0] = 1  # its middle: (0.125, 0.125); its border at 0.25
    touching, away = (0.25, 0.0, 0.5, 0.25), (0.26, 0.0, 0.5, 0.25)
    assert (one(grid[None], {(0, 0): touching})["near"], one(grid[None], {(0, 0): touching})["hit"]) == (1.0, 0.0)
    assert one(grid[None], {(0, 0): away})["near"] == 0.0
    corner = (0.425, 0.525, 0.6, 0.7)  # 0.3 to the right and 0.4 below: 0.5 away
    assert one(grid[None], {(0, 0): corner}, tolerance=0.501)["near"] == 1.0
    assert one(grid[None], {(0, 0): corner}, tolerance=0.499)["near"] == 0.0
    assert one(grid[None], {(0, 0): touching}, tolerance=0.0)["near"] == 0.0


def test_the_centre_is_a_baseline() -> None:
    maps = np.eye(4)[None]
    assert one(maps, {(0, 0): (0.4, 0.4, 0.6, 0.6)})["centre_hit"] == 1.0
    off = one(maps, {(0, 0): (0.6, 0.4, 0.8, 0.6)})
    assert (off["centre_hit"], off["centre_near"]) == (0.0, 1.0)


def test_the_mean_map_leaves_the_study_itself_out_and_weighs_all_alike() -> None:
    own, first, second = np.zeros((1, 2, 2)), np.zeros((1, 2, 2)), np.zeros((1, 2, 2))
    own[0, 0, 0], first[0, 1, 1], second[0, 0, 1] = 5, 1, 100
    second[0, 1, 1] = 20
    box = (0.5, 0.5, 1.0, 1.0)
    found = one(own, {(0, 0): box}, others=(first, second))
    mean = (np.array([0, 0, 0, 1.0]) + np.array([0, 100, 0, 20]) / 120) / 2  # cells row by row
    assert (found["hit"], found["mean_hit"]) == (0.0, 1.0)
    assert found["mean_energy"] == pytest.approx(mean[3])
    alone = one(own, {(0, 0): box})
    assert alone["mean_energy"] == pytest.approx(0.25)  # of no other study: an even map


def test_mean_maps_are_taken_over_films_of_one_view() -> None:
    own, other = np.zeros((2, 2, 2)), np.zeros((2, 2, 2))
    other[0, 0, 0] = other[1, 1, 1] = 1
    own[0, 0, 1] = 1
    found = one(own, {(0, 1): (0.5, 0.5, 1, 1)}, others=(other,))
    assert found["mean_hit"] == 1.0


def test_over_all_films_the_highest_maximum_counts() -> None:
    maps = np.zeros((2, 2, 2))
    maps[0, 0, 0], maps[1, 1, 1] = 1, 3
    frontal, lateral = {(0, 0): (0, 0, 0.5, 0.5)}, {(0, 1): (0.5, 0.5, 1, 1)}
    found = one(maps, frontal)
    assert (found["hit"], found["study_hit"], found["study_energy"]) == (1.0, 0.0, 0.25)
    assert found["study_area"] == 0.125
    assert one(maps, lateral)["study_hit"] == 1.0
    both = one(maps, frontal | lateral)
    assert (both["boxes"], both["hit"], both["findings"], both["study_hit"]) == (2.0, 2.0, 1.0, 1.0)
    assert both["study_energy"] == 1.0


def test_sums_over_patients_are_means_over_boxes() -> None:
    rng = np.random.default_rng(3)
    maps = [StudyMaps(maps=rng.random((3, 2, 4, 5)), views=("frontal", "lateral")) for _ in range(9)]
    boxes = [
        {(int(rng.integers(3)), film): (0.1, 0.2, 0.4 + 0.5 * rng.random(), 0.9) for film in range(2)} for _ in range(9)
    ]
    rows = pointing_statistics(maps, boxes, queries=3)
    single = [
        pointing_statistics(maps, [own if place == n else {} for n, own in enumerate(boxes)], queries=3).sum(axis=0)
        for place in range(9)
    ]
    np.testing.assert_allclose(rows, single)
    score = PointingScore("energy", queries=3)
    table = rows.reshape(9, 3, -1)
    expected = table[..., POINTING_COLUMNS.index("energy")].sum() / table[..., 0].sum()
    assert float(score.value(rows.sum(axis=0))) == pytest.approx(expected)
    assert score.value(np.stack([rows.sum(axis=0), rows[0]])).shape == (2,)
    classes = class_pointing(rows.sum(axis=0), queries=3)
    assert classes["boxes"].sum() == 18
    np.testing.assert_allclose(score.statistics(maps, boxes), rows)


def test_every_baseline_is_a_column() -> None:
    assert POINTING_BASELINES.keys() == set(POINTING_FIGURES)
    assert {column for columns in POINTING_BASELINES.values() for column in columns.values()} <= set(POINTING_COLUMNS)


def test_without_boxes_nothing_is_defined() -> None:
    rows = pointing_statistics([StudyMaps(maps=np.zeros((2, 0, 1, 1)), views=())], [{}], queries=2)
    assert np.isnan(PointingScore("hit", queries=2).value(rows.sum(axis=0)))


def test_what_does_not_fit_is_refused() -> None:
    maps = StudyMaps(maps=np.ones((1, 1, 2, 2)), views=("frontal",))
    with pytest.raises(ValueError, match="films"):
        StudyMaps(maps=np.ones((1, 2, 2, 2)), views=("frontal",))
    with pytest.raises(ValueError, match="no map"):
        pointing_statistics([maps], [{(0, 1): (0, 0, 1, 1)}], queries=1)
    with pytest.raises(ValueError, match="2"):
        pointing_statistics([maps], [{(0, 0): (0, 0, 1, 1)}], queries=2)
    with pytest.raises(ValueError, match="area"):
        pointing_statistics([maps], [{(0, 0): (0.5, 0, 0.5, 1)}], queries=1)
    with pytest.raises(ValueError, match="references"):
        pointing_statistics([maps], [], queries=1)
    with pytest.raises(UserError, match="hit"):
        PointingScore("hits", queries=1)


@pytest.mark.parametrize("seed", range(12))
def test_moved_cells_equal_counting_pixels(seed: int) -> None:
    """Every pixel belongs to the moved cell that it lies in, at the border to the outermost one."""
    rng = np.random.default_rng(seed)
    height, width = rng.integers(2, 6, size=2)
    grid = rng.random((height, width)) + 0.1
    right, down = rng.integers(-FINE // 2, FINE // 2 + 1, size=2)
    offset = right / (width * FINE), down / (height * FINE)
    x, y = (np.sort(rng.choice(count * FINE + 1, 2, replace=False)) for count in (width, height))
    ys, xs = np.mgrid[0 : height * FINE, 0 : width * FINE]
    rows, columns = np.clip((ys - down) // FINE, 0, height - 1), np.clip((xs - right) // FINE, 0, width - 1)
    inside = (xs >= x[0]) & (xs < x[1]) & (ys >= y[0]) & (ys < y[1])
    pixels = np.bincount((rows * width + columns).ravel(), minlength=height * width).reshape(height, width)
    weight, chosen = (grid / pixels)[rows, columns], (grid >= 0.5 * grid.max())[rows, columns]
    row, column = np.unravel_index(grid.argmax(), grid.shape)
    px = np.clip((column + 0.5) * FINE + right, 0, width * FINE)
    py = np.clip((row + 0.5) * FINE + down, 0, height * FINE)
    box = (x[0] / (width * FINE), y[0] / (height * FINE), x[1] / (width * FINE), y[1] / (height * FINE))
    found = dict(
        zip(
            POINTING_COLUMNS,
            pointing_statistics(
                [StudyMaps(maps=grid[None, None], views=("frontal",), offset=offset)], [{(0, 0): box}], queries=1
            )[0],
            strict=True,
        )
    )
    assert found["hit"] == float(x[0] <= px <= x[1] and y[0] <= py <= y[1])
    assert found["energy"] == pytest.approx(float((weight * inside).sum() / grid.sum()))
    assert found["iou"] == pytest.approx(float((chosen & inside).sum() / (chosen | inside).sum()))
    assert found["area"] == pytest.approx(float(inside.mean()))


def test_an_offset_of_half_a_film_is_refused() -> None:
    with pytest.raises(ValueError, match="offset"):
        StudyMaps(maps=np.ones((1, 1, 2, 2)), views=("frontal",), offset=(0.0, 0.5))
