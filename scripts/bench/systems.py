"""The five systems against each other: trained on the same phantoms within the same time, and an ablation of ours.

    python scripts/bench/systems.py [--only NAME,...] [--languages zh,en] [--seeds 1,...] [--no-ablation] [--dry-run]
    python scripts/bench/systems.py --report      write docs/results.md from what is finished, also while it runs
    python scripts/bench/systems.py --smoke       every command with a handful of steps, in a folder of its own

What is finished is not done again, and a training that was stopped (Ctrl-C, kill) goes on: call the same command. What
fails is named, the rest goes on, and the exit status is 1. Sizes, seeds and budget stand in comparison/protocol.py,
the systems in configs/comparison. Every command runs in a process of its own with one thread; ``times.json`` has what
each took, ``logs`` what it said.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this very tree, wherever llmrg is installed

from comparison.benchmarks import make_benchmarks
from comparison.estimates import describe_plan
from comparison.jobs import Job, Plan
from comparison.planning import make_plan, write_data_configs
from comparison.protocol import PROTOCOL, SMOKE, Protocol
from comparison.report import write_report
from comparison.runner import Outcome, Processes, run_jobs
from comparison.times import Times

from llmrg.console import run_command
from llmrg.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = Path("configs/comparison")
RESULTS = Path("docs/results.md")


def main() -> int:
    """Do what the command line asks for and return the exit status."""
    arguments = _arguments()
    os.chdir(ROOT)
    whole = SMOKE if arguments.smoke else PROTOCOL
    folder = arguments.folder or Path("runs/comparison_smoke" if arguments.smoke else "runs/comparison")
    protocol = whole.narrowed(
        systems=_names(arguments.only, whole.systems, "--only"),
        languages=_names(arguments.languages, tuple(whole.seeds), "--languages"),
        seeds=None if arguments.seeds is None else tuple(int(seed) for seed in arguments.seeds.split(",")),
        ablation=arguments.ablation,
    )
    times = Times(folder / "times.json")
    if arguments.dry_run:
        print(describe_plan(make_plan(protocol, folder, CONFIGS), times, protocol, arguments.jobs))
        return 0
    outcome = Outcome()
    if not arguments.report:
        made = make_plan(protocol, folder, CONFIGS)
        write_data_configs(made, folder)
        outcome = _run(made.jobs, times, folder, arguments.jobs)
    complete = make_plan(whole, folder, CONFIGS)  # the report is always of the whole comparison
    measured = _measure(whole, complete, times, folder, arguments.jobs) if not outcome.interrupted else Outcome()
    if not arguments.report or not measured.interrupted:
        path = arguments.out or (folder / "results.md" if arguments.smoke else RESULTS)
        write_report(whole, complete, times, folder, path, command=_command(arguments))
        _tell(f"tables: {path}")
    failed = {**outcome.failed, **measured.failed}
    for key, why in failed.items():
        _tell(f"FAILED {key}: {why}")
    left = [*outcome.left, *measured.left]
    if left:
        _tell(f"{len(left)} commands are left; the same command goes on")
    if outcome.interrupted or measured.interrupted:
        return 130
    return 1 if failed or left else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="NAME,...", help="these systems")
    parser.add_argument("--languages", metavar="zh,en", help="these languages")
    parser.add_argument("--seeds", metavar="N,...", help="these seeds")
    parser.add_argument("--no-ablation", dest="ablation", action="store_false", help="without the ablation")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="commands side by side; default: cores")
    parser.add_argument("--folder", type=Path, help="default: runs/comparison")
    parser.add_argument("--out", type=Path, help="file of the tables; default: docs/results.md")
    parser.add_argument("--dry-run", action="store_true", help="only show commands and hours")
    parser.add_argument("--report", action="store_true", help="only benchmarks and tables of what is finished")
    parser.add_argument("--smoke", action="store_true", help="a handful of studies and steps")
    return parser.parse_args()


def _names(given: str | None, known: tuple[str, ...], option: str) -> tuple[str, ...] | None:
    if given is None:
        return None
    names = tuple(name.strip() for name in given.split(",") if name.strip())
    for name in names:
        if name not in known:
            raise UserError(f"Unknown name {name!r}", where=option, allowed=known, got=name)
    return names


def _run(jobs: dict[str, Job], times: Times, folder: Path, side_by_side: int) -> Outcome:
    return run_jobs(
        jobs,
        times,
        logs=folder / "logs",
        side_by_side=max(1, side_by_side),
        processes=Processes(),
        tell=_tell,
        commit=_commit(),
    )


def _measure(protocol: Protocol, made: Plan, times: Times, folder: Path, side_by_side: int) -> Outcome:
    """Benchmark what is finished; their times lie in a file of their own, so that --report may run beside the work."""
    jobs = make_benchmarks(protocol, made, times, folder)
    return _run(jobs, Times(folder / "benchmark_times.json"), folder, side_by_side)


def _commit() -> str:
    """The commit of the working tree, with ``+`` where files differ from it; nothing outside a repository."""
    try:
        head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=no", "llmrg", "retrieval_index", "configs"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")


def _command(arguments: argparse.Namespace) -> str:
    return "python scripts/bench/systems.py" + (" --smoke" if arguments.smoke else "")


def _tell(line: str) -> None:
    print(f"{datetime.now():%H:%M:%S} {line}", flush=True)


if __name__ == "__main__":
    status: list[int] = []
    code = run_command(lambda: status.append(main()))
    sys.exit(code or sum(status))  # --help ends without one
