"""Every implementation against the recurrence written out in NumPy, in values and in gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from llmrg.errors import UserError
from llmrg.vision.selective_scan import IMPLEMENTATIONS, available_implementations, scan, selective_scan
from llmrg.vision.selective_scan import chunked as chunked_module

ON_PROCESSOR = [name for name in IMPLEMENTATIONS if name != "mamba_ssm"]


def made_up(
    batch: int = 2, length: int = 7, groups: int = 2, width: int = 3, states: int = 4, seed: int = 0, scale: float = 1.0
) -> list[torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=draw, dtype=torch.float64)

    return [
        normal(batch, length, groups, width),
        torch.nn.functional.softplus(normal(batch, length, groups, width)) * scale,
        -torch.exp(normal(groups, width, states)),
        normal(batch, length, groups, states),
        normal(batch, length, groups, states),
        normal(groups, width),
    ]


def by_hand(u, delta, a, b, c, skip) -> np.ndarray:
    """One channel at a time, one step at a time."""
    u, delta, a, b, c, skip = (tensor.detach().numpy() for tensor in (u, delta, a, b, c, skip))
    out = np.zeros_like(u)
    for n, g, e in np.ndindex(u.shape[0], u.shape[2], u.shape[3]):
        h = np.zeros(a.shape[2])
        for t in range(u.shape[1]):
            h = np.exp(delta[n, t, g, e] * a[g, e]) * h + delta[n, t, g, e] * u[n, t, g, e] * b[n, t, g]
            out[n, t, g, e] = c[n, t, g] @ h + skip[g, e] * u[n, t, g, e]
    return out


@pytest.mark.parametrize("name", ON_PROCESSOR)
@pytest.mark.parametrize("length", [1, 2, 5, 16, 33])
def test_values(name: str, length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunked_module, "_CHUNK_BYTES", 1)  # chunks of four steps: borders are crossed
    inputs = made_up(length=length)
    np.testing.assert_allclose(selective_scan(*inputs, implementation=name).numpy(), by_hand(*inputs), atol=1e-12)


@pytest.mark.parametrize("name", ON_PROCESSOR)
@pytest.mark.parametrize("length", [1, 4, 10])
def test_gradients(name: str, length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunked_module, "_CHUNK_BYTES", 1)
    inputs = [tensor.requires_grad_() for tensor in made_up(batch=2, length=length, width=2, states=3)]
    assert torch.autograd.gradcheck(lambda *given: selective_scan(*given, implementation=name), inputs)


@settings(max_examples=30, deadline=None)
@given(
    batch=st.integers(1, 3), length=st.integers(1, 40), groups=st.integers(1, 4), width=st.integers(1, 5),
    states=st.integers(1, 5), seed=st.integers(0, 10_000), scale=st.sampled_from([1e-4, 1.0, 50.0]),
)  # fmt: skip
def test_fast_paths_agree_with_the_reference(
    batch: int, length: int, groups: int, width: int, states: int, seed: int, scale: float
) -> None:
    inputs = [t.requires_grad_() for t in made_up(batch, length, groups, width, states, seed, scale)]
    weights = torch.randn(batch, length, groups, width, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = {}
    for name in ON_PROCESSOR:
        out = selective_scan(*inputs, implementation=name)
        found[name] = (out, *torch.autograd.grad((out * weights).sum(), inputs))
    for name in ("sequential", "chunked"):
        for own, other in zip(found[name], found["reference"], strict=True):
            torch.testing.assert_close(own, other, atol=1e-10, rtol=1e-9)


@pytest.mark.parametrize("name", ON_PROCESSOR)
def test_directions_as_groups_are_single_scans(name: str) -> None:
    u, delta, a, b, c, skip = made_up(groups=4, length=12)
    together = selective_scan(u, delta, a, b, c, skip, implementation=name)
    for g in range(4):
        part = slice(g, g + 1)
        alone = selective_scan(
            u[:, :, part], delta[:, :, part], a[part], b[:, :, part], c[:, :, part], skip[part], implementation=name
        )
        torch.testing.assert_close(together[:, :, part], alone)


@pytest.mark.parametrize("name", ON_PROCESSOR)
def test_the_future_does_not_reach_the_past(name: str) -> None:
    inputs = made_up(length=9)
    changed = [tensor.clone() for tensor in inputs]
    for place in (0, 1, 3, 4):
        changed[place][:, 6:] *= 3
    before, after = (selective_scan(*given, implementation=name) for given in (inputs, changed))
    torch.testing.assert_close(before[:, :6], after[:, :6])
    assert not torch.allclose(before[:, 6:], after[:, 6:])


@pytest.mark.parametrize("name", ON_PROCESSOR)
def test_half_precision_inputs_recur_in_single_precision(name: str) -> None:
    inputs = [tensor.to(torch.bfloat16) for tensor in made_up(length=64)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = selective_scan(*inputs, implementation=name)
    assert out.dtype == torch.bfloat16
    exact = by_hand(*(tensor.double() for tensor in inputs))
    np.testing.assert_allclose(out.double().numpy(), exact, rtol=2e-2, atol=2e-2)


def test_views_are_taken_as_they_are() -> None:
    u, delta, a, b, c, skip = made_up(length=8)
    flipped = [tensor.flip(1).transpose(1, 2).contiguous().transpose(1, 2) for tensor in (u, delta, b, c)]
    out = selective_scan(flipped[0], flipped[1], a, flipped[2], flipped[3], skip)
    np.testing.assert_allclose(
        out.numpy(), by_hand(u.flip(1), delta.flip(1), a, b.flip(1), c.flip(1), skip), atol=1e-12
    )


def test_no_state_of_every_step_is_kept() -> None:
    inputs = [tensor.float().requires_grad_() for tensor in made_up(1, 64, 1, 32, 16)]
    for name in ("sequential", "chunked"):
        kept: list[int] = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t, kept=kept: kept.append(t.numel()) or t, lambda t: t):
            selective_scan(*inputs, implementation=name)
        assert max(kept) < 64 * 32 * 16 / 8, name


def test_mistakes_are_named() -> None:
    inputs = made_up()
    with pytest.raises(UserError, match="Unknown selective scan 'chunk'"):
        selective_scan(*inputs, implementation="chunk")
    with pytest.raises(UserError, match="needs tensors on a CUDA device"):
        selective_scan(*inputs, implementation="mamba_ssm")
    for place, name in enumerate(("delta", "a", "b", "c", "skip"), start=1):
        wrong = list(inputs)
        wrong[place] = wrong[place][..., :-1]
        with pytest.raises(ValueError, match=f"{name} must be|[bc] must be"):
            selective_scan(*wrong)
    with pytest.raises(ValueError, match=r"u must be \[B, L, G, E\]"):
        selective_scan(inputs[0][0], *inputs[1:])


def test_the_names_that_run_here() -> None:
    assert set(ON_PROCESSOR) <= set(available_implementations()) <= set(IMPLEMENTATIONS)
    assert scan.fused_scan_available() == ("mamba_ssm" in available_implementations())


@pytest.mark.gpu
@pytest.mark.skipif("mamba_ssm" not in available_implementations(), reason="needs a CUDA device and mamba-ssm")
def test_the_kernel_agrees_with_the_reference() -> None:
    inputs = [tensor.float().cuda().requires_grad_() for tensor in made_up(2, 50, 4, 8, 16)]
    found = {}
    for name in ("reference", "chunked", "mamba_ssm"):
        out = selective_scan(*inputs, implementation=name)
        found[name] = (out, *torch.autograd.grad(out.square().sum(), inputs))
    for name in ("chunked", "mamba_ssm"):
        for own, other in zip(found[name], found["reference"], strict=True):
            torch.testing.assert_close(own, other, atol=1e-3, rtol=1e-3)
