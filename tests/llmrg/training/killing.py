"""Trains in forked children that are killed at chosen moments; run by ``test_killed.py`` in a process of its own.

Reads one JSON object from stdin (``config``, ``overrides``, ``moments``, ``reference``) and writes one line of JSON for
each child: how it was to end, what it did end with, which moments it passed. A moment is ``{"event": n, "signal": s}``
(the n-th thing that changes the disk or ends a step) or ``{"seconds": t, "signal": s}`` of processor time. After the
last moment the training is let finish. A run that is finished early is kept under another name and begun anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from transformers import TrainerCallback

import llmrg.training.run as run_module
from llmrg.config import load_config
from llmrg.errors import StoppedBySignalError
from llmrg.training.settings import TrainConfig
from llmrg.training.validation import ReportValidation


class Moments:
    """Counts what happens in a child, and sends it the signal at the n-th event.

    SIGKILL strikes half-way through an event: half a file is written, half a folder removed.
    """

    def __init__(self, at: int | None, number: int) -> None:
        self.at, self.number = at, number
        self.passed: list[str] = []

    def pass_by(self, name: str, half: Callable[[], Any] = lambda: None) -> None:
        self.passed.append(name)
        if len(self.passed) == self.at:
            if self.number == signal.SIGKILL:
                half()
            os.kill(os.getpid(), self.number)

    def install(self) -> None:
        real_save, real_file, real_rmtree = torch.save, safetensors.torch.save_file, shutil.rmtree
        real_replace, real_fsync, real_unlink = os.replace, os.fsync, Path.unlink

        def save(value: Any, path: Any, *args: Any, **options: Any) -> None:
            self.pass_by(f"save {Path(path).name}", lambda: _cut(real_save, value, path, *args, **options))
            real_save(value, path, *args, **options)

        def save_file(tensors: Any, path: Any, *args: Any, **options: Any) -> None:
            self.pass_by(f"save {Path(path).name}", lambda: _cut(real_file, tensors, path, *args, **options))
            real_file(tensors, path, *args, **options)

        def rmtree(path: Any, *args: Any, **options: Any) -> None:
            if Path(path).is_dir():
                self.pass_by(f"remove {Path(path).name}", lambda: _remove_half(Path(path), real_unlink))
            real_rmtree(path, *args, **options)

        def replace(source: Any, target: Any) -> None:
            self.pass_by(f"rename to {Path(target).name}")
            real_replace(source, target)

        def fsync(handle: int) -> None:
            self.pass_by("flush")
            real_fsync(handle)

        def unlink(path: Path, missing_ok: bool = False) -> None:
            self.pass_by(f"unlink {path.name}")
            real_unlink(path, missing_ok=missing_ok)

        torch.save, safetensors.torch.save_file, shutil.rmtree = save, save_file, rmtree  # type: ignore[assignment]
        os.replace, os.fsync, Path.unlink = replace, fsync, unlink  # type: ignore[assignment, method-assign]


def _cut(write: Callable[..., Any], value: Any, path: Any, *args: Any, **options: Any) -> None:
    write(value, path, *args, **options)
    os.truncate(path, Path(path).stat().st_size // 2)


def _remove_half(folder: Path, unlink: Callable[[Path], None]) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in files[: len(files) // 2]:
        unlink(path)


class Steps(TrainerCallback):
    """Every step is an event."""

    moments: Moments
    state: Any

    def __init__(self, name: str) -> None:
        self.name = name

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        Steps.state = state

    def on_substep_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.moments.pass_by("substep")

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.moments.pass_by(f"step {state.global_step}")


def wandering(real: Callable[..., dict[str, float]]) -> Callable[..., dict[str, float]]:
    """Score validation by a number that goes up and down with the steps, and depends on the weights, too.

    After 2, 4, ... 12 steps it is about 10, 7, 4, 1, 11 and 8 thirteenths: the best is the last but one.
    """

    def score(self: ReportValidation, system: Any, **options: Any) -> dict[str, float]:
        figures = real(self, system, **options)
        Steps.moments.pass_by("validation")
        digest = hashlib.sha256()
        for _, tensor in sorted(system.own_state().items()):
            digest.update(tensor.numpy().tobytes())
        weights = int.from_bytes(digest.digest()[:4], "big") / 2**32
        return {**figures, "rouge_l": (5 * Steps.state.global_step % 13 + 0.1 * weights) / 13}

    return score


def child(config: TrainConfig, moment: dict[str, Any], report: int) -> int:
    Steps.moments = Moments(moment.get("event"), moment.get("signal", signal.SIGKILL))
    Steps.moments.install()
    run_module.ProgressReport = Steps  # type: ignore[misc, assignment]
    ReportValidation.__call__ = wandering(ReportValidation.__call__)  # type: ignore[method-assign]
    try:
        run_module.train(config, resume=True)
        code = 0
    except StoppedBySignalError as stopped:
        sys.stderr.write(f"{stopped}\n")
        code = 128 + stopped.number
    except BaseException:
        traceback.print_exc()
        code = 1
    os.write(report, json.dumps({"passed": Steps.moments.passed}).encode())
    return code


def train_once(config: TrainConfig, moment: dict[str, Any]) -> dict[str, Any]:
    reading, writing = os.pipe()
    started = time.monotonic()
    process = os.fork()
    if process == 0:
        os.close(reading)
        code = 1
        try:
            code = child(config, moment, writing)
        finally:
            os._exit(code)
    os.close(writing)
    if "seconds" in moment:
        while _is_running(process) and _processor_seconds(process) < moment["seconds"]:
            time.sleep(0.005)
        os.kill(process, moment["signal"])
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    _, status = os.waitpid(process, 0)
    passed = json.loads(told)["passed"] if told else []
    seconds = time.monotonic() - started
    return {"moment": moment, "code": os.waitstatus_to_exitcode(status), "passed": passed, "seconds": seconds}


def _is_running(process: int) -> bool:
    return os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def _processor_seconds(process: int) -> float:
    """Of a child, so that a busy machine does not change where it is killed."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    torch.set_num_threads(1)
    job = json.load(sys.stdin)
    config = load_config(TrainConfig, job["config"], job["overrides"])
    material = run_module.read_material(config.data)
    run_module.read_material = lambda data: material  # type: ignore[assignment, misc]

    def tell(result: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(result) + "\n")
        sys.stdout.flush()

    if job["reference"]:
        whole = load_config(TrainConfig, job["config"], [*job["overrides"], f"out={job['reference']}"])
        tell(train_once(whole, {}))
    number = 0
    for moment in [*job["moments"], {}]:
        result = train_once(config, moment)
        tell(result)
        if result["code"] == 0 and moment:
            number += 1
            config.out.rename(config.out.with_name(f"{config.out.name}-{number}"))


if __name__ == "__main__":
    main()
