"""The mixer against Mamba written out with torch's own modules, one direction after the other."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from llmrg.vision.mamba.directions import scan_orders
from llmrg.vision.mamba.mixer import MambaMixer

WIDTH, STATES, KERNEL, RANK = 6, 4, 3, 2


def mixer(
    directions: int, *, height: int = 2, width: int = 3, class_token: bool = True, scan: str = "auto"
) -> MambaMixer:
    torch.manual_seed(0)
    orders = scan_orders(height, width, directions=directions, class_token=class_token)
    made = MambaMixer(width=WIDTH, orders=orders, expand=2, states=STATES, kernel=KERNEL, rank=RANK, scan=scan)
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.5)
    return made.double()


def one_direction(made: MambaMixer, k: int, inner: torch.Tensor) -> torch.Tensor:
    """Convolution, selection and recurrence of direction k for tokens in its order, [B, E, L]."""
    weight = made.conv_weight[:, k].T.unsqueeze(1)
    convolved = F.conv1d(F.pad(inner, (KERNEL - 1, 0)), weight, made.conv_bias[k], groups=inner.shape[1])
    x = F.silu(convolved).transpose(1, 2)
    step, b, c = F.linear(x, made.selection[k].T).split([RANK, STATES, STATES], dim=-1)
    delta = F.softplus(F.linear(step, made.step_weight[k].T, made.step_bias[k]))
    a = -torch.exp(made.log_decay[k])
    state, out = torch.zeros(len(x), x.shape[2], STATES, dtype=x.dtype), []
    for t in range(x.shape[1]):
        state = torch.exp(delta[:, t, :, None] * a) * state + (delta[:, t] * x[:, t])[..., None] * b[:, t, None]
        out.append((state * c[:, t, None]).sum(-1) + made.skip[k] * x[:, t])
    return torch.stack(out, dim=-1)


@pytest.mark.parametrize("directions", [1, 2, 4])
@pytest.mark.parametrize("scan", ["reference", "chunked"])
def test_the_formula(directions: int, scan: str) -> None:
    made = mixer(directions, scan=scan)
    tokens = torch.randn(2, 7, WIDTH, dtype=torch.float64)
    inner, gate = F.linear(tokens, made.in_proj.weight).chunk(2, dim=-1)
    answers = []
    for k in range(directions):
        order = made.orders[k]
        read = one_direction(made, k, inner[:, order].transpose(1, 2)).transpose(1, 2)
        # Each direction gates for itself and is put back into the tokens' order, as in the published block.
        gated = read * F.silu(gate[:, order])
        back = torch.empty_like(gated)
        back[:, order] = gated
        answers.append(back)
    expected = F.linear(torch.stack(answers).mean(0), made.out_proj.weight)
    torch.testing.assert_close(made(tokens), expected)


def test_one_direction_is_causal_and_four_see_everything() -> None:
    tokens = torch.randn(1, 7, WIDTH, dtype=torch.float64)
    changed = tokens.clone()
    changed[:, 5] += 1
    one, four = mixer(1), mixer(4)
    assert torch.equal(one(tokens)[:, :5], one(changed)[:, :5])
    assert not torch.isclose(four(tokens), four(changed)).all(dim=-1).any()


def test_gradients_reach_every_parameter() -> None:
    made = mixer(4)
    made(torch.randn(2, 7, WIDTH, dtype=torch.float64)).square().sum().backward()
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


def test_step_sizes_start_between_a_thousandth_and_a_tenth() -> None:
    made = MambaMixer(width=64, orders=scan_orders(2, 2, directions=4))
    steps = F.softplus(made.step_bias)
    assert float(steps.min().detach()) > 0.0009 and float(steps.max().detach()) < 0.11
    assert made.rank == 4
