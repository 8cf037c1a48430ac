"""Time and memory of the selective scan, forward and backward, against the plain formula and mambapy's parallel scan.

    python scripts/bench/selective_scan.py            a table
    python scripts/bench/selective_scan.py --json     the same as JSON

Every implementation gets the same numbers in one process (in turn, the best of several rounds) for the times, and a
process of its own for the peak memory. mambapy (in the dev extra) is what a user without mamba-ssm's kernel would take.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import platform
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from llmrg.vision.selective_scan import available_implementations, selective_scan

SHAPES = ((1, 197, 1536, 16), (4, 197, 384, 16))


def made_up(batch: int, length: int, width: int, states: int, device: str) -> list[Tensor]:
    draw = torch.Generator().manual_seed(0)
    delta = torch.nn.functional.softplus(torch.randn(batch, length, 1, width, generator=draw) - 3)
    tensors = [
        torch.randn(batch, length, 1, width, generator=draw),
        delta,
        -torch.arange(1.0, states + 1).expand(1, width, states).contiguous(),
        torch.randn(batch, length, 1, states, generator=draw),
        torch.randn(batch, length, 1, states, generator=draw),
    ]
    return [tensor.to(device).requires_grad_() for tensor in tensors]


def mambapy_scan(u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """What mambapy's MambaBlock computes with its parallel scan."""
    from mambapy.pscan import pscan

    u, delta, a, b, c = u.flatten(2), delta.flatten(2), a.flatten(0, 1), b.flatten(2), c.flatten(2)
    decay = torch.exp(delta.unsqueeze(-1) * a)
    driven = delta.unsqueeze(-1) * b.unsqueeze(2) * u.unsqueeze(-1)
    return (pscan(decay, driven) @ c.unsqueeze(-1)).squeeze(3).unsqueeze(2)


def candidates() -> dict[str, Callable[..., Tensor]]:
    found: dict[str, Callable[..., Tensor]] = {}
    for name in available_implementations():
        found[name] = lambda *inputs, name=name: selective_scan(*inputs, implementation=name)
    try:
        import mambapy  # noqa: F401

        found["mambapy"] = mambapy_scan
    except ImportError:
        pass
    return found


def once(scan: Callable[..., Tensor], inputs: list[Tensor]) -> float:
    weights = torch.ones_like(inputs[0])
    began = time.perf_counter()
    torch.autograd.grad((scan(*inputs) * weights).sum(), inputs)
    if inputs[0].is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - began


def peak_kilobytes() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0])


def peak(name: str, shape: tuple[int, ...], answer: multiprocessing.Queue[int]) -> None:
    inputs = made_up(*shape, device="cpu")
    once(candidates()[name], [t[:, :2] if t.dim() == 4 else t for t in inputs])  # what the first call loads, once
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew from what is in memory now
    before = peak_kilobytes()
    once(candidates()[name], inputs)
    answer.put(peak_kilobytes() - before)


def memory(name: str, shape: tuple[int, ...]) -> float:
    """Peak memory that one forward and backward pass adds, MB."""
    context = multiprocessing.get_context("spawn")
    answer: multiprocessing.Queue[int] = context.Queue()
    process = context.Process(target=peak, args=(name, shape, answer))
    process.start()
    found = answer.get()
    process.join()
    return found / 1024


def measure(shape: tuple[int, ...], *, rounds: int, device: str) -> dict[str, object]:
    inputs = made_up(*shape, device=device)
    scans = candidates()
    if device == "cpu":
        scans.pop("mamba_ssm", None)
    seconds = {name: float("inf") for name in scans}
    for _ in range(rounds):
        for name, scan in scans.items():
            seconds[name] = min(seconds[name], once(scan, inputs))
    best = min((name for name in seconds if name not in ("reference", "mambapy")), key=seconds.__getitem__)
    batch, length, width, states = shape
    # Inputs and outputs once in each direction: what a kernel that keeps its states on chip has to move.
    moved = 4 * (batch * length * (5 * width + 4 * states) * 2 + 2 * width * states)
    return {
        "shape": {"B": batch, "L": length, "D": width, "N": states},
        "milliseconds": {name: round(1000 * value, 2) for name, value in seconds.items()},
        "best": best,
        "speedup_over_reference": seconds["reference"] / seconds[best],
        "speedup_over_mambapy": seconds["mambapy"] / seconds[best] if "mambapy" in seconds else None,
        "peak_megabytes": {name: round(memory(name, shape), 1) for name in scans} if device == "cpu" else None,
        "gigabytes_per_second": moved / seconds[best] / 1e9,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    found = [measure(shape, rounds=given.rounds, device=given.device) for shape in SHAPES]
    result = {
        "machine": torch.cuda.get_device_name() if given.device == "cuda" else platform.machine(),
        "threads": given.threads,
        "torch": torch.__version__,
        "speedup_over_reference": [one["speedup_over_reference"] for one in found],
        "speedup_over_mambapy": [one["speedup_over_mambapy"] for one in found],
        "shapes": found,
    }
    if given.json:
        print(json.dumps(result))
        return
    for one in found:
        print(one["shape"], "best:", one["best"])
        print("  forward and backward, ms:", one["milliseconds"])
        print("  peak memory added, MB:   ", one["peak_megabytes"])
        over = one["speedup_over_mambapy"]
        print(f"  {one['speedup_over_reference']:.1f} times the plain formula", end="")
        print(f", {over:.1f} times mambapy" if over else "; mambapy is not installed (pip install mambapy==1.2.0)")


if __name__ == "__main__":
    main()
