"""Studies as a torch dataset: films read, fitted and augmented; bad films set aside and counted."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

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

__all__ = ["StudyDataset", "StudySample", "collate_studies", "read_films", "usable_studies"]

logger = logging.getLogger(__name__)
StudySample = tuple[Study, list[np.ndarray], Mapping[str, Tensor]]


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


def usable_studies(
    studies: Sequence[Study], config: Data, *, keep_bytes: int = 2**30
) -> tuple[list[Study], dict[str, list[np.ndarray]], list[BadStudyError]]:
    """Read every film once; keep the fitted films and set aside the studies that cannot be read.

    Args:
        studies: the studies to look at.
        config: how films are read.
        keep_bytes: fitted films are kept up to this size together.

    Returns:
        The usable studies, the kept films by study id, and what was wrong with the other studies.

    Raises:
        TooManyBadStudiesError: more than ``config.max_bad_fraction`` of the studies are bad.
    """
    good: list[Study] = []
    films: dict[str, list[np.ndarray]] = {}
    bad: list[BadStudyError] = []
    room = keep_bytes
    for study in studies:
        try:
            read = read_films(study, config)
        except BadStudyError as error:
            logger.warning("set aside: %s", error)
            bad.append(error)
            continue
        good.append(study)
        size = sum(film.nbytes for film in read)
        if size <= room:
            films[study.id] = read
            room -= size
    if bad and (not good or len(bad) > config.tolerated_bad(len(studies))):
        raise TooManyBadStudiesError(
            f"{len(bad)} of {len(studies)} studies cannot be read: {'; '.join(str(error) for error in bad[:5])}",
            where=config.place,
            next_step="mend the files or raise data.max_bad_fraction",
        )
    return good, films, bad


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
    ) -> None:
        self.studies = studies
        self.config = config
        self.extras = extras or {}
        self.augmentation = augmentation
        self.seed = seed
        self.epoch = 0
        self.draw = draw
        self._drawn: tuple[int, np.ndarray] | None = None
        self._films: dict[str, list[np.ndarray]] = dict(films or {})
        self._room = cache_bytes - sum(film.nbytes for views in self._films.values() for film in views)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose studies and augmentation are drawn (called by accelerate's data loader)."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.studies) if self.draw is None else len(self.draw)

    def __getitem__(self, index: int) -> StudySample:
        study = self.studies[self._row(index)]
        films = self._films.get(study.id)
        if films is None:
            films = read_films(study, self.config)
            size = sum(film.nbytes for film in films)
            if size <= self._room:
                self._films[study.id] = films
                self._room -= size
        if self.augmentation is not None:
            generator = sample_generator(self.seed, self.epoch, index)
            films = [augment(film, self.augmentation, generator) for film in films]
        return study, films, self.extras.get(study.id, {})

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
