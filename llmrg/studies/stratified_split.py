"""Patient-disjoint splits in which every finding has its share.

Iterative stratification (Sechidis, Tsoumakas, Vlahavas 2011, "On the stratification of multi-label data", figure 2),
with patients in the place of examples: a patient brings as many examples of a label as studies that have it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from llmrg.errors import UserError
from llmrg.studies.splits import SPLIT_NAMES

__all__ = ["LabelledStudy", "label_shares", "stratify"]


@dataclass(frozen=True, kw_only=True)
class LabelledStudy:
    """What the split looks at of a study.

    Args:
        id: the study.
        patient_id: its patient.
        labels: labels that it has (names of positive findings, and what else is to be shared out evenly).
    """

    id: str
    patient_id: str
    labels: frozenset[str]


def stratify(
    studies: Iterable[LabelledStudy], *, fractions: tuple[float, float, float] = (0.7, 0.1, 0.2), seed: int = 0
) -> dict[str, str]:
    """Share patients out between train, val and test.

    The rarest label among the patients that are left is dealt with first: each of its patients (those with most such
    studies first, then by hash) goes to the split that lacks most studies of this label, of equal ones to the
    one that lacks most studies at all. Patients without a label come last and level the sizes. The result is a
    function of the set of studies, the fractions and the seed; the order of the studies does not matter.

    Args:
        studies: the studies of all patients.
        fractions: shares of train, val and test.
        seed: another seed gives another order of the patients.

    Returns:
        Patient to split.

    Raises:
        UserError: fewer patients than splits that shall have studies, or fractions that do not sum to 1.
    """
    if min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6:
        raise UserError(f"The fractions {fractions} must be at least 0 and sum to 1", where="fractions")
    sizes: dict[str, int] = {}
    counts: dict[str, dict[str, int]] = {}
    for study in studies:
        sizes[study.patient_id] = sizes.get(study.patient_id, 0) + 1
        own = counts.setdefault(study.patient_id, {})
        for label in study.labels:
            own[label] = own.get(label, 0) + 1
    wanted = [name for name, share in zip(SPLIT_NAMES, fractions, strict=True) if share > 0]
    if len(sizes) < len(wanted):
        raise UserError(f"{len(sizes)} patients cannot be shared out between {', '.join(wanted)}", where="patient_id")
    places = {patient: hashlib.sha256(f"{seed}:{patient}".encode()).digest() for patient in sizes}
    order = sorted(sizes, key=lambda patient: (places[patient], patient))
    return _Deal(order, sizes, counts, dict(zip(SPLIT_NAMES, fractions, strict=True))).run()


class _Deal:
    """Patients being dealt out; ``lack`` holds the studies that each split still lacks, of each label and in all."""

    def __init__(
        self,
        order: Sequence[str],
        sizes: Mapping[str, int],
        counts: Mapping[str, Mapping[str, int]],
        fractions: Mapping[str, float],
    ) -> None:
        self.left = dict.fromkeys(order)
        self.sizes, self.counts = sizes, counts
        self.names = [name for name, share in fractions.items() if share > 0]
        self.remaining: dict[str, int] = {}
        self.holders: dict[str, list[str]] = {}
        for patient in order:
            for label, count in counts[patient].items():
                self.remaining[label] = self.remaining.get(label, 0) + count
                self.holders.setdefault(label, []).append(patient)
        total = sum(sizes.values())
        self.lack = {name: total * fractions[name] for name in self.names}
        self.label_lack = {
            label: {name: count * fractions[name] for name in self.names} for label, count in self.remaining.items()
        }
        self.result: dict[str, str] = {}

    def run(self) -> dict[str, str]:
        while rest := {label: count for label, count in self.remaining.items() if count > 0}:
            label = min(rest, key=lambda name: (rest[name], name))
            holders = [patient for patient in self.holders[label] if patient in self.left]
            for patient in sorted(holders, key=lambda patient: -self.counts[patient][label]):
                self._give(patient, label)
        for patient in sorted(self.left, key=lambda patient: -self.sizes[patient]):
            self._give(patient, None)
        self._fill_empty()
        return self.result

    def _give(self, patient: str, label: str | None) -> None:
        by_label = self.lack if label is None else self.label_lack[label]
        name = max(self.names, key=lambda name: (by_label[name], self.lack[name]))
        del self.left[patient]
        self.result[patient] = name
        self.lack[name] -= self.sizes[patient]
        for held, count in self.counts[patient].items():
            self.remaining[held] -= count
            self.label_lack[held][name] -= count

    def _fill_empty(self) -> None:
        """Give a split that went without (very small data) one patient of the split that has most."""
        for name in self.names:
            if name not in self.result.values():
                held = {other: [p for p, split in self.result.items() if split == other] for other in self.names}
                richest = max(self.names, key=lambda other: len(held[other]))
                self.result[min(held[richest], key=lambda p: (self.sizes[p], p))] = name


def label_shares(
    studies: Iterable[LabelledStudy], splits: Mapping[str, str]
) -> tuple[dict[str, int], dict[str, dict[str, float]]]:
    """Count what a split came to.

    Args:
        studies: the studies.
        splits: patient to split.

    Returns:
        Number of studies by split, and for each label the share of the studies of each split that have it.
    """
    sizes = dict.fromkeys((name for name in SPLIT_NAMES if name in set(splits.values())), 0)
    counts: dict[str, dict[str, int]] = {}
    for study in studies:
        split = splits[study.patient_id]
        sizes[split] += 1
        for label in study.labels:
            own = counts.setdefault(label, dict.fromkeys(sizes, 0))
            own[split] += 1
    shares = {
        label: {split: count / sizes[split] for split, count in counts[label].items()} for label in sorted(counts)
    }
    return sizes, shares
