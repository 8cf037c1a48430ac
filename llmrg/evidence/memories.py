"""Visual and report memory: what was seen and written in training, asked by the disease queries."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from llmrg.evidence.base import Evidence
from llmrg.evidence.hopfield import HopfieldRetrieval
from llmrg.evidence.memory_bank import NOBODY, MemoryBank
from llmrg.evidence.projection import TokenProjection
from llmrg.findings.vocabulary import Finding
from llmrg.language.token_space import TokenSpace
from llmrg.studies.batches import StudyBatch
from llmrg.vision.features import VisualFeatures

__all__ = ["HopfieldMemory"]


class HopfieldMemory(nn.Module):
    """One Hopfield memory whose states are the disease query tokens (AM-MRG, section 3).

    Patterns of the query's own patient never answer, in training or later; where the bank holds no others, the
    memory is silent (masked) for that study.

    Args:
        kind: ``visual_memory`` or ``report_memory``.
        bank: the remembered patterns, from the training split.
        retrieval: the Hopfield block.
        findings: the findings of the disease queries, in order.
        state_width: width of the disease query tokens.
        asked_width: width of the retrieval's states and answers, to which a linear map brings the query tokens where
            it is another; None takes ``state_width``.
        size: width of the decoder's word embeddings.
        scale: root mean square of the decoder's word embeddings.
        strongest: patterns named in a record, a finding.
    """

    patterns: Tensor

    def __init__(
        self,
        *,
        kind: str,
        bank: MemoryBank,
        retrieval: HopfieldRetrieval,
        findings: tuple[Finding, ...],
        state_width: int,
        size: int,
        scale: float,
        strongest: int = 3,
        asked_width: int | None = None,
    ) -> None:
        super().__init__()
        self.kind = kind
        self.bank = bank
        self.findings = findings
        self.retrieval = retrieval
        self.strongest = strongest
        self.register_buffer("patterns", bank.vectors.float(), persistent=False)
        asked_width = state_width if asked_width is None else asked_width
        self.asking = nn.Linear(state_width, asked_width) if asked_width != state_width else nn.Identity()
        self.projection = TokenProjection(width=asked_width, size=size, scale=scale)
        self._rows: dict[str, list[int]] = {}
        for row, pattern in enumerate(bank.patterns):
            if pattern.patient_id != NOBODY:
                self._rows.setdefault(pattern.patient_id, []).append(row)

    def forward(
        self,
        features: VisualFeatures,
        batch: StudyBatch,
        space: TokenSpace,
        earlier: Mapping[str, Evidence],
        *,
        with_records: bool = False,
    ) -> Evidence:
        """Give one token a finding: the memory's answer to that disease query."""
        asked = earlier["disease_queries"]
        allowed = self._allowed(batch)
        answering = None if allowed is None else allowed.any(dim=1, keepdim=True)
        # A softmax over nothing is not a number: where nothing may answer, all do, and what they say is masked.
        mask = None if allowed is None or answering is None else allowed | ~answering
        answers, association = self.retrieval(self.asking(asked.state["tokens"]), self.patterns, mask)
        embeddings = self.projection(answers)
        heard = embeddings.new_ones(embeddings.shape[:2], dtype=torch.bool)
        if answering is not None:
            heard = heard & answering
            embeddings = embeddings * answering.unsqueeze(-1)
            association = association * answering[:, None, None]
        return Evidence(
            kind=self.kind,
            embeddings=embeddings,
            mask=heard,
            records=self._records(association.mean(1), asked.state["probabilities"]) if with_records else [],
        )

    def _allowed(self, batch: StudyBatch) -> Tensor | None:
        """[B, N] bool, False at patterns of the query's own patient; None where there are none."""
        own = [self._rows.get(study.patient_id, []) for study in batch.studies]
        if not any(own):
            return None
        allowed = torch.ones(len(own), len(self.patterns), dtype=torch.bool)
        for index, rows in enumerate(own):
            allowed[index, rows] = False
        return allowed.to(self.patterns.device)

    def _records(self, association: Tensor, probabilities: Tensor) -> list[dict[str, object]]:
        """Name the strongest patterns of every finding that is more likely present than not."""
        top = association.topk(min(self.strongest, association.shape[-1]), dim=-1)
        records: list[dict[str, object]] = []
        for weights, rows, present in zip(
            top.values.tolist(), top.indices.tolist(), probabilities[..., 0].tolist(), strict=True
        ):
            items = [
                {
                    "finding": finding.name,
                    "pattern": {
                        "study_id": self.bank.patterns[row].study_id,
                        "finding": self.bank.patterns[row].finding,
                    },
                    "weight": round(weight, 4),
                }
                for index, finding in enumerate(self.findings)
                if present[index] >= 0.5
                for weight, row in zip(weights[index], rows[index], strict=True)
                if weight > 0  # those of the own patient have no weight
            ]
            records.append({"kind": self.kind, "items": items})
        return records
