"""Running jobs side by side: each a process with one thread, timed; what fails is named, what waits for it is left."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import FrameType

from comparison.jobs import Job
from comparison.times import Attempt, Times, stopped
from llmrg.artefacts import COMPLETE, MANIFEST, atomic_directory, is_complete

__all__ = ["Finished", "Outcome", "Processes", "open_jobs", "run_jobs"]

PATIENCE_SECONDS = 90.0
"""How long stopped commands may take to save what they have."""


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A process that ended: exit status (negative for a signal), seconds by the clock and of the processor."""

    code: int
    wall: float
    processor: float


@dataclass(kw_only=True)
class Outcome:
    """What became of the jobs, by key.

    Args:
        done: now or before.
        failed: with what they said last.
        left: stopped, or never begun, since a job before them failed or everything was stopped.
        interrupted: a signal ended the work.
    """

    done: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    interrupted: bool = False


class Processes:
    """Child processes with one thread each, in sessions of their own, so that Ctrl-C reaches them through us alone."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal handler stops processes, too
        self._running: set[int] = set()
        self._stopping = False

    def run(self, command: Sequence[str], log: Path) -> Finished:
        """Run a command to its end, its output appended to ``log``."""
        log.parent.mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ,
            **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
            "TOKENIZERS_PARALLELISM": "false",
            "PYTHONPATH": os.pathsep.join([str(Path.cwd()), *filter(None, [os.environ.get("PYTHONPATH")])]),
        }
        began = time.monotonic()
        with log.open("ab") as output:
            with self._lock:
                if self._stopping:
                    return Finished(code=-signal.SIGTERM, wall=0.0, processor=0.0)
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    start_new_session=True,
                )
                self._running.add(process.pid)
            _, status, usage = os.wait4(process.pid, 0)  # with what the process and its own children used
            with self._lock:
                self._running.discard(process.pid)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - began
        return Finished(code=process.returncode, wall=wall, processor=usage.ru_utime + usage.ru_stime)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Send a signal to every child and start no more; trainings save and end."""
        with self._lock:
            self._stopping = True
            for process in self._running:
                os.kill(process, number)

    @property
    def running(self) -> int:
        """How many run."""
        with self._lock:
            return len(self._running)


def run_jobs(
    jobs: Mapping[str, Job],
    times: Times,
    *,
    logs: Path,
    side_by_side: int,
    processes: Processes,
    tell: Callable[[str], None],
    commit: str = "",
) -> Outcome:
    """Do every job that is not done, in their order as far as they need not wait.

    Args:
        jobs: by key; those that they need are among them.
        times: where attempts are recorded.
        logs: folder of their outputs.
        side_by_side: how many at once.
        processes: starts and stops them.
        tell: is given a line at each beginning and end.
        commit: of the working tree, for the record.
    """
    waiting = open_jobs(jobs, times)
    outcome = Outcome(done=[key for key in jobs if key not in waiting])
    total, changed = len(jobs), threading.Condition()
    stop_now = threading.Event()

    def next_job() -> Job | None:
        """The first job whose needs are done; those that cannot be done any more leave the queue."""
        for key in list(waiting):
            job = jobs[key]
            lost = [need for need in job.needs if need in outcome.failed or need in outcome.left]
            if lost:
                waiting.remove(key)
                outcome.left.append(key)
            elif job.refusal is not None:
                waiting.remove(key)
                outcome.failed[key] = job.refusal
                tell(f"{key}: not done: {job.refusal}")
            elif all(need in outcome.done for need in job.needs):
                waiting.remove(key)
                return job
        return None

    def work() -> None:
        while True:
            with changed:
                job = None if stop_now.is_set() else next_job()
                while job is None and waiting and not stop_now.is_set():
                    changed.wait()
                    job = None if stop_now.is_set() else next_job()
                if job is None:
                    changed.notify_all()
                    return
                tell(f"{job.key}: begins")
            error = _attempt(job, times, logs=logs, processes=processes, commit=commit)
            with changed:
                if error is None:
                    outcome.done.append(job.key)
                    tell(f"{job.key}: done ({len(outcome.done)} of {total})")
                elif outcome.interrupted:
                    outcome.left.append(job.key)
                    tell(f"{job.key}: stopped")
                else:
                    outcome.failed[job.key] = error
                    tell(f"{job.key}: FAILED: {error}")
                changed.notify_all()

    def stop(number: int, frame: FrameType | None) -> None:
        outcome.interrupted = True
        stop_now.set()
        processes.stop(signal.SIGTERM)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(side_by_side)]
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        for thread in threads:
            thread.start()
        _wait(threads, changed, outcome, processes)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    outcome.left += waiting
    return outcome


def open_jobs(jobs: Mapping[str, Job], times: Times) -> list[str]:
    """The jobs to do, in order: results that are not there, and of what comes before them whatever they need."""
    before_others = {need for job in jobs.values() for need in job.needs}
    wanted = {key for key in jobs if key not in before_others}
    for key in reversed(jobs):
        if key in wanted and jobs[key].done(times):
            wanted.discard(key)
        elif key in wanted:
            wanted.update(jobs[key].needs)
    return [key for key in jobs if key in wanted]


def _wait(
    threads: Iterable[threading.Thread], changed: threading.Condition, outcome: Outcome, processes: Processes
) -> None:
    """Wait for the workers; after a signal wake those that wait, and end by force what does not save in time."""
    until: float | None = None
    for thread in threads:
        while thread.is_alive():
            thread.join(timeout=0.5)
            if outcome.interrupted:
                until = until or time.monotonic() + PATIENCE_SECONDS
                with changed:
                    changed.notify_all()
                if time.monotonic() > until:
                    processes.stop(signal.SIGKILL)


def _attempt(job: Job, times: Times, *, logs: Path, processes: Processes, commit: str) -> str | None:
    """Do a job once; None, or what went wrong."""
    arguments = list(job.arguments)
    earlier = times.of(job.key, job.fingerprint)
    if job.resumes and earlier and stopped(earlier[-1].code):
        arguments.append("--resume")
    log = logs / f"{job.key.replace('/', '_')}.log"
    begun = datetime.now().astimezone().isoformat(timespec="seconds")
    try:
        for source, target in job.copies:
            _copy(source, target)
        job.output.parent.mkdir(parents=True, exist_ok=True)
        ended = processes.run([sys.executable, "-m", "llmrg.cli", *arguments], log)
    except OSError as error:
        return f"{error}"
    times.add(
        Attempt(
            job=job.key,
            command=" ".join(["llmrg", *arguments]),
            fingerprint=job.fingerprint,
            begun=begun,
            wall=round(ended.wall, 2),
            processor=round(ended.processor, 2),
            code=ended.code,
            commit=commit,
        )
    )
    if ended.code:
        return f"exit code {ended.code}, {log}: {_last_line(log)}"
    return None if job.done(times) else f"it ended well but left nothing in {job.output}"


def _copy(source: Path, target: Path) -> None:
    """Copy an artefact, whole or not at all, unless its like is there."""
    if is_complete(target) and (target / MANIFEST).read_bytes() == (source / MANIFEST).read_bytes():
        return
    with atomic_directory(target) as directory:
        shutil.copytree(source, directory, dirs_exist_ok=True, ignore=shutil.ignore_patterns(COMPLETE))


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    said = [line for line in lines if line]
    return (said or ["it said nothing"])[-1][-300:]
