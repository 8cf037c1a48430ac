"""Hopfield retrieval against the formula written out, with every pattern projected."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from llmrg.evidence.hopfield import HopfieldRetrieval

B, Q, N, S, P, A, H, E = 3, 4, 7, 12, 10, 9, 2, 5


def block(**changes) -> HopfieldRetrieval:
    torch.manual_seed(1)
    values = {"state_width": S, "pattern_width": P, "out_width": A, "heads": H, "head_width": E, "tolerance": 0.0}
    found = HopfieldRetrieval(**{**values, **changes}).double()
    with torch.no_grad():  # norms and biases that start at 1 and 0 would hide mistakes
        for parameter in found.parameters():
            if parameter is not getattr(found, "log_beta", None):
                parameter.add_(torch.randn_like(parameter) * 0.3)
    return found


def written_out(block: HopfieldRetrieval, state: Tensor, bank: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Ramsauer et al., equation 10, in float64: keys and values of every pattern, updates in the space of the keys."""
    queries = block.query(functional.layer_norm(state, (S,), block.state_norm.weight, block.state_norm.bias))
    patterns = functional.layer_norm(bank, (P,), block.pattern_norm.weight, block.pattern_norm.bias)
    keys = block.key(patterns)
    norm = block.value_norm or block.pattern_norm
    values = functional.layer_norm(bank, (P,), norm.weight, norm.bias) @ block.value.weight.T + block.value.bias
    wide = values.shape[1] // H
    answers, associations = [], []
    for row in range(len(state)):
        allowed = torch.ones(N, dtype=torch.bool) if mask is None else mask if mask.dim() == 1 else mask[row]
        mixed, looked = [], []
        for head in range(block.heads):
            part = slice(head * E, (head + 1) * E)
            xi, beta = queries[row, :, part], block.log_beta[head].exp()
            for _ in range(block.steps):
                exponent = beta * (xi @ keys[:, part].T)
                exponent = exponent - exponent[:, allowed].max(dim=1, keepdim=True).values
                shares = exponent.exp() * allowed
                weights = shares / shares.sum(1, keepdim=True)
                xi = weights @ keys[:, part]
            mixed.append(weights @ values[:, head * wide : (head + 1) * wide])
            looked.append(weights)
        answers.append(torch.cat(mixed, dim=-1) @ block.output.weight.T + block.output.bias)
        associations.append(torch.stack(looked))
    return torch.stack(answers), torch.stack(associations)


MASKS = {
    "none": None,
    "shared": torch.tensor([1, 1, 0, 1, 0, 1, 1], dtype=torch.bool),
    "rows": torch.tensor([[1, 1, 0, 1, 0, 1, 1], [0, 0, 0, 0, 0, 0, 1], [1] * 7], dtype=torch.bool),
}


@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("beta", [None, 2.5])
@pytest.mark.parametrize(
    "options", [{}, {"value_width": 3, "value_norm": True, "key_bias": True}], ids=["own", "ammrg"]
)
def test_values_and_gradients_agree_with_the_formula(
    steps: int, mask: str, beta: float | None, options: dict[str, Any]
) -> None:
    retrieval = block(steps=steps, beta=beta, learn_beta=True, **options)
    generator = torch.Generator().manual_seed(0)
    state = torch.randn(B, Q, S, dtype=torch.float64, generator=generator)
    bank = torch.randn(N, P, dtype=torch.float64, generator=generator)
    direction = torch.randn(B, Q, A, dtype=torch.float64, generator=generator)
    grown = torch.randn(B, H, Q, N, dtype=torch.float64, generator=generator)
    results = []
    for function in (retrieval, lambda *inputs: written_out(retrieval, *inputs)):
        inputs = [state.clone().requires_grad_(), bank.clone().requires_grad_()]
        answers, association = function(*inputs, MASKS[mask])
        loss = (answers * direction).sum() + (association * grown).sum()
        gradients = torch.autograd.grad(
            loss, [*inputs, *retrieval.parameters()], allow_unused=True, materialize_grads=True
        )
        results.append((answers, association, *gradients))
    assert any(name == "log_beta" for name, _ in retrieval.named_parameters())
    for ours, expected in zip(*results, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-8, atol=1e-10)
    association = results[0][1]
    torch.testing.assert_close(association.sum(-1), torch.ones(B, H, Q, dtype=torch.float64))
    if MASKS[mask] is not None:
        hidden = ~MASKS[mask].view(-1, 1, 1, N).expand_as(association)
        assert not association[hidden].any()


@pytest.mark.parametrize("mask", MASKS)
def test_one_step_at_the_default_beta_is_scaled_dot_product_attention(mask: str) -> None:
    retrieval = block()
    assert retrieval.log_beta.exp().tolist() == pytest.approx([1 / math.sqrt(E)] * H)
    retrieval.log_beta.fill_(-0.5 * math.log(E))  # it was made in float32
    state, bank = torch.randn(B, Q, S, dtype=torch.float64), torch.randn(N, P, dtype=torch.float64)

    def heads(vectors: Tensor) -> Tensor:
        return vectors.unflatten(-1, (H, E)).transpose(1, 2)

    patterns = retrieval.pattern_norm(bank).expand(B, N, P)
    allowed = MASKS[mask]
    attention = functional.scaled_dot_product_attention(
        heads(retrieval.query(retrieval.state_norm(state))),
        heads(retrieval.key(patterns)),
        heads(retrieval.value(patterns)),
        attn_mask=None if allowed is None else allowed.view(-1, 1, 1, N),
    )
    expected = retrieval.output(attention.transpose(1, 2).flatten(2))
    torch.testing.assert_close(retrieval(state, bank, allowed)[0], expected, rtol=1e-9, atol=1e-11)


def test_the_layer_of_ammrg_has_its_size() -> None:
    layer = HopfieldRetrieval(
        state_width=768, pattern_width=768, out_width=768, heads=6, head_width=1024, beta=4.0,
        value_width=768, value_norm=True, key_bias=True, dropout=0.1,
    )  # fmt: skip
    assert sum(parameter.numel() for parameter in layer.parameters()) == 16_537_344


def test_dropped_associations_are_those_of_projected_values() -> None:
    retrieval = block(dropout=0.5, value_width=3).train()
    state, bank = torch.randn(B, Q, S, dtype=torch.float64), torch.randn(N, P, dtype=torch.float64)
    torch.manual_seed(5)
    answers, association = retrieval(state, bank)
    torch.manual_seed(5)
    weights = functional.dropout(association, 0.5)
    values = retrieval.value(retrieval.pattern_norm(bank)).view(N, H, 3)
    mixed = torch.einsum("bhqn,nhe->bqhe", weights, values)
    torch.testing.assert_close(answers, retrieval.output(mixed.flatten(2)))
    torch.testing.assert_close(association.sum(-1), torch.ones(B, H, Q, dtype=torch.float64))


def plain(width: int, **changes) -> HopfieldRetrieval:
    """One head whose projections are identities and whose norms are as they start."""
    retrieval = HopfieldRetrieval(
        state_width=width, pattern_width=width, out_width=width, heads=1, **{"tolerance": 0.0, **changes}
    ).double()
    with torch.no_grad():
        for linear in (retrieval.query, retrieval.key, retrieval.value, retrieval.output):
            linear.weight.copy_(torch.eye(width))
            if linear.bias is not None:
                linear.bias.zero_()
    return retrieval


@pytest.mark.parametrize("steps", [1, 3])
def test_a_stored_pattern_is_a_fixed_point_at_large_beta(steps: int) -> None:
    bank = torch.randn(20, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    retrieval = plain(32, beta=20.0, steps=steps)
    answers, association = retrieval(bank.unsqueeze(0), bank)
    torch.testing.assert_close(association[0, 0], torch.eye(20, dtype=torch.float64))
    torch.testing.assert_close(answers[0], functional.layer_norm(bank, (32,)))


def test_a_damaged_pattern_is_restored() -> None:
    generator = torch.Generator().manual_seed(0)
    bank = torch.randn(20, 32, dtype=torch.float64, generator=generator)
    damaged = bank + 0.5 * torch.randn(20, 32, dtype=torch.float64, generator=generator)
    answers, _ = plain(32, beta=2.0, steps=3)(damaged.unsqueeze(0), bank)
    torch.testing.assert_close(answers[0], functional.layer_norm(bank, (32,)), rtol=0, atol=1e-3)


@pytest.mark.parametrize("beta", [0.05, 0.3, 3.0])
def test_energy_never_rises(beta: float) -> None:
    """E(xi) = -lse(beta, X xi) + xi.xi / 2 (equation 2 of Ramsauer et al.), its constants left out."""
    generator = torch.Generator().manual_seed(3)
    bank = torch.randn(12, 8, dtype=torch.float64, generator=generator)
    state = torch.randn(1, 6, 8, dtype=torch.float64, generator=generator)
    patterns = functional.layer_norm(bank, (8,))
    xi = functional.layer_norm(state, (8,))[0]
    energies = []
    for steps in range(1, 8):
        energies.append(-torch.logsumexp(beta * xi @ patterns.T, dim=1) / beta + xi.square().sum(1) / 2)
        _, association = plain(8, beta=beta, steps=steps)(state, bank)
        xi = association[0, 0] @ patterns  # the state after so many updates
    falls = torch.stack(energies[:-1]) - torch.stack(energies[1:])
    assert float(falls.min()) >= -1e-12
    assert float(falls[0].min()) > 1e-6


def test_it_stops_when_nothing_moves() -> None:
    bank = torch.randn(20, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    state = bank[None, :3] + 0.1
    many = plain(32, beta=4.0, steps=10**9, tolerance=1e-6)(state, bank)  # would never end
    few = plain(32, beta=4.0, steps=6)(state, bank)
    torch.testing.assert_close(many[0], few[0], rtol=0, atol=1e-5)


def test_a_pattern_that_may_not_answer_has_no_gradient() -> None:
    bank = torch.randn(N, P, dtype=torch.float64, requires_grad=True)
    answers, _ = block(steps=2)(torch.randn(B, Q, S, dtype=torch.float64), bank, MASKS["shared"])
    answers.square().sum().backward()
    assert bank.grad is not None
    moved = bank.grad.abs().sum(1) > 0
    assert moved.tolist() == MASKS["shared"].tolist()


def test_beta_is_learnt_only_when_asked() -> None:
    assert "log_beta" in dict(block(learn_beta=True).named_parameters())
    fixed = block(beta=3.0)
    assert "log_beta" not in dict(fixed.named_parameters())
    assert fixed.state_dict()["log_beta"].exp().tolist() == pytest.approx([3.0, 3.0])


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"steps": 0}, "steps"),
        ({"beta": 0.0}, "beta"),
        ({"beta": -1.0}, "beta"),
        ({"heads": 5, "head_width": None}, "divisible"),
    ],
)
def test_blocks_that_cannot_be_are_refused(values: dict, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        block(**values)
