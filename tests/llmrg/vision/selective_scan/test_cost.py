"""Formulas of the scan's cost against its operations, counted one by one."""

from __future__ import annotations

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from llmrg.vision.selective_scan import selective_scan
from llmrg.vision.selective_scan.chunked import chunk_steps, scan_chunks, scan_chunks_backward
from llmrg.vision.selective_scan.cost import SCAN_COSTS

LENGTH, BATCH, GROUPS, WIDTH, STATES = 50, 3, 2, 40, 16
ARITHMETIC = {"mul": 1, "mul_": 1, "exp_": 1, "add_": 1, "add": 1, "addcmul_": 2, "sum": 1}


class Counter(TorchDispatchMode):
    """Counts operations and arithmetic as they happen."""

    def __init__(self) -> None:
        super().__init__()
        self.flops = self.operations = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        name = func._overloadpacket.__name__
        if name == "bmm":
            self.flops += 2 * args[0].numel() * args[1].shape[2]
        elif name in ARITHMETIC:
            counted = args[0] if name == "sum" else result
            self.flops += ARITHMETIC[name] * counted.numel()
        self.operations += name in ARITHMETIC or name in ("bmm", "copy_", "zeros", "new_zeros")
        return result


def inputs() -> list[torch.Tensor]:
    return [
        torch.rand(LENGTH, BATCH, GROUPS, WIDTH),
        torch.rand(LENGTH, BATCH, GROUPS, WIDTH),
        -torch.rand(GROUPS, STATES, WIDTH),
        torch.rand(LENGTH, BATCH, GROUPS, STATES),
        torch.rand(LENGTH, BATCH, GROUPS, STATES),
    ]


def test_formulas_are_what_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmrg.vision.selective_scan.chunked._CHUNK_BYTES", 8 * 4 * BATCH * GROUPS * WIDTH * STATES)
    given = inputs()
    assert chunk_steps(given[0], given[2]) == 8
    kept = scan_chunks(*given)[1]
    assert kept.shape == (7, BATCH, GROUPS, STATES, WIDTH)
    back = [torch.rand_like(given[0]), *given, kept]
    for operation, arguments in ((scan_chunks, given), (scan_chunks_backward, back)):
        cost = SCAN_COSTS[operation._opoverload._overloadpacket](*arguments)
        with Counter() as counter:
            operation._init_fn(*arguments)
        assert cost.flops == pytest.approx(counter.flops, rel=0.05)
        assert cost.operations == pytest.approx(counter.operations, rel=0.15)
        assert cost.traffic > 4 * 9 * LENGTH * BATCH * GROUPS * WIDTH * STATES


def test_shapes_without_contents() -> None:
    real = [tensor.transpose(0, 1) for tensor in inputs()]
    real[2] = inputs()[2].transpose(1, 2)
    with FakeTensorMode():
        fake = [torch.empty(tensor.shape, requires_grad=True) for tensor in real]
        out = selective_scan(*fake)
        out.sum().backward()
    meta = selective_scan(*(torch.empty(tensor.shape, device="meta") for tensor in real))
    assert out.shape == meta.shape == selective_scan(*real).shape
    assert meta.device.type == "meta"
    for tensor in fake:
        assert tensor.grad is not None
        assert tensor.grad.shape == tensor.shape


def test_no_more_than_one_operation_a_pass() -> None:
    seen: list[str] = []

    class Names(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            seen.append(func._overloadpacket.__name__)
            return func(*args, **(kwargs or {}))

    with FakeTensorMode(), Names():
        u = torch.empty(1, 3000, 2, 8, requires_grad=True)
        a, b = torch.empty(2, 8, 4), torch.empty(1, 3000, 2, 4)
        selective_scan(u, u, a, b, b).sum().backward()
    assert seen.count("scan_chunks") == seen.count("scan_chunks_backward") == 1
    assert len(seen) < 100


def test_the_operations_are_sound() -> None:
    given = inputs()
    torch.library.opcheck(scan_chunks, tuple(given), test_utils=("test_schema", "test_faketensor"))
    back = (torch.rand_like(given[0]), *given, scan_chunks(*given)[1])
    torch.library.opcheck(scan_chunks_backward, back, test_utils=("test_schema", "test_faketensor"))
