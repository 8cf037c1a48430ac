"""What a comparison will run, and for how long."""

from __future__ import annotations

import shlex
from statistics import mean

from comparison.jobs import Job, Plan
from comparison.protocol import Protocol
from comparison.runner import open_jobs
from comparison.times import Times

__all__ = ["describe_plan", "estimate"]

MINUTES = {"data": 1.0, "language_model": 2.0, "disease_classifier": 2.5, "train": 3.5, "generate": 1.0}
"""Where nothing was measured yet."""
OTHER = 0.3


def estimate(job: Job, times: Times) -> float:
    """Minutes that a job takes: as jobs of its kind (and system) did so far, or a first guess."""
    like = [one for one in times.attempts if one.code == 0 and _kind(one.job) == _kind(job.key)]
    return mean(one.wall for one in like) / 60 if like else MINUTES.get(job.kind, OTHER)


def describe_plan(made: Plan, times: Times, protocol: Protocol, side_by_side: int) -> str:
    """The commands that are not done, and hours."""
    waiting = [made.jobs[key] for key in open_jobs(made.jobs, times)]
    lines = [f"{shlex.join(['llmrg', *job.arguments])}  # {job.key}" for job in waiting]
    minutes = sum(estimate(job, times) for job in waiting)
    lines.append(
        f"{len(waiting)} of {len(made.jobs)} commands, {len(made.trained)} trainings; about "
        f"{minutes / 60 / max(1, side_by_side):.1f} hours with {side_by_side} side by side, without the benchmarks; "
        f"budget of a training over all its stages: {protocol.budget_minutes:g} minutes"
    )
    refused = [f"NOT POSSIBLE: {job.key}: {job.refusal}" for job in waiting if job.refusal is not None]
    return "\n".join([*lines, *refused])


def _kind(key: str) -> str:
    """A key without language and seed."""
    first, _, rest = key.partition("/")
    if first in ("data", "benchmark"):
        return first
    return rest.partition("-")[0] if "/" not in rest else rest
