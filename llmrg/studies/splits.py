"""Splits that keep the studies of a patient together, and the check that they do."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

__all__ = ["SPLIT_NAMES", "overlapping_patients", "split_of"]

SPLIT_NAMES = ("train", "val", "test")


def split_of(patient_id: str, *, fractions: tuple[float, float, float] = (0.7, 0.1, 0.2), seed: int = 0) -> str:
    """Return the split of a patient: a function of the identifier alone, so it never changes as data are added.

    The first 8 bytes of sha256 over the identifier (over ``seed:identifier`` for a seed other than 0), read as a
    number in [0, 1), are compared with the fractions.

    Args:
        patient_id: identifier of the patient.
        fractions: shares of train, val and test.
        seed: another seed gives another split.

    Returns:
        ``train``, ``val`` or ``test``.
    """
    text = patient_id if seed == 0 else f"{seed}:{patient_id}"
    position = int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:8], "big") / 2**64
    if position < fractions[0]:
        return "train"
    if position < fractions[0] + fractions[1]:
        return "val"
    return "test" if fractions[2] > 0 else ("val" if fractions[1] > 0 else "train")


def overlapping_patients(
    pairs: Iterable[tuple[str, str]], *, order: Sequence[str] = ()
) -> Mapping[tuple[str, str], tuple[str, ...]]:
    """Find patients whose studies stand in more than one split.

    Args:
        pairs: (patient id, split) of each study.
        order: splits in the order in which pairs name them; others follow in order of first appearance.

    Returns:
        (split, split), in that order, to the sorted patients that both hold; empty where splits are
        disjoint.
    """
    places = {split: place for place, split in enumerate(order)}
    first: dict[str, str] = {}
    several: dict[str, set[str]] = {}
    for patient, split in pairs:
        places.setdefault(split, len(places))
        if first.setdefault(patient, split) != split:
            several.setdefault(patient, {first[patient]}).add(split)
    found: dict[tuple[str, str], list[str]] = {}
    for patient, splits in several.items():
        ordered = sorted(splits, key=places.__getitem__)
        for i, a in enumerate(ordered):
            for b in ordered[i + 1 :]:
                found.setdefault((a, b), []).append(patient)
    return {pair: tuple(sorted(patients)) for pair, patients in found.items()}
