"""Trunks by name: published counts, shapes at published size, mistakes."""

from __future__ import annotations

import pytest
import torch

from llmrg.errors import UserError
from llmrg.vision.backbone import build_backbone
from llmrg.vision.settings import BackboneConfig
from llmrg.vision.vmamba import VMAMBA_TRUNKS, build_vmamba_trunk


def counted(width: int, depths: tuple[int, ...], ratio: int = 2) -> int:
    """Parameters of VMamba with 3 channels and a classifier of 1,000 classes, added up layer by layer."""
    half = width // 2
    total = 9 * 3 * half + 3 * half + 9 * half * width + 3 * width
    for stage, depth in enumerate(depths):
        d = width * 2**stage
        e, rank = ratio * d, d // 16
        mixer = 2 * d * e + 9 * e + 4 * e * (rank + 2) + 4 * e * (rank + 1) + 4 * e * 2 + 2 * e
        total += depth * (mixer + 4 * d + 8 * d * d + 5 * d)
        if stage + 1 < len(depths):
            total += 9 * d * 2 * d + 3 * 2 * d
    return total + 2 * d + 1001 * d - d + 1000


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("vmamba_base", 88_557_800),
        ("vmamba_small", 50_147_752),
        ("vmamba_tiny", 30_705_832),
        ("vmamba_tiny_s1l8", 30_249_064),
    ],
)
def test_published_counts_with_their_classifiers(name: str, published: int) -> None:
    """The counts that MzeroMiko/VMamba's networks have (its tables round them to 89, 50, 30 and 30 million)."""
    with torch.device("meta"):
        trunk = build_vmamba_trunk(name, image_size=224, channels=3)
    own = sum(parameter.numel() for parameter in trunk.parameters())
    assert own + 1000 * trunk.num_features + 1000 == published
    values = VMAMBA_TRUNKS[name]
    assert counted(values["width"], values["depths"], ratio=int(values.get("ratio", 2))) == published


@pytest.mark.parametrize("name", VMAMBA_TRUNKS)
def test_every_trunk_can_be_built(name: str) -> None:
    with torch.device("meta"):
        trunk = build_vmamba_trunk(name, image_size=64, channels=1, checkpointing=True)
    values = VMAMBA_TRUNKS[name]
    assert trunk.num_features == values["width"] * 2 ** (len(values["depths"]) - 1)
    assert [len(stage) for stage in trunk.stages] == list(values["depths"])


def test_a_film_of_224_pixels_gives_49_places_of_1024() -> None:
    trunk = build_vmamba_trunk("vmamba_base", image_size=224, channels=3, depths=[1, 1, 1, 1]).eval()
    with torch.no_grad():
        maps = trunk(torch.zeros(1, 3, 224, 224))
    assert maps.shape == (1, 7, 7, 1024)


def test_a_backbone_takes_the_names() -> None:
    backbone = build_backbone(
        BackboneConfig(architecture="vmamba_micro", options={"width": 8}, channels=1), image_size=32
    )
    features = backbone(torch.randint(0, 256, (2, 2, 1, 32, 48), dtype=torch.uint8), torch.ones(2, 2).bool())
    assert features.grid == (2, 2, 3) and features.tokens.shape == (2, 12, 32)  # rectangular films, too
    with pytest.raises(UserError, match="no weights that could be fetched"):
        build_backbone(BackboneConfig(architecture="vmamba_base", pretrained=True), image_size=224)
    with pytest.raises(UserError, match="did you mean vmamba_base"):
        build_backbone(BackboneConfig(architecture="vmanba_base"), image_size=224)


def test_the_global_vectors_of_a_study_do_not_know_positions_or_absent_films() -> None:
    config = BackboneConfig(architecture="vmamba_micro", options={"width": 8, "depths": [1, 1]}, channels=1)
    backbone = build_backbone(config, image_size=32).eval()
    films = torch.rand(2, 3, 1, 32, 32)
    mask = torch.tensor([[True, False, True], [False, True, False]])
    vectors = backbone(films, mask).global_vectors
    assert vectors.shape == (2, 3, 16) and (vectors[~mask] == 0).all()
    maps = backbone.feature_map(films[mask])
    own = torch.nn.functional.layer_norm(maps, (16,)).mean((1, 2))
    torch.testing.assert_close(vectors[mask], own)
    torch.nn.init.ones_(backbone.positions.rows)
    torch.testing.assert_close(backbone(films, mask).global_vectors, vectors)
    plain = build_backbone(BackboneConfig(architecture="arm_micro", options={"width": 16, "depth": 1}), image_size=32)
    assert plain(films, mask).global_vectors is None


def test_mistakes_are_named() -> None:
    with pytest.raises(UserError, match="Unknown VMamba trunk 'vmamba_huge'"):
        build_vmamba_trunk("vmamba_huge", image_size=224, channels=3)
    with pytest.raises(UserError, match="width must be even"):
        build_vmamba_trunk("vmamba_micro", image_size=224, channels=3, width=9)
    with pytest.raises(UserError, match="patch"):
        build_vmamba_trunk("vmamba_micro", image_size=224, channels=3, patch=8)
    with pytest.raises(UserError, match="image_size must be positive"):
        build_vmamba_trunk("vmamba_micro", image_size=0, channels=3)
