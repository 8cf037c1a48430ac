"""``llmrg data check``, ``prepare`` and ``split`` as commands: exit codes, JSON, one message."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmrg.cli import main
from llmrg.studies.phantoms.dataset import draw_dataset
from llmrg.studies.study_table import StudyTable  # noqa: F401  (imported before logging is changed)


@pytest.fixture(scope="module")
def phantom_keys(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    root = tmp_path_factory.mktemp("phantoms") / "ped"
    draw_dataset(root, format="ped-xray", studies=20, seed=4, size=48, preset="easy", workers=1)
    return ["format=ped-xray", f"root={root}", "language=zh", "vocabulary=ped_xray", "image_size=32"]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(*arguments: str) -> tuple[int, str, str]:
        handlers = logging.getLogger().handlers[:]
        try:
            with pytest.raises(SystemExit) as ended:
                main(["data", *arguments])
        finally:
            logging.getLogger().handlers[:] = handlers
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run


def test_check(call: Callable[..., Any], phantom_keys: list[str], tmp_path: Path) -> None:
    code, out, _ = call("check", *phantom_keys, "--json", "--workers", "1")
    found = json.loads(out)
    assert code == 0
    assert found["sound"] is True
    assert found["studies"] == 20
    code, out, _ = call("check", *phantom_keys, "--no-films")
    assert code == 0
    assert "Sound: no problem was found" in out
    root = Path(phantom_keys[1].removeprefix("root="))
    film = next((root / "images").rglob("*.jpg"))
    content = film.read_bytes()
    film.write_bytes(content[:100])
    try:
        code, out, _ = call("check", *phantom_keys, "--workers", "1")
    finally:
        film.write_bytes(content)
    assert code == 1
    assert "1 films that cannot be decoded" in out
    assert film.name in "".join(out.split())
    code, _, err = call("check", *phantom_keys, "languag=en")
    assert code == 2
    assert "language" in err


def test_prepare(call: Callable[..., Any], phantom_keys: list[str], tmp_path: Path) -> None:
    out_folder = tmp_path / "films"
    code, out, _ = call("prepare", *phantom_keys, "--size", "24", "--out", str(out_folder), "--workers", "1", "--json")
    assert code == 0
    assert json.loads(out)["decoded"] == 40
    code, out, _ = call("prepare", *phantom_keys, "--size", "24", "--out", str(out_folder), "--workers", "1")
    assert "40 from before" in out
    assert f"data.prepared={out_folder} data.image_size=24" in out
    code, _, err = call("prepare", *phantom_keys, "--size", "16", "--out", str(out_folder))
    assert code == 2
    assert err.count("\n") == 1
    code, _, err = call("check", *phantom_keys, f"prepared={out_folder}", "--workers", "1")
    assert code == 2
    assert "image_size=24" in err
    code, out, _ = call("check", *phantom_keys, f"prepared={out_folder}", "image_size=24", "--workers", "1")
    assert code == 0


def test_split(call: Callable[..., Any], phantom_keys: list[str], tmp_path: Path) -> None:
    file = tmp_path / "splits.csv"
    code, out, _ = call("split", *phantom_keys, "--out", str(file), "--fractions", "0.5", "0.25", "0.25", "--json")
    assert code == 0
    assert sum(json.loads(out)["studies"].values()) == 20
    code, out, _ = call("check", *phantom_keys, f"split_file={file}", "--no-films", "--json")
    assert json.loads(out)["splits"] == {"train": 10, "val": 5, "test": 5}
    code, _, err = call("split", *phantom_keys, "--out", str(file), "--seed", "3")
    assert code == 2
    assert "--replace" in err
    code, out, _ = call("split", *phantom_keys, "--out", str(file), "--seed", "3", "--replace")
    assert code == 0
    assert "patients" in out
