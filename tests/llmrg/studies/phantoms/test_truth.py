"""The side file of true findings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmrg.errors import UserError
from llmrg.studies.phantoms.truth import FindingTruth, PhantomTruth, find_truth, read_truth, write_truth


def _truth(study_id: str = "00001") -> PhantomTruth:
    return PhantomTruth(
        study_id=study_id,
        patient_id=study_id,
        split="test",
        age_group="paediatric",
        age=4.0,
        sex="female",
        findings=(
            FindingTruth(observation="nodule", side="left", zone="upper", size=12.5, boxes={"frontal": (1, 2, 3, 4)}),
            FindingTruth(observation="edema", severity="severe"),
        ),
    )


def test_truth_survives_writing_and_reading(tmp_path: Path) -> None:
    truths = [_truth("00001"), _truth("00002")]
    path = write_truth(tmp_path, truths)
    assert path == tmp_path / "truth" / "truth.jsonl"
    assert find_truth(tmp_path) == path
    assert read_truth(tmp_path) == {"00001": truths[0], "00002": truths[1]}
    line = json.loads(path.read_text(encoding="utf-8").splitlines()[0])
    assert line["findings"][0]["boxes"] == {"frontal": [1, 2, 3, 4]}


def test_a_finding_is_looked_up_by_observation() -> None:
    truth = _truth()
    assert truth.observations == ("nodule", "edema")
    found = truth.finding("edema")
    assert found is not None and found.severity == "severe"
    assert truth.finding("consolidation") is None


def test_real_data_have_no_side_file(tmp_path: Path) -> None:
    assert find_truth(tmp_path) is None
    with pytest.raises(UserError, match="no side file"):
        read_truth(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]\n", '{"study_id": "1"}\n', '{"findings": [{"colour": 1}]}\n'])
def test_a_broken_side_file_is_one_clear_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth" / "truth.jsonl").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="broken"):
        read_truth(tmp_path)
