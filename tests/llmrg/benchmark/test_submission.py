from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmrg.cli import main


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)


def test_the_command_writes_a_submission(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    studies, predictions, out = tmp_path / "in.json", tmp_path / "p.jsonl", tmp_path / "out.json"
    studies.write_text(json.dumps({"b_1": {"image_path": ["x.png"]}, "a_1": {"image_path": []}}), encoding="utf-8")
    predictions.write_text('{"id": "a_1", "report": "A"}\n{"id": "b_1", "report": "B"}\n', encoding="utf-8")
    assert run("rexrank", str(studies), str(predictions), "--out", str(out)) == 0
    written = json.loads(out.read_text(encoding="utf-8"))
    assert {key: record["model_prediction"] for key, record in written.items()} == {"b_1": "B", "a_1": "A"}
    assert written["b_1"]["image_path"] == ["x.png"]
    predictions.write_text('{"id": "a_1", "report": "A"}\n', encoding="utf-8")
    assert run("rexrank", str(studies), str(predictions), "--out", str(out)) == 2
    assert "1 missing (b_1)" in " ".join(capsys.readouterr().err.split())
