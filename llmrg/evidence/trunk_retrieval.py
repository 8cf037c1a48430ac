"""Nearest training studies in the space of a trunk that learns: one pass of the trunk a query."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from llmrg.evidence.context_store import ContextStore
from llmrg.evidence.memory_bank import Pattern
from llmrg.evidence.study_retrieval import Retrieved, choose_by_findings
from llmrg.studies.study import Study

__all__ = ["TrunkRetrieval"]


class TrunkRetrieval(nn.Module):
    """Find, for each query, positive and negative training studies of other patients among the context studies.

    Where the trunk learns, the vectors of the index are of an encoder that is no more, and a search among them would
    need a second pass of a frozen copy. The context studies are encoded by the trunk itself once an epoch and kept with
    the run, so that the query's own global vector is held against theirs (cosine), in training and afterwards alike.
    Training studies come from the index, which says what their reports state.

    Legend: B queries, N context studies, D width of global vectors, F findings.

    Args:
        store: the indexed training studies.
        patterns: the N context studies; one that is not indexed is never found.
        candidates: nearest training studies looked at.
        positives: of those, how many that share the predicted findings.
        negatives: how many that share them least.
        threshold: probability from which a finding counts as predicted.
    """

    labels: Tensor
    indexed: Tensor

    def __init__(
        self,
        *,
        store: ContextStore,
        patterns: Sequence[Pattern],
        candidates: int,
        positives: int,
        negatives: int,
        threshold: float,
    ) -> None:
        super().__init__()
        self.candidates = candidates
        self.positives = positives
        self.negatives = negatives
        self.threshold = threshold
        row_of = {(record.id, record.patient): row for row, record in enumerate(store.index.records)}
        rows = torch.tensor([row_of.get((p.study_id, p.patient_id), -1) for p in patterns], dtype=torch.long)
        self.register_buffer("labels", store.labels[rows.clamp(min=0).to(store.labels.device)], persistent=False)
        self.register_buffer("indexed", (rows >= 0).to(store.labels.device), persistent=False)
        self._rows_of: dict[str, list[int]] = {}
        for row, pattern in enumerate(patterns):
            # A patient of a mixture is called MEMBER:ID, and may be the same person as ID.
            for name in {pattern.patient_id, pattern.patient_id.partition(":")[2]} - {""}:
                self._rows_of.setdefault(name, []).append(row)
        self._lengths: tuple[tuple[int, int], Tensor] | None = None

    @torch.no_grad()
    def retrieve(self, studies: Sequence[Study], query: Tensor, vectors: Tensor, probabilities: Tensor) -> Retrieved:
        """Retrieve for every study of a batch.

        Args:
            studies: the queries.
            query: [B, D] their global vectors.
            vectors: [N, D] those of the context studies, NaN where there is none.
            probabilities: [B, F], of the findings.

        Returns:
            ``rows`` are those of the context studies.
        """
        lengths = self._lengths_of(vectors)
        query = functional.normalize(query.detach().float(), dim=-1)
        with torch.autocast(query.device.type, enabled=False):  # bfloat16 is too coarse to tell neighbours apart
            scores = query @ vectors.T / lengths
        scores = scores.masked_fill(~(self.indexed & lengths.isfinite()), -torch.inf)
        for place, study in enumerate(studies):
            own = self._rows_of.get(study.patient_id)
            if own:
                scores[place, own] = -torch.inf
        similarity, rows = scores.topk(min(self.candidates, scores.shape[1]), dim=1)
        short = self.candidates - rows.shape[1]
        rows = functional.pad(rows.masked_fill(similarity == -torch.inf, -1), (0, short), value=-1)
        similarity = functional.pad(similarity, (0, short), value=-torch.inf).masked_fill(rows < 0, 0.0)
        return choose_by_findings(
            pooled=query,
            rows=rows,
            similarity=similarity,
            stated=self.labels[rows.clamp(min=0)],
            predicted=probabilities >= self.threshold,
            positives=self.positives,
            negatives=self.negatives,
        )

    def _lengths_of(self, vectors: Tensor) -> Tensor:
        """Lengths [N] of the context studies' vectors, measured again only when these have changed."""
        key = (vectors.data_ptr(), vectors._version)
        if self._lengths is None or self._lengths[0] != key or self._lengths[1].device != vectors.device:
            self._lengths = (key, vectors.norm(dim=1).clamp(min=1e-12))
        return self._lengths[1]
