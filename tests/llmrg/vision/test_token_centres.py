"""Measured centres of tokens against what strides and paddings say."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from llmrg.vision.backbone import Backbone, build_backbone
from llmrg.vision.settings import BackboneConfig
from llmrg.vision.token_centres import token_offset

SIZE = 64


class Stack(nn.Module):
    """A trunk of convolutions, all taps alike."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        for layer in layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.constant_(layer.weight, 1 / layer.weight[0].numel())

    def forward_features(self, images: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.layers(images)
        return found


def backbone(*layers: nn.Module, frozen: bool = False) -> Backbone:
    width = next(layer.out_channels for layer in reversed(layers) if isinstance(layer, nn.Conv2d))
    return Backbone(
        trunk=Stack(*layers), width=width, channels=1, mean=(0.5,), std=(0.25,), positions=None, frozen=frozen
    )


def halving() -> nn.Conv2d:
    return nn.Conv2d(1, 1, 3, stride=2, padding=1, bias=False)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("frozen", [True, False])
def test_padded_strides_look_up_and_left(count: int, frozen: bool) -> None:
    """Each halving moves the centre by half a pixel of its own input: 2^n - 1 halves in all."""
    module = backbone(*(halving() for _ in range(count)), frozen=frozen)
    expected = -(2**count - 1) / 2 / SIZE
    assert token_offset(module, image_size=SIZE) == pytest.approx((expected, expected), abs=0.02 / SIZE)
    assert module.frozen is frozen
    assert all(parameter.grad is None for parameter in module.parameters())


def test_weights_decide_and_axes_are_told_apart() -> None:
    module = backbone(halving())
    with torch.no_grad():
        module.trunk.layers[0].weight.zero_()[..., 1, 2] = 1  # the right one of the middle row
    assert token_offset(module, image_size=SIZE) == pytest.approx((0.5 / SIZE, -0.5 / SIZE), abs=1e-4)
    with torch.no_grad():
        module.trunk.layers[0].weight.zero_()[..., 2, 1] = 1  # measured again
    assert token_offset(module, image_size=SIZE) == pytest.approx((-0.5 / SIZE, 0.5 / SIZE), abs=1e-4)


class Everywhere(nn.Module):
    """Tokens that see three cells around their own, its middle as centre, and the whole film besides."""

    def __init__(self) -> None:
        super().__init__()
        self.near = nn.Conv2d(1, 1, 24, stride=8, padding=8, bias=False)
        nn.init.constant_(self.near.weight, 1 / 24**2)

    def forward_features(self, images: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.near(images) + 5 * images.mean((2, 3), keepdim=True)
        return found


@pytest.mark.parametrize("cells", [7, 8])
def test_what_all_tokens_see_counts_for_none(cells: int) -> None:
    module = Backbone(trunk=Everywhere(), width=1, channels=1, mean=(0.5,), std=(0.25,), positions=None, frozen=False)
    assert token_offset(module, image_size=8 * cells) == pytest.approx((0.0, 0.0), abs=1e-3)


def test_within_no_grad_and_twice_the_same() -> None:
    module = backbone(halving(), halving()).train()
    with torch.inference_mode():
        first = token_offset(module, image_size=SIZE)
    assert module.training
    assert token_offset(backbone(halving(), halving()), image_size=SIZE) == first


@pytest.mark.parametrize(
    ("architecture", "options"),
    [
        ("vit_tiny_patch16_224", {"depth": 1, "embed_dim": 24, "num_heads": 2}),
        ("arm_micro", {"depth": 1, "width": 24}),
    ],
)
def test_patches_have_their_centres_in_the_middle(architecture: str, options: dict[str, int]) -> None:
    module = build_backbone(BackboneConfig(architecture=architecture, channels=1, options=options), image_size=SIZE)
    assert token_offset(module, image_size=SIZE) == (0.0, 0.0)
