"""Real launches of one small training: the same losses however it is divided, and what is left when a process dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from llmrg.pretraining.checkpoints import is_whole, last_checkpoint

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
LAUNCH = ROOT / "configs" / "launch"
BINARIES = Path(sys.executable).parent

# No dropout and no statistics over the batch anywhere; every loss is there, the whole system but the LLM's base learns.
CONFIG = """
# A training whose losses do not depend on how its batches are divided.
out: OUT
seed: 3
artefacts: {folder}/artefacts
data: {{format: ped-xray, root: {data}, language: zh, vocabulary: ped_xray, image_size: 48}}
system:
  name: divided
  tune_vision: true
  max_report_tokens: 96
  vision:
    architecture: convnext_atto
    options: {{depths: [1, 1, 1, 1], dims: [8, 8, 16, 32], output_stride: 16}}
    channels: 1
    mean: 0.45
    std: 0.25
  evidence:
    sources: [patches, disease_queries, visual_memory, report_memory, retrieved_context, diagnosis_hints]
    disease_queries: {{dropout: 0.0}}
    visual_memory: {{per_finding: 5}}
    report_memory: {{per_finding: 5}}
    retrieved_context: {{candidates: 6, positives: 2, negatives: 1, sentences: 2}}
    diagnosis_hints: {{calibrate: true, sure: 0.7}}
    gates: true
  language_model: {{path: embedded, lora_rank: 4, lora_alpha: 8, lora_dropout: 0.0}}
stages:
  language_model:
    max_steps: 20
    model: {{vocabulary_size: 400, hidden_size: 32, layers: 2, heads: 2, intermediate_size: 64}}
  disease_classifier: {{epochs: 1, precision: fp32}}
training:
  epochs: 1
  batch_size: 6
  learning_rate: 2e-3
  evaluations: 1
  validation_studies: 5
  precision: fp32
  logging_steps: 1
  tensorboard: false
  source_dropout: 0.2
  oversampling: {{times: 2}}
decoding: {{max_new_tokens: 12}}
"""

# llmrg.train itself, telling afterwards what trained. DeepSpeed does without a shared-memory operator for processors,
# which it would compile for a minute in each new place; LLMRG_TEST_DEEPSPEED=build lets it.
WATCHED = """
import json, os, sys
from pathlib import Path
import llmrg.training.run as run
from llmrg.train import main

made, build = [], run.build_trainer

def remember(*args, **options):
    made.append(build(*args, **options))
    return made[-1]

run.build_trainer = remember
if "ACCELERATE_USE_DEEPSPEED" in os.environ and os.environ.get("LLMRG_TEST_DEEPSPEED") != "build":
    import deepspeed.ops
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
folder = Path(os.environ["WATCHED_FOLDER"])
(folder / f"process-{os.environ.get('RANK', '0')}").write_text(str(os.getpid()))
try:
    main()
except SystemExit as stop:
    if stop.code == 0 and os.environ.get("RANK", "0") == "0":
        trainer, found = made[-1], []
        optimizer = trainer.optimizer
        while optimizer is not None:
            found.append(type(optimizer).__name__)
            optimizer = getattr(optimizer, "optimizer", None)
        engine = trainer.model_wrapped
        (folder / "watched.json").write_text(json.dumps({
            "optimizers": found,
            "engine": type(engine).__name__,
            "stage": getattr(engine, "zero_optimization_stage", lambda: None)(),
            "processes": trainer.accelerator.num_processes,
        }))
    raise
"""

PLAIN = [sys.executable, "-m"]
TORCHRUN = [BINARIES / "torchrun", "--standalone", "--nproc_per_node", "2", "-m"]


def accelerate(file: str, *options: str) -> list[Any]:
    """``accelerate launch``, without the other commands of accelerate, whose imports take seconds."""
    return [sys.executable, "-m", "accelerate.commands.launch", "--config_file", LAUNCH / file, *options, "-m"]


@dataclass
class Launcher:
    """Starts the training in ways of its own."""

    folder: Path
    config: Path

    def command(self, name: str, launcher: list[Any], *overrides: str) -> tuple[list[Any], dict[str, Any]]:
        (self.folder / name).mkdir()
        hidden = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "ACCELERATE_USE_DEEPSPEED")
        environment = {key: value for key, value in os.environ.items() if key not in hidden}
        environment |= {
            "PYTHONPATH": f"{self.folder}:{ROOT}",
            "PATH": f"{BINARIES}:{os.environ['PATH']}",
            "WATCHED_FOLDER": str(self.folder / name),
        }
        command = [*launcher, "watched_training", self.config, f"out={self.folder / name / 'run'}", *overrides]
        return command, {"cwd": ROOT, "env": environment, "text": True, "stderr": subprocess.PIPE}

    def run(self, name: str, launcher: list[Any], *overrides: str) -> dict[str, Any]:
        """Train to the end; return what was logged, the final weights and what trained."""
        command, options = self.command(name, launcher, *overrides)
        done = subprocess.run(command, check=False, timeout=500, **options)
        assert done.returncode == 0, done.stderr[-4000:]
        run = self.folder / name / "run"
        log = json.loads((run / "log.json").read_text())
        return {
            "steps": [row for row in log if "loss" in row],
            "validation": next(row for row in reversed(log) if "eval_bleu_4" in row),
            "weights": load_file(run / "model.safetensors"),
            **json.loads((self.folder / name / "watched.json").read_text()),
        }


@pytest.fixture(scope="module")
def launcher(tiny_run: Any, tmp_path_factory: pytest.TempPathFactory) -> Launcher:
    folder = tmp_path_factory.mktemp("launches")
    config = folder / "divided.yaml"
    config.write_text(CONFIG.format(folder=folder, data=tiny_run.data), encoding="utf-8")
    (folder / "watched_training.py").write_text(WATCHED, encoding="utf-8")
    return Launcher(folder, config)


@pytest.fixture(scope="module")
def plain(launcher: Launcher) -> dict[str, Any]:
    """One process, without a launcher."""
    found = launcher.run("plain", PLAIN)
    assert (found["processes"], found["stage"]) == (1, None)
    assert found["optimizers"][-1] == "AdamW"
    assert len(found["steps"]) == 7
    return found


def assert_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    names = {"loss", "loss_language", "loss_diagnosis_presence", "loss_diagnosis_side"}
    for step, (row, wanted) in enumerate(zip(found["steps"], expected["steps"], strict=True)):
        assert {name for name in row if name.startswith("loss")} == names
        for name in names:
            assert row[name] == pytest.approx(wanted[name], abs=1e-5), (step, name)
        assert row["grad_norm"] == pytest.approx(wanted["grad_norm"], rel=1e-4), step
        assert row["loss"] == pytest.approx(sum(row[name] for name in names - {"loss"}), abs=1e-5)
    assert found["weights"].keys() == expected["weights"].keys()
    for name, tensor in expected["weights"].items():
        torch.testing.assert_close(found["weights"][name], tensor, atol=2e-4, rtol=1e-3, msg=name)
    for name, value in expected["validation"].items():
        if name.startswith("eval_"):
            assert found["validation"][name] == pytest.approx(value, abs=1e-6), name


def needs_deepspeed() -> None:
    pytest.importorskip("deepspeed", reason="deepspeed is in the extras [cpu] and [gpu]")


def test_accumulated_micro_batches(launcher: Launcher, plain: dict[str, Any]) -> None:
    found = launcher.run("accumulated", PLAIN, "training.batch_size=2", "training.accumulation=3")
    assert_same(found, plain)


def test_two_gloo_processes_by_torchrun(launcher: Launcher, plain: dict[str, Any]) -> None:
    found = launcher.run("two", TORCHRUN, "training.batch_size=3")
    assert (found["processes"], found["engine"]) == (2, "DistributedDataParallel")
    assert_same(found, plain)


def test_zero_2_with_one_process(launcher: Launcher, plain: dict[str, Any]) -> None:
    needs_deepspeed()
    found = launcher.run("zero2", accelerate("deepspeed_zero2.yaml"))
    assert (found["processes"], found["engine"], found["stage"]) == (1, "DeepSpeedEngine", 2)
    assert "DeepSpeedZeroOptimizer" in found["optimizers"]
    assert_same(found, plain)


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_zero_with_two_processes(launcher: Launcher, plain: dict[str, Any], stage: int) -> None:
    """Under ZeRO-3 with reports generated for five validation studies: shares of two sizes, processes in step."""
    needs_deepspeed()
    options = ("--num_processes", "2")
    found = launcher.run(
        f"zero{stage}-two", accelerate(f"deepspeed_zero{stage}.yaml", *options), "training.batch_size=3"
    )
    assert (found["processes"], found["engine"], found["stage"]) == (2, "DeepSpeedEngine", stage)
    assert "DeepSpeedZeroOptimizer" + ("_Stage3" if stage == 3 else "") in found["optimizers"]
    assert_same(found, plain)


def test_a_killed_process_ends_all_and_leaves_a_whole_checkpoint(launcher: Launcher) -> None:
    command, options = launcher.command(
        "killed", accelerate("two_cpu.yaml"), "training.batch_size=3", "training.epochs=200", "training.evaluations=400"
    )
    checkpoints = launcher.folder / "killed" / ".run-training"
    started = subprocess.Popen(command, **options)
    try:
        until = time.monotonic() + 300
        while not any(is_whole(path) for path in checkpoints.glob("checkpoint-*")):
            assert started.poll() is None, started.communicate()[1][-4000:]
            assert time.monotonic() < until
            time.sleep(0.2)
        os.kill(int((launcher.folder / "killed" / "process-1").read_text()), signal.SIGKILL)
        errors = started.communicate(timeout=120)[1]
    finally:
        started.kill()
    assert started.returncode != 0
    assert "Error: Another process of this training has gone" in errors
    assert "--resume" in errors
    last = last_checkpoint(checkpoints)
    assert last is not None
    assert is_whole(last)
    assert not (launcher.folder / "killed" / "run").exists()
