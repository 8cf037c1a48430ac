"""The studies a training learns from and is validated on, with the labels read from their reports."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from llmrg.artefacts import text_hash
from llmrg.errors import BadStudyError, UserError
from llmrg.findings.labeler import get_labeler
from llmrg.findings.mention import Mention
from llmrg.findings.targets import positive_findings
from llmrg.findings.vocabulary import FindingVocabulary, get_vocabulary
from llmrg.studies.augmentation import AugmentationConfig
from llmrg.studies.dataset import StudyDataset, usable_studies
from llmrg.studies.reading import read_studies
from llmrg.studies.settings import DataConfig
from llmrg.studies.study import Study
from llmrg.training.targets import finding_targets, label_studies

__all__ = ["TRAIN", "VALIDATION", "TrainingMaterial", "read_material", "training_hash"]

logger = logging.getLogger(__name__)
TRAIN = "train"
VALIDATION = "val"


@dataclass(frozen=True, kw_only=True)
class TrainingMaterial:
    """What a training may look at: the training split, and the validation split for choosing.

    No other split is ever part of it.

    Args:
        data: how studies are read.
        vocabulary: the findings.
        training: usable training studies.
        validation: usable validation studies.
        mentions: what each of those reports states, by study id.
        films: films already read, by study id; those beyond the limit of memory are read again when needed.
        bad: studies that were set aside.
        split_hash: hash over ids, reports and film names of the training studies.
        labeler_version: of the labels.
    """

    data: DataConfig
    vocabulary: FindingVocabulary
    training: Sequence[Study]
    validation: Sequence[Study]
    mentions: Mapping[str, Mapping[str, Mention]]
    films: Mapping[str, list[np.ndarray]]
    bad: Sequence[BadStudyError]
    split_hash: str
    labeler_version: str

    def positive(self, study_id: str) -> list[str]:
        """Names of the findings that a study's report states as present, in the order of the vocabulary."""
        stated = positive_findings(self.mentions[study_id], self.vocabulary)
        return [name for name in self.vocabulary.names if name in stated]

    def dataset(
        self, studies: Sequence[Study], *, augmentation: AugmentationConfig | None = None, seed: int = 0
    ) -> StudyDataset:
        """Films and targets of studies as a torch dataset."""
        extras: dict[str, dict[str, Tensor]] = {
            study.id: finding_targets(self.mentions[study.id], self.vocabulary) for study in studies
        }
        return StudyDataset(
            studies,
            self.data,
            extras=extras,
            augmentation=augmentation,
            seed=seed,
            films={study.id: self.films[study.id] for study in studies if study.id in self.films},
            cache_bytes=0,  # this object holds as many films as memory shall hold
        )


def read_material(data: DataConfig, *, cache_bytes: int = 2**30) -> TrainingMaterial:
    """Read the training and validation studies, set bad ones aside, label the reports.

    Args:
        data: the dataset.
        cache_bytes: keep fitted films in memory up to this size, validation films first.

    Raises:
        UserError: no training or validation studies, or too many bad ones.
    """
    table = read_studies(data)
    vocabulary = get_vocabulary(data.vocabulary)
    labeler = get_labeler(vocabulary, data.language)
    found: dict[str, list[Study]] = {}
    films: dict[str, list[np.ndarray]] = {}
    bad: list[BadStudyError] = list(table.bad)
    for split in (VALIDATION, TRAIN):  # validation films are read anew at every evaluation
        studies = [study for study in table.split(split) if study.report(data.target)]
        good, read, wrong = usable_studies(studies, data, keep_bytes=cache_bytes)
        if not good:
            raise UserError(f"The split {split!r} has no study with a report", where=str(data.root))
        found[split] = good
        bad.extend(wrong)
        films.update(read)
        cache_bytes -= sum(film.nbytes for views in read.values() for film in views)
    mentions = {
        study_id: mention
        for split in found.values()
        for study_id, mention in label_studies(split, labeler, data.target).items()
    }
    logger.info(
        "%d training and %d validation studies, %d set aside", len(found[TRAIN]), len(found[VALIDATION]), len(bad)
    )
    return TrainingMaterial(
        data=data,
        vocabulary=vocabulary,
        training=found[TRAIN],
        validation=found[VALIDATION],
        mentions=mentions,
        films=films,
        bad=bad,
        split_hash=training_hash(found[TRAIN], data),
        labeler_version=labeler.version,
    )


def training_hash(studies: Sequence[Study], data: DataConfig) -> str:
    """Return a hash over ids, target reports, film names and film sizes of studies, in the order of their ids."""
    parts = []
    for study in sorted(studies, key=lambda study: study.id):
        parts += [study.id, study.patient_id, study.report(data.target)]
        parts += [f"{image.path.name}:{image.path.stat().st_size}:{image.view}" for image in study.images]
    return text_hash(parts)


def seeded_sample(studies: Sequence[Study], count: int, seed: int) -> list[Study]:
    """Choose ``count`` studies at random (all, where there are no more), in their own order."""
    if len(studies) <= count:
        return list(studies)
    chosen = torch.randperm(len(studies), generator=torch.Generator().manual_seed(seed))[:count].sort().values
    return [studies[index] for index in chosen.tolist()]
