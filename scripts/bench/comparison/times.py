"""What the commands of a comparison took: every attempt, in one file that is written whole."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

from llmrg.artefacts import write_text

__all__ = ["Attempt", "Times", "stopped"]


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One start of a command.

    Args:
        job: its key.
        command: as it was called.
        fingerprint: of the job: what was to be done, with which settings, after what.
        begun: date and time.
        wall: seconds by the clock.
        processor: seconds of the processor, user and system, with its own children.
        code: exit status; negative for a signal.
        commit: of the working tree, with ``+`` where files differ from it.
    """

    job: str
    command: str
    fingerprint: str
    begun: str
    wall: float
    processor: float
    code: int
    commit: str = ""


class Times:
    """The attempts of a comparison, in the order of their ends.

    Args:
        path: ``times.json``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self.attempts: list[Attempt] = []
        if path.is_file():
            self.attempts = [Attempt(**row) for row in json.loads(path.read_text(encoding="utf-8"))]

    def add(self, attempt: Attempt) -> None:
        """Record an attempt and write the file."""
        with self._lock:
            self.attempts.append(attempt)
            rows = [asdict(one) for one in self.attempts]
            write_text(self._path, json.dumps(rows, indent=1, ensure_ascii=False) + "\n")

    def of(self, job: str, fingerprint: str | None = None) -> list[Attempt]:
        """The attempts at a job; with ``fingerprint`` those at this very work, up to its first success."""
        with self._lock:
            found = [one for one in self.attempts if one.job == job and fingerprint in (None, one.fingerprint)]
        if fingerprint is None:
            return found
        first = next((place for place, one in enumerate(found) if one.code == 0), len(found))
        return found[: first + 1]

    def succeeded(self, job: str, fingerprint: str) -> bool:
        """Whether this very work was once done."""
        return any(one.code == 0 for one in self.of(job, fingerprint))

    def seconds(self, job: str, fingerprint: str, *, resumed: bool) -> tuple[float, float]:
        """Seconds by the clock and of the processor that this very work took.

        Args:
            job: its key.
            fingerprint: of the work.
            resumed: a stopped attempt counts, too: the next one went on from what it had saved.
        """
        found = [one for one in self.of(job, fingerprint) if one.code == 0 or (resumed and stopped(one.code))]
        return sum(one.wall for one in found), sum(one.processor for one in found)


def stopped(code: int) -> bool:
    """Whether an exit status says that a signal ended a command."""
    return code < 0 or code > 128
