"""The mixer against its formula: one direction after the other, one step after the other."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from llmrg.vision.vmamba import mixer as mixer_module
from llmrg.vision.vmamba.mixer import CrossScanMixer

WIDTH, INNER, RANK = 6, 9, 2
ORDERS = ([0, 1, 2, 3, 4, 5], [0, 3, 1, 4, 2, 5], [5, 4, 3, 2, 1, 0], [5, 2, 4, 1, 3, 0])  # of a map of 2 x 3


def mixer(*, states: int = 1, scan: str = "auto") -> CrossScanMixer:
    torch.manual_seed(0)
    made = CrossScanMixer(width=WIDTH, ratio=1.5, states=states, rank=RANK, scan=scan)
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.5)
    return made.double()


def by_hand(made: CrossScanMixer, maps: torch.Tensor, states: int) -> torch.Tensor:
    inner = F.linear(maps, made.in_proj.weight)
    padded = F.pad(inner, (0, 0, 1, 1, 1, 1))
    convolved = torch.zeros_like(inner)
    for row in range(3):
        for column in range(3):
            convolved += made.conv.weight[:, 0, row, column] * padded[:, row : row + 2, column : column + 3]
    tokens = F.silu(convolved).flatten(1, 2)
    total = torch.zeros_like(tokens)
    for k, order in enumerate(ORDERS):
        state = torch.zeros(len(maps), INNER, states, dtype=maps.dtype)
        for place in order:
            x = tokens[:, place]
            step, b, c = F.linear(x, made.selection[k]).split([RANK, states, states], dim=-1)
            delta = F.softplus(F.linear(step, made.step_weight[k], made.step_bias[k]))
            decay = torch.exp(-delta.unsqueeze(-1) * torch.exp(made.log_decay[k]))
            state = decay * state + (delta * x).unsqueeze(-1) * b.unsqueeze(1)
            total[:, place] += (state * c.unsqueeze(1)).sum(-1) + made.skip[k] * x
    normed = F.layer_norm(total, (INNER,), made.norm.weight, made.norm.bias)
    return F.linear(normed, made.out_proj.weight).unflatten(1, (2, 3))


@pytest.mark.parametrize("states", [1, 3])
@pytest.mark.parametrize("scan", ["reference", "sequential", "chunked"])
def test_the_formula_in_values_and_gradients(states: int, scan: str) -> None:
    made = mixer(states=states, scan=scan)
    maps = torch.randn(2, 2, 3, WIDTH, dtype=torch.float64, requires_grad=True)
    wanted = torch.randn(2, 2, 3, WIDTH, dtype=torch.float64)
    inputs = [maps, *made.parameters()]
    own, other = made(maps), by_hand(made, maps, states)
    torch.testing.assert_close(own, other)
    found = torch.autograd.grad((own * wanted).sum(), inputs)
    expected = torch.autograd.grad((other * wanted).sum(), inputs)
    for gradient, formula in zip(found, expected, strict=True):
        assert formula.abs().max() > 0
        torch.testing.assert_close(gradient, formula)


def test_every_place_reaches_every_place() -> None:
    made = mixer()
    maps = torch.randn(1, 4, 5, WIDTH, dtype=torch.float64)
    for row, column in [(0, 0), (1, 3), (3, 4)]:
        changed = maps.clone()
        changed[:, row, column] += 1
        assert not torch.isclose(made(maps), made(changed), rtol=0, atol=0).all(dim=-1).any()


def test_four_directions_are_one_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counted(u: torch.Tensor, *given: torch.Tensor, **options: str) -> torch.Tensor:
        calls.append(tuple(u.shape))
        return scan(u, *given, **options)

    scan = mixer_module.selective_scan
    monkeypatch.setattr(mixer_module, "selective_scan", counted)
    mixer()(torch.randn(2, 2, 3, WIDTH, dtype=torch.float64))
    assert calls == [(2, 6, 4, INNER)]


def test_nothing_as_large_as_all_states_is_kept() -> None:
    made = CrossScanMixer(width=16, states=16, scan="chunked")
    maps = torch.randn(1, 12, 12, 16, requires_grad=True)
    kept: list[int] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        made(maps)
    assert max(kept) <= 144 * 4 * 32  # L x K x E; all states are 16 times that


def test_step_sizes_start_between_a_thousandth_and_a_tenth() -> None:
    made = CrossScanMixer(width=64)
    steps = F.softplus(made.step_bias).detach()
    assert float(steps.min()) > 0.0009 and float(steps.max()) < 0.11
    assert made.rank == 4 and made.selection.shape == (4, 6, 128)
    assert (made.log_decay == 0).all() and (made.skip == 1).all()
