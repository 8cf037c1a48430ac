"""The command: quick help, every sub-command, one message on a mistake."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from llmrg import __version__
from llmrg.cli import app, main
from retrieval_index import Record, RetrievalIndex


def run(*arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "llmrg.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout, env=environment)


def call(*arguments: str) -> int:
    """Run inside this process; the exit code comes back."""
    handlers = logging.getLogger().handlers[:]
    try:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
    finally:
        logging.getLogger().handlers[:] = handlers  # pytest's own; the command puts its own in their place
    return int(ended.value.code or 0)


def all_commands() -> list[list[str]]:
    from typer.main import get_command

    found = []

    def walk(command: object, path: list[str]) -> None:
        found.append(path)
        for name, child in getattr(command, "commands", {}).items():
            walk(child, [*path, name])

    walk(get_command(app), [])
    return found


def test_the_commands_of_the_design_are_there() -> None:
    names = {" ".join(path) for path in all_commands()}
    assert {
        "doctor",
        "data phantom",
        "data check",
        "data prepare",
        "data split",
        "data reports",
        "pretrain",
        "build-memory",
        "index build",
        "index search",
        "index info",
        "train",
        "generate",
        "label",
        "graph",
        "score",
        "compare",
        "benchmark",
        "export",
        "remove-patient",
    } <= names


@pytest.mark.parametrize("path", all_commands(), ids=" ".join)
def test_every_command_has_help(path: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert call(*path, "--help") == 0
    out = capsys.readouterr().out
    assert "Usage:" in out
    assert len(out.splitlines()) > 5


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from llmrg.cli import main\n"
        "try:\n"
        "    main(['--help'])\n"
        "except SystemExit:\n"
        "    pass\n"
        "heavy = {'torch', 'numpy', 'transformers', 'pandas', 'PIL', 'omegaconf'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_package_is_cheap_to_import() -> None:
    script = (
        "import llmrg, sys; assert not {'torch', 'numpy', 'omegaconf'} & set(sys.modules); print(llmrg.__version__)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == __version__


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--version") == 0
    assert capsys.readouterr().out.strip() == __version__


@pytest.mark.parametrize(
    "command", [["pretrain", "language-model"], ["train"], ["benchmark"], ["build-memory"], ["index", "build"]]
)
def test_a_missing_configuration_is_one_message(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert call(*command, "configs/nowhere.yaml") == 2
    err = capsys.readouterr().err
    assert "configs/nowhere.yaml" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["benchmrk"], "Did you mean 'benchmark'?"),
        (["train"], "CONFIG"),
        (["data", "phantom", "x", "--format", "ped-xray", "--studies", "0"], "--studies"),
        (["data", "phantom", "x"], "--format"),
    ],
)
def test_wrong_arguments_end_with_code_2(arguments: list[str], expected: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_layout_is_one_message(tmp_path: Path) -> None:
    done = run("data", "phantom", str(tmp_path / "x"), "--format", "ped-xary", "--studies", "2")
    assert done.returncode == 2
    assert "Did you mean 'ped-xray'?" in done.stderr
    assert not (tmp_path / "x").exists()


def test_doctor_as_json() -> None:
    done = run("doctor", "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["healthy"] is True
    assert {"name", "status", "found", "advice"} == figures["checks"][0].keys()


@pytest.fixture
def index(tmp_path: Path) -> Path:
    records = [
        Record(id=f"s{i}", patient=f"p{i // 2}", labels={"effusion": "positive"} if i % 2 else {}) for i in range(6)
    ]
    RetrievalIndex.build(np.eye(6, dtype=np.float32) + 0.1, records, encoder_hash="e").save(tmp_path / "index")
    np.save(tmp_path / "q.npy", np.eye(6, dtype=np.float32)[:2])
    return tmp_path / "index"


def test_index_info(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("index", "info", str(index), "--json") == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["details"]["count"], figures["details"]["patients"], figures["encoder_hash"]) == (6, 3, "e")
    assert call("index", "info", str(index)) == 0
    assert "patients: 3" in capsys.readouterr().out


def test_index_search(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    query = str(index.parent / "q.npy")
    assert call("index", "search", str(index), "--vectors", query, "-k", "1", "--json") == 0
    assert [[hit["id"] for hit in row] for row in json.loads(capsys.readouterr().out)] == [["s0"], ["s1"]]
    exclude = ["--exclude-patient", "p0", "--label", "effusion=positive"]
    assert call("index", "search", str(index), "--vectors", query, "-k", "9", "--json", *exclude) == 0
    assert [{hit["id"] for hit in row} for row in json.loads(capsys.readouterr().out)] == [{"s3", "s5"}] * 2


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--vectors", "none.npy"], "none.npy"),
        (["--vectors", "bad.npy"], "bad.npy"),
        (["--vectors", "q.npy", "--label", "effusion"], "NAME=VALUE"),
        ([], "Films or vectors"),
        (["film.png", "--vectors", "q.npy"], "Films or vectors"),
        (["film.png"], "'run' is needed"),
    ],
)
def test_index_search_mistakes(
    index: Path,
    arguments: list[str],
    expected: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(index.parent)
    Path("bad.npy").write_bytes(b"not numbers")
    assert call("index", "search", str(index), *arguments) == 2
    assert expected in capsys.readouterr().err
