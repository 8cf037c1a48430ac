"""Studies as a torch dataset: films read, fitted and augmented; bad films set aside and counted."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import overload

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from llmrg.errors import BadStudyError, TooManyBadStudiesError
from llmrg.studies.augmentation import AugmentationConfig, augment, sample_generator
from llmrg.studies.batches import StudyBatch, collate_films
from llmrg.studies.film import read_film
from llmrg.studies.from_files import INPUT_SPLIT
from llmrg.studies.images import ImageError
from llmrg.studies.mixture import Data
from llmrg.studies.mixture_draw import MixtureDraw
from llmrg.studies.prepared import open_prepared
from llmrg.studies.study import Study
from llmrg.studies.study_table import StudyTable

__all__ = ["OPENED", "StudyDataset", "StudySample", "collate_studies", "read_films", "usable_studies"]

logger = logging.getLogger(__name__)
OPENED = 20_000
"""Studies of a split whose films are read before a training begins; of larger splits, so many at random."""
StudySample = tuple[Study, list[np.ndarray], Mapping[str, Tensor]]
_DRAWN = 1
"""Tells the generator of what is drawn for a study from that of its augmentation."""


def read_films(study: Study, config: Data) -> list[np.ndarray]:
    """Read the films of a study as uint8 [size, size], in the order of ``study.images``.

    Where the configuration names prepared films they are read instead of the files; the pixels are the same.

    Raises:
        BadStudyError: a film cannot be read.
        PreparedError: prepared films lack a film, are damaged, or the file has changed since.
    """
    own = config.config_of(study)
    # Films named on a command line are no part of the dataset that was prepared.
    prepared = None if study.split == INPUT_SPLIT else open_prepared(own)
    films = []
    for image in study.images:
        try:
            if prepared is None:
                films.append(read_film(image.path, size=own.image_size, fit=own.fit))
            else:
                films.append(prepared.read(image.path))
        except ImageError as error:
            raise BadStudyError(study.id, str(error)) from error
    return films


@overload
def usable_studies(
    studies: StudyTable, config: Data, *, keep_bytes: int = ..., opened: int = ...
) -> tuple[StudyTable, dict[str, list[np.ndarray]], list[BadStudyError]]: ...


@overload
def usable_studies(
    studies: Sequence[Study], config: Data, *, keep_bytes: int = ..., opened: int = ...
) -> tuple[Sequence[Study], dict[str, list[np.ndarray]], list[BadStudyError]]: ...


def usable_studies(
    studies: Sequence[Study], config: Data, *, keep_bytes: int = 2**30, opened: int = OPENED
) -> tuple[Sequence[Study], dict[str, list[np.ndarray]], list[BadStudyError]]:
    """Read films in several threads; keep the fitted films and set aside the studies that cannot be read.

    Of more than ``opened`` studies only so many are read, chosen at random: enough to see that a dataset is broken.
    Bad ones among the others are set aside when they are first used (:class:`StudyDataset`).

    Args:
        studies: the studies to look at.
        config: how films are read.
        keep_bytes: fitted films are kept up to this size together.
        opened: studies that are read at most.

    Returns:
        The usable studies, the kept films by study id, and what was wrong with the other studies.

    Raises:
        TooManyBadStudiesError: more than ``config.max_bad_fraction`` of the studies that were read are bad.
    """
    films: dict[str, list[np.ndarray]] = {}
    bad: list[BadStudyError] = []
    wrong: list[int] = []
    room = keep_bytes
    rows = range(len(studies)) if len(studies) <= opened else _some(len(studies), opened)
    if len(rows) < len(studies):
        logger.info("%d of %d studies are opened now, the others when they are used", len(rows), len(studies))
    for row, study, read in _read_in_threads(studies, rows, config):
        if isinstance(read, BadStudyError):
            logger.warning("set aside: %s", read)
            bad.append(read)
            wrong.append(row)
            continue
        size = sum(film.nbytes for film in read)
        if size <= room:
            films[study.id] = read
            room -= size
    if bad and (len(bad) == len(rows) or len(bad) > config.tolerated_bad(len(rows))):
        raise _too_many_bad(bad, len(rows), config)
    keep = np.ones(len(studies), dtype=bool)
    keep[wrong] = False
    places = np.flatnonzero(keep)
    good = studies.select(places) if isinstance(studies, StudyTable) else [studies[int(place)] for place in places]
    return good, films, bad


def _too_many_bad(bad: Sequence[BadStudyError], total: int, config: Data) -> TooManyBadStudiesError:
    """The error that ends a run: so many of ``total`` studies cannot be read."""
    return TooManyBadStudiesError(
        f"{len(bad)} of {total} studies cannot be read: {'; '.join(str(error) for error in bad[:5])}",
        where=config.place,
        next_step="mend the files or raise data.max_bad_fraction",
    )


def _some(count: int, opened: int) -> list[int]:
    chosen = np.random.default_rng(0).choice(count, size=opened, replace=False)
    return [int(row) for row in np.sort(chosen)]


def _read_in_threads(
    studies: Sequence[Study], rows: Sequence[int], config: Data
) -> Iterator[tuple[int, Study, list[np.ndarray] | BadStudyError]]:
    """Read the films of studies, a few ahead of the caller (decoding frees Python's lock), in order."""

    def read(study: Study) -> list[np.ndarray] | BadStudyError:
        try:
            return read_films(study, config)
        except BadStudyError as error:
            return error

    workers = max(1, min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 4))
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(rows), 8 * workers):
            part = rows[start : start + 8 * workers]
            chosen = [studies[row] for row in part]
            yield from zip(part, chosen, pool.map(read, chosen), strict=True)


class StudyDataset(Dataset[StudySample]):
    """Films of studies with what else the system needs of each.

    Args:
        studies: the studies.
        config: how films are read.
        extras: for each study id, tensors that join the batch (targets, neighbours).
        augmentation: None reads films as they are.
        seed: of the augmentation.
        films: films already read, by study id.
        cache_bytes: keep films in memory up to this size.
        draw: the studies of an epoch, where members of a mixture are weighted; None shows every study once.
        tolerated: studies whose films turn out to be bad are set aside, up to this number in each process: the next
            study takes their place. Beyond it, and by default at the first, a bad study is an error.
        drawn: tensors that join the batch, drawn anew for every study in every epoch from a generator of its own, so
            that a resumed training draws the same.
    """

    def __init__(
        self,
        studies: Sequence[Study],
        config: Data,
        *,
        extras: Mapping[str, Mapping[str, Tensor]] | None = None,
        augmentation: AugmentationConfig | None = None,
        seed: int = 0,
        films: Mapping[str, list[np.ndarray]] | None = None,
        cache_bytes: int = 2**30,
        draw: MixtureDraw | None = None,
        tolerated: int = 0,
        drawn: Callable[[np.random.Generator], Mapping[str, Tensor]] | None = None,
    ) -> None:
        self.studies = studies
        self.config = config
        self.extras = extras or {}
        self.augmentation = augmentation
        self.seed = seed
        self.epoch = 0
        self.draw = draw
        self.tolerated = tolerated
        self.drawn = drawn
        self._bad: dict[int, BadStudyError] = {}
        self._drawn: tuple[int, np.ndarray] | None = None
        self._films: dict[str, list[np.ndarray]] = dict(films or {})
        self._room = cache_bytes - sum(film.nbytes for views in self._films.values() for film in views)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose studies and augmentation are drawn (called by accelerate's data loader)."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.studies) if self.draw is None else len(self.draw)

    def __getitem__(self, index: int) -> StudySample:
        study, films = self._readable(self._row(index))
        if self.augmentation is not None:
            generator = sample_generator(self.seed, self.epoch, index)
            films = [augment(film, self.augmentation, generator) for film in films]
        extras = self.extras.get(study.id, {})
        if self.drawn is not None:
            extras = {**extras, **self.drawn(np.random.default_rng([self.seed, self.epoch, index, _DRAWN]))}
        return study, films, extras

    def _readable(self, row: int) -> tuple[Study, list[np.ndarray]]:
        """The study at a row with its films; the next one that can be read where it is bad and that is tolerated."""
        for place in range(row, row + len(self.studies)):
            place %= len(self.studies)
            if place in self._bad:
                continue
            study = self.studies[place]
            try:
                return study, self._films_of(study)
            except BadStudyError as error:
                if not self.tolerated:
                    raise
                self._bad[place] = error
                if len(self._bad) > self.tolerated:
                    raise _too_many_bad(list(self._bad.values()), len(self.studies), self.config) from error
                logger.warning("set aside: %s", error)
        raise _too_many_bad(list(self._bad.values()), len(self.studies), self.config)

    def _films_of(self, study: Study) -> list[np.ndarray]:
        films = self._films.get(study.id)
        if films is None:
            films = read_films(study, self.config)
            size = sum(film.nbytes for film in films)
            if size <= self._room:
                self._films[study.id] = films
                self._room -= size
        return films

    def _row(self, index: int) -> int:
        if self.draw is None:
            return index
        if self._drawn is None or self._drawn[0] != self.epoch:
            self._drawn = self.epoch, self.draw.epoch(self.epoch)
        return int(self._drawn[1][index])


def collate_studies(samples: Sequence[StudySample]) -> StudyBatch:
    """Make a batch; tensors that every sample carries are stacked under their name.

    Raises:
        ValueError: see :func:`llmrg.studies.batches.collate_films`.
    """
    studies, films, extras = (list(part) for part in zip(*samples, strict=True))
    batch = collate_films(studies, films)
    names = set.intersection(*(set(extra) for extra in extras))
    tensors = {name: torch.stack([extra[name] for extra in extras]) for name in sorted(names)}
    return StudyBatch(
        studies=batch.studies, pixels=batch.pixels, view_mask=batch.view_mask, views=batch.views, tensors=tensors
    )
