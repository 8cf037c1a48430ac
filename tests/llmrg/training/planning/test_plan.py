"""The plan: every shipped configuration, parts that add up, launches that divide, the verdict."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from llmrg.cli import main
from llmrg.config import load_config
from llmrg.training.planning.devices import DEVICES, measure_processor
from llmrg.training.planning.launch import Launch
from llmrg.training.planning.plan import PlanOptions, TrainingPlan, plan_training
from llmrg.training.planning.view import print_plan, verdict
from llmrg.training.settings import TrainConfig

SYSTEMS = sorted(
    path.name
    for path in (Path(__file__).resolve().parents[4] / "configs" / "systems").glob("*.yaml")
    if path.name not in ("parts.yaml", "visual_prefix.yaml")  # what others extend
)


@pytest.fixture(scope="module")
def shallow(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dimensions of the published language models with two layers: quick to rehearse."""
    folder = shutil.copytree(repository / "configs" / "language", tmp_path_factory.mktemp("dimensions") / "language")
    for file in folder.glob("*.yaml"):
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
        values["architecture"]["num_hidden_layers"] = 2
        file.write_text(yaml.safe_dump(values), encoding="utf-8")
    return folder


def tiny_plan(tiny_run: Any, *overrides: str, **options: Any) -> TrainingPlan:
    return plan_training(load_config(TrainConfig, tiny_run.config, overrides), PlanOptions(**options))


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_system_plans_without_data_or_weights(repository: Path, shallow: Path, name: str) -> None:
    settings = load_config(TrainConfig, repository / "configs" / "systems" / name)
    plan = plan_training(settings, PlanOptions(device="a100", dimensions=shallow, studies=1000))
    figures = plan.to_json()
    assert figures["trainable_parameters"] == sum(part["trainable"] for part in figures["parts"].values())
    assert figures["total_parameters"] == sum(part["total"] for part in figures["parts"].values())
    assert 0 < figures["trainable_parameters"] < figures["total_parameters"]
    assert plan.fits
    assert figures["hours"]["total"] > 0


def test_states_and_gradients_follow_what_learns(tiny_run: Any) -> None:
    plan = tiny_plan(tiny_run, studies=100)
    assert plan.memory.always["optimizer_states"] == 8 * plan.parts.trainable
    assert plan.memory.step["gradients"] == 4 * plan.parts.trainable
    weights = sum(size for name, size in plan.memory.always.items() if name.startswith("weights"))
    assert weights == 4 * plan.parts.total
    assert plan.memory.on_processor
    assert plan.counts.basis == "as given"


def test_zero_divides_and_moves_to_the_host(tiny_run: Any) -> None:
    plans = {
        stage: tiny_plan(
            tiny_run, studies=100, device="a100", launch=Launch(processes=4, deepspeed=True, zero_stage=stage)
        ).memory
        for stage in (1, 2, 3)
    }
    assert plans[1].step["gradients"] == 4 * plans[2].step["gradients"] == 4 * plans[3].step["gradients"]
    assert plans[1].always["optimizer_states"] == plans[3].always["optimizer_states"]
    names = [name for name in plans[1].always if name.startswith("weights")]
    for name in names:
        assert plans[2].always[name] == pytest.approx(4 * plans[3].always[name], abs=4)
    moved = Launch(processes=4, deepspeed=True, zero_stage=2, optimizer_on_host=True)
    memory = tiny_plan(tiny_run, studies=100, device="a100", launch=moved).memory
    assert "optimizer_states" not in memory.always
    assert memory.host["optimizer_states"] == plans[2].always["optimizer_states"]


def test_quantised_weights(repository: Path, shallow: Path) -> None:
    settings = load_config(TrainConfig, repository / "configs" / "systems" / "llmrg.yaml")
    model = settings.system.language_model
    sizes = {}
    for how in ("none", "8bit", "4bit"):
        changed = replace(settings, system=replace(settings.system, language_model=replace(model, quantisation=how)))
        plan = plan_training(changed, PlanOptions(device="a100", dimensions=shallow, studies=10))
        sizes[how] = sum(s for n, s in plan.memory.always.items() if n.startswith("weights: language_model"))
    # Two layers of Qwen2.5-7B: attention, MLP; the words and the last layer stay as they are.
    linear = 2 * (2 * 3584 * 3584 + 2 * 3584 * 512 + 3 * 3584 * 18944)
    assert sizes["none"] - sizes["8bit"] == pytest.approx(linear, rel=0.01)
    assert sizes["none"] - sizes["4bit"] == pytest.approx((2 - 0.516) * linear, rel=0.01)


def test_more_processes_take_less_time(tiny_run: Any) -> None:
    one = tiny_plan(tiny_run, studies=4000, device="a100")
    four = tiny_plan(tiny_run, studies=4000, device="a100", launch=Launch(processes=4))
    assert one.time.stages["generator"] == pytest.approx(4 * four.time.stages["generator"], rel=0.02)
    faster = tiny_plan(tiny_run, studies=4000, device="a100", flops=1e9)
    assert faster.time.step > one.time.step
    assert DEVICES["h100"].flops > DEVICES["a100"].flops


def test_encoding_context_studies_takes_time(tiny_run: Any) -> None:
    """Once an epoch and an evaluation where the trunk learns, shared by the processes."""

    def context(*overrides: str, **options: Any) -> float:
        shared = ["system.kind=r2gencsr", "system.evidence.sources=[patches,disease_queries,context_residuals]"]
        plan = tiny_plan(tiny_run, *shared, *overrides, studies=4000, device="a100", **options)
        return plan.time.stages.get("context", 0.0)

    tuned = ["system.tune_vision=true", "training.evaluations=2"]
    few, many = (context(*tuned, f"training.epochs={epochs}") for epochs in (1, 7))
    assert few > 0
    assert many == pytest.approx(3 * few)
    assert context(*tuned, "training.epochs=1", launch=Launch(processes=4)) == pytest.approx(
        few / 4, rel=0.05
    )  # whole batches


def test_the_processor_is_measured() -> None:
    device = measure_processor(seconds=0.02)
    assert 1e8 < device.flops < 1e14
    assert 1e8 < device.bandwidth < 1e12
    assert device.seconds(flops=device.flops, traffic=0, operations=0) == pytest.approx(1)


def test_the_first_line_is_the_verdict(tiny_run: Any) -> None:
    plan = tiny_plan(tiny_run, studies=100, device="a100", gpu_memory=80)
    assert verdict(plan).startswith("tiny fits 80.0 GB") or " fits 80.0 GB" in verdict(plan)
    small = replace(plan, available=10**6)
    assert "does not fit 1.0 MB" in verdict(small)
    console = Console(record=True, width=100, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    print_plan(small, console)
    text = console.export_text()
    assert text.splitlines()[0].startswith(f"{plan.name} does not fit")
    for word in ("trainable_parameters", "optimizer_states", "checkpoints", "generator", "training"):
        assert word in text


def test_the_command(tiny_run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["train", str(tiny_run.config), "--plan", "--json", "--device", "rtx4090", "training.batch_size=2"])
    assert not ended.value.code
    figures = yaml.safe_load(capsys.readouterr().out)
    assert figures["memory"]["available_bytes"] == 24_000_000_000
    assert figures["assumptions"]["studies_from"].startswith("counted in")
    with pytest.raises(SystemExit) as ended:
        main(["train", str(tiny_run.config), "--plan", "--device", "rtx4091"])
    assert ended.value.code == 2
    assert "rtx4090" in capsys.readouterr().err
