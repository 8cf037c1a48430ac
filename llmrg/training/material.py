"""The studies a training learns from and is validated on, with the labels read from their reports."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from llmrg.artefacts import text_hash
from llmrg.errors import BadStudyError, UserError
from llmrg.findings.labeler import get_labeler
from llmrg.findings.mention import Mention
from llmrg.findings.targets import positive_findings
from llmrg.findings.vocabulary import FindingVocabulary, get_vocabulary
from llmrg.studies.augmentation import AugmentationConfig
from llmrg.studies.dataset import OPENED, StudyDataset, usable_studies
from llmrg.studies.memory import give_back_memory
from llmrg.studies.mixture import Data, MixtureConfig
from llmrg.studies.mixture_draw import MixtureDraw, epoch_counts
from llmrg.studies.reading import read_studies
from llmrg.studies.study import Language, Study
from llmrg.studies.study_table import StudyTable, study_column
from llmrg.training.targets import FindingTargets, LabelledReports

__all__ = ["TRAIN", "VALIDATION", "TrainingMaterial", "read_material", "seeded_sample", "training_hash"]

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
        languages: of the reports, in the order of the configuration's, then of appearance.
    """

    data: Data
    vocabulary: FindingVocabulary
    training: Sequence[Study]
    validation: Sequence[Study]
    mentions: Mapping[str, Mapping[str, Mention]]
    films: Mapping[str, list[np.ndarray]]
    bad: Sequence[BadStudyError]
    split_hash: str
    labeler_version: str
    languages: tuple[Language, ...]

    @property
    def shares(self) -> Mapping[str, float] | None:
        """Each member's share of a training epoch; None outside mixtures."""
        if not isinstance(self.data, MixtureConfig):
            return None
        counts = dict.fromkeys(self.data.members, 0)
        for name in study_column(self.training, "dataset"):
            counts[name or ""] += 1
        return self.data.weights(counts)

    def positive(self, study_id: str) -> list[str]:
        """Names of the findings that a study's report states as present, in the order of the vocabulary."""
        stated = positive_findings(self.mentions[study_id], self.vocabulary)
        return [name for name in self.vocabulary.names if name in stated]

    def training_set(self, *, augmentation: AugmentationConfig, seed: int) -> StudyDataset:
        """Films and targets of the training studies, augmented, as epochs show them: members by their weights."""
        dataset = self.dataset(self.training, augmentation=augmentation, seed=seed)
        dataset.tolerated = self.data.tolerated_bad(len(self.training))
        if isinstance(self.data, MixtureConfig):
            dataset.draw = self.draw([name or "" for name in study_column(self.training, "dataset")], seed=seed)
        return dataset

    def draw(self, members: Sequence[str], *, seed: int) -> MixtureDraw | None:
        """Make the draw of items that belong to members of the mixture; None outside mixtures.

        Args:
            members: of each item (a study, or a text of one).
            seed: of the draw.
        """
        if self.shares is None or not isinstance(self.data, MixtureConfig):
            return None
        total = self.data.epoch_studies or len(self.training)
        items = max(len(self.shares), round(total * len(members) / len(self.training)))
        return MixtureDraw.of(members, self.shares, total=items, seed=seed)

    def few(self, training: int, validation: int) -> TrainingMaterial:
        """The first studies, of every member alike, for a trial."""
        data = self.data
        if isinstance(data, MixtureConfig):  # weights would ask for more studies than there are now
            members = {name: replace(member, weight=None) for name, member in data.members.items()}
            data = MixtureConfig(members=members)
        return replace(
            self,
            data=data,
            training=self._first(self.training, training),
            validation=self._first(self.validation, validation),
        )

    def validation_sample(self, count: int, seed: int) -> list[Study]:
        """Choose ``count`` validation studies at random (all, where there are no more), members by their shares."""
        chosen = self._validation_sample(count, seed)
        if len(self.validation) <= OPENED:
            return chosen
        return list(usable_studies(chosen, self.data, keep_bytes=0)[0])

    def _validation_sample(self, count: int, seed: int) -> list[Study]:
        if self.shares is None or len(self.validation) <= count:
            return seeded_sample(self.validation, count, seed)
        wanted = epoch_counts(self.shares, count)
        chosen: list[Study] = []
        for name, share in wanted.items():
            own = [study for study in self.validation if study.dataset == name]
            chosen += seeded_sample(own, max(1, share), seed)
        return chosen

    def _first(self, studies: Sequence[Study], count: int) -> list[Study]:
        if self.shares is None:
            return list(studies[:count])
        each = max(1, count // len(self.shares))
        return [study for name in self.shares for study in [s for s in studies if s.dataset == name][:each]]

    def dataset(
        self, studies: Sequence[Study], *, augmentation: AugmentationConfig | None = None, seed: int = 0
    ) -> StudyDataset:
        """Films and targets of studies as a torch dataset."""
        return StudyDataset(
            studies,
            self.data,
            extras=FindingTargets(self.mentions, self.vocabulary),
            augmentation=augmentation,
            seed=seed,
            films={id_: self.films[id_] for id_ in study_column(studies, "id") if id_ in self.films},
            cache_bytes=0,  # this object holds as many films as memory shall hold
        )


def read_material(data: Data, *, cache_bytes: int = 2**30) -> TrainingMaterial:
    """Read the training and validation studies, set bad ones aside, label the reports.

    Args:
        data: the dataset, or a mixture of which every member has both splits.
        cache_bytes: keep fitted films in memory up to this size, validation films first.

    Raises:
        UserError: no training or validation studies, or too many bad ones.
    """
    table = read_studies(data)
    vocabulary = get_vocabulary(data.vocabulary)
    found: dict[str, Sequence[Study]] = {}
    films: dict[str, list[np.ndarray]] = {}
    bad: list[BadStudyError] = list(table.bad)
    for split in (VALIDATION, TRAIN):  # validation films are read anew at every evaluation
        studies = table.split(split).filter(lambda study: bool(study.report(data.target)))
        good, read, wrong = usable_studies(studies, data, keep_bytes=cache_bytes)
        _require_reports(good, split, data)
        found[split] = good
        bad.extend(wrong)
        films.update(read)
        cache_bytes -= sum(film.nbytes for views in read.values() for film in views)
    spoken = {language for split in found.values() for language in study_column(split, "language")}
    languages = tuple(dict.fromkeys([*(code for code in data.languages if code in spoken), *sorted(spoken)]))
    logger.info(
        "%d training and %d validation studies, %d set aside", len(found[TRAIN]), len(found[VALIDATION]), len(bad)
    )
    material = TrainingMaterial(
        data=data,
        vocabulary=vocabulary,
        training=found[TRAIN],
        validation=found[VALIDATION],
        mentions=LabelledReports([found[TRAIN], found[VALIDATION]], vocabulary, data.target),
        films=films,
        bad=bad,
        split_hash=training_hash(found[TRAIN], data),
        labeler_version=", ".join(get_labeler(vocabulary, language).version for language in languages),
        languages=languages,
    )
    give_back_memory()
    return material


def _require_reports(studies: Sequence[Study], split: str, data: Data) -> None:
    """Refuse a dataset, or a member of a mixture, without any study to learn from or to choose by."""
    members = data.members if isinstance(data, MixtureConfig) else {}
    absent = set(members) - set(study_column(studies, "dataset")) if members else ()
    for name in sorted(absent):
        raise UserError(f"The split {split!r} of {name} has no study with a report", where=members[name].data.place)
    if not studies:
        raise UserError(f"The split {split!r} has no study with a report", where=data.place)


def training_hash(studies: Sequence[Study], data: Data) -> str:
    """Return a hash over ids, target reports, film names and film sizes of studies, in the order of their ids."""
    ordered = studies.by_id() if isinstance(studies, StudyTable) else sorted(studies, key=lambda study: study.id)
    return text_hash(part for study in ordered for part in _learnt(study, data))


def _learnt(study: Study, data: Data) -> Iterator[str]:
    yield from (study.id, study.patient_id, study.report(data.target))
    for image in study.images:
        yield f"{image.path.name}:{image.path.stat().st_size}:{image.view}"


def seeded_sample(studies: Sequence[Study], count: int, seed: int) -> list[Study]:
    """Choose ``count`` studies at random (all, where there are no more), in their own order."""
    if len(studies) <= count:
        return list(studies)
    chosen = torch.randperm(len(studies), generator=torch.Generator().manual_seed(seed))[:count].sort().values
    return [studies[int(index)] for index in chosen]
