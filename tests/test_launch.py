"""The launch files start what they promise; that ZeRO-2 is there is asserted by the optimizer that trains."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
LAUNCH = ROOT / "configs" / "launch"

# DeepSpeed does without a shared-memory operator for processors, which it would compile for a minute in each new place;
# LLMRG_TEST_DEEPSPEED=build lets it.
TINY_TRAINING = """
import json, os, sys
import torch
from torch import nn
from transformers import Trainer, TrainingArguments


class Line(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 1)

    def forward(self, x, y):
        return {"loss": ((self.layer(x) - y) ** 2).mean()}


if "ACCELERATE_USE_DEEPSPEED" in os.environ and os.environ.get("LLMRG_TEST_DEEPSPEED") != "build":
    import deepspeed.ops
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
torch.manual_seed(0)
rows = [{"x": x, "y": x.sum(-1, keepdim=True)} for x in torch.randn(64, 4)]
arguments = TrainingArguments(
    output_dir=sys.argv[1], use_cpu=True, max_steps=40, per_device_train_batch_size=8, learning_rate=0.1,
    optim="adamw_torch", report_to=[], save_strategy="no", logging_steps=1, disable_tqdm=True,
)
trainer = Trainer(model=Line(), args=arguments, train_dataset=rows)
trainer.train()
optimizers, optimizer = [], trainer.optimizer
while optimizer is not None:
    optimizers.append(type(optimizer).__name__)
    optimizer = getattr(optimizer, "optimizer", None)
stage = getattr(trainer.model_wrapped, "zero_optimization_stage", lambda: None)()
losses = [float(entry["loss"]) for entry in trainer.state.log_history if "loss" in entry]
print("RESULT " + json.dumps({"optimizers": optimizers, "stage": stage, "losses": losses}))
"""


def launch(name: str, tmp_path: Path, *, timeout: float) -> dict[str, object]:
    (tmp_path / "tiny_training.py").write_text(TINY_TRAINING, encoding="utf-8")
    binaries = Path(sys.executable).parent
    done = subprocess.run(
        [binaries / "accelerate", "launch", "--config_file", LAUNCH / name, "-m", "tiny_training", tmp_path / "out"],
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
        cwd=ROOT,  # the launch file names the DeepSpeed file relative to the checkout
        env={**os.environ, "PYTHONPATH": str(tmp_path), "PATH": f"{binaries}:{os.environ['PATH']}"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    result = next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))
    return dict(json.loads(result.removeprefix("RESULT ")))


def test_one_process_on_the_processor(tmp_path: Path) -> None:
    result = launch("cpu.yaml", tmp_path, timeout=120)
    assert result["stage"] is None
    assert result["optimizers"] == ["AcceleratedOptimizer", "AdamW"]


@pytest.mark.slow
def test_deepspeed_zero2_is_really_used_and_learns(tmp_path: Path) -> None:
    pytest.importorskip("deepspeed", reason="deepspeed is in the extras [cpu] and [gpu]")
    result = launch("deepspeed_zero2.yaml", tmp_path, timeout=400)
    assert result["stage"] == 2
    assert "DeepSpeedZeroOptimizer" in result["optimizers"]  # type: ignore[operator]
    losses = result["losses"]
    assert isinstance(losses, list)
    assert sum(losses[-5:]) < 0.2 * sum(losses[:5])


def test_every_launch_file_is_understood_by_accelerate() -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    several = {"multi_gpu": 2, "two_cpu": 2, "multi_node": 16, "multi_node_deepspeed_zero2": 16}
    files = sorted(LAUNCH.glob("*.yaml"))
    stages = {f"deepspeed_zero{stage}": stage for stage in (1, 2, 3)}
    assert {file.stem for file in files} == {"cpu", "one_gpu", *several, *stages}
    for file in files:
        config = load_config_from_file(str(file))
        assert config.num_processes == several.get(file.stem, 1)
        assert config.use_cpu == file.stem.endswith("cpu")
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
        assert {"main_process_ip", "main_process_port"} & values.keys() == (
            {"main_process_ip", "main_process_port"} if config.num_machines > 1 else set()
        )
        deepspeed = values.get("deepspeed_config", {})
        assert bool(deepspeed) == ("deepspeed" in file.stem)
        if deepspeed:
            settings = json.loads((ROOT / deepspeed["deepspeed_config_file"]).read_text(encoding="utf-8"))
            assert settings["zero_optimization"]["stage"] == int(file.stem[-1])
            # accelerate's own divided building would hide weights from LoRA and from the scale of word embeddings
            assert deepspeed["zero3_init_flag"] is False
            for key in ("train_micro_batch_size_per_gpu", "gradient_accumulation_steps", "gradient_clipping"):
                assert settings[key] == "auto"  # the training configuration says


def test_launch_files_start_with_their_command() -> None:
    for file in sorted(LAUNCH.glob("*.yaml")):
        first = file.read_text(encoding="utf-8").splitlines()[0]
        assert first.startswith(f"# accelerate launch --config_file configs/launch/{file.name} ")
        assert first.endswith(" -m llmrg.train CONFIG")
