from __future__ import annotations

from pathlib import Path

import pytest
import torch

from llmrg.errors import UserError
from llmrg.evidence.region_projection import RegionProjection

VECTORS = torch.randn(2000, 48, generator=torch.Generator().manual_seed(0))


def test_identity_changes_nothing() -> None:
    projection = RegionProjection("auto", width=48, out_width=48)
    assert projection.kind == "identity"
    assert torch.equal(projection(VECTORS), VECTORS)
    with pytest.raises(UserError, match="width 48 to width 16"):
        RegionProjection("identity", width=48, out_width=16)


@pytest.mark.parametrize("width", [16, 48])
def test_orthogonal_rows_keep_lengths_on_average(width: int) -> None:
    projection = RegionProjection("orthogonal", width=48, out_width=width, seed=3)
    gram = projection.weight @ projection.weight.T
    torch.testing.assert_close(gram, torch.eye(width) * 48 / width, atol=1e-4, rtol=1e-4)
    ratio = projection(VECTORS).pow(2).sum() / VECTORS.pow(2).sum()
    assert ratio.item() == pytest.approx(1, abs=0.05)
    assert RegionProjection("auto", width=48, out_width=16).kind == "orthogonal"


def test_random_is_a_fresh_linear_layer() -> None:
    projection = RegionProjection("random", width=48, out_width=16, seed=3)
    for tensor in (projection.weight, projection.bias):
        assert tensor.abs().max() <= 48**-0.5
    assert projection.weight.std().item() == pytest.approx((48 * 3) ** -0.5, rel=0.1)
    assert projection.bias.abs().sum() > 0
    expected = torch.nn.functional.linear(VECTORS, projection.weight, projection.bias)
    torch.testing.assert_close(projection(VECTORS), expected)
    assert not list(projection.parameters()), "it is never trained"


@pytest.mark.parametrize("kind", ["identity", "orthogonal", "random"])
def test_saved_and_drawn_again(kind: str, tmp_path: Path) -> None:
    out = 48 if kind == "identity" else 16
    first = RegionProjection(kind, width=48, out_width=out, seed=7)  # type: ignore[arg-type]
    torch.manual_seed(99)
    again = RegionProjection(kind, width=48, out_width=out, seed=7)  # type: ignore[arg-type]
    assert torch.equal(first.weight, again.weight)
    first.save(tmp_path)
    assert torch.equal(RegionProjection.load(tmp_path)(VECTORS), first(VECTORS))
    if kind != "identity":
        other = RegionProjection(kind, width=48, out_width=out, seed=8)  # type: ignore[arg-type]
        assert not torch.equal(first.weight, other.weight)


def test_damaged(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="mine-maps"):
        RegionProjection.load(tmp_path)
    (tmp_path / "projection.safetensors").write_bytes(b"nothing")
    with pytest.raises(UserError, match="mine-maps"):
        RegionProjection.load(tmp_path)
