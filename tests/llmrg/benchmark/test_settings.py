from __future__ import annotations

from pathlib import Path

import pytest

from llmrg.benchmark.settings import RESERVED_ROWS, BenchmarkConfig, SystemEntry
from llmrg.config import dump_config, load_config
from llmrg.errors import UserError
from llmrg.studies.settings import DataConfig

DATA = DataConfig(format="ped-xray", root=Path("x"), language="zh", vocabulary="ped_xray")


@pytest.mark.parametrize("name", RESERVED_ROWS)
def test_a_system_cannot_take_a_baselines_name(name: str) -> None:
    with pytest.raises(UserError, match=name):
        SystemEntry(name=name, predictions=Path("p.jsonl"))


def test_a_system_needs_predictions_or_a_run() -> None:
    with pytest.raises(UserError, match="neither"):
        SystemEntry(name="ours")


def test_double_names_are_refused() -> None:
    entry = SystemEntry(name="ours", run=Path("run"))
    with pytest.raises(UserError, match="Two systems"):
        BenchmarkConfig(data=DATA, out=Path("out"), systems=(entry, entry))


@pytest.mark.parametrize("split", ["train", "val"])
def test_seen_splits_are_not_scored(split: str) -> None:
    with pytest.raises(UserError, match="cannot be scored"):
        BenchmarkConfig(data=DATA, out=Path("out"), split=split)


def test_configuration_survives_yaml(tmp_path: Path) -> None:
    config = BenchmarkConfig(data=DATA, out=Path("out"), systems=(SystemEntry(name="ours", run=Path("run")),), seed=3)
    path = tmp_path / "benchmark.yaml"
    path.write_text(dump_config(config), encoding="utf-8")
    assert load_config(BenchmarkConfig, path) == config


def test_shipped_configurations_load(repository: Path) -> None:
    paths = sorted((repository / "configs" / "benchmark").glob("*.yaml"))
    assert paths
    for path in paths:
        assert load_config(BenchmarkConfig, path).name
