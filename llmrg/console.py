"""How the commands of llmrg speak: one message for an error, a log on stderr, figures on stdout."""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llmrg.errors import LlmrgError, StoppedBySignalError, UserError

__all__ = ["TRACEBACK_VARIABLE", "describe_error", "print_json", "run_command", "start_logging"]

TRACEBACK_VARIABLE = "LLMRG_TRACEBACK"
"""Environment variable: set to 1, errors keep their traceback."""

_INTERRUPTED = 130
_INTERNAL = 1

# Loggers that report, for every process, what cannot be helped: parts that only other machines have.
_NOISY = ("bitsandbytes", "DeepSpeed", "faiss", "httpx", "jieba", "matplotlib")


def run_command(command: Callable[[], Any]) -> int:
    """Run a command and return its exit code; an error becomes one message on stderr.

    Args:
        command: what to run; it may end by itself through ``SystemExit``.

    Returns:
        0, 2 after a user's error (also a full disk, a missing permission), 130 after Ctrl-C (128 + its
        number after any other signal that a training answers), 1 after anything else.
        With ``LLMRG_TRACEBACK=1`` errors pass through instead.
    """
    try:
        command()
    except StoppedBySignalError as stopped:
        _tell(stopped.message)
        return 128 + stopped.number
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else _INTERNAL if stop.code else 0
        if code == _INTERRUPTED:
            _tell("Interrupted.")
        return code
    except KeyboardInterrupt:
        _tell("Interrupted.")
        return _INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader of our output has gone
        return 0
    except Exception as error:
        if os.environ.get(TRACEBACK_VARIABLE) == "1":
            raise
        code, message = describe_error(error)
        _tell(f"Error: {message}")
        return code
    return 0


def describe_error(error: Exception) -> tuple[int, str]:
    """Return the exit code and the one message for an error."""
    if isinstance(error, UserError):
        return error.exit_code, str(error)
    if isinstance(error, LlmrgError) or type(error).__module__.partition(".")[0] == "retrieval_index":
        return UserError.exit_code, _sentence(str(error))
    if isinstance(error, OSError) and error.errno is not None:
        return UserError.exit_code, str(_from_system(error))
    if type(error).__name__ == "OutOfMemoryError" or isinstance(error, MemoryError):
        step = "use a smaller batch size, gradient checkpointing or a quantised language model"
        return UserError.exit_code, str(UserError("The memory is not enough", next_step=step))
    system = re.search(r"\(os error (\d+)\)", str(error))  # libraries in Rust (safetensors, tokenizers)
    if system is not None:
        return UserError.exit_code, str(_from_system(OSError(int(system.group(1)), "")))
    # What other libraries say may quote a report or a header: it is shown on request alone.
    step = f"set {TRACEBACK_VARIABLE}=1 to see the whole error, which may quote data"
    return _INTERNAL, str(UserError(f"Internal error, {type(error).__name__}", where=_place(error), next_step=step))


def _place(error: Exception) -> str | None:
    """Where in this project the error came up, as file and line."""
    own = [
        f"{Path(frame.filename).parent.name}/{Path(frame.filename).name}, line {frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if {"llmrg", "retrieval_index"} & set(Path(frame.filename).parts)
    ]
    return own[-1] if own else None


def print_json(values: Any) -> None:
    """Print figures as JSON on stdout."""
    sys.stdout.write(json.dumps(values, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def start_logging(*, verbose: bool = False) -> None:
    """Send llmrg's log to stderr, through rich where that is a terminal, and quieten other libraries' standing notices.

    Args:
        verbose: log details (DEBUG) too.
    """
    handler: logging.Handler
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.logging import RichHandler

        handler = RichHandler(console=Console(stderr=True), show_path=False, log_time_format="[%X]")
        handler.setFormatter(logging.Formatter("%(message)s"))
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for package in ("llmrg", "retrieval_index"):
        logging.getLogger(package).setLevel(logging.DEBUG if verbose else logging.INFO)
    for name in _NOISY:
        logger = logging.getLogger(name)
        logger.setLevel(logging.ERROR)
        # DeepSpeed sets its level anew, with a handler on stdout, when it is imported.
        logger.filters[:] = [_errors_only]
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers|peft|accelerate|timm|torch")
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")


def _errors_only(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR


def _from_system(error: OSError) -> UserError:
    what = os.strerror(error.errno) if error.errno else str(error)
    steps = {
        errno.ENOSPC: "free some space or choose another folder",
        errno.EDQUOT: "free some space or choose another folder",
        errno.EACCES: "choose a folder and files that you may read and write",
        errno.EPERM: "choose a folder and files that you may read and write",
        errno.EROFS: "choose a folder that can be written",
        errno.ENOENT: "check the path",
    }
    where = None if error.filename is None else str(error.filename)
    return UserError(what, where=where, next_step=steps.get(error.errno or 0))


def _sentence(text: str) -> str:
    text = " ".join(text.split()).rstrip(".")
    return text[:1].upper() + text[1:] + "."


def _tell(message: str) -> None:
    sys.stderr.write(message + "\n")
