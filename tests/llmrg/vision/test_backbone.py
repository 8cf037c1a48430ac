"""Trunks of five families over 1..N views: places stay in order, absent views do not exist."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from llmrg.errors import UserError
from llmrg.vision.backbone import Backbone, build_backbone
from llmrg.vision.positions import GridPositions
from llmrg.vision.settings import BackboneConfig

# family: configuration and side of the film that gives a grid of 4 x 4
TRUNKS: dict[str, tuple[dict[str, Any], int]] = {
    "swin": (
        {
            "architecture": "swin_tiny_patch4_window7_224",
            "options": {"embed_dim": 16, "depths": [1, 1], "num_heads": [1, 2], "window_size": 4},
        },
        32,
    ),
    "resnet": (
        {
            "architecture": "resnet10t",
            "options": {"channels": [8, 8, 16, 16], "stem_width": 8, "output_stride": 16},
            "channels": 1,
        },
        64,
    ),
    "vit": ({"architecture": "vit_tiny_patch16_224", "options": {"embed_dim": 16, "depth": 1, "num_heads": 2}}, 64),
    "convnext": ({"architecture": "convnext_atto", "options": {"depths": [1, 1, 1, 1], "dims": [8, 8, 16, 16]}}, 128),
    "mamba": ({"architecture": "arm_micro", "options": {"width": 16, "depth": 1, "patch": 8}}, 32),
}
GRID = 4


def build(family: str, **changes: Any) -> Backbone:
    values, size = TRUNKS[family]
    torch.manual_seed(0)
    return build_backbone(BackboneConfig(**{**values, **changes}), image_size=size)


def films(family: str, *shape: int, seed: int = 0) -> Tensor:
    size = TRUNKS[family][1]
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (*shape, 1, size, size), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("family", TRUNKS)
def test_a_bright_patch_moves_the_token_of_its_place(family: str) -> None:
    backbone = build(family, positions=False).eval()
    side = TRUNKS[family][1]
    cell = side // GRID
    grey = torch.full((1, 2, 1, side, side), 0.4)
    mask = torch.ones(1, 2, dtype=torch.bool)
    with torch.no_grad():
        before = backbone(grey, mask)
        assert before.grid == (2, GRID, GRID)
        assert before.tokens.shape == (1, 2 * GRID * GRID, backbone.width)
        for view, row, column in [(0, 0, 0), (0, 0, 3), (0, 3, 0), (0, 1, 2), (1, 2, 1), (1, 3, 3)]:
            bright = grey.clone()
            bright[0, view, 0, row * cell : (row + 1) * cell, column * cell : (column + 1) * cell] = 1.0
            moved = (backbone(bright, mask).tokens - before.tokens).norm(dim=-1)[0]
            assert int(moved.argmax()) == view * GRID**2 + row * GRID + column
            others = moved.view(2, -1)[1 - view]
            assert float(others.abs().max()) < 1e-5  # the other film is not touched


@pytest.mark.parametrize("family", TRUNKS)
def test_absent_views_change_neither_values_nor_gradients_nor_statistics(family: str) -> None:
    pixels = films(family, 2, 2)
    mask = torch.tensor([[True, True], [True, False]])
    views = torch.tensor([[1, 2], [1, 0]])
    padded = torch.cat([pixels, torch.full_like(pixels[:, :1], 255)], dim=1)
    padded[1, 1] = 255  # what stands in an absent view must not matter
    results = []
    for given, exists, codes in [
        (pixels, mask, views),
        (padded, nn.functional.pad(mask, (0, 1)), nn.functional.pad(views, (0, 1), value=2)),
    ]:
        backbone = build(family).train()
        features = backbone(given, exists, codes)
        length = 2 * GRID**2
        assert not features.mask[:, length:].any()
        assert not features.tokens[~features.mask].any()
        features.pooled.square().sum().backward()
        results.append(
            (
                features.tokens[:, :length],
                features.mask[:, :length],
                features.pooled,
                [p.grad for p in backbone.parameters()],
                list(backbone.buffers()),
            )
        )
    for first, second in zip(results[0][:3], results[1][:3], strict=True):
        torch.testing.assert_close(first, second, rtol=0, atol=0)
    for first, second in zip(results[0][3] + results[0][4], results[1][3] + results[1][4], strict=True):
        assert (first is None) == (second is None)
        if first is not None:
            torch.testing.assert_close(first, second, rtol=0, atol=0)


def test_mask_views_and_pooled_mean_follow_their_films() -> None:
    backbone = build("resnet").eval()
    mask = torch.tensor([[True, True], [True, False]])
    features = backbone(films("resnet", 2, 2), mask, torch.tensor([[1, 2], [2, 0]]))
    cells = GRID**2
    assert features.mask.tolist() == [[True] * 2 * cells, [True] * cells + [False] * cells]
    assert features.view.tolist() == [[1] * cells + [2] * cells, [2] * cells + [0] * cells]
    torch.testing.assert_close(features.pooled[0], features.tokens[0].mean(0))
    torch.testing.assert_close(features.pooled[1], features.tokens[1, :cells].mean(0))


def test_a_study_is_read_alike_in_every_batch() -> None:
    backbone = build("swin").eval()
    pixels = films("swin", 3, 1)
    mask = torch.ones(3, 1, dtype=torch.bool)
    with torch.no_grad():
        together = backbone(pixels, mask).tokens
        for row in range(3):
            torch.testing.assert_close(
                backbone(pixels[row : row + 1], mask[:1]).tokens[0], together[row], rtol=1e-5, atol=1e-5
            )


@pytest.mark.parametrize("family", ["resnet", "swin"])
def test_a_frozen_trunk_stays_as_it_is(family: str) -> None:
    backbone = build(family, freeze=True).train()
    assert backbone.training
    assert not any(module.training for module in backbone.trunk.modules())
    before = {name: tensor.clone() for name, tensor in backbone.trunk.state_dict().items()}
    features = backbone(films(family, 2, 1), torch.ones(2, 1, dtype=torch.bool))
    features.tokens.sum().backward()
    assert all(parameter.grad is None for parameter in backbone.trunk.parameters())
    assert backbone.positions is not None
    assert backbone.positions.rows.grad is not None  # the positions are no part of the trunk
    for name, tensor in backbone.trunk.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    assert not backbone.eval().training


def test_films_of_another_size() -> None:
    backbone = build("resnet").eval()
    features = backbone(torch.rand(1, 1, 1, 96, 96), torch.ones(1, 1, dtype=torch.bool))
    assert features.grid == (1, 6, 6)
    for family, size, grid in [("swin", 64, 8), ("vit", 96, 6)]:
        config = BackboneConfig(**TRUNKS[family][0])
        other = build_backbone(config, image_size=size).eval()
        seen = other(torch.rand(1, 1, 1, size, size), torch.ones(1, 1, dtype=torch.bool))
        assert seen.grid == (1, grid, grid)


class Mirror(nn.Module):
    """A trunk that gives back what it is shown."""

    num_features = 3

    def forward_features(self, images: Tensor) -> Tensor:
        return images


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64])
def test_grey_values_are_scaled_and_normalised_by_channel(dtype: torch.dtype) -> None:
    backbone = Backbone(trunk=Mirror(), width=3, channels=3, mean=(0.1, 0.2, 0.3), std=(0.5, 1.0, 2.0), positions=None)
    byte = torch.tensor([[0, 51], [102, 255]], dtype=torch.uint8)
    pixels = (byte if dtype == torch.uint8 else byte.to(dtype) / 255).view(1, 1, 1, 2, 2)
    found = backbone(pixels, torch.ones(1, 1, dtype=torch.bool)).tokens[0]
    grey = torch.tensor([0, 0.2, 0.4, 1.0]).unsqueeze(1)
    expected = (grey - torch.tensor([0.1, 0.2, 0.3])) / torch.tensor([0.5, 1.0, 2.0])
    torch.testing.assert_close(found, expected)


def test_mean_and_std_come_from_the_configuration_or_from_timm() -> None:
    imagenet = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    three = build("swin")
    assert three.mean.flatten().tolist() == pytest.approx(imagenet[0])
    assert three.std.flatten().tolist() == pytest.approx(imagenet[1])
    one = build_backbone(
        BackboneConfig(architecture="resnet50", channels=1, options={"layers": [1] * 4}), image_size=64
    )
    assert one.mean.flatten().tolist() == pytest.approx([sum(imagenet[0]) / 3])
    own = build("resnet", mean=0.45, std=0.25)
    assert (own.mean.item(), own.std.item()) == (pytest.approx(0.45), pytest.approx(0.25))
    assert not {"mean", "std"} & set(own.state_dict())


def test_trunks_without_a_square_grid_are_refused() -> None:
    class Sequence(nn.Module):
        def forward_features(self, images: Tensor) -> Tensor:
            return torch.zeros(len(images), 5, 3)

    backbone = Backbone(trunk=Sequence(), width=3, channels=1, mean=(0.5,), std=(1.0,), positions=None)
    with pytest.raises(UserError, match="5 tokens"):
        backbone(torch.rand(1, 1, 1, 8, 8), torch.ones(1, 1, dtype=torch.bool))


def test_positions_are_added_to_the_trunks_map() -> None:
    backbone = build("convnext").eval()
    assert isinstance(backbone.positions, GridPositions)
    pixels, mask, views = films("convnext", 1, 1), torch.ones(1, 1, dtype=torch.bool), torch.tensor([[2]])
    with torch.no_grad():
        plain = backbone.feature_map(pixels[:, 0])
        expected = backbone.positions(plain, views[0]).flatten(1, 2)
        torch.testing.assert_close(backbone(pixels, mask, views).tokens, expected)


# Checkpoints


def trunk_weights(family: str) -> dict[str, Tensor]:
    state = build(family).trunk.state_dict()
    return {name: torch.randn(t.shape) if t.is_floating_point() else t.contiguous() for name, t in state.items()}


@pytest.mark.parametrize("family", TRUNKS)
def test_a_checkpoint_is_loaded_whole(family: str, tmp_path: Path) -> None:
    weights = trunk_weights(family)
    path = tmp_path / "trunk.safetensors"
    save_file(weights, path)
    found = build(family, checkpoint=path).trunk.state_dict()
    assert found.keys() == weights.keys()
    assert all(torch.equal(found[name], weights[name]) for name in weights)


def test_the_classifier_of_published_weights_is_left_out(tmp_path: Path) -> None:
    values, size = TRUNKS["swin"]
    published = timm.create_model(values["architecture"], img_size=size, num_classes=5, **values["options"])
    assert "head.fc.weight" in published.state_dict()
    save_file(published.state_dict(), tmp_path / "model.safetensors")
    trunk = build("swin", checkpoint=tmp_path / "model.safetensors").trunk
    assert torch.equal(trunk.state_dict()["patch_embed.proj.weight"], published.patch_embed.proj.weight)


def test_checkpoints_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    weights = trunk_weights("resnet")
    name = "conv1.0.weight"
    short = {key: tensor for key, tensor in weights.items() if key != name}
    for number, (bad, word) in enumerate(
        [
            ({**weights, name: torch.zeros(2, 2)}, "size mismatch"),
            (short, "Missing key"),
            ({**weights, "x": torch.ones(1)}, "Unexpected"),
        ]
    ):
        path = tmp_path / f"{number}.safetensors"
        save_file(bad, path)
        with pytest.raises(UserError, match="does not fit resnet10t") as raised:
            build("resnet", checkpoint=path)
        assert str(path) in str(raised.value)
        assert word in str(raised.value)


def test_checkpoints_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "trunk.pt").write_bytes(b"pickled")
    with pytest.raises(UserError, match="safetensors"):
        build("resnet", checkpoint=tmp_path / "trunk.pt")
    (tmp_path / "trunk.safetensors").write_bytes(b"not a tensor file")
    with pytest.raises(UserError, match="cannot be read"):
        build("resnet", checkpoint=tmp_path / "trunk.safetensors")
    with pytest.raises(UserError, match="cannot be read"):
        build("resnet", checkpoint=tmp_path / "missing.safetensors")


# Names and options


def test_an_unknown_trunk_gets_the_nearest_names() -> None:
    with pytest.raises(UserError, match="resnet50") as raised:
        build_backbone(BackboneConfig(architecture="resnett50"), image_size=64)
    assert "vision.architecture" in str(raised.value)
    with pytest.raises(UserError, match=r"resnet10t\.c3_in1k"):
        build_backbone(BackboneConfig(architecture="resnet10t.nowhere"), image_size=64)


def test_options_that_timm_refuses_are_named() -> None:
    with pytest.raises(UserError, match=r"resnet10t.*nonsense"):
        build("resnet", options={"nonsense": 3})
