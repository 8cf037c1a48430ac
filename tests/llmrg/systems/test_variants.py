from __future__ import annotations

from pathlib import Path

import pytest

from llmrg.config import dump_config, load_config
from llmrg.errors import UserError
from llmrg.systems.plan import SystemPlan, find_dimensions, plan_system
from llmrg.systems.settings import SystemConfig
from llmrg.training.settings import TrainConfig

# Wang et al. 2023, with Swin-B and Llama-2-7B: 4.21, 4.98 and 90.9 million.
PUBLISHED = {"shallow": 4_206_592, "delta": 4_976_640, "deep": 90_949_816}


def plan(configs: Path, name: str, *overrides: str) -> SystemPlan:
    config = load_config(TrainConfig, configs / "systems" / name, overrides)
    dimensions = find_dimensions(config.system.language_model.path, configs / "language")
    return plan_system(config.system, config.data, dimensions)


@pytest.fixture
def configs(repository: Path) -> Path:
    return repository / "configs"


@pytest.mark.parametrize("variant", PUBLISHED)
def test_parameters_of_r2gengpt(configs: Path, variant: str) -> None:
    found = plan(configs, "r2gengpt.yaml", f"system.variant={variant}")
    assert found.trainable == PUBLISHED[variant]
    assert found.parts["patches"].trainable == 1024 * 4096 + 3 * 4096
    # Swin-B has 2, 2, 18 and 2 blocks of 128 to 1024 channels; an adapter has 2 x 16 x width numbers, a block two.
    adapters = 4 * 16 * (2 * 128 + 2 * 256 + 18 * 512 + 2 * 1024) if variant == "delta" else 0
    assert found.parts["vision"].total == 86_743_224 + adapters
    assert found.parts["language_model"].trainable == 0
    assert set(found.parts) == {"vision", "patches", "language_model"}


def test_language_model_with_lora(configs: Path) -> None:
    found = plan(configs, "r2gengpt.yaml", "system.variant=shallow", "system.language_model.tuning=lora")
    assert found.parts["language_model"].trainable == 32 * 2 * 16 * 2 * 4096


@pytest.mark.parametrize(("name", "trunk"), [("mambaxray_vl", 84.3e6), ("mambaxray_vl_large", 296.0e6)])
def test_parameters_of_mambaxray_vl(configs: Path, name: str, trunk: float) -> None:
    found = plan(configs, f"{name}.yaml")
    assert found.parts["vision"].trainable == pytest.approx(trunk, abs=0.05e6)
    assert found.parts["language_model"].trainable == 0


def read(*overrides: str) -> SystemConfig:
    return load_config(SystemConfig, None, ["language_model.path=some/model", *overrides])


def test_a_variant_sets_what_learns_in_the_trunk() -> None:
    tunings = {v: read("kind=r2gengpt", f"variant={v}").vision_tuning for v in PUBLISHED}
    assert tunings == {"shallow": "frozen", "delta": "lora", "deep": "full"}
    delta = read("kind=r2gengpt", "variant=delta", "vision_lora.rank=4")
    assert delta.vision_lora is not None
    assert (delta.vision_lora.rank, delta.vision_lora.alpha, delta.vision_lora.dropout) == (4, 16, 0.1)


@pytest.mark.parametrize("variant", PUBLISHED)
def test_what_is_written_down_reads_the_same(variant: str, tmp_path: Path) -> None:
    config = read("kind=r2gengpt", f"variant={variant}")
    (tmp_path / "system.yaml").write_text(dump_config(config))
    assert load_config(SystemConfig, tmp_path / "system.yaml") == config


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["kind=r2gengpt", "variant=deltas"], r"(?s)Unknown variant 'deltas'.*shallow, delta, deep"),
        (["variant=delta"], "llmrg has no variants"),
        (["kind=mambaxray_vl", "variant=deep"], "mambaxray_vl has no variants"),
        (["kind=r2gengpt", "variant=deep", "tune_vision=false"], "trains the trunk otherwise"),
        (["tune_vision=false", "vision_lora.rank=4"], "learn only with tune_vision=true"),
        (["kind=r2gen"], "kind cannot be 'r2gen'"),
        (["setting=faithful"], "no released code"),
        (["kind=r2gengpt", "setting=faith"], "setting cannot be 'faith'"),
    ],
)
def test_mistakes(overrides: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(*overrides)
