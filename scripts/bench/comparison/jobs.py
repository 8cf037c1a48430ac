"""The commands of a comparison as jobs that wait for each other."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

from comparison.times import Times
from comparison.variants import Variant
from llmrg.artefacts import is_complete
from llmrg.training.settings import TrainConfig

__all__ = ["Job", "Plan", "Trained", "fingerprint"]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One command of ``llmrg``.

    Args:
        key: its name, also that of its log.
        kind: ``data``, the name of a stage, ``train``, ``generate`` or ``benchmark``.
        arguments: after ``llmrg``.
        fingerprint: of what is to be done; it is done again where this differs.
        output: what it leaves: an artefact, or a file.
        needs: keys of the jobs before it.
        copies: artefacts that it finds ready: from where, to where.
        resumes: takes ``--resume``.
        refusal: why it cannot be done, if so.
    """

    key: str
    kind: str
    arguments: tuple[str, ...]
    fingerprint: str
    output: Path
    needs: tuple[str, ...] = ()
    copies: tuple[tuple[Path, Path], ...] = ()
    resumes: bool = False
    refusal: str | None = None

    def done(self, times: Times) -> bool:
        """Whether this very work was once done, and what it left is there, whole."""
        there = self.output.is_file() if self.kind in ("generate", "benchmark") else is_complete(self.output)
        return there and times.succeeded(self.key, self.fingerprint)


@dataclass(frozen=True, kw_only=True)
class Trained:
    """One training of the comparison.

    Args:
        variant: what is trained.
        language: of the data.
        seed: of everything.
        overrides: ``key=value`` of its configuration.
        config: the configuration.
        run: the run directory.
        jobs: key of each stage's job, in order, ``train`` at the end.
        predictions: by scored split the key of the job and its file.
    """

    variant: Variant
    language: str
    seed: int
    overrides: tuple[str, ...]
    config: TrainConfig
    run: Path
    jobs: dict[str, str] = field(default_factory=dict)
    predictions: dict[str, tuple[str, Path]] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Folder and first part of the keys."""
        return f"{self.language}-{self.seed}"


@dataclass(kw_only=True)
class Plan:
    """All jobs, in the order of their worth, and the trainings they make up."""

    jobs: dict[str, Job] = field(default_factory=dict)
    trained: list[Trained] = field(default_factory=list)

    def add(self, job: Job) -> Job:
        """Add a job, unless it is there, and return the one that is."""
        return self.jobs.setdefault(job.key, job)


def fingerprint(*parts: object) -> str:
    """Return a short hash of values that JSON can hold."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:12]
