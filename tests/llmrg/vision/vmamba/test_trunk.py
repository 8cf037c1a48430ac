"""The trunk: shapes, the global vector, checkpointing, dropped branches, gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from timm.layers import DropPath
from torch import nn
from torch.nn import functional as F

from llmrg.vision.vmamba.trunk import VMambaTrunk

SMALL: dict[str, Any] = {"channels": 1, "width": 8, "depths": (1, 2)}


def test_places_are_eighths_of_the_side_rounded_up() -> None:
    trunk = VMambaTrunk(**SMALL).eval()
    for height, width in [(32, 32), (32, 48), (33, 8), (1, 1)]:
        assert trunk(torch.rand(2, 1, height, width)).shape == (2, -(-height // 8), -(-width // 8), 16)


def test_a_film_is_read_alike_in_every_batch_and_layout() -> None:
    trunk = VMambaTrunk(**SMALL).double().eval()
    images = torch.rand(3, 1, 32, 40, dtype=torch.float64)
    together = trunk(images)
    torch.testing.assert_close(trunk(images[1:2])[0], together[1])
    torch.testing.assert_close(trunk(images.contiguous(memory_format=torch.channels_last)), together)


def test_the_global_vector_is_the_mean_of_the_normed_map() -> None:
    images = torch.rand(2, 1, 32, 48)
    trunk = VMambaTrunk(**SMALL).eval()
    nn.init.normal_(trunk.norm.weight)
    nn.init.normal_(trunk.norm.bias)
    maps = trunk.forward_features(images)
    normed = F.layer_norm(maps, (16,), trunk.norm.weight, trunk.norm.bias)
    torch.testing.assert_close(trunk.global_vectors(maps), normed.flatten(1, 2).mean(1))
    trunk.normalise = True
    torch.testing.assert_close(trunk.forward_features(images), normed)
    torch.testing.assert_close(trunk.global_vectors(normed), normed.flatten(1, 2).mean(1))


def test_map_and_global_vector_give_gradients_to_every_parameter_with_and_without_checkpointing() -> None:
    torch.manual_seed(0)
    trunk = VMambaTrunk(**SMALL).double().train()
    images = torch.rand(2, 1, 32, 32, dtype=torch.float64)
    wanted = torch.randn(2, 16, dtype=torch.float64)
    found = []
    for checkpointing in (False, True):
        trunk.checkpointing = checkpointing
        trunk.zero_grad()
        maps = trunk(images)
        (maps.square().mean() + (trunk.global_vectors(maps) * wanted).sum()).backward()
        found.append({name: parameter.grad for name, parameter in trunk.named_parameters()})
    for name, gradient in found[0].items():
        assert gradient is not None and gradient.abs().max() > 0, name
        torch.testing.assert_close(gradient, found[1][name])


def test_dropped_branches_rise_from_the_first_block_to_the_last() -> None:
    trunk = VMambaTrunk(channels=1, width=8, depths=(2, 2, 2), drop_path=0.5)
    rates = [module.drop_prob for module in trunk.modules() if isinstance(module, DropPath)]
    assert rates == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert isinstance(trunk.stages[0][0].drop_path, nn.Identity)


def test_what_is_not_decayed() -> None:
    names = VMambaTrunk(**SMALL).no_weight_decay()
    kinds = ("log_decay", "skip", "step_bias")
    assert names == {f"stages.{stage}.mixer.{kind}" for stage in ("0.0", "1.0", "1.1") for kind in kinds}


def test_linear_layers_start_small_and_convolutions_as_torch_has_them() -> None:
    torch.manual_seed(0)
    trunk = VMambaTrunk(channels=1, width=64, depths=(1,))
    block = trunk.stages[0][0]
    for layer in (block.mixer.in_proj, block.mixer.out_proj, block.mlp.fc1, block.mlp.fc2):
        assert float(layer.weight.detach().std()) == pytest.approx(0.02, rel=0.1)
    assert (block.mlp.fc1.bias == 0).all()
    assert 0.3 < float(block.mixer.conv.weight.detach().abs().max()) <= 1 / 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 7}, "width must be even"),
        ({"depths": ()}, "depths must be"),
        ({"depths": (1, 0)}, "depths must be"),
        ({"ratio": 0.01}, "at least one channel"),
        ({"states": 0}, "at least one channel"),
        ({"drop_path": 1.0}, "drop_path must be"),
    ],
)
def test_sizes_that_make_no_trunk(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        VMambaTrunk(**{**SMALL, **changes})
