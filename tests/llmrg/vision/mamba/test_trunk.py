"""Trunks: published sizes, class token in the middle, resized positions, gradients with and without checkpointing."""

from __future__ import annotations

import pytest
import torch

from llmrg.errors import UserError
from llmrg.vision.mamba import MAMBA_TRUNKS, build_mamba_trunk
from llmrg.vision.mamba.trunk import MambaTrunk, resize_positions

SMALL = {"width": 16, "depth": 2, "patch": 8, "drop_path": 0.0}


@pytest.mark.parametrize(("name", "millions"), [("arm_base", 84.3), ("arm_large", 296.0)])
def test_published_sizes(name: str, millions: float) -> None:
    with torch.device("meta"):
        trunk = build_mamba_trunk(name, image_size=224, channels=3)
    assert round(sum(parameter.numel() for parameter in trunk.parameters()) / 1e6, 1) == millions


@pytest.mark.parametrize("name", MAMBA_TRUNKS)
def test_every_trunk_can_be_built(name: str) -> None:
    with torch.device("meta"):
        trunk = build_mamba_trunk(name, image_size=64, channels=1)
    assert trunk.num_features == MAMBA_TRUNKS[name]["width"] and trunk.grid == 4


@pytest.mark.parametrize("directions", [1, 2, 4])
def test_maps_keep_their_places(directions: int) -> None:
    trunk = MambaTrunk(image_size=32, channels=1, directions=directions, **SMALL).eval()
    images = torch.rand(2, 1, 32, 32)
    features, tokens = trunk.forward_features(images), trunk.forward_tokens(images)
    assert features.shape == (2, 4, 4, 16) and tokens.shape == (2, 17, 16)
    flat = features.flatten(1, 2)
    assert torch.equal(flat[:, :8], tokens[:, :8]) and torch.equal(flat[:, 8:], tokens[:, 9:])


def test_checkpointing_changes_no_gradient() -> None:
    torch.manual_seed(0)
    trunk = MambaTrunk(image_size=32, channels=1, **SMALL).double().train()
    images = torch.rand(2, 1, 32, 32, dtype=torch.float64)
    found = []
    for checkpointing in (False, True):
        trunk.checkpointing = checkpointing
        trunk.zero_grad()
        trunk(images).square().mean().backward()
        found.append([parameter.grad.clone() for parameter in trunk.parameters() if parameter.grad is not None])
    assert len(found[0]) == len(found[1]) == len(list(trunk.parameters()))
    for own, other in zip(*found, strict=True):
        torch.testing.assert_close(own, other)


def test_positions_of_another_grid_keep_the_class_token_and_the_slope() -> None:
    rows = torch.arange(12.0).view(12, 1, 1).expand(12, 12, 3).reshape(1, 144, 3)
    positions = torch.cat([rows[:, :72], torch.full((1, 1, 3), 7.0), rows[:, 72:]], dim=1)
    resized = resize_positions(positions, 14)
    assert resized.shape == (1, 197, 3) and (resized[:, 98] == 7).all()
    grid = torch.cat([resized[:, :98], resized[:, 99:]], dim=1).view(14, 14, 3)
    torch.testing.assert_close(grid[:, 0], grid[:, 9], atol=1e-5, rtol=0)  # rows stay rows
    inside = grid[3:11, 0, 0].diff()
    torch.testing.assert_close(inside, torch.full_like(inside, 12 / 14), atol=0.05, rtol=0)
    assert resize_positions(resized, 14) is resized


def test_mistakes_are_named() -> None:
    with pytest.raises(UserError, match="Unknown Mamba trunk 'arm_bas'"):
        build_mamba_trunk("arm_bas", image_size=224, channels=3)
    with pytest.raises(UserError, match="do not divide"):
        build_mamba_trunk("arm_tiny", image_size=100, channels=3)
    with pytest.raises(UserError, match="directions must be"):
        build_mamba_trunk("arm_tiny", image_size=64, channels=3, directions=3)
    with pytest.raises(UserError, match="heads"):
        build_mamba_trunk("arm_tiny", image_size=64, channels=3, heads=3)
