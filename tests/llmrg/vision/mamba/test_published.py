"""Published checkpoints: made-up tensors under the published names land where the published network would use them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from llmrg.errors import UserError
from llmrg.vision.mamba.published import from_published, read_published
from llmrg.vision.mamba.trunk import MambaTrunk

WIDTH, DEPTH, STATES, KERNEL, RANK, HIDDEN = 16, 2, 16, 4, 1, 42


def published(
    *, suffixes: tuple[str, ...] = ("", "_b", "_c", "_c_b"), grid: int = 4, token: bool = True
) -> dict[str, torch.Tensor]:
    """Tensors with the names and shapes of ARM's and MambaXray-VL's checkpoints, at a small size."""
    draw = torch.Generator().manual_seed(0)
    shapes: dict[str, tuple[int, ...]] = {
        "patch_embed.proj.weight": (WIDTH, 1, 8, 8),
        "patch_embed.proj.bias": (WIDTH,),
        "pos_embed": (1, grid**2 + token, WIDTH),
        "norm_f.weight": (WIDTH,),
        "norm_f.bias": (WIDTH,),
    }
    if token:
        shapes["cls_token"] = (1, 1, WIDTH)
    for layer in range(DEPTH):
        own = {
            "norm1.weight": (WIDTH,), "norm1.bias": (WIDTH,), "norm2.weight": (WIDTH,), "norm2.bias": (WIDTH,),
            "mixer.in_proj.weight": (2 * WIDTH, WIDTH), "mixer.out_proj.weight": (WIDTH, WIDTH),
            "mlp.w1.weight": (HIDDEN, WIDTH), "mlp.w1.bias": (HIDDEN,),
            "mlp.w2.weight": (HIDDEN, WIDTH), "mlp.w2.bias": (HIDDEN,),
            "mlp.w3.weight": (WIDTH, HIDDEN), "mlp.w3.bias": (WIDTH,),
        }  # fmt: skip
        for suffix in suffixes:
            own |= {
                f"mixer.conv1d{suffix}.weight": (WIDTH, 1, KERNEL),
                f"mixer.conv1d{suffix}.bias": (WIDTH,),
                f"mixer.x_proj{suffix}.weight": (RANK + 2 * STATES, WIDTH),
                f"mixer.dt_proj{suffix}.weight": (WIDTH, RANK),
                f"mixer.dt_proj{suffix}.bias": (WIDTH,),
                f"mixer.A{suffix}_log": (WIDTH, STATES),
                f"mixer.D{suffix}": (WIDTH,),
            }
        shapes |= {f"layers.{layer}.{name}": shape for name, shape in own.items()}
    return {name: torch.randn(*shape, generator=draw) * 0.3 for name, shape in shapes.items()}


def trunk(directions: int = 4, image_size: int = 32) -> MambaTrunk:
    return MambaTrunk(
        image_size=image_size, channels=1, patch=8, width=WIDTH, depth=DEPTH, drop_path=0.0, directions=directions
    ).eval()


def by_hand(weights: dict[str, torch.Tensor], images: torch.Tensor) -> torch.Tensor:
    """The published network, block by block, with the four directions one after the other."""
    x = F.conv2d(images, weights["patch_embed.proj.weight"], weights["patch_embed.proj.bias"], stride=8)
    side = x.shape[-1]
    x = x.flatten(2).transpose(1, 2)
    middle = x.shape[1] // 2
    x = torch.cat([x[:, :middle], weights["cls_token"].expand(len(x), -1, -1), x[:, middle:]], dim=1)
    x = x + weights["pos_embed"]
    for layer in range(DEPTH):
        own = {
            name.removeprefix(f"layers.{layer}."): t
            for name, t in weights.items()
            if name.startswith(f"layers.{layer}.")
        }
        xz = F.linear(F.layer_norm(x, (WIDTH,), own["norm1.weight"], own["norm1.bias"]), own["mixer.in_proj.weight"])

        def columns(t: torch.Tensor) -> torch.Tensor:
            token = t[:, middle : middle + 1]
            grid = torch.cat([t[:, :middle], t[:, middle + 1 :]], dim=1).unflatten(1, (side, side))
            flat = grid.transpose(1, 2).flatten(1, 2)
            return torch.cat([flat[:, :middle], token, flat[:, middle:]], dim=1)

        total = torch.zeros_like(x)
        for suffix, order in (("", "r"), ("_b", "rf"), ("_c", "c"), ("_c_b", "cf")):
            read = columns(xz) if "c" in order else xz
            read = read.flip(1) if "f" in order else read
            u, z = read.chunk(2, dim=-1)
            weight, bias = own[f"mixer.conv1d{suffix}.weight"], own[f"mixer.conv1d{suffix}.bias"]
            u = F.silu(F.conv1d(F.pad(u.transpose(1, 2), (KERNEL - 1, 0)), weight, bias, groups=WIDTH)).transpose(1, 2)
            step, b, c = F.linear(u, own[f"mixer.x_proj{suffix}.weight"]).split([RANK, STATES, STATES], dim=-1)
            delta = F.softplus(F.linear(step, own[f"mixer.dt_proj{suffix}.weight"], own[f"mixer.dt_proj{suffix}.bias"]))
            a, state, out = -torch.exp(own[f"mixer.A{suffix}_log"]), torch.zeros(len(u), WIDTH, STATES), []
            for t in range(u.shape[1]):
                state = torch.exp(delta[:, t, :, None] * a) * state + (delta[:, t] * u[:, t])[..., None] * b[:, t, None]
                out.append((state * c[:, t, None]).sum(-1) + own[f"mixer.D{suffix}"] * u[:, t])
            answer = torch.stack(out, dim=1) * F.silu(z)
            answer = answer.flip(1) if "f" in order else answer
            total = total + (columns(answer) if "c" in order else answer)
        x = x + F.linear(total / 4, own["mixer.out_proj.weight"])
        h = F.layer_norm(x, (WIDTH,), own["norm2.weight"], own["norm2.bias"])
        h = F.silu(F.linear(h, own["mlp.w1.weight"], own["mlp.w1.bias"])) * F.linear(
            h, own["mlp.w2.weight"], own["mlp.w2.bias"]
        )
        x = x + F.linear(h, own["mlp.w3.weight"], own["mlp.w3.bias"])
    return F.layer_norm(x, (WIDTH,), weights["norm_f.weight"], weights["norm_f.bias"])


def test_a_published_checkpoint_computes_the_same_here() -> None:
    weights, made = published(), trunk()
    made.load_state_dict(
        from_published(
            {f"visual_encoder.{name}": t for name, t in weights.items()} | {"text.head": torch.zeros(3)}, made
        )
    )
    images = torch.rand(2, 1, 32, 32)
    torch.testing.assert_close(made.forward_tokens(images), by_hand(weights, images), atol=1e-4, rtol=1e-4)


def test_one_direction_fills_four_and_positions_are_resized() -> None:
    weights = published(suffixes=("",), grid=3, token=False)
    made = trunk()
    found = from_published({f"module.{name}": t for name, t in weights.items()}, made)
    made.load_state_dict(found)
    for name in ("conv_weight", "selection", "log_decay"):
        tensor = found[f"blocks.1.mixer.{name}"]
        along = 1 if name == "conv_weight" else 0
        assert all(torch.equal(tensor.select(along, 0), tensor.select(along, k)) for k in range(4))
    assert found["positions"].shape == (1, 17, WIDTH) and (found["positions"][:, 8] == 0).all()
    assert (found["class_token"] == 0).all()


def test_files(tmp_path: Path) -> None:
    torch.save({"model": published(), "epoch": 3}, tmp_path / "arm.pth")
    assert set(read_published(tmp_path / "arm.pth")) == set(published())
    torch.save({"model": object()}, tmp_path / "code.pth")
    with pytest.raises(UserError, match="cannot be read"):
        read_published(tmp_path / "code.pth")
    torch.save({"epoch": 3}, tmp_path / "empty.pth")
    with pytest.raises(UserError, match="holds no weights"):
        read_published(tmp_path / "empty.pth")


def test_weights_of_another_size_are_refused() -> None:
    weights = {name: t for name, t in published().items() if not name.startswith("layers.1.")}
    with pytest.raises(UserError, match=r"lack \d+ tensors of this trunk, first blocks\.1"):
        from_published(weights, trunk())
