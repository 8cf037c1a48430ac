"""How far plans are from measured trainings: memory, time of a step, and disk, on this processor.

    python scripts/bench/plan.py [--steps 6] [--studies 48] [--json]

Small systems are trained on phantoms for a few steps, each in a process of its own. Memory is the highest resident
memory (VmHWM, set back when the generator's training starts) against the plan's peak; beside it, what lies beyond the
process itself (imports), and what training adds to what was resident when it started (the stages before it leave
memory with the allocator). Time is that of the processor for one optimiser step, with
one thread, so that other programs on the machine count as little as possible; the plan's figures of the processor are
measured in the same way. Disk is the run with its artefacts.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

BASE = "configs/quickstart/ped_xray.yaml"
CASES: dict[str, list[str]] = {
    "quickstart, frozen trunk, LoRA": ["training.batch_size=16"],
    "tuned trunk, LoRA": ["training.batch_size=8", "system.tune_vision=true"],
    "all weights, 512 wide, 6 layers": [
        "training.batch_size=16",
        "system.language_model.tuning=full",
        "stages.language_model.model.hidden_size=512",
        "stages.language_model.model.layers=6",
        "stages.language_model.model.heads=8",
        "stages.language_model.model.intermediate_size=1536",
    ],
    "the same, activations recomputed": [
        "training.batch_size=16",
        "training.gradient_checkpointing=true",
        "system.language_model.tuning=full",
        "stages.language_model.model.hidden_size=512",
        "stages.language_model.model.layers=6",
        "stages.language_model.model.heads=8",
        "stages.language_model.model.intermediate_size=1536",
    ],
}


def main() -> None:
    """Plan and train every case, print both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--studies", type=int, default=48)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("overrides", nargs="*", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one, arguments.overrides, arguments.steps)))
        return
    from llmrg.studies.phantoms.dataset import draw_dataset

    rows = []
    with tempfile.TemporaryDirectory(prefix="llmrg-plan-") as folder:
        data = draw_dataset(
            Path(folder) / "data",
            format="ped-xray",
            studies=arguments.studies,
            seed=0,
            size=128,
            preset="easy",
            workers=1,
        )
        for number, (name, overrides) in enumerate(CASES.items()):
            command = [sys.executable, __file__, "--steps", str(arguments.steps), "--one", f"{folder}/{number}"]
            done = subprocess.run(
                [*command, f"data.root={data}", *overrides],
                check=True,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
            rows.append({"case": name, **json.loads(done.stdout.splitlines()[-1])})
            if not arguments.json:
                print(describe(rows[-1]), flush=True)
    if arguments.json:
        print(json.dumps(rows, indent=1))


def measure(folder: Path, overrides: list[str], steps: int) -> dict[str, float]:
    """Plan and train one case in this process."""
    from llmrg.config import load_config
    from llmrg.training import run
    from llmrg.training.planning.plan import PlanOptions, plan_training
    from llmrg.training.settings import TrainConfig

    settings = load_config(
        TrainConfig,
        BASE,
        [
            f"out={folder / 'run'}",
            "stages.language_model.max_steps=3",
            "stages.disease_classifier.epochs=0.2",
            "training.evaluations=1",
            "training.validation_studies=4",
            "training.tensorboard=false",
            *overrides,
        ],
    )
    process = status("VmRSS")
    plan = plan_training(settings, PlanOptions(device="cpu", report_tokens=REPORT_TOKENS))
    figures: dict[str, Any] = {
        "planned_bytes": plan.memory.peak,
        "planned_beyond_process": plan.memory.peak - plan.memory.host["process"],
        "planned_growth": sum(plan.memory.step.values()) + plan.memory.always["optimizer_states"],
        "planned_step_seconds": plan.time.step,
        "planned_disk": sum(size for name, size in plan.disk.items() if name.startswith("artefact")) + plan.disk["run"],
    }
    training: Any = run
    build = training.build_trainer

    def build_and_measure(*parts: Any, **options: Any) -> Any:
        trainer: Any = build(*parts, **options)
        train, evaluate = trainer.train, trainer.evaluate

        def watched(*given: Any, **more: Any) -> Any:
            Path("/proc/self/clear_refs").write_text("5")
            figures["before_bytes"] = status("VmRSS")
            return train(*given, **more)

        def evaluated(*given: Any, **more: Any) -> Any:
            figures["measured_bytes"] = status("VmHWM")
            return evaluate(*given, **more)

        trainer.train, trainer.evaluate = watched, evaluated
        trainer.args.max_steps = steps
        step = trainer.training_step
        taken: list[float] = []

        def timed(*given: Any, **more: Any) -> Any:
            begin = time.process_time()
            result = step(*given, **more)
            taken.append(time.process_time() - begin)
            longest.append(max(given[1]["labels"].shape[1], 0))
            figures["measured_step_seconds"] = sorted(taken)[len(taken) // 2]
            figures["report_tokens"] = max(longest)
            return result

        longest: list[int] = []
        trainer.training_step = timed
        return trainer

    training.build_trainer = build_and_measure
    training.train(settings)
    figures["measured_beyond_process"] = figures["measured_bytes"] - process
    figures["measured_growth"] = figures["measured_bytes"] - figures["before_bytes"]
    parts = [folder / "run", settings.artefacts_folder]
    figures["measured_disk"] = sum(f.stat().st_size for part in parts for f in part.rglob("*") if f.is_file())
    return figures


REPORT_TOKENS = 48
"""The phantoms' reports are about this long; the rows say how long the longest was."""


def status(name: str) -> int:
    """A line of ``/proc/self/status`` in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise KeyError(name)


def describe(row: dict[str, Any]) -> str:
    """One line a case: planned against measured."""
    parts = []
    for what, scale, unit in (
        ("bytes", 1e6, "MB"),
        ("beyond_process", 1e6, "MB beyond imports"),
        ("growth", 1e6, "MB growth in training"),
        ("step_seconds", 1, "s a step"),
        ("disk", 1e6, "MB on disk"),
    ):
        planned, measured = row[f"planned_{what}"] / scale, row[f"measured_{what}"] / scale
        parts.append(f"{planned:.3g} planned, {measured:.3g} measured {unit} ({planned / measured - 1:+.0%})")
    return f"{row['case']} (longest report {row['report_tokens']} tokens): " + "; ".join(parts)


if __name__ == "__main__":
    main()
