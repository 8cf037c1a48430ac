"""Activation maps against one study and one finding at a time, worked out by hand from the trunk's own output."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from llmrg.evidence.disease_queries import DiseaseQueries
from llmrg.vision.activation_maps import activation_maps
from llmrg.vision.backbone import Backbone, build_backbone
from llmrg.vision.features import VisualFeatures
from llmrg.vision.settings import BackboneConfig

FINDINGS = 5
VIEW_MASK = torch.tensor([[True, True], [True, False], [True, True], [False, True]])
VIEWS = torch.tensor([[1, 2], [1, 0], [0, 2], [0, 2]])
WANTED = [[3, 0, 4], [], [2], [1, 3]]
TRUNKS = {
    "convolution": {
        "architecture": "resnet10t",
        "options": {"channels": [8, 8, 16, 16], "stem_width": 8, "output_stride": 8},
    },
    "class token": {"architecture": "vit_tiny_patch16_224", "options": {"embed_dim": 16, "depth": 1, "num_heads": 2}},
    "channels last": {
        "architecture": "swin_tiny_patch4_window7_224",
        "options": {"embed_dim": 8, "depths": [1, 1], "num_heads": [1, 2], "window_size": 2, "patch_size": 4},
    },
}


@pytest.fixture(params=list(TRUNKS))
def backbone(request: pytest.FixtureRequest) -> Backbone:
    torch.manual_seed(1)
    built = build_backbone(BackboneConfig(**TRUNKS[request.param], channels=1, positions=True), image_size=32)
    nn.init.normal_(built.positions.rows)  # type: ignore[union-attr]
    return built.double().eval()


@pytest.fixture(scope="module")
def pixels() -> Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.rand(4, 2, 1, 32, 32, generator=generator, dtype=torch.float64) * VIEW_MASK[..., None, None, None]


def queries_head(width: int) -> Callable[[VisualFeatures], Tensor]:
    torch.manual_seed(2)
    queries = DiseaseQueries(findings=FINDINGS, width=width, heads=2, dropout=0.5).double().eval()
    return lambda features: queries(features).logits[..., 0]


def pooled_head(width: int) -> Callable[[VisualFeatures], Tensor]:
    torch.manual_seed(3)
    linear = nn.Linear(width, FINDINGS).double()
    return lambda features: linear(features.pooled)


def alone(
    backbone: Backbone, pixels: Tensor, row: int, finding: int, head: Any, *, method: str, extent: str
) -> np.ndarray:
    """The map of one finding of one study: the trunk's output keeps its gradient, the rest is arithmetic."""
    films = [film for film in range(2) if VIEW_MASK[row, film]]
    leaf = backbone.feature_map(pixels[row, films]).detach().clone().requires_grad_()
    placed = backbone.positions(leaf, VIEWS[row, films]) if backbone.positions else leaf
    tokens = placed.reshape(1, -1, placed.shape[-1])
    places = placed.shape[1] * placed.shape[2]
    features = VisualFeatures(
        tokens=tokens,
        mask=torch.ones(tokens.shape[:2], dtype=torch.bool),
        pooled=tokens.mean(1),
        grid=(len(films), *placed.shape[1:3]),
        view=VIEWS[row, films].repeat_interleave(places).unsqueeze(0),
    )
    head(features)[0, finding].backward()
    gradient, activation = leaf.grad.numpy(), leaf.detach().numpy()  # type: ignore[union-attr]
    maps = []
    for grad, act in zip(gradient, activation, strict=True):
        weight = grad.mean(axis=(0, 1)) if method == "grad_cam" else grad
        raised = np.maximum((weight * act).sum(axis=-1), 0)
        large = nn.functional.interpolate(torch.from_numpy(raised)[None, None], size=(32, 32), mode="bilinear")
        maps.append(large[0, 0].numpy())
    groups = [[number] for number in range(len(maps))] if extent == "film" else [list(range(len(maps)))]
    result = np.zeros((2, 32, 32))
    for group in groups:
        values = np.stack([maps[number] for number in group])
        if values.max() > values.min():
            values = (values - values.min()) / (values.max() - values.min())
        else:
            values = np.zeros_like(values)
        for number, value in zip(group, values, strict=True):
            result[films[number]] = value
    return result


@pytest.mark.parametrize("make_head", [queries_head, pooled_head])
@pytest.mark.parametrize(("method", "extent"), [("grad_cam", "study"), ("grad_cam", "film"), ("hires_cam", "study")])
def test_batched_maps_are_those_of_one_study_and_finding_alone(
    backbone: Backbone, pixels: Tensor, make_head: Any, method: Any, extent: Any
) -> None:
    head = make_head(backbone.width)
    found = activation_maps(
        backbone, pixels, VIEW_MASK, VIEWS, wanted=WANTED, scores=head, method=method, extent=extent
    )
    assert list(zip(found.study, found.finding, strict=True)) == [(0, 3), (0, 0), (0, 4), (2, 2), (3, 1), (3, 3)]
    assert found.maps.shape == (6, 2, 32, 32)
    assert found.maps.dtype == torch.float32
    assert found.maps.min() >= 0
    assert found.maps.max() <= 1
    bright = 0
    for row, finding, maps in zip(found.study, found.finding, found.maps.numpy(), strict=True):
        expected = alone(backbone, pixels, row, finding, head, method=method, extent=extent)
        np.testing.assert_allclose(maps, expected, atol=2e-5)
        bright += expected.max() == 1
        assert not maps[~VIEW_MASK[row].numpy()].any()
    assert bright >= 2, "a test of nothing but dark maps"


def test_mean_pooling_has_a_closed_form(pixels: Tensor) -> None:
    """With a linear head on mean-pooled features the weights of Grad-CAM are the head's own: a class activation map."""
    torch.manual_seed(5)
    config = BackboneConfig(**TRUNKS["convolution"], channels=1, positions=False)
    backbone = build_backbone(config, image_size=32).double().eval()
    weight = torch.randn(FINDINGS, backbone.width, dtype=torch.float64)
    found = activation_maps(
        backbone, pixels, VIEW_MASK, VIEWS, wanted=WANTED, scores=lambda features: features.pooled @ weight.T
    )
    raw = backbone.feature_map(pixels[VIEW_MASK]).detach()
    maps = torch.zeros(4, 2, *raw.shape[1:], dtype=torch.float64)
    maps[VIEW_MASK] = raw
    for row, finding, seen in zip(found.study, found.finding, found.maps, strict=True):
        raised = (maps[row] @ weight[finding]).clamp(min=0)
        large = nn.functional.interpolate(raised.unsqueeze(0), size=(32, 32), mode="bilinear")[0][VIEW_MASK[row]]
        spread = large.max() - large.min()
        expected = (large - large.min()) / spread if spread > 0 else torch.zeros_like(large)
        torch.testing.assert_close(seen[VIEW_MASK[row]].double(), expected, atol=1e-5, rtol=0)


def test_one_forward_pass_and_as_many_backward_passes_as_the_most_findings(
    backbone: Backbone, pixels: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = {"forward": 0, "backward": 0}
    grad = torch.autograd.grad
    forward = backbone.trunk.forward_features

    def counted_forward(*args: Any) -> Any:
        passes["forward"] += 1
        return forward(*args)

    def counted_grad(*args: Any, **options: Any) -> Any:
        passes["backward"] += 1
        return grad(*args, **options)

    monkeypatch.setattr(backbone.trunk, "forward_features", counted_forward)
    monkeypatch.setattr(torch.autograd, "grad", counted_grad)
    activation_maps(backbone, pixels, VIEW_MASK, VIEWS, wanted=WANTED, scores=queries_head(backbone.width))
    assert passes == {"forward": 1, "backward": 3}
    assert not any(parameter.grad is not None for parameter in backbone.parameters())


def test_a_probability_gives_the_map_of_its_logit(backbone: Backbone, pixels: Tensor) -> None:
    head = queries_head(backbone.width)
    one, other = (
        activation_maps(backbone, pixels, VIEW_MASK, VIEWS, wanted=WANTED, scores=scores).maps
        for scores in (head, lambda features: head(features).sigmoid())
    )
    torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


@pytest.mark.parametrize("scores", [0.0, float("nan"), -1.0])
def test_what_nothing_speaks_for_is_dark(backbone: Backbone, pixels: Tensor, scores: float) -> None:
    """A head that does not look, one that is broken, and one that only what is dark could raise."""

    def head(features: VisualFeatures) -> Tensor:
        maximum = (features.tokens**2).sum(dim=(1, 2)) if scores < 0 else features.tokens.sum(dim=(1, 2))
        return (maximum * scores).unsqueeze(1).expand(-1, FINDINGS)

    backbone.positions = None
    found = activation_maps(backbone, pixels, VIEW_MASK, VIEWS, wanted=WANTED, scores=head, method="hires_cam")
    assert not found.maps.any()


def test_nothing_wanted(backbone: Backbone, pixels: Tensor) -> None:
    found = activation_maps(backbone, pixels, VIEW_MASK, wanted=[[]] * 4, scores=queries_head(backbone.width))
    assert found.maps.shape == (0, 2, 32, 32)
    assert found.study == found.finding == ()
    with pytest.raises(ValueError, match="1 lists of findings for 4 studies"):
        activation_maps(backbone, pixels, VIEW_MASK, wanted=[[0]], scores=queries_head(backbone.width))


def test_studies_do_not_change_each_other(backbone: Backbone, pixels: Tensor) -> None:
    head, every = queries_head(backbone.width), [range(FINDINGS)] * 4
    changed = pixels.clone()
    changed[2] = 1 - changed[2]
    one, other = (
        activation_maps(backbone, films, VIEW_MASK, VIEWS, wanted=every, scores=head) for films in (pixels, changed)
    )
    same = [place for place, row in enumerate(one.study) if row != 2]
    torch.testing.assert_close(one.maps[same], other.maps[same], atol=1e-6, rtol=0)
    assert not torch.equal(one.maps[2 * FINDINGS : 3 * FINDINGS], other.maps[2 * FINDINGS : 3 * FINDINGS])


def test_a_grid_of_one_place_tells_nothing(pixels: Tensor) -> None:
    """Scaling must not make a pattern of rounding errors."""
    options = {"channels": [8, 8, 16, 16], "stem_width": 8, "output_stride": 32}
    config = BackboneConfig(architecture="resnet10t", options=options, channels=1)
    backbone = build_backbone(config, image_size=32).eval()
    head = nn.Linear(backbone.width, FINDINGS)
    found = activation_maps(
        backbone,
        pixels.float(),
        VIEW_MASK,
        VIEWS,
        wanted=[range(FINDINGS)] * 4,
        scores=lambda features: head(features.pooled),
        extent="film",
    )
    assert not found.maps.any()
