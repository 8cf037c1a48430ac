"""What every layout offers, and what it is given to write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from llmrg.studies.phantoms.case import Cohort
from llmrg.studies.phantoms.truth import PhantomTruth
from llmrg.studies.study import Language

__all__ = ["Entry", "Layout", "Slot", "shares"]


@dataclass(frozen=True, kw_only=True)
class Slot:
    """The place of one study in a dataset.

    Args:
        index: number of the study, from 0; it seeds the drawing.
        patient: number of the patient, from 0.
        study_id: id that the dataset's reader gives the study.
        patient_id: id that the dataset's reader gives the patient.
        split: split that the dataset's reader gives the study.
        films: where each view is written, relative to the dataset's root.
    """

    index: int
    patient: int
    study_id: str
    patient_id: str
    split: str
    films: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A drawn study to be listed: its place, its truth, its report, and a source of what else a dataset states."""

    slot: Slot
    truth: PhantomTruth
    report: Mapping[str, str]
    rng: np.random.Generator


class Layout(Protocol):
    """One dataset's layout."""

    cohort: Cohort
    language: Language

    def plan(self, studies: int, *, seed: int) -> list[Slot]:
        """Lay out the ids, patients, splits and film paths of a dataset."""

    def write(self, root: Path, entries: Sequence[Entry]) -> None:
        """Write everything but films and truth below ``root``."""


def shares(studies: int, *, seed: int, parts: tuple[int, int, int] = (7, 1, 2)) -> list[str]:
    """Return a split for each study, mixed by the seed, whose counts keep to ``parts`` as closely as whole numbers can.

    Datasets of at least three studies have at least one in every split.
    """
    whole = sum(parts)
    val, test = round(studies * parts[1] / whole), round(studies * parts[2] / whole)
    if studies >= 3:
        val, test = max(1, val), max(1, test)
    names = ["val"] * val + ["test"] * test
    names = ["train"] * (studies - len(names)) + names
    order = np.random.default_rng([seed, 101]).permutation(studies)
    return [names[int(i)] for i in order]
