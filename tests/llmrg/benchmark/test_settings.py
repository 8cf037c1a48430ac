from __future__ import annotations

from pathlib import Path
from typing import Any

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


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"wording": ("bleu", "rougel")}, "rougel"),
        ({"wording": ("rouge_l",)}, "BLEU"),
        ({"headline": ()}, "no metric"),
        ({"headline": ("bleu_4", "bleu_4")}, "twice"),
        ({"protocols": ("full",)}, "always"),
        ({"trials": -1}, "negative"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        BenchmarkConfig(data=DATA, out=Path("out"), **keys)


def test_several_seeds_are_a_list_of_files_or_runs(tmp_path: Path) -> None:
    path = tmp_path / "benchmark.yaml"
    path.write_text(
        "data: {format: ped-xray, root: x, language: zh, vocabulary: ped_xray}\nout: out\nsystems:\n"
        "  - {name: one, predictions: a.jsonl}\n  - {name: two, run: [r1, r2]}\n",
        encoding="utf-8",
    )
    one, two = load_config(BenchmarkConfig, path).systems
    assert (one.prediction_files, one.runs) == ((Path("a.jsonl"),), ())
    assert (two.prediction_files, two.runs) == ((), (Path("r1"), Path("r2")))
    with pytest.raises(UserError, match="twice"):
        SystemEntry(name="x", predictions=(Path("a"), Path("a")))
