"""Context residuals: how the study differs from positive and negative training studies (R2GenCSR)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from llmrg.evidence.base import Evidence
from llmrg.evidence.context_choice import POSITIVE
from llmrg.evidence.context_settings import ResolvedContext
from llmrg.evidence.context_words import lay_out, wrapping
from llmrg.evidence.memory_bank import MemoryBank
from llmrg.evidence.study_retrieval import Retrieved, StudyRetrieval
from llmrg.evidence.trunk_retrieval import TrunkRetrieval
from llmrg.language.token_space import TokenSpace
from llmrg.studies.batches import StudyBatch
from llmrg.vision.backbone import Backbone
from llmrg.vision.features import VisualFeatures
from retrieval_index import Record

__all__ = ["ContextResiduals", "global_vectors", "needs_vectors"]


def global_vectors(features: VisualFeatures) -> Tensor:
    """Return the global vector of every study: the last norm of the trunk, then the mean over places and views.

    Most trunks give features behind their last norm, whose mean it is; one that does not gives vectors of its own.

    Args:
        features: of the films.

    Returns:
        [B, D].
    """
    found = features.global_vectors
    if found is None:
        return features.pooled
    exists = features.mask.view(*found.shape[:2], -1)[:, :, :1]
    return (found * exists).sum(1) / exists.sum(1).clamp(min=1)


def needs_vectors(backbone: Backbone, context: ResolvedContext, *, tuned: bool) -> bool:
    """Tell whether context studies have vectors of their own: those of the index do not serve as they are.

    Args:
        backbone: the trunk.
        context: mode and setting.
        tuned: the trunk learns, so that the vectors of the frozen encoder of the index are not its own.
    """
    return tuned or not context.searches or hasattr(backbone.trunk, "global_vectors")


class ContextResiduals(nn.Module):
    """Tokens that say how a study differs from training studies with and without findings.

    Context studies come from the training split alone and are never of the query's own patient. Their global vectors
    are encoded beforehand (:meth:`remember`): once where the trunk is frozen, otherwise once an epoch and before every
    evaluation, without gradient. Every query costs one pass of the trunk.

    A token is the difference of the query's and a context study's global vector, taken before or after the projection
    that the patches go through. In the setting ``faithful`` (and after the projection) the embedded words around the
    vectors are subtracted from the query's vector as well, no gradient flows, and nothing is normalised. In ``fixed``
    words stay words, and the residuals pass a layer norm, so that they have the size of word embeddings.

    Legend: N context studies, D width of global vectors, P pairs.

    Args:
        bank: the context studies, their role in place of a finding; its vectors may have no columns yet. In the mode
            ``similarity`` all indexed studies.
        backbone: the trunk; not owned.
        projection: linear map into the token space, which the patches share.
        context: mode and setting.
        scale: root mean square of the decoder's word embeddings.
        retrieval: finds the studies of each query, in the mode ``similarity``: by the index where the trunk is that of
            its encoder, among the vectors kept here (:class:`TrunkRetrieval`) where it learns.
        tuned: the trunk learns, so that the vectors grow old.

    Raises:
        ValueError: the mode ``similarity`` without ``retrieval``, or another with it.
    """

    kind = "context_residuals"
    vectors: Tensor

    def __init__(
        self,
        *,
        bank: MemoryBank,
        backbone: Backbone,
        projection: nn.Linear,
        context: ResolvedContext,
        scale: float,
        retrieval: StudyRetrieval | TrunkRetrieval | None = None,
        tuned: bool = False,
    ) -> None:
        super().__init__()
        if (retrieval is not None) != context.searches:
            raise ValueError("context residuals need a retrieval in the mode similarity, and in no other")
        self.context = context
        self.patterns = bank.patterns
        self.tuned = tuned
        self.own_vectors = needs_vectors(backbone, context, tuned=tuned)
        known = bank.vectors.shape[1] == backbone.width
        vectors = bank.vectors.float() if known else torch.full((len(bank.patterns), backbone.width), torch.nan)
        self.register_buffer("vectors", vectors.clone(), persistent=self.own_vectors)
        self.projection = projection
        self.norm = None if context.faithful else nn.LayerNorm(projection.out_features)
        if self.norm is not None:
            nn.init.constant_(self.norm.weight, scale)
        self.retrieval = retrieval
        self._row_of: dict[tuple[str, str], int] = {}
        self._rows_in_role: dict[str, list[int]] = {}
        for row, pattern in enumerate(bank.patterns):
            self._row_of.setdefault((pattern.study_id, pattern.patient_id), row)
            self._rows_in_role.setdefault(pattern.finding, []).append(row)

    @property
    def is_current(self) -> bool:
        """Whether the vectors need not be encoded: they are there, and the trunk does not change."""
        return not self.tuned and not bool(self.vectors.isnan().all())

    def remember(self, vectors: Tensor) -> None:
        """Take new vectors of the context studies.

        Args:
            vectors: [N, D], in the order of the bank; rows of NaN for studies that could not be read, which do not
                serve.

        Raises:
            ValueError: another shape.
        """
        if vectors.shape != self.vectors.shape:
            raise ValueError(f"{tuple(vectors.shape)} vectors for {tuple(self.vectors.shape)}")
        self.vectors.copy_(vectors)

    def bank(self) -> MemoryBank:
        """Return the context studies that could be encoded, with their vectors."""
        kept = (~self.vectors.isnan().any(1)).nonzero().flatten().tolist()
        return MemoryBank(
            vectors=self.vectors[kept].float().cpu().clone(), patterns=tuple(self.patterns[row] for row in kept)
        )

    @torch.no_grad()
    def encode(self, features: VisualFeatures) -> Tensor:
        """Return what :meth:`remember` takes of context studies, [B, D]."""
        return global_vectors(features).float()

    def forward(
        self,
        features: VisualFeatures,
        batch: StudyBatch,
        space: TokenSpace,
        earlier: Mapping[str, Evidence],
        *,
        with_records: bool = False,
    ) -> Evidence:
        """Give the tokens of ``pairs`` negative and positive studies in turn, masked where there are too few."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.context.faithful):
            query = global_vectors(features)
        retrieved = None
        if self.retrieval is None:
            rows = self._drawn(batch)
        else:
            probabilities = earlier["disease_queries"].state["probabilities"][..., 0]
            if isinstance(self.retrieval, TrunkRetrieval):
                retrieved = self.retrieval.retrieve(batch.studies, query, self.vectors, probabilities)
                rows = _in_turn(retrieved.rows)
            else:
                retrieved = self.retrieval.retrieve(batch, features, probabilities)
                rows = self._of_index(retrieved.rows, self.retrieval.records_of_rows)
        valid = (rows >= 0) & ~self.vectors[rows.clamp(min=0)].isnan().any(-1)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.context.faithful):
            tokens, mask = self._tokens(query, rows, valid, batch, space)
        records = self._records(rows, valid, retrieved) if with_records else []
        return Evidence(kind=self.kind, embeddings=tokens, mask=mask, records=records)

    def _tokens(
        self, query: Tensor, rows: Tensor, valid: Tensor, batch: StudyBatch, space: TokenSpace
    ) -> tuple[Tensor, Tensor]:
        dtype = self.projection.weight.dtype
        query = query.to(dtype)
        others = self.vectors[rows.clamp(min=0)].nan_to_num().to(dtype)
        minuend = None
        if self.context.config.residual == "before":
            residuals = self.projection(query.unsqueeze(1) - others)
        else:
            projected = self.projection(query)
            residuals = projected.unsqueeze(1) - self.projection(others)
            minuend = projected if self.context.faithful else None
        if self.norm is not None:
            residuals = self.norm(residuals)
        words = [wrapping(self.context, study.language) for study in batch.studies]
        return lay_out(residuals, valid, words, space, minuend=minuend)

    def _drawn(self, batch: StudyBatch) -> Tensor:
        """The first studies of each role that are not of the query's patient [B, 2P], negative and positive in turn."""
        known = ~self.vectors.isnan().any(1)
        usable = known.tolist()
        pairs = self.context.config.pairs
        found = torch.full((len(batch.studies), 2 * pairs), -1, dtype=torch.long)
        for place, study in enumerate(batch.studies):
            for role, candidates in self._rows_in_role.items():
                own = [row for row in candidates if usable[row] and not self._is_of(row, study.patient_id)][:pairs]
                start = int(role == POSITIVE)
                found[place, start : start + 2 * len(own) : 2] = torch.tensor(own, dtype=torch.long)
        return found.to(self.vectors.device)

    def _is_of(self, row: int, patient: str) -> bool:
        """Whether a context study may be of a patient; one of a mixture is called ``MEMBER:ID``."""
        other = self.patterns[row].patient_id
        return patient in (other, other.partition(":")[2])

    def _of_index(self, rows: Tensor, records: Sequence[Record]) -> Tensor:
        """Rows of the bank for rows of the index, positives first, as negative and positive in turn [B, 2P]."""
        named = [
            [-1 if row < 0 else self._row_of.get((records[row].id, records[row].patient), -1) for row in line]
            for line in rows.tolist()
        ]
        return _in_turn(torch.tensor(named, dtype=torch.long, device=self.vectors.device))

    def _records(self, rows: Tensor, valid: Tensor, retrieved: Retrieved | None) -> list[dict[str, Any]]:
        figures: Sequence[tuple[str, Tensor]] = ()
        if retrieved is not None:
            figures = (("similarity", _in_turn(retrieved.similarity)), ("agreement", _in_turn(retrieved.agreement)))
        records: list[dict[str, Any]] = []
        for place, line in enumerate(rows.tolist()):
            items = []
            for slot, row in enumerate(line):
                if valid[place, slot]:
                    item: dict[str, Any] = {
                        "study_id": self.patterns[row].study_id,
                        "role": "positive" if slot % 2 else "negative",
                    }
                    item |= {name: round(float(values[place, slot]), 4) for name, values in figures}
                    items.append(item)
            records.append({"kind": self.kind, "items": items})
        return records


def _in_turn(values: Tensor) -> Tensor:
    """Columns of positives, then of negatives, as negative and positive in turn."""
    positive, negative = values.chunk(2, dim=1)
    return torch.stack([negative, positive], dim=2).flatten(1)
