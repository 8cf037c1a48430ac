"""Source dropout: its rates, never silence alone, and the same draw when an epoch is read again."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from llmrg.config import load_config
from llmrg.errors import UserError
from llmrg.studies.dataset import collate_studies
from llmrg.systems.build import ArtefactPaths, build_system
from llmrg.systems.report_generator import SILENT
from llmrg.training.material import read_material
from llmrg.training.settings import LoopConfig, TrainConfig
from llmrg.training.source_dropout import SourceDropout


def draw(dropout: SourceDropout, count: int) -> np.ndarray:
    return np.stack([dropout(np.random.default_rng([0, 0, row]))[SILENT].numpy() for row in range(count)])


def test_each_source_has_its_rate() -> None:
    dropout = SourceDropout.of({"a": 0.3, "c": 0.1}, ("a", "b", "c"))
    assert dropout is not None
    shares = draw(dropout, 6000).mean(axis=0)
    assert shares[1] == 0
    assert shares[0] == pytest.approx(0.3, abs=4 * (0.21 / 6000) ** 0.5)
    assert shares[2] == pytest.approx(0.1, abs=4 * (0.09 / 6000) ** 0.5)


def test_never_all_are_silent() -> None:
    dropout = SourceDropout.of(0.9, ("a", "b", "c"))
    assert dropout is not None
    found = draw(dropout, 3000)
    assert not found.all(axis=1).any()
    alone = found.sum(axis=1) == 2
    assert (~found[alone]).mean(axis=0) == pytest.approx([1 / 3] * 3, abs=0.05)


def test_none_where_nothing_falls_silent() -> None:
    assert SourceDropout.of(0.0, ("a", "b")) is None
    assert SourceDropout.of({"a": 0.0}, ("a", "b")) is None
    assert SourceDropout.of(0.5, ("a",)) is None, "a single source is always heard"


def test_mistakes_are_told() -> None:
    with pytest.raises(UserError, match="no evidence source"):
        SourceDropout.of({"d": 0.1}, ("a", "b"))
    with pytest.raises(ValueError, match="source_dropout"):
        LoopConfig(source_dropout={"a": 1.0})
    with pytest.raises(ValueError, match="source_dropout"):
        LoopConfig(source_dropout=-0.1)


def test_the_draw_belongs_to_study_and_epoch_and_leaves_the_films_as_they_were(tiny_run: Any) -> None:
    config = load_config(TrainConfig, tiny_run.config)
    material = read_material(config.data)
    plain, dropping = (material.training_set(augmentation=config.augmentation, seed=3) for _ in range(2))
    dropping.drawn = SourceDropout.of(0.5, config.system.evidence.sources)
    first = [[dropping[row][2][SILENT].tolist() for row in range(12)] for _ in range(2)]
    assert first[0] == first[1]
    assert all(np.array_equal(a, b) for a, b in zip(plain[5][1], dropping[5][1], strict=True))
    dropping.set_epoch(1)
    assert [dropping[row][2][SILENT].tolist() for row in range(12)] != first[0]
    assert SILENT not in plain[0][2]


def test_the_decoder_does_not_hear_what_is_silent(tiny_run: Any) -> None:
    """The loss of a batch with some sources silent for each study is that of prompts which lack them."""
    config = load_config(TrainConfig, tiny_run.config)
    material = read_material(config.data)
    torch.manual_seed(0)
    system = build_system(config.system, config.data, ArtefactPaths.below(tiny_run.artefacts)).eval()
    dataset = material.dataset(material.training)
    inputs = system.collate([dataset[0], dataset[1]])
    sources = tuple(system.sources)
    quiet = torch.zeros(2, len(sources), dtype=torch.bool)
    quiet[0, sources.index("patches")] = quiet[1, sources.index("diagnosis_hints")] = True
    batch = inputs["batch"]
    silent = dataclasses.replace(batch, tensors={**batch.tensors, SILENT: quiet})
    with torch.no_grad():
        whole = system(batch)["output"].parts["language"]
        found = system(silent)["output"].parts["language"]
        alone = []
        for row, kind in enumerate(("patches", "diagnosis_hints")):
            one = system.collate([dataset[row]])
            drawn = one["batch"].tensors
            places = torch.zeros(1, len(sources), dtype=torch.bool)
            places[0, sources.index(kind)] = True
            single = dataclasses.replace(one["batch"], tensors={**drawn, SILENT: places})
            tokens = int(drawn["report_mask"].sum())
            alone.append((float(system(single)["output"].parts["language"]) * tokens, tokens))
    assert float(found) == pytest.approx(sum(a for a, _ in alone) / sum(n for _, n in alone), rel=1e-4)
    assert float(found) != pytest.approx(float(whole), rel=1e-6)
    assert collate_studies([dataset[0]]).tensors.keys() == batch.tensors.keys() - {"report_ids", "report_mask"}
