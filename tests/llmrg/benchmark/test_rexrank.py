from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llmrg.benchmark.predictions import read_predictions
from llmrg.benchmark.rexrank import write_submission
from llmrg.errors import UserError

RECORD = {
    "image_path": ["patient1/study1/view1_frontal.jpg"],
    "context": "Age:77.0.Gender:F.Indication:nanComparison: None.",
    "section_findings": float("nan"),
    "section_impression": "Clear.",
}


def write(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def test_predictions_are_read_from_a_submission(tmp_path: Path) -> None:
    studies = {"a_1": {**RECORD, "model_prediction": "One. 双肺"}, "a_2": {**RECORD, "model_prediction": ""}}
    found = read_predictions(write(tmp_path / "out.json", studies), required=["a_2", "a_1"])
    assert [(p.id, p.report) for p in found.values()] == [("a_2", ""), ("a_1", "One. 双肺")]


@pytest.mark.parametrize("value", [[], {}, "x", {"a": []}, {"a": RECORD}, {"a": {"model_prediction": None}}])
def test_other_json_is_refused(tmp_path: Path, value: Any) -> None:
    with pytest.raises(UserError, match="ReXrank file"):
        read_predictions(write(tmp_path / "p.json", value), required=["a"])


@pytest.mark.parametrize(
    "text", ["{", '{"a": {"model_prediction": "x"}, "a": {"model_prediction": "y"}}', "[" * 100000]
)
def test_broken_json_and_double_ids_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "p.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="ReXrank file"):
        read_predictions(path, required=["a"])


@pytest.mark.parametrize("word", ["nan", "None", " NULL "])
def test_a_word_for_nothing_is_no_report(tmp_path: Path, word: str) -> None:
    studies = {"a": {**RECORD, "model_prediction": word}}
    with pytest.raises(UserError, match=r"absent text.*\(a\)"):
        read_predictions(write(tmp_path / "p.json", studies), required=["a"])
    lines = tmp_path / "p.jsonl"
    lines.write_text(json.dumps({"id": "a", "report": word}), encoding="utf-8")
    with pytest.raises(UserError, match="absent text"):
        read_predictions(lines, required=["a"])


def test_a_submission_keeps_the_studies_and_is_strict_json(tmp_path: Path) -> None:
    studies = write(tmp_path / "in.json", {"a": RECORD, "b": RECORD})
    assert write_submission(studies, {"b": "B", "a": "心影不大"}, tmp_path / "out.json") == 2

    def refuse(name: str) -> float:
        raise AssertionError(name)

    written = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"), parse_constant=refuse)
    assert list(written) == ["a", "b"]
    assert written["a"]["model_prediction"] == "心影不大"
    assert written["a"]["section_findings"] is None
    assert written["b"]["context"] == RECORD["context"]
    again = read_predictions(tmp_path / "out.json", required=["a", "b"])
    assert again["b"].report == "B"


@pytest.mark.parametrize(
    ("predictions", "message"), [({"a": "A"}, "1 studies have no"), ({"a": "", "b": "", "c": ""}, "no study")]
)
def test_a_submission_answers_exactly_the_studies(tmp_path: Path, predictions: dict[str, str], message: str) -> None:
    studies = write(tmp_path / "in.json", {"a": RECORD, "b": RECORD})
    with pytest.raises(UserError, match=message):
        write_submission(studies, predictions, tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()
