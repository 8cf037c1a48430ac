"""Work shared out to processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmrg.errors import UserError
from llmrg.studies._processes import map_in_order


def slow_square(number: int) -> int:
    time.sleep(0.01 * (number % 3))
    return number * number


def refuse(number: int) -> int:
    raise UserError(f"not {number}")


def die(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_order(workers: int) -> None:
    assert list(map_in_order(slow_square, range(37), workers=workers)) == [n * n for n in range(37)]
    assert list(map_in_order(slow_square, [], workers=workers)) == []
    with pytest.raises(UserError, match="not 0"):
        list(map_in_order(refuse, range(3), workers=workers))
    with pytest.raises(UserError, match="at least one worker"):
        list(map_in_order(slow_square, [], workers=0))


def test_items_are_taken_as_they_are_needed() -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(1000):
            taken.append(number)
            yield number

    results = map_in_order(slow_square, items(), workers=2, chunk=2)
    assert [next(results) for _ in range(3)] == [0, 1, 4]
    assert len(taken) <= 2 * 2 * 4 + 2
    results.close()  # type: ignore[attr-defined]


def test_a_killed_worker_is_told() -> None:
    with pytest.raises(UserError, match=r"worker process was killed.*--workers"):
        list(map_in_order(die, range(3), workers=2))


def test_workers_end_with_a_killed_parent() -> None:
    script = (
        "import os, time\n"
        "from llmrg.studies._processes import map_in_order\n"
        "def work(n):\n    print(os.getpid(), flush=True)\n    time.sleep(300)\n"
        "list(map_in_order(work, range(9), workers=2, chunk=1))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    workers = [int(process.stdout.readline()) for _ in range(2)]
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 30
    while any(alive(worker) for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(alive(worker) for worker in workers)


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    try:
        return ") Z" not in Path(f"/proc/{process}/stat").read_text(encoding="ascii")
    except OSError:
        return True
