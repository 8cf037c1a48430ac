"""What machines can do: published figures of GPUs, and short measurements of the processor at hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from llmrg.errors import UserError

__all__ = ["DEVICES", "Device", "device_named", "measure_processor"]


@dataclass(frozen=True, kw_only=True)
class Device:
    """What a training achieves on a device.

    Args:
        name: of the device.
        flops: floating-point operations a second that matrix products achieve.
        bandwidth: bytes a second that other operations read and write.
        overhead: seconds that starting an operation takes.
        hides_overhead: operations are started while others run (GPUs).
        memory: bytes; None where unknown.
        basis: where the figures come from.
    """

    name: str
    flops: float
    bandwidth: float
    overhead: float
    hides_overhead: bool
    memory: int | None
    basis: str

    def seconds(self, *, flops: float, traffic: float, operations: float) -> float:
        """Time of some work: products, then what moves data, then starting it all (or hidden behind them)."""
        work = flops / self.flops + traffic / self.bandwidth
        start = operations * self.overhead
        return max(work, start) if self.hides_overhead else work + start


_SHARE_OF_PEAK = 0.5
_SHARE_OF_BANDWIDTH = 0.7
_START = 8e-6
_CHAIN = 50

# Dense bfloat16 (V100: float16) TFLOP/s, GB/s and GB, from the vendor's data sheets.
_PUBLISHED: Mapping[str, tuple[float, float, float]] = {
    "h200": (989, 4800, 141),
    "h100": (989, 3350, 80),
    "a100": (312, 2039, 80),
    "a100-40": (312, 1555, 40),
    "l40s": (362, 864, 48),
    "rtx4090": (165, 1008, 24),
    "rtx3090": (71, 936, 24),
    "v100": (112, 900, 32),
}


def _published(name: str, peak: float, bandwidth: float, memory: float) -> Device:
    return Device(
        name=name,
        flops=_SHARE_OF_PEAK * peak * 1e12,
        bandwidth=_SHARE_OF_BANDWIDTH * bandwidth * 1e9,
        overhead=_START,
        hides_overhead=True,
        memory=int(memory * 1e9),
        basis=f"assumed: {_SHARE_OF_PEAK:.0%} of {peak:g} TFLOP/s, {_SHARE_OF_BANDWIDTH:.0%} of {bandwidth:g} GB/s, "
        f"{_START * 1e6:g} us an operation",
    )


DEVICES: Mapping[str, Device] = {name: _published(name, *figures) for name, figures in _PUBLISHED.items()}
"""GPUs by short name."""


def device_named(name: str) -> Device:
    """Return a GPU, or the processor at hand for ``cpu``.

    Raises:
        UserError: unknown name.
    """
    if name == "cpu":
        return measure_processor()
    if name not in DEVICES:
        raise UserError(f"Unknown device {name!r}", allowed=("cpu", *DEVICES), got=name)
    return DEVICES[name]


def measure_processor(*, bf16: bool = False, seconds: float = 0.4) -> Device:
    """Time a linear layer, a copy and tiny operations, with gradients, with the threads PyTorch uses.

    Args:
        bf16: products in bfloat16.
        seconds: spent on each of the three.
    """
    layer = nn.Linear(384, 384)
    rows = torch.randn(1024, 384, requires_grad=True)
    source, target = torch.zeros(2**22), torch.zeros(2**22)
    few = torch.zeros(8, requires_grad=True)

    def learn() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            found = layer(rows)
        found.float().sum().backward()

    def tiny() -> None:
        found = few
        for _ in range(_CHAIN):
            found = found + 1.0
        found.sum().backward()

    product = _time(learn, seconds)
    copy = _time(lambda: torch.add(source, 1.0, out=target), seconds)
    start = _time(tiny, seconds) / (2 * _CHAIN)
    flops = _SHARE_OF_PEAK * 6 * 1024 * 384 * 384 / product
    bandwidth = _SHARE_OF_PEAK * 2 * source.numel() * 4 / copy
    return Device(
        name="cpu",
        flops=flops,
        bandwidth=bandwidth,
        overhead=start,
        hides_overhead=False,
        memory=None,
        basis=f"measured here with {torch.get_num_threads()} threads, {'bfloat16' if bf16 else 'float32'}: "
        f"{flops / 1e9:.0f} GFLOP/s and {bandwidth / 1e9:.1f} GB/s "
        f"({_SHARE_OF_PEAK:.0%} of what a linear layer and a copy reach), {start * 1e6:.1f} us an operation",
    )


def _time(work: Callable[[], object], seconds: float) -> float:
    """Least seconds of one call: what the others take longer, other programs took."""
    work()
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(taken) < 3:
        begin = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begin)
    return min(taken)
