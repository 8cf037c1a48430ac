"""``llmrg export`` and ``llmrg remove-patient`` as users type them."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import pytest

from llmrg.cli import main


def call(*arguments: str) -> int:
    handlers = logging.getLogger().handlers[:]
    try:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
    finally:
        logging.getLogger().handlers[:] = handlers
    return int(ended.value.code or 0)


def test_export_says_what_it_did(tiny_run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert call("export", str(tiny_run.run), "--out", str(out), "--without-data", "--merge") == 0
    said = capsys.readouterr().out
    assert said.startswith(str(out))
    assert "of 60 studies" in said
    assert "none is in the files" in said
    assert "No longer works: Retrieved context" in said
    assert "memorised" in said
    assert call("export", str(tiny_run.run), "--out", str(out)) == 2
    assert "exists already" in capsys.readouterr().err
    assert call("export", str(tiny_run.run), "--out", str(tmp_path / "whole"), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["left_out"] == []
    assert any("hold study and patient identifiers" in note for note in told["notes"])


def test_export_without_the_data_at_hand(tiny_run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = shutil.copytree(tiny_run.run, tmp_path / "run")
    text = (run / "run.yaml").read_text(encoding="utf-8")
    (run / "run.yaml").write_text(text.replace(str(tiny_run.data), str(tmp_path / "gone")), encoding="utf-8")
    assert call("export", str(run), "--out", str(tmp_path / "out"), "--without-data") == 0
    assert "not at hand" in capsys.readouterr().out
    arguments = ["--out", str(tmp_path / "two"), "--without-data", "--data", str(tiny_run.config)]
    assert call("export", str(run), *arguments) == 0
    assert "of 60 studies" in capsys.readouterr().out
    broken = tmp_path / "data.yaml"
    broken.write_text(f"{{format: ped-xray, root: {tmp_path}/gone, language: zh, vocabulary: ped_xray}}\n")
    assert call("export", str(run), "--out", str(tmp_path / "three"), "--without-data", "--data", str(broken)) == 2
    assert "cannot be read" in capsys.readouterr().err
    assert not (tmp_path / "three").exists()


def test_remove_patient_says_what_it_does_not_do(
    tiny_run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = shutil.copytree(tiny_run.run, tmp_path / "run")
    assert call("remove-patient", str(run), "trainpatient-005") == 0
    said = capsys.readouterr().out
    assert "Removed 1 patient: 2 studies" in said
    assert "may still remember" in said
    assert call("remove-patient", str(run), "trainpatient-005", "--json") == 0
    assert json.loads(capsys.readouterr().out)["before"] == 1
    assert call("remove-patient", str(run), "nobody") == 2
    err = capsys.readouterr().err
    assert "1 of the 1 patients" in err
    assert "trainpatient" not in err
    assert "Traceback" not in err
