from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmrg.benchmark.predictions import read_predictions
from llmrg.errors import UserError


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def test_predictions_come_in_the_order_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "p.jsonl", [{"id": "b", "report": "B"}, {"id": "a", "report": "A", "confidence": 0.5}])
    found = read_predictions(path, required=["a", "b"])
    assert [(p.id, p.report, p.confidence) for p in found.values()] == [("a", "A", 0.5), ("b", "B", None)]


@pytest.mark.parametrize(
    ("ids", "problem", "named"),
    [(["a"], "missing", "b"), (["a", "b", "b"], "duplicate", "b"), (["a", "b", "zz"], "unknown", "zz")],
)
def test_missing_duplicate_and_unknown_ids_are_named(tmp_path: Path, ids: list[str], problem: str, named: str) -> None:
    path = write(tmp_path / "p.jsonl", [{"id": id_, "report": "secret words"} for id_ in ids])
    with pytest.raises(UserError, match=rf"1 {problem} \({named}\)") as raised:
        read_predictions(path, required=["a", "b"])
    assert "secret" not in str(raised.value)


def test_studies_without_a_reference_may_be_predicted(tmp_path: Path) -> None:
    path = write(tmp_path / "p.jsonl", [{"id": "a", "report": "A"}, {"id": "b", "report": "B"}])
    assert list(read_predictions(path, required=["a"], known=["a", "b"])) == ["a"]


def test_line_separators_inside_a_report_do_not_cut_the_line(tmp_path: Path) -> None:
    path = write(tmp_path / "p.jsonl", [{"id": "a", "report": "one\u2028two\x85three"}])
    assert read_predictions(path, required=["a"])["a"].report == "one\u2028two\x85three"


@pytest.mark.parametrize("line", ["{", "[]", '{"id": 3, "report": "x"}', '{"id": "a"}'])
def test_a_line_that_is_no_prediction_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(line + "\n", encoding="utf-8")
    with pytest.raises(UserError, match="line 1"):
        read_predictions(path, required=["a"])


def test_records_survive_malformed_evidence(tmp_path: Path) -> None:
    evidence = ["x", {"kind": "retrieved_context", "items": [1, {"study_id": "t"}]}, {"kind": "other"}]
    path = write(tmp_path / "p.jsonl", [{"id": "a", "report": "A", "evidence": evidence}])
    assert read_predictions(path, required=["a"])["a"].records("retrieved_context") == ({"study_id": "t"},)
