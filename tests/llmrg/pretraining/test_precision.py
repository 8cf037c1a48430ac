from __future__ import annotations

import pytest
import torch

from llmrg.pretraining.precision import use_bf16


def machine(monkeypatch: pytest.MonkeyPatch, *, gpu: bool | None = None, **capabilities: bool) -> None:
    """A machine with a GPU that computes in bfloat16 or not, or without one, whose processor can do so much."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu is not None)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: bool(gpu))
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)


@pytest.mark.parametrize("gpu", [None, True, False])
def test_what_is_asked_for_is_done(monkeypatch: pytest.MonkeyPatch, gpu: bool | None) -> None:
    machine(monkeypatch, gpu=gpu)
    assert use_bf16("bf16")
    assert not use_bf16("fp32")


@pytest.mark.parametrize("gpu", [True, False])
def test_a_gpu_decides_where_there_is_one(monkeypatch: pytest.MonkeyPatch, gpu: bool) -> None:
    machine(monkeypatch, gpu=gpu, amx_bf16=not gpu)
    assert use_bf16("auto") == gpu


def test_a_processor_that_only_emulates_it_computes_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, avx512_f=True)
    assert not use_bf16("auto")
    machine(monkeypatch)
    assert not use_bf16("auto")
