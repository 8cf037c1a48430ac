from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from llmrg.config import dump_config, load_config
from llmrg.systems.published import DIFFERENCES, fill_setting
from llmrg.training.settings import TrainConfig

KINDS = ("r2gengpt", "r2gencsr", "mambaxray_vl", "ammrg")


def value_of(config: Any, key: str) -> Any:
    found = config
    for name in key.split("."):
        found = getattr(found, name)
    return list(found) if isinstance(found, tuple) else found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("setting", ["faithful", "fixed"])
def test_a_shipped_configuration_takes_all_of_a_setting(repository: Path, kind: str, setting: str) -> None:
    path = repository / "configs" / "systems" / f"{kind}.yaml"
    config = load_config(TrainConfig, path, [f"system.setting={setting}"])
    for difference in DIFFERENCES[kind]:
        wanted = getattr(difference, setting)
        if difference.key == "decoding":
            beams = {"faithful": (3, 80, 120, 2.0, 2.0), "fixed": (1, 0, 256, 1.0, 1.0)}[setting]
            chosen = config.decoding
            lengths = (chosen.beams, chosen.min_new_tokens, chosen.max_new_tokens)
            assert (*lengths, chosen.repetition_penalty, chosen.length_penalty) == beams
        else:
            assert value_of(config, difference.key) == wanted, difference.key


def test_fixed_is_the_default(repository: Path) -> None:
    path = repository / "configs" / "systems" / "r2gengpt.yaml"
    assert load_config(TrainConfig, path) == load_config(TrainConfig, path, ["system.setting=fixed"])


def test_what_a_configuration_says_counts_and_is_kept(repository: Path, tmp_path: Path) -> None:
    path = repository / "configs" / "systems" / "r2gengpt.yaml"
    own = ["system.setting=faithful", "system.max_report_tokens=60", "decoding.preset=published_iu", "data.fit=crop"]
    config = load_config(TrainConfig, path, own)
    assert config.system.max_report_tokens == 60
    assert config.data.fit == "crop"  # type: ignore[union-attr]
    assert (config.decoding.beams, config.decoding.min_new_tokens, config.decoding.max_new_tokens) == (3, 40, 100)
    assert config.training.clip is None
    (tmp_path / "train.yaml").write_text(dump_config(config))
    assert load_config(TrainConfig, tmp_path / "train.yaml") == config


def test_a_saved_training_is_read_as_it_was(repository: Path, tmp_path: Path) -> None:
    """Also where it has, against its setting, the default of a key that configurations used to lack."""
    path = repository / "configs" / "systems" / "ammrg.yaml"
    config = load_config(TrainConfig, path, ["system.setting=faithful", "system.evidence.disease_queries.fresh=false"])
    (tmp_path / "train.yaml").write_text(dump_config(config))
    assert load_config(TrainConfig, tmp_path / "train.yaml") == config


def test_our_own_system_is_left_alone() -> None:
    values = {"system": {"setting": "fixed"}, "data": {}}
    assert fill_setting(values) == values
    assert fill_setting({"system": 3}) == {"system": 3}


def test_every_dataset_of_a_mixture_is_read_alike() -> None:
    members = {name: {"data": {"root": name}} for name in ("a", "b")}
    values = {"system": {"kind": "r2gengpt", "setting": "faithful"}, "data": {"members": members}}
    filled = fill_setting(values)
    assert [member["data"]["fit"] for member in filled["data"]["members"].values()] == ["stretch", "stretch"]
    assert "fit" not in filled["data"]
    assert "fit" not in members["a"]["data"], "the given mapping was changed"


@pytest.mark.parametrize("kind", KINDS)
def test_the_document_shows_every_difference(repository: Path, kind: str) -> None:
    text = (repository / "docs" / "systems.md").read_text(encoding="utf-8")
    section = text[text.index(f"### {kind}\n") :].split("\n###", 2)[0]
    for difference in DIFFERENCES[kind]:
        row = next(line for line in section.splitlines() if line.startswith(f"| `{difference.key}` |"))
        for value in (difference.faithful, difference.fixed):
            if not isinstance(value, dict | list):
                shown = "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
                assert f"`{shown}`" in row, row
    assert all(dataclasses.asdict(difference)["why"] for difference in DIFFERENCES[kind])
