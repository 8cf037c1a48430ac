"""Do maps look where findings are: pointing game, energy inside the box, overlap; with what looking blindly gives.

Sources: pointing game with tolerance, Zhang et al., "Top-down Neural Attention by Excitation Backprop", IJCV 126,
2018, section 4.1; energy inside the box, Wang et al., "Score-CAM", CVPR workshops 2020, section 4.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from llmrg.errors import UserError
from llmrg.metrics._cells import Box, CellBox, Floats
from llmrg.metrics.metric import Statistics, require_pairs

__all__ = [
    "POINTING_BASELINES",
    "POINTING_COLUMNS",
    "POINTING_FIGURES",
    "Box",
    "PointingScore",
    "StudyBoxes",
    "StudyMaps",
    "class_pointing",
    "pointing_statistics",
]

StudyBoxes = Mapping[tuple[int, int], Box]
"""The boxes of one study's true findings, by (row of the query, place of the film)."""

POINTING_FIGURES = ("hit", "near", "energy", "iou", "study_hit", "study_energy")
POINTING_BASELINES: Mapping[str, Mapping[str, str]] = {
    "hit": {"chance": "area", "centre": "centre_hit", "mean_map": "mean_hit"},
    "near": {"chance": "chance_near", "centre": "centre_near", "mean_map": "mean_near"},
    "energy": {"chance": "area", "mean_map": "mean_energy"},
    "iou": {"chance": "area", "mean_map": "mean_iou"},
    "study_hit": {"chance": "study_area", "mean_map": "mean_study_hit"},
    "study_energy": {"chance": "study_area", "mean_map": "mean_study_energy"},
}
"""For each figure, the columns that hold what looking blindly gives."""

_BOX_COLUMNS = (
    *("boxes", "hit", "near", "energy", "iou"),
    *("area", "chance_near", "centre_hit", "centre_near"),
    *("mean_hit", "mean_near", "mean_energy", "mean_iou"),
)
_STUDY_COLUMNS = ("findings", "study_hit", "study_energy", "study_area", "mean_study_hit", "mean_study_energy")
POINTING_COLUMNS = (*_BOX_COLUMNS, *_STUDY_COLUMNS)
"""What a study adds for each query, in this order."""


@dataclass(frozen=True, kw_only=True)
class StudyMaps:
    """Where the queries of one study looked.

    Args:
        maps: [F, V, h, w], at least 0; any scale.
        views: name of each of the V films' views; mean maps are taken over films of one view.
        offset: by which the points that cells tell of lie to the right of and below their middles, in parts of the
            square's side; less than half of it.

    Raises:
        ValueError: not four dimensions, not one name a film, or too large an offset.
    """

    maps: npt.NDArray[Any]
    views: tuple[str, ...]
    offset: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        if self.maps.ndim != 4 or self.maps.shape[1] != len(self.views):
            raise ValueError(f"maps of shape {self.maps.shape} for {len(self.views)} films")
        if not all(abs(part) < 0.5 for part in self.offset):
            raise ValueError(f"an offset of half a film or more: {self.offset}")


def pointing_statistics(
    maps: Sequence[StudyMaps],
    boxes: Sequence[StudyBoxes],
    *,
    queries: int,
    threshold: float = 0.5,
    tolerance: float | None = None,
) -> Statistics:
    """Return what each study adds to the figures, ``[N, F K]``: the K :data:`POINTING_COLUMNS` of every query.

    One case is a box: a true finding on one film. A map is read at its own resolution, its maximum lies in the middle
    of its highest cell, moved by the map's offset (of several equal ones, each counts its share):

    * ``hit``: the maximum on this film lies in the box. By chance: the box's part of the film, which a random point
      hits; ``centre``: the film's middle; ``mean_map``: the mean of this query's maps of the same view over all other
      studies, which knows nothing of this film.
    * ``near``: it lies in the box or not further from it than ``tolerance``. By chance: the part of the cells for
      which that is so.
    * ``energy``: the part of the film's map that lies in the box (cells on its border in part).
    * ``iou``: intersection over union of the box and the cells of at least ``threshold`` times the maximum. The chance
      of both is the box's part of the film: an even map.

    For a finding over all films of its study: ``study_hit``, whether the highest maximum lies in a box, and
    ``study_energy``; the chance is the boxes' part of all films.

    Args:
        maps: N studies; a study without films has maps of no films.
        boxes: the boxes of each study, edges in parts of the square that the model sees.
        queries: F.
        threshold: of the cells that count for ``iou``, as a part of the maximum.
        tolerance: distance in parts of the square's side; None takes half a cell, what the map can resolve.

    Raises:
        ValueError: not as many maps as boxes, maps of another number of queries, or a box of a film without a map.
    """
    require_pairs(maps, boxes)
    means = _MeanMaps(maps)
    rows = np.zeros((len(maps), queries, len(POINTING_COLUMNS)))
    for place, (study, own) in enumerate(zip(maps, boxes, strict=True)):
        if own and study.maps.shape[0] != queries:
            raise ValueError(f"maps of {study.maps.shape[0]} queries, not {queries}")
        found: dict[int, dict[int, CellBox]] = {}
        for (query, film), box in own.items():
            if not 0 <= query < queries or not 0 <= film < len(study.views):
                raise ValueError(f"a box of query {query} on film {film}, which have no map")
            height, width = study.maps.shape[2:]
            found.setdefault(query, {})[film] = CellBox(
                box, height=height, width=width, tolerance=tolerance, offset=study.offset
            )
        for query, cells in found.items():
            looked = study.maps[query].astype(np.float64)
            mean = means.without(study, query)
            for film, cell in cells.items():
                rows[place, query, : len(_BOX_COLUMNS)] += _box_row(looked[film], mean[film], cell, threshold)
            rows[place, query, len(_BOX_COLUMNS) :] = _study_row(looked, mean, cells)
    return rows.reshape(len(maps), -1)


class PointingScore:
    """One figure of :func:`pointing_statistics` over all queries, or one of their baselines; NaN without a box.

    Args:
        figure: one of :data:`POINTING_COLUMNS` but ``boxes`` and ``findings``.
        queries: F.
        threshold: see there.
        tolerance: see there.

    Raises:
        UserError: an unknown figure.
    """

    family = "pointing"

    def __init__(self, figure: str, *, queries: int, threshold: float = 0.5, tolerance: float | None = None) -> None:
        known = tuple(name for name in POINTING_COLUMNS if name not in ("boxes", "findings"))
        if figure not in known:
            raise UserError(f"Unknown figure {figure!r}", allowed=known, got=figure)
        self.name = figure
        self._queries, self._threshold, self._tolerance = queries, threshold, tolerance

    def statistics(self, hypotheses: Sequence[StudyMaps], references: Sequence[StudyBoxes]) -> Statistics:
        """Return :func:`pointing_statistics` of maps and boxes."""
        return pointing_statistics(
            hypotheses, references, queries=self._queries, threshold=self._threshold, tolerance=self._tolerance
        )

    def value(self, sums: Statistics) -> Any:
        """Return the mean over all boxes (or findings) for sums of statistics ``[..., F K]``: shape ``[...]``."""
        sums = np.asarray(sums, dtype=np.float64)
        columns = sums.reshape(*sums.shape[:-1], self._queries, len(POINTING_COLUMNS)).sum(axis=-2)
        return _means(columns)[self.name]


def class_pointing(sums: Statistics, *, queries: int) -> dict[str, Floats]:
    """Return every column for each query, ``[F]``: counts as they are, the others as means, NaN without a box.

    Args:
        sums: of :func:`pointing_statistics` over studies ``[F K]``.
        queries: F.
    """
    columns = np.asarray(sums, dtype=np.float64).reshape(queries, len(POINTING_COLUMNS))
    return {"boxes": columns[:, 0], "findings": columns[:, len(_BOX_COLUMNS)], **_means(columns)}


def _means(columns: Floats) -> dict[str, Floats]:
    found: dict[str, Floats] = {}
    for names, start in ((_BOX_COLUMNS, 0), (_STUDY_COLUMNS, len(_BOX_COLUMNS))):
        count = columns[..., start]
        for place, name in enumerate(names[1:], start + 1):
            found[name] = np.divide(columns[..., place], count, out=np.full_like(count, np.nan), where=count > 0)
    return found


def _box_row(looked: Floats, mean: Floats, box: CellBox, threshold: float) -> list[float]:
    centre = box.point(0.5, 0.5)
    return [
        *(1.0, box.hit(looked), box.near(looked), box.energy(looked), box.iou(looked, threshold)),
        *(box.area, box.chance_near, float(centre == 0), float(centre <= box.tolerance)),
        *(box.hit(mean), box.near(mean), box.energy(mean), box.iou(mean, threshold)),
    ]


def _study_row(looked: Floats, mean: Floats, boxes: Mapping[int, CellBox]) -> list[float]:
    films = looked.shape[0]
    row = [1.0]
    for maps in (looked, mean):
        inside = np.zeros(maps.shape, dtype=bool)
        share = np.zeros(maps.shape)
        for film, box in boxes.items():
            inside[film], share[film] = box.inside, box.share
        total = maps.sum()
        energy = (maps * share).sum() / total if total > 0 else sum(box.area for box in boxes.values()) / films
        row += [float(inside[maps == maps.max()].mean()), float(energy)]
    return [*row[:3], sum(box.area for box in boxes.values()) / films, *row[3:]]


class _MeanMaps:
    """Mean map of each query for films of one view and grid, any one study left out.

    Each study's maps are first scaled to a sum of 1 a query, so that none counts more than another.
    """

    def __init__(self, studies: Sequence[StudyMaps]) -> None:
        self._sums: dict[tuple[str, int, int, int], tuple[Floats, int]] = {}
        for study in studies:
            scaled = _scaled(study.maps)
            for film, view in enumerate(study.views):
                key = self._key(study, view)
                total, count = self._sums.get(key, (np.zeros_like(scaled[:, film]), 0))
                self._sums[key] = total + scaled[:, film], count + 1

    def without(self, study: StudyMaps, query: int) -> Floats:
        """[V, h, w]; an even map where no other study has such a film."""
        scaled = _scaled(study.maps[query : query + 1])[0]
        mean = np.ones(scaled.shape)
        for film, view in enumerate(study.views):
            total, count = self._sums[self._key(study, view)]
            own = [other for other, name in enumerate(study.views) if name == view]
            if count > len(own):
                # Differences of sums may fall below 0 by a rounding error.
                mean[film] = np.maximum(total[query] - scaled[own].sum(axis=0), 0) / (count - len(own))
        return mean

    @staticmethod
    def _key(study: StudyMaps, view: str) -> tuple[str, int, int, int]:
        queries, _, height, width = study.maps.shape
        return view, queries, height, width


def _scaled(maps: npt.NDArray[Any]) -> Floats:
    """Maps [F, V, h, w] with a sum of 1 a query; where there is nothing, nothing."""
    maps = maps.astype(np.float64)
    total = maps.sum(axis=(1, 2, 3), keepdims=True)
    return np.divide(maps, total, out=np.zeros_like(maps), where=total > 0)
