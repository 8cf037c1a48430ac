"""One learnt gate a source: how much of what it says reaches the decoder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from llmrg.evidence.base import Evidence
from llmrg.evidence.settings import WORD_SOURCES

__all__ = ["SourceGates"]

OPEN = 3.0
"""Logit that every gate starts with: 0.95 of a source passes."""
SPEED = 10.0
"""Optimisers of Adam's kind move every parameter by about the learning rate a step, whatever its gradient. A gate is
one number among millions and would hardly move in a training, so its logit is its parameter times this."""


class SourceGates(nn.Module):
    """Multiply the embeddings of each source by a number between 0 and 1 that training learns.

    Sources that speak in words have none: their words are the decoder's own.

    Args:
        kinds: the system's sources.
    """

    def __init__(self, kinds: Iterable[str]) -> None:
        super().__init__()
        self.logits = nn.ParameterDict()  # one by one: made from a mapping it would sort them
        for kind in kinds:
            if kind not in WORD_SOURCES:
                self.logits[kind] = nn.Parameter(torch.full((1,), OPEN / SPEED))

    def forward(self, kind: str, evidence: Evidence) -> Evidence:
        """Let through what the source's gate lets through; its records say how much.

        Args:
            kind: name of the source.
            evidence: what it gave.
        """
        if kind not in self.logits or evidence.embeddings is None:
            return evidence
        gate = self._open(kind)
        records = evidence.records
        if records:
            share = round(float(gate.detach()), 4)
            records = [{**record, "gate": share} for record in records]
        return replace(evidence, embeddings=evidence.embeddings * gate.to(evidence.embeddings.dtype), records=records)

    def values(self, state: Mapping[str, Tensor] | None = None) -> dict[str, float]:
        """How far each gate is open, from 0 to 1, by source.

        Args:
            state: whole tensors by this module's own names, where its parameters are divided among processes.
        """
        logits = dict(self.logits.items()) if state is None else {k: state[f"logits.{k}"] for k in self.logits}
        return {kind: float(_openness(logit.detach())) for kind, logit in logits.items()}

    def _open(self, kind: str) -> Tensor:
        return _openness(self.logits[kind])


def _openness(logit: Tensor) -> Tensor:
    return torch.sigmoid(logit * SPEED)
