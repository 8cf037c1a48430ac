"""The rehearsed step: live bytes and operations of known computations, and of systems of known size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from llmrg.config import load_config
from llmrg.evidence.encoder import EncoderConfig, build_encoder
from llmrg.evidence.settings import DiseaseQueriesConfig
from llmrg.language.embedded import EmbeddedModelConfig
from llmrg.systems.plan import count_parts, embedded_dimensions, planned_system
from llmrg.systems.rehearsal import (
    Rehearsal,
    StepShape,
    _features,
    _Meter,
    _rehearsing,
    rehearse_encoder,
    rehearse_step,
)
from llmrg.training.settings import TrainConfig
from llmrg.vision.settings import BackboneConfig

Rehearse = Callable[..., Rehearsal]
LARGE = EmbeddedModelConfig(hidden_size=128, layers=6, intermediate_size=512, vocabulary_size=512)


def test_live_bytes_and_operations_are_counted() -> None:
    with FakeTensorMode(), _Meter() as meter:
        a = torch.ones(1000)
        b = a + 1  # 4000 bytes each
        a = b.view(10, 100)  # the first a is freed; a view is nothing new
        assert (meter.live, meter.peak) == (4000, 8000)
        c = a @ torch.ones(100, 20)
        assert meter.flops == 2 * 10 * 100 * 20
        assert meter.live == 4000 + c.numel() * 4
        assert meter.peak == 4000 + 8000 + 800
        before = meter.operations
        c.t()
        assert meter.operations == before
        c.add_(1)
        assert meter.operations == before + 1


def test_what_autograd_keeps_is_live() -> None:
    with FakeTensorMode(), _Meter() as meter:
        weight = torch.ones(50, 50, requires_grad=True)
        x = torch.ones(8, 50)
        y = (x @ weight).relu() @ weight
        kept = meter.live
        del x  # kept for the gradient of the weight
        assert meter.live == kept
        y.sum().backward()
        del y
        assert meter.live == 2 * 4 * 50 * 50  # weight and gradient


@pytest.fixture
def rehearse(tiny_run: Any) -> Rehearse:
    settings = load_config(TrainConfig, tiny_run.config)

    def run(*, studies: int = 4, tuning: str = "full", checkpointing: bool = False, **changes: Any) -> Rehearsal:
        config = load_config(TrainConfig, tiny_run.config, [f"system.language_model.tuning={tuning}"])
        system = planned_system(config.system, config.data, embedded_dimensions(LARGE))
        if checkpointing:
            system["language_model"].activation_checkpointing_enable()  # type: ignore[operator]
        shape = StepShape(
            **{
                "studies": studies,
                "views": 2,
                "image_size": settings.data.image_size,
                "prompt_tokens": 16,
                "report_tokens": 64,
                "bf16": False,
                "tune_vision": False,
                **changes,
            }
        )
        return rehearse_step(system, shape, dtypes={})

    return run


def test_activations_grow_with_the_batch_and_shrink_by_recomputing(rehearse: Rehearse) -> None:
    one, four, again = rehearse(studies=2), rehearse(studies=8), rehearse(studies=8, checkpointing=True)
    assert 3 < four.activations / one.activations < 5
    assert again.activations < 0.6 * four.activations
    assert again.flops > 1.15 * four.flops
    assert four.held == one.held == again.held


def test_flops_are_six_a_weight_and_token(rehearse: Rehearse) -> None:
    """Forward two, backward four (Kaplan et al. 2020), where every weight of the language model learns."""
    found = rehearse(studies=4)
    layers = 6 * (4 * 128 * 128 + 3 * 128 * 512)
    expected = 6 * (layers * 4 * found.tokens + 512 * 128 * 4 * 64)
    assert expected < found.flops < 1.6 * expected  # attention, trunk and projections on top
    frozen = rehearse(studies=4, tuning="frozen")
    assert frozen.flops < 0.8 * found.flops
    assert frozen.held < found.held


def test_held_are_weights_gradients_and_buffers(rehearse: Rehearse, tiny_run: Any) -> None:
    config = load_config(TrainConfig, tiny_run.config, ["system.language_model.tuning=full"])
    system = planned_system(config.system, config.data, embedded_dimensions(LARGE))
    parts = count_parts(system)
    buffers = sum(buffer.numel() * buffer.element_size() for buffer in system.buffers())
    not_asked = 4 * sum(p.numel() for n, p in system.named_parameters() if "retrieved_context" in n and p.requires_grad)
    assert rehearse().held == 4 * (parts.total + parts.trainable) + buffers - not_asked


def test_the_encoder_alone(tiny_run: Any) -> None:
    config = load_config(TrainConfig, tiny_run.config)
    shape = StepShape(
        studies=4,
        views=2,
        image_size=config.data.image_size,
        prompt_tokens=0,
        report_tokens=0,
        bf16=False,
        tune_vision=True,
    )
    found = {}
    for learn in (True, False):
        system = planned_system(config.system, config.data, embedded_dimensions(LARGE))
        found[learn] = rehearse_encoder(system["encoder"].requires_grad_(True), shape, learn=learn)
    assert 2.5 < found[True].flops / found[False].flops < 3.2
    assert found[True].activations > 2 * found[False].activations


MAMBA = {
    "arm_base": {"width": 48, "depth": 2, "patch": 8},
    "vmamba_base": {"width": 16, "depths": [1, 1]},
}


@pytest.mark.parametrize("architecture", list(MAMBA))
def test_a_mamba_trunk_is_rehearsed_as_it_runs(architecture: str) -> None:
    """Shapes of all features, and what the real forward pass keeps for the gradients."""
    size, studies, views = 64, 3, 2
    config = EncoderConfig(
        vision=BackboneConfig(architecture=architecture, channels=1, options=MAMBA[architecture]),
        queries=DiseaseQueriesConfig(heads=2),
        vocabulary="ped_xray",
        image_size=size,
    )
    shape = StepShape(
        studies=studies, views=views, image_size=size, prompt_tokens=0, report_tokens=0, bf16=False, tune_vision=True
    )
    encoder = build_encoder(config).train()
    pixels = torch.zeros(studies, views, 1, size, size, dtype=torch.uint8)
    kept: dict[int, int] = {}
    own = {tensor.untyped_storage()._cdata for tensor in (*encoder.parameters(), *encoder.buffers())}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = storage.nbytes()
            held.append(storage)  # so that no other takes its place in memory
        return tensor

    held: list[torch.UntypedStorage] = []
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        real = encoder.backbone(pixels, torch.ones(studies, views, dtype=torch.bool))
        encoder.answers(real)
    with _rehearsing(planned := build_encoder(config), {}):
        fake = _features(planned, shape)
    for field in ("tokens", "mask", "pooled", "view", "global_vectors", "class_tokens"):
        expected, found = getattr(real, field), getattr(fake, field)
        assert (expected is None) == (found is None), field
        if expected is not None:
            assert found.shape == expected.shape, field
            assert found.dtype == expected.dtype, field
    assert (real.global_vectors is None) != (real.class_tokens is None)
    found = rehearse_encoder(build_encoder(config), shape, learn=True)
    saved = sum(kept.values())
    assert saved < found.activations < 2 * saved  # and what the fullest moment needs beside
