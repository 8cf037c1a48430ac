from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
import torch
from transformers import TrainerControl, TrainerState

from llmrg.pretraining import time_limit
from llmrg.pretraining.time_limit import TimeLimit

ARGUMENTS = SimpleNamespace(device=torch.device("cpu"))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock that the test sets, in seconds."""
    hands = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(time_limit, "time", SimpleNamespace(monotonic=lambda: hands.now))
    return hands


def stops(limit: TimeLimit) -> bool:
    control = limit.on_step_end(ARGUMENTS, TrainerState(global_step=7, max_steps=90), TrainerControl())  # type: ignore[arg-type]
    return control.should_training_stop


def begin(limit: TimeLimit) -> None:
    limit.on_train_begin(ARGUMENTS, TrainerState(), TrainerControl())  # type: ignore[arg-type]


def test_it_counts_from_the_beginning_of_training(clock: SimpleNamespace, caplog: pytest.LogCaptureFixture) -> None:
    limit = TimeLimit(2)
    clock.now += 500  # reading data is not training
    begin(limit)
    clock.now += 119
    assert not stops(limit)
    assert not caplog.text
    clock.now += 2
    assert stops(limit)
    assert "step 7 of 90" in caplog.text
    begin(limit)
    assert not stops(limit)


def test_no_limit_is_no_limit(clock: SimpleNamespace) -> None:
    limit = TimeLimit(None)
    begin(limit)
    clock.now += 10**9
    assert not stops(limit)


@pytest.mark.parametrize(("own", "first"), [(True, False), (False, True)])
def test_the_first_process_decides_for_all(
    clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, own: bool, first: bool
) -> None:
    def broadcast(tensor: torch.Tensor, src: int) -> None:
        assert src == 0
        tensor.fill_(int(first))

    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "broadcast", broadcast)
    limit = TimeLimit(1)
    begin(limit)
    clock.now += 61 if own else 59
    assert stops(limit) == first


def test_real_time_passes() -> None:
    limit = TimeLimit(0.01 / 60)
    begin(limit)
    time.sleep(0.02)
    assert stops(limit)
