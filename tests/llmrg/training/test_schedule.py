from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from llmrg.training.schedule import build_schedule
from llmrg.training.settings import LoopConfig
from llmrg.training.trainer import parameter_groups


def rates(config: LoopConfig, steps: int, peaks: tuple[float, ...] = (1e-3,)) -> list[list[float]]:
    groups = [{"params": [nn.Parameter(torch.zeros(1))], "lr": peak} for peak in peaks]
    optimizer = torch.optim.AdamW(groups)
    schedule = build_schedule(optimizer, config, steps=steps)
    found = []
    for _ in range(steps):
        found.append([float(group["lr"]) for group in optimizer.param_groups])
        optimizer.step()
        schedule.step()
    return found


def test_by_epoch_is_pytorchs_cosine_stepped_once_an_epoch() -> None:
    config = LoopConfig(epochs=5, schedule="cosine_by_epoch", final_learning_rate=1e-6, warmup=0.0)
    found = rates(config, 35)
    optimizer = torch.optim.AdamW([nn.Parameter(torch.zeros(1))], lr=1e-3)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=5, eta_min=1e-6)
    for epoch in range(5):
        wanted = optimizer.param_groups[0]["lr"]
        assert [rate for (rate,) in found[7 * epoch : 7 * epoch + 7]] == pytest.approx([wanted] * 7)
        optimizer.step()
        theirs.step()


def test_the_plain_cosine_rises_falls_and_ends_at_its_floor() -> None:
    config = LoopConfig(warmup=0.1, final_learning_rate=1e-4)
    found = rates(config, 100, (1e-3, 5e-5))
    first = [rate for rate, _ in found]
    assert first[:11] == pytest.approx([1e-4 * step for step in range(11)])
    middle = 1e-4 + 9e-4 * (1 + math.cos(math.pi * 45 / 90)) / 2
    assert first[55] == pytest.approx(middle)
    assert first[-1] == pytest.approx(1e-4, abs=1e-6)
    assert found[-1][1] == pytest.approx(5e-5), "a rate below the floor does not fall"


def test_all_weights_decay_where_asked() -> None:
    system = nn.ModuleDict({"sources": nn.Linear(3, 3), "encoder": nn.LayerNorm(3)})
    plain = parameter_groups(system, LoopConfig())
    assert sorted(group["weight_decay"] for group in plain) == [0.0, 0.0, 0.01]
    whole = parameter_groups(system, LoopConfig(decay="all"))
    assert [group["weight_decay"] for group in whole] == [0.01, 0.01]
