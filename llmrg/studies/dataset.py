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
from llmrg.studies.images import ImageError, fit_square, load_image
from llmrg.studies.settings import DataConfig
from llmrg.studies.study import Study

__all__ = ["StudyDataset", "StudySample", "collate_studies", "read_films", "usable_studies"]

logger = logging.getLogger(__name__)
StudySample = tuple[Study, list[np.ndarray], Mapping[str, Tensor]]


def read_films(study: Study, config: DataConfig) -> list[np.ndarray]:
    """Read the films of a study as uint8 [size, size], in the order of ``study.images``.

    Raises:
        BadStudyError: a film cannot be read.
    """
    films = []
    for image in study.images:
        try:
            film = load_image(image.path, at_least=config.image_size)
        except ImageError as error:
            raise BadStudyError(study.id, str(error)) from error
        films.append(fit_square(film, size=config.image_size, mode=config.fit))
    return films


def usable_studies(
    studies: Sequence[Study], config: DataConfig, *, keep_bytes: int = 2**30
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
            where=str(config.root),
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
    """

    def __init__(
        self,
        studies: Sequence[Study],
        config: DataConfig,
        *,
        extras: Mapping[str, Mapping[str, Tensor]] | None = None,
        augmentation: AugmentationConfig | None = None,
        seed: int = 0,
        films: Mapping[str, list[np.ndarray]] | None = None,
        cache_bytes: int = 2**30,
    ) -> None:
        self.studies = studies
        self.config = config
        self.extras = extras or {}
        self.augmentation = augmentation
        self.seed = seed
        self.epoch = 0
        self._films: dict[str, list[np.ndarray]] = dict(films or {})
        self._room = cache_bytes - sum(film.nbytes for views in self._films.values() for film in views)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose augmentation is drawn (called by accelerate's data loader)."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.studies)

    def __getitem__(self, index: int) -> StudySample:
        study = self.studies[index]
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
