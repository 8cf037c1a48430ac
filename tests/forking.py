"""Runs ``llmrg`` commands in forked children; run by ``test_readme.py`` in a process of its own.

Every command is a new process that imports llmrg anew; only libraries that take seconds to import are there before.
Reads a line of JSON for each command from stdin (``arguments``, ``folder``, ``out`` and ``err``, files for what it
says) and answers with a line of its own, the exit code.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import peft  # noqa: F401
import torch
import transformers.modeling_utils  # noqa: F401

SECONDS = 300  # then a child is ended


def child(job: dict[str, Any]) -> int:
    signal.alarm(SECONDS)
    for name, stream in (("out", sys.stdout), ("err", sys.stderr)):
        handle = os.open(job[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(handle, stream.fileno())
    os.dup2(os.open(os.devnull, os.O_RDONLY), sys.stdin.fileno())
    os.chdir(job["folder"])
    sys.argv = ["llmrg", *job["arguments"]]
    try:
        from llmrg.cli import main

        main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def run(job: dict[str, Any]) -> int:
    process = os.fork()
    if process == 0:
        code = 1
        try:
            code = child(job)
            atexit._run_exitfuncs()
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def main() -> None:
    assert not [name for name in sys.modules if name.partition(".")[0] == "llmrg"]
    assert torch.get_num_threads() == 1
    root = str(Path(__file__).resolve().parent.parent)
    sys.path[0] = root  # in place of this folder; a checkout's own llmrg, as with ``python -m``
    for line in sys.stdin:
        print(run(json.loads(line)), flush=True)


if __name__ == "__main__":
    main()
