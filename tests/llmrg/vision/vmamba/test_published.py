"""Published checkpoints: made-up tensors under the published names land where the published network would use them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from llmrg.errors import UserError
from llmrg.vision.backbone import build_backbone
from llmrg.vision.settings import BackboneConfig
from llmrg.vision.vmamba.published import from_published
from llmrg.vision.vmamba.trunk import VMambaTrunk

WIDTH, DEPTHS, CLASSES = 8, (1, 2, 1, 1), 5


def published(*, as_convolutions: bool = False) -> dict[str, torch.Tensor]:
    """Tensors with the names and shapes of ``vssm_base_0229_ckpt_epoch_237.pth``, at a small size.

    Args:
        as_convolutions: linear layers as 1 x 1 convolutions, as networks with channels first may keep them.
    """
    one = (1, 1) if as_convolutions else ()
    shapes: dict[str, tuple[int, ...]] = {
        "patch_embed.0.weight": (WIDTH // 2, 1, 3, 3), "patch_embed.0.bias": (WIDTH // 2,),
        "patch_embed.2.weight": (WIDTH // 2,), "patch_embed.2.bias": (WIDTH // 2,),
        "patch_embed.5.weight": (WIDTH, WIDTH // 2, 3, 3), "patch_embed.5.bias": (WIDTH,),
        "patch_embed.7.weight": (WIDTH,), "patch_embed.7.bias": (WIDTH,),
    }  # fmt: skip
    for stage, depth in enumerate(DEPTHS):
        d = WIDTH * 2**stage
        e, rank = 2 * d, -(-d // 16)
        for block in range(depth):
            own = {
                "norm.weight": (d,), "norm.bias": (d,), "norm2.weight": (d,), "norm2.bias": (d,),
                "op.x_proj_weight": (4, rank + 2, e), "op.A_logs": (4 * e, 1), "op.Ds": (4 * e,),
                "op.dt_projs_weight": (4, e, rank), "op.dt_projs_bias": (4, e),
                "op.out_norm.weight": (e,), "op.out_norm.bias": (e,),
                "op.in_proj.weight": (e, d, *one), "op.conv2d.weight": (e, 1, 3, 3), "op.out_proj.weight": (d, e, *one),
                "mlp.fc1.weight": (4 * d, d, *one), "mlp.fc1.bias": (4 * d,),
                "mlp.fc2.weight": (d, 4 * d, *one), "mlp.fc2.bias": (d,),
            }  # fmt: skip
            shapes |= {f"layers.{stage}.blocks.{block}.{name}": shape for name, shape in own.items()}
        if stage + 1 < len(DEPTHS):
            shapes |= {
                f"layers.{stage}.downsample.1.weight": (2 * d, d, 3, 3), f"layers.{stage}.downsample.1.bias": (2 * d,),
                f"layers.{stage}.downsample.3.weight": (2 * d,), f"layers.{stage}.downsample.3.bias": (2 * d,),
            }  # fmt: skip
    last = WIDTH * 2 ** (len(DEPTHS) - 1)
    shapes |= {
        "classifier.norm.weight": (last,), "classifier.norm.bias": (last,),
        "classifier.head.weight": (CLASSES, last), "classifier.head.bias": (CLASSES,),
    }  # fmt: skip
    draw = torch.Generator().manual_seed(0)
    return {name: torch.randn(*shape, generator=draw) * 0.3 for name, shape in shapes.items()}


def trunk() -> VMambaTrunk:
    return VMambaTrunk(channels=1, width=WIDTH, depths=DEPTHS).eval()


def over_channels(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    centred = x - x.mean(1, keepdim=True)
    scale = (centred.square().mean(1, keepdim=True) + 1e-5).sqrt()
    return centred / scale * weight.view(-1, 1, 1) + bias.view(-1, 1, 1)


def directions(height: int, width: int) -> list[list[int]]:
    rows = [r * width + c for r in range(height) for c in range(width)]
    columns = [r * width + c for c in range(width) for r in range(height)]
    return [rows, columns, rows[::-1], columns[::-1]]


def by_hand(weights: dict[str, torch.Tensor], images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The published network with channels first: its last map [N, D, h, w], and its classifier's input [N, D]."""

    def named(prefix: str) -> tuple[torch.Tensor, torch.Tensor]:
        return weights[f"{prefix}.weight"], weights[f"{prefix}.bias"]

    x = over_channels(F.conv2d(images, *named("patch_embed.0"), stride=2, padding=1), *named("patch_embed.2"))
    x = over_channels(F.conv2d(F.gelu(x), *named("patch_embed.5"), stride=2, padding=1), *named("patch_embed.7"))
    for stage, depth in enumerate(DEPTHS):
        for block in range(depth):
            at = f"layers.{stage}.blocks.{block}"
            x = x + mixed(over_channels(x, *named(f"{at}.norm")), weights, f"{at}.op")
            h = over_channels(x, *named(f"{at}.norm2"))
            h = torch.einsum("oi,nihw->nohw", weights[f"{at}.mlp.fc1.weight"], h)
            h = F.gelu(h + weights[f"{at}.mlp.fc1.bias"].view(-1, 1, 1))
            h = torch.einsum("oi,nihw->nohw", weights[f"{at}.mlp.fc2.weight"], h)
            x = x + h + weights[f"{at}.mlp.fc2.bias"].view(-1, 1, 1)
        if stage + 1 < len(DEPTHS):
            at = f"layers.{stage}.downsample"
            x = over_channels(F.conv2d(x, *named(f"{at}.1"), stride=2, padding=1), *named(f"{at}.3"))
    return x, over_channels(x, *named("classifier.norm")).mean((2, 3))


def mixed(x: torch.Tensor, weights: dict[str, torch.Tensor], at: str) -> torch.Tensor:
    u = torch.einsum("oi,nihw->nohw", weights[f"{at}.in_proj.weight"], x)
    u = F.silu(F.conv2d(u, weights[f"{at}.conv2d.weight"], padding=1, groups=u.shape[1]))
    (count, e), (height, width) = u.shape[:2], u.shape[2:]
    tokens, total = u.flatten(2), torch.zeros(count, e, height * width)
    rank = weights[f"{at}.dt_projs_weight"].shape[2]
    for k, order in enumerate(directions(height, width)):
        a = -torch.exp(weights[f"{at}.A_logs"].view(4, e)[k])
        state = torch.zeros(count, e)
        for place in order:
            token = tokens[:, :, place]
            step, b, c = (token @ weights[f"{at}.x_proj_weight"][k].T).split([rank, 1, 1], dim=-1)
            delta = F.softplus(step @ weights[f"{at}.dt_projs_weight"][k].T + weights[f"{at}.dt_projs_bias"][k])
            state = torch.exp(delta * a) * state + delta * token * b
            total[:, :, place] += state * c + weights[f"{at}.Ds"].view(4, e)[k] * token
    total = over_channels(total.view_as(u), weights[f"{at}.out_norm.weight"], weights[f"{at}.out_norm.bias"])
    return torch.einsum("oi,nihw->nohw", weights[f"{at}.out_proj.weight"], total)


@pytest.mark.parametrize("shape", [(64, 64), (64, 96), (50, 33)])
@pytest.mark.parametrize("prefix", ["", "module.", "visual_encoder."])
def test_a_published_checkpoint_computes_the_same_here(shape: tuple[int, int], prefix: str) -> None:
    weights, made = published(), trunk()
    others = {"llama_proj.weight": torch.zeros(3)} if prefix == "visual_encoder." else {}
    made.load_state_dict(from_published({f"{prefix}{name}": t for name, t in weights.items()} | others, made))
    images = torch.rand(2, 1, *shape, generator=torch.Generator().manual_seed(1))
    maps, pooled = by_hand(weights, images)
    own = made.forward_features(images)
    assert own.shape == (2, -(-shape[0] // 32), -(-shape[1] // 32), 8 * WIDTH)
    torch.testing.assert_close(own, maps.permute(0, 2, 3, 1), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(made.global_vectors(own), pooled, atol=1e-4, rtol=1e-4)


def test_linear_layers_may_be_convolutions_and_our_own_names_stay() -> None:
    made = trunk()
    found = from_published(published(as_convolutions=True), made)
    made.load_state_dict(found)
    plain = from_published(published(), made)
    assert all(torch.equal(found[name], tensor) for name, tensor in plain.items())
    assert from_published(found, made) == found


def test_a_backbone_reads_the_file(tmp_path: Path) -> None:
    torch.save({"model": published(), "epoch": 237}, tmp_path / "vssm.pth")
    config = BackboneConfig(
        architecture="vmamba_micro",
        checkpoint=tmp_path / "vssm.pth",
        options={"width": WIDTH, "depths": list(DEPTHS)},
        channels=1,
        mean=0.0,
        std=1.0,
        positions=False,
    )
    backbone = build_backbone(config, image_size=64).eval()
    images = torch.rand(2, 1, 64, 64)
    maps, _ = by_hand(published(), images)
    torch.testing.assert_close(backbone.feature_map(images), maps.permute(0, 2, 3, 1), atol=1e-4, rtol=1e-4)
    wider = BackboneConfig(
        architecture="vmamba_micro",
        checkpoint=tmp_path / "vssm.pth",
        options={"width": 2 * WIDTH, "depths": list(DEPTHS)},
        channels=1,
    )
    with pytest.raises(UserError, match="does not fit vmamba_micro: size mismatch"):
        build_backbone(wider, image_size=64)


def test_weights_of_another_depth_are_refused() -> None:
    shallow = {name: t for name, t in published().items() if not name.startswith("layers.1.blocks.1.")}
    with pytest.raises(UserError, match=r"lack 18 tensors of this trunk, first stages\.1\.1\."):
        from_published(shallow, trunk())
    deep = published() | {"layers.1.blocks.2.norm.weight": torch.zeros(16)}
    with pytest.raises(UserError, match=r"hold 1 tensors that this trunk has no place for, first layers\.1\.blocks\.2"):
        from_published(deep, trunk())
    with pytest.raises(UserError, match=r"hold 1 tensors .* first pos_embed"):
        from_published(published() | {"pos_embed": torch.zeros(3)}, trunk())
