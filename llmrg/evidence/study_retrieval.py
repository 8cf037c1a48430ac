"""The training studies most like a query, sorted by how well their findings agree with those predicted for it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from llmrg.evidence.context_store import ContextStore
from llmrg.evidence.encoder import StudyEncoder, retrieval_vectors
from llmrg.studies.batches import StudyBatch
from llmrg.vision.features import VisualFeatures

__all__ = ["Retrieved", "StudyRetrieval", "choose_by_findings", "choose_context", "rows_of"]


@dataclass(frozen=True, kw_only=True)
class Retrieved:
    """What was retrieved for a batch.

    Legend: B studies, P positives, N negatives, D width of pooled vectors.

    Args:
        pooled: [B, D] vectors of the queries, in the space that was searched.
        rows: [B, P + N] of the studies searched, positives first; -1 where too few could be retrieved.
        similarity: [B, P + N], of the retrieval vectors.
        agreement: [B, P + N], Jaccard index of the findings.
    """

    pooled: Tensor
    rows: Tensor
    similarity: Tensor
    agreement: Tensor


def choose_context(agreement: Tensor, similarity: Tensor, valid: Tensor, *, positives: int, negatives: int) -> Tensor:
    """Choose, among the nearest studies, those that agree most and those that agree least with the prediction.

    Args:
        agreement: [B, C] Jaccard index of predicted findings and a candidate's findings.
        similarity: [B, C] of the images; breaks ties, the more similar first on both sides.
        valid: [B, C] bool.
        positives: how many that agree most.
        negatives: how many that agree least, none of them among the positives.

    Returns:
        [B, positives + negatives] columns of the candidates, -1 where there are too few.
    """
    nearest = similarity.argsort(dim=1, descending=True, stable=True)
    first = _first_by(agreement, nearest, valid, positives)
    taken = torch.zeros(len(valid), valid.shape[1] + 1, dtype=torch.bool, device=valid.device)
    taken.scatter_(1, first.masked_fill(first < 0, valid.shape[1]), True)
    second = _first_by(-agreement, nearest, valid & ~taken[:, :-1], negatives)
    return torch.cat([first, second], dim=1)


def _first_by(score: Tensor, nearest: Tensor, valid: Tensor, count: int) -> Tensor:
    """The ``count`` valid columns of highest score [B, count], the nearer first where scores are equal; -1 for none."""
    ranked = score.masked_fill(~valid, float("-inf")).gather(1, nearest)
    columns = nearest.gather(1, ranked.argsort(dim=1, descending=True, stable=True))[:, :count]
    columns = columns.masked_fill(~valid.gather(1, columns), -1)
    return functional.pad(columns, (0, count - columns.shape[1]), value=-1)


def choose_by_findings(
    *,
    pooled: Tensor,
    rows: Tensor,
    similarity: Tensor,
    stated: Tensor,
    predicted: Tensor,
    positives: int,
    negatives: int,
) -> Retrieved:
    """Choose by how well the findings that candidates state agree with those predicted (:func:`choose_context`).

    Args:
        pooled: [B, D] vectors of the queries.
        rows: [B, C] of the candidates; -1 where there are too few.
        similarity: [B, C].
        stated: [B, C, F] bool, findings of the candidates.
        predicted: [B, F] bool, findings of the queries.
        positives: how many that agree most.
        negatives: how many that agree least.
    """
    predicted = predicted.unsqueeze(1)
    shared = (stated & predicted).sum(-1).float()
    either = (stated | predicted).sum(-1).float()
    agreement = torch.where(either > 0, shared / either.clamp(min=1), torch.ones_like(either))
    columns = choose_context(agreement, similarity, rows >= 0, positives=positives, negatives=negatives)
    place = columns.clamp(min=0)
    return Retrieved(
        pooled=pooled,
        rows=rows.gather(1, place).masked_fill(columns < 0, -1),
        similarity=similarity.gather(1, place),
        agreement=agreement.gather(1, place),
    )


class StudyRetrieval(nn.Module):
    """Find, for each query, positive and negative training studies of other patients.

    While training, the neighbours that the store keeps of the indexed studies serve (they were searched once, without
    augmentation); otherwise every study is searched, for a study from elsewhere may bear the id of an indexed one.

    Args:
        store: the indexed training studies.
        encoder: the frozen encoder that the index was built with.
        shared: the encoder is the system's own (not tuned), so that its features serve the search too.
        candidates: nearest training studies looked at.
        positives: of those, how many that share the predicted findings.
        negatives: how many that share them least.
        threshold: probability from which a finding counts as predicted.
    """

    visual: Tensor
    labels: Tensor

    def __init__(
        self,
        *,
        store: ContextStore,
        encoder: StudyEncoder,
        shared: bool,
        candidates: int,
        positives: int,
        negatives: int,
        threshold: float,
    ) -> None:
        super().__init__()
        self.store = store
        self.shared = shared
        self.candidates = candidates
        self.positives = positives
        self.negatives = negatives
        self.threshold = threshold
        self.encoder = encoder.eval().requires_grad_(False)
        self.register_buffer("visual", store.visual.float(), persistent=False)
        self.register_buffer("labels", store.labels, persistent=False)
        self.records_of_rows = store.index.records
        self._row_of = {(record.id, record.patient): row for row, record in enumerate(self.records_of_rows)}

    def train(self, mode: bool = True) -> StudyRetrieval:
        """Switch the mode; the encoder stays in evaluation mode."""
        super().train(mode)
        self.encoder.eval()
        return self

    def retrieve(self, batch: StudyBatch, features: VisualFeatures, probabilities: Tensor) -> Retrieved:
        """Retrieve for every study of a batch.

        Args:
            batch: the queries.
            features: of the system's own encoder.
            probabilities: [B, F], of the findings.
        """
        pooled, rows, similarity = self._neighbours(batch, features)
        return choose_by_findings(
            pooled=pooled,
            rows=rows,
            similarity=similarity,
            stated=self.labels[rows.clamp(min=0)],
            predicted=probabilities.detach() >= self.threshold,
            positives=self.positives,
            negatives=self.negatives,
        )

    @torch.no_grad()
    def _neighbours(self, batch: StudyBatch, features: VisualFeatures) -> tuple[Tensor, Tensor, Tensor]:
        """Pooled vectors [B, D] of the index's encoder, candidate rows [B, C] and similarities [B, C]."""
        device = self.visual.device
        count = self.candidates
        keeps = self.training and self.store.neighbours.shape[1] >= count
        known = [self._row_of.get((study.id, study.patient_id)) if keeps else None for study in batch.studies]
        pooled = self.visual.new_zeros(len(known), self.visual.shape[1])
        rows = torch.full((len(known), count), -1, dtype=torch.long)
        similarity = torch.zeros(len(known), count)
        fresh = [place for place, row in enumerate(known) if row is None]
        for place, row in enumerate(known):
            if row is not None:
                pooled[place] = self.visual[row]
                rows[place] = self.store.neighbours[row, :count]
                similarity[place] = self.store.similarities[row, :count]
        if fresh:
            pick = torch.tensor(fresh, device=batch.pixels.device)
            seen = (
                rows_of(features, pick)
                if self.shared
                else self.encoder.backbone(batch.pixels[pick], batch.view_mask[pick], batch.views[pick])
            )
            pooled[fresh] = seen.pooled.float()
            found, scores = self.store.search(
                retrieval_vectors(seen, self.encoder.answers(seen)),
                count,
                patients=[batch.studies[place].patient_id for place in fresh],
            )
            rows[fresh], similarity[fresh] = found, scores
        return pooled, rows.to(device), similarity.to(device)


def rows_of(features: VisualFeatures, rows: Tensor) -> VisualFeatures:
    """Return the features of some studies of the batch."""
    values = {field.name: getattr(features, field.name) for field in fields(features)}
    changed: dict[str, Any] = {name: value[rows] for name, value in values.items() if isinstance(value, Tensor)}
    return replace(features, **changed)
