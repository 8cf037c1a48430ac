"""``python -m llmrg.train``: arguments, exit codes, one message."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

import llmrg.training.run as run_module
from llmrg.train import main


@pytest.fixture(autouse=True)
def keep_log_handlers() -> Any:
    """The command puts its own log handler in pytest's place."""
    handlers = logging.getLogger().handlers[:]
    yield
    logging.getLogger().handlers[:] = handlers


def call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "No configuration is named"),
        (["--resume"], "No configuration is named"),
        (["--resum", "x.yaml"], "Did you mean '--resume'"),
        (["x.yaml", "--resume=yes"], "Unknown option '--resume=yes'"),
        (["no/such.yaml"], "does not exist"),
        (["CONFIG", "training.epoch=1"], "Did you mean 'epochs'"),
        (["CONFIG", "epochs"], "is not an override"),
        (["CONFIG", "data.root=no/such/folder"], "no/such/folder"),
        (["CONFIG", "seed=99"], "another configuration"),
    ],
)
def test_mistakes_are_one_message_and_exit_with_2(
    tiny_run: Any, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(tiny_run.config) if argument == "CONFIG" else argument for argument in arguments]
    assert call(*given) == 2
    captured = capsys.readouterr()
    assert message in " ".join(captured.err.split())
    assert "Traceback" not in captured.err
    assert captured.out == ""


def test_options_and_overrides_reach_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Any, ...]] = []
    monkeypatch.setattr(run_module, "train", lambda *a, **k: seen.append((a, k)) or Path("out"))
    assert call("c.yaml", "a=1", "--resume", "b.c=2", "--dry-run") == 0
    assert call("c.yaml") == 0
    assert [(a, k["dry_run"], k["resume"]) for a, k in seen] == [
        (("c.yaml", ["a=1", "b.c=2"]), True, True),
        (("c.yaml", []), False, False),
    ]


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--help") == 0
    assert "accelerate launch -m llmrg.train CONFIG" in capsys.readouterr().out


def test_a_finished_run_ends_well(tiny_run: Any) -> None:
    assert call(str(tiny_run.config)) == 0
