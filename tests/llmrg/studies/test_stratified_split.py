"""Stratified splits: by patient, the same for every order, and more even than the hash alone."""

from __future__ import annotations

import numpy as np
import pytest

from llmrg.errors import UserError
from llmrg.studies.splits import overlapping_patients, split_of
from llmrg.studies.stratified_split import LabelledStudy, label_shares, stratify

FRACTIONS = {"train": 0.7, "val": 0.1, "test": 0.2}
PREVALENCE = {"common": 0.4, "fairly": 0.15, "seldom": 0.04, "rare": 0.012}


@pytest.fixture(scope="module")
def cohort() -> list[LabelledStudy]:
    """1,000 patients with one to eight studies, whose findings recur."""
    rng = np.random.default_rng(3)
    studies = []
    for patient in range(1000):
        prone = {name for name, share in PREVALENCE.items() if rng.random() < 1.5 * share}
        for study in range(int(min(8, rng.geometric(0.5)))):
            labels = frozenset(name for name in prone if rng.random() < 0.67)
            studies.append(LabelledStudy(id=f"{patient}-{study}", patient_id=f"p{patient}", labels=labels))
    return studies


def imbalance(studies: list[LabelledStudy], splits: dict[str, str]) -> dict[str, float]:
    """For each label: how far the studies of a split are from its share of them, the worst split, in shares."""
    worst = {}
    for label in PREVALENCE:
        held = [splits[study.patient_id] for study in studies if label in study.labels]
        worst[label] = max(abs(held.count(name) / len(held) - share) for name, share in FRACTIONS.items())
    return worst


def test_every_patient_has_one_split_and_every_finding_its_share(cohort: list[LabelledStudy]) -> None:
    splits = stratify(cohort)
    assert set(splits) == {study.patient_id for study in cohort}
    assert not overlapping_patients((study.patient_id, splits[study.patient_id]) for study in cohort)
    sizes = [splits[study.patient_id] for study in cohort]
    for name, share in FRACTIONS.items():
        assert sizes.count(name) / len(sizes) == pytest.approx(share, abs=0.005)
    found = imbalance(cohort, splits)
    assert found["common"] < 0.01
    assert found["fairly"] < 0.02
    assert max(found.values()) < 0.06  # some twenty studies have the rare finding


def test_it_is_more_even_than_the_hash_alone(cohort: list[LabelledStudy]) -> None:
    ours, hashed = [], []
    for seed in range(5):
        ours.append(sum(imbalance(cohort, stratify(cohort, seed=seed)).values()))
        by_hash = {study.patient_id: split_of(study.patient_id, seed=seed) for study in cohort}
        hashed.append(sum(imbalance(cohort, by_hash).values()))
    assert max(ours) < min(hashed)
    assert np.mean(ours) < 0.4 * np.mean(hashed)


def test_the_order_of_the_studies_does_not_matter_but_the_seed_does(cohort: list[LabelledStudy]) -> None:
    shuffled = [cohort[index] for index in np.random.default_rng(0).permutation(len(cohort))]
    assert stratify(shuffled) == stratify(cohort)
    assert stratify(cohort, seed=1) != stratify(cohort)


def test_shares_are_counted() -> None:
    studies = [
        LabelledStudy(id="1", patient_id="a", labels=frozenset({"x"})),
        LabelledStudy(id="2", patient_id="a", labels=frozenset()),
        LabelledStudy(id="3", patient_id="b", labels=frozenset({"x", "y"})),
    ]
    sizes, shares = label_shares(studies, {"a": "train", "b": "test"})
    assert sizes == {"train": 2, "test": 1}
    assert shares == {"x": {"train": 0.5, "test": 1.0}, "y": {"train": 0.0, "test": 1.0}}


def test_few_patients() -> None:
    studies = [LabelledStudy(id=name, patient_id=name, labels=frozenset()) for name in "abc"]
    assert sorted(stratify(studies).values()) == ["test", "train", "val"]
    assert set(stratify(studies, fractions=(1.0, 0.0, 0.0)).values()) == {"train"}
    with pytest.raises(UserError, match="2 patients cannot be shared out"):
        stratify(studies[:2])
    with pytest.raises(UserError, match="sum to 1"):
        stratify(studies, fractions=(0.5, 0.1, 0.1))
