"""Errors become one message and an exit code; figures go to stdout, everything else to stderr."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from llmrg.console import describe_error, print_json, run_command
from llmrg.errors import BadStudyError, StoppedBySignalError, UserError
from retrieval_index import RetrievalIndexError


def raising(error: BaseException) -> Callable[[], None]:
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "parts"),
    [
        (UserError("Unknown key", where="a.yaml"), 2, ["Error: Unknown key. Where: a.yaml."]),
        (BadStudyError("s1", "film is empty"), 2, ["s1", "film is empty"]),
        (RetrievalIndexError("there is no index at x"), 2, ["There is no index at x."]),
        (OSError(errno.ENOSPC, "", "runs/a"), 2, ["No space left", "runs/a", "free some space"]),
        (PermissionError(errno.EACCES, "", "runs/a"), 2, ["Permission denied", "runs/a"]),
        (RuntimeError("Error: I/O error: No space left on device (os error 28)"), 2, ["No space left", "free some"]),
        (
            StoppedBySignalError(15, done="step 3 of 9 finished", next_step="go on so"),
            143,
            ["SIGTERM, step 3", "; go on so."],
        ),
        (StoppedBySignalError(2), 130, ["Stopped by SIGINT."]),
        (MemoryError(), 2, ["memory is not enough", "batch size"]),
        (ValueError("a\nb"), 1, ["Internal error, ValueError.", "LLMRG_TRACEBACK=1"]),
        (KeyboardInterrupt(), 130, ["Interrupted."]),
        (SystemExit(130), 130, ["Interrupted."]),
    ],
)
def test_an_error_is_one_line(
    error: BaseException, code: int, parts: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(raising(error)) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    for part in parts:
        assert part in captured.err


def test_an_unexpected_error_tells_its_place_and_quotes_nothing() -> None:
    """A library's message may hold a report or a header."""
    with pytest.raises(TypeError) as raised:
        print_json({"report": {"双肺纹理增多"}})
    code, message = describe_error(raised.value)
    assert code == 1
    assert "llmrg/console.py, line " in message
    code, message = describe_error(ValueError("could not convert string to float: '双肺纹理增多'"))
    assert "双肺" not in message


def test_success_and_silent_ends(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(lambda: None) == 0
    assert run_command(raising(SystemExit(0))) == 0
    assert run_command(raising(SystemExit(None))) == 0
    assert run_command(raising(SystemExit(2))) == 2
    assert capsys.readouterr().err == ""


def test_gpu_memory_is_recognised_without_torch() -> None:
    kind = type("OutOfMemoryError", (RuntimeError,), {})
    assert describe_error(kind("CUDA out of memory"))[0] == 2


def test_traceback_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMRG_TRACEBACK", "1")
    with pytest.raises(ValueError, match="deep"):
        run_command(raising(ValueError("deep")))


def test_json_is_readable_and_refuses_nan(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"报告": 1.5})
    out = capsys.readouterr().out
    assert json.loads(out) == {"报告": 1.5}
    assert "报告" in out
    with pytest.raises(ValueError, match="JSON"):
        print_json(float("nan"))


def test_a_reader_that_goes_away_is_no_error() -> None:
    script = (
        "import sys\n"
        "from llmrg.console import run_command\n"
        "sys.exit(run_command(lambda: [print('x' * 1000, flush=True) for _ in range(1000)]))"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=30) == 0


def test_logs_go_to_stderr() -> None:
    script = (
        "import logging\n"
        "from llmrg.console import start_logging\n"
        "start_logging()\n"
        "logging.getLogger('llmrg.studies').info('read 3 studies')\n"
        "logging.getLogger('llmrg.studies').debug('detail')\n"
        "logging.getLogger('bitsandbytes.backends').warning('noise')\n"
        "logging.getLogger('other').warning('heard')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == ""
    assert "read 3 studies" in done.stderr
    assert "heard" in done.stderr
    assert "detail" not in done.stderr
    assert "noise" not in done.stderr


def test_nothing_of_other_libraries_gets_between_the_figures() -> None:
    """DeepSpeed logs to stdout when it is imported, which peft and accelerate do."""
    script = (
        "from llmrg.console import print_json, start_logging\n"
        "start_logging()\n"
        "import peft, accelerate\n"
        "from transformers import Trainer\n"
        "print_json([1])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    assert json.loads(done.stdout) == [1]
    assert done.stderr == ""
