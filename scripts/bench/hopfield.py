"""Hopfield retrieval at AM-MRG's size, against the layer that projects its whole bank anew for every study.

    python scripts/bench/hopfield.py            a table
    python scripts/bench/hopfield.py --json     the same as JSON

Both have the same weights and get the same states and bank, in one process: 14 queries of 8 studies ask 6,000 patterns
of width 768 with six heads of 1024 (values of 768). Training is one forward and backward pass with the bank fixed,
inference one forward pass. The layer beside ours does what ``hflayers.HopfieldLayer`` does: the bank is repeated for
each study, normalised and projected.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from llmrg.evidence.hopfield import HopfieldRetrieval


class ProjectingEveryStudy(nn.Module):
    """The same weights, with keys and values of every pattern computed for every study."""

    def __init__(self, own: HopfieldRetrieval) -> None:
        super().__init__()
        self.own = own

    def forward(self, state: Tensor, bank: Tensor) -> Tensor:
        """Return the answers [B, Q, out_width] to states [B, Q, width] of a bank [N, width]."""
        own, heads = self.own, self.own.heads
        repeated = bank.expand(len(state), -1, -1)
        value_norm = own.pattern_norm if own.value_norm is None else own.value_norm
        queries = own.query(own.state_norm(state)).unflatten(-1, (heads, -1)).transpose(1, 2)
        keys = own.key(own.pattern_norm(repeated)).unflatten(-1, (heads, -1)).transpose(1, 2)
        values = own.value(value_norm(repeated)).unflatten(-1, (heads, -1)).transpose(1, 2)
        beta = own.log_beta.exp().view(1, -1, 1, 1)
        association = (beta * queries @ keys.transpose(-1, -2)).softmax(dim=-1)
        return own.output((association @ values).transpose(1, 2).flatten(2))


def seconds(step: Callable[[], object], rounds: int) -> float:
    best = float("inf")
    for _ in range(rounds):
        began = time.perf_counter()
        step()
        best = min(best, time.perf_counter() - began)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--patterns", type=int, default=6000)
    parser.add_argument("--studies", type=int, default=8)
    parser.add_argument("--queries", type=int, default=14)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    folded = HopfieldRetrieval(
        state_width=768, pattern_width=768, out_width=768, heads=6, head_width=1024, beta=4.0,
        value_width=768, value_norm=True, key_bias=True,
    )  # fmt: skip
    with torch.no_grad():  # states that look at many patterns, so that gradients are no rounding errors
        folded.log_beta.fill_(-3.5)
    projecting = ProjectingEveryStudy(folded)
    state = torch.randn(given.studies, given.queries, 768)
    bank = torch.randn(given.patterns, 768)
    weights = torch.randn(given.studies, given.queries, 768)
    parameters = list(folded.parameters())

    def gradients(forward: Callable[[Tensor, Tensor], Tensor]) -> list[Tensor]:
        asking = state.clone().requires_grad_()
        loss = (forward(asking, bank) * weights).sum()
        return list(torch.autograd.grad(loss, [asking, *parameters], allow_unused=True, materialize_grads=True))

    def ours(asking: Tensor, stored: Tensor) -> Tensor:
        return folded(asking, stored)[0]

    worst = max(
        float((own - other).norm() / other.norm().clamp(min=1e-3 * weights.norm()))
        for own, other in zip(gradients(ours), gradients(projecting), strict=True)
    )
    with torch.no_grad():
        apart = float((ours(state, bank) - projecting(state, bank)).abs().max())
        inference = {
            "folded": seconds(lambda: ours(state, bank), 5),
            "projecting": seconds(lambda: projecting(state, bank), 2),
        }
    training = {
        "folded": seconds(lambda: gradients(ours), 5),
        "projecting": seconds(lambda: gradients(projecting), 1),
    }
    result = {
        "machine": platform.machine(),
        "threads": given.threads,
        "torch": torch.__version__,
        "shape": {"patterns": given.patterns, "studies": given.studies, "queries": given.queries},
        "training_seconds": training,
        "inference_seconds": inference,
        "training_speedup": training["projecting"] / training["folded"],
        "inference_speedup": inference["projecting"] / inference["folded"],
        "largest_difference_of_answers": apart,
        "largest_relative_difference_of_gradients": worst,
    }
    if given.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    main()
