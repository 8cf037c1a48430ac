from __future__ import annotations

import pytest

from llmrg.benchmark.copies import copied_share, find_leakage, normal_forms
from llmrg.studies.study import Study


def study(id_: str, patient: str, split: str) -> Study:
    return Study(id=id_, patient_id=patient, images=(), split=split, language="en", sections={"findings": id_})


def test_copies_are_known_by_their_words_alone() -> None:
    training = normal_forms(["The lungs are clear.", "心影 不大。", " "])
    reports = ["the  LUNGS are\nclear.", "心影不大。", "The lungs are clear", "", "straße"]
    assert copied_share(reports, training) == pytest.approx(2 / 5)


def test_leakage_is_counted() -> None:
    splits = {
        "train": [study("a", "p1", "train"), study("b", "p2", "train"), study("c", "p3", "train")],
        "val": [study("d", "p3", "val")],
        "test": [study("e", "p1", "test"), study("a", "p2", "test"), study("f", "p9", "test")],
    }
    found = find_leakage(
        splits,
        scored="test",
        training="train",
        references=["Clear.", "clear.", "Effusion."],
        copied=normal_forms(["CLEAR.", "other"]),
        kept_from_baselines=2,
    )
    assert found == {
        "patients": {"train and val": 1, "train and test": 2, "val and test": 0},
        "duplicate_ids": 1,
        "references_in_training": 2,
        "share": pytest.approx(2 / 3),
        "distinct_references": 2,
        "kept_from_baselines": 2,
    }
