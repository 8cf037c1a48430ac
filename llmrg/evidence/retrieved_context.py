"""Retrieved context: how the study differs from similar training studies, and what was written of those."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from llmrg.evidence.base import Evidence
from llmrg.evidence.context_store import ContextStore
from llmrg.evidence.encoder import StudyEncoder, retrieval_vectors
from llmrg.evidence.key_sentences import choose_sentences
from llmrg.evidence.projection import TokenProjection
from llmrg.evidence.settings import RetrievedContextConfig
from llmrg.language.token_space import TokenSpace
from llmrg.studies.batches import StudyBatch
from llmrg.vision.features import VisualFeatures

__all__ = ["RetrievedContext", "choose_context"]


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


class RetrievedContext(nn.Module):
    """Context tokens of similar training studies (R2GenCSR's residuals, with true retrieval).

    A token is the projected residual of the query's pooled vector against a retrieved study's, plus that study's
    report vector, plus whether it agrees or disagrees with the findings predicted for the query. Studies of the
    query's own patient are never retrieved.

    With ``config.sentences`` it also says, in words, what the reports of the studies that agree state of the predicted
    findings (``{retrieved_context}`` in the prompt).

    While training, the neighbours that the store keeps of the indexed studies serve (they were searched once, without
    augmentation); otherwise every study is searched, for a study from elsewhere may bear the id of an indexed one.

    Args:
        store: the indexed training studies.
        encoder: the frozen encoder that the index was built with.
        shared: the encoder is the system's own (not tuned), so that its features serve the search too.
        size: width of the decoder's word embeddings.
        scale: root mean square of the decoder's word embeddings.
        config: how many candidates, positives and negatives.
    """

    kind = "retrieved_context"
    visual: Tensor
    reports: Tensor
    labels: Tensor

    def __init__(
        self,
        *,
        store: ContextStore,
        encoder: StudyEncoder,
        shared: bool,
        size: int,
        scale: float,
        config: RetrievedContextConfig,
    ) -> None:
        super().__init__()
        self.store = store
        self.config = config
        self.shared = shared
        self.encoder = encoder.eval().requires_grad_(False)
        self.register_buffer("visual", store.visual.float(), persistent=False)
        self.register_buffer("reports", store.reports.float(), persistent=False)
        self.register_buffer("labels", store.labels, persistent=False)
        self.records_of_rows = store.index.records
        self._row_of = {(record.id, record.patient): row for row, record in enumerate(self.records_of_rows)}
        width = store.visual.shape[1]
        self.difference = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width))
        self.report = nn.Linear(store.reports.shape[1], width)
        self.role = nn.Embedding(2, width)
        self.projection = TokenProjection(width=width, size=size, scale=scale)

    def train(self, mode: bool = True) -> RetrievedContext:
        """Switch the mode; the encoder stays in evaluation mode."""
        super().train(mode)
        self.encoder.eval()
        return self

    def forward(
        self,
        features: VisualFeatures,
        batch: StudyBatch,
        space: TokenSpace,
        earlier: Mapping[str, Evidence],
        *,
        with_records: bool = False,
    ) -> Evidence:
        """Give ``positives + negatives`` tokens a study, masked where too few studies could be retrieved."""
        device = self.visual.device
        pooled, rows, similarity = self._neighbours(batch, features)
        probabilities = earlier["disease_queries"].state["probabilities"][..., 0].detach()
        predicted = (probabilities >= self.config.threshold).unsqueeze(1)
        valid = rows >= 0
        stated = self.labels[rows.clamp(min=0)]
        shared = (stated & predicted).sum(-1).float()
        either = (stated | predicted).sum(-1).float()
        agreement = torch.where(either > 0, shared / either.clamp(min=1), torch.ones_like(either))
        columns = choose_context(
            agreement, similarity, valid, positives=self.config.positives, negatives=self.config.negatives
        )
        mask = columns >= 0
        picked = rows.gather(1, columns.clamp(min=0)).clamp(min=0)
        role = torch.zeros_like(columns)
        role[:, self.config.positives :] = 1
        dtype = self.projection.linear.weight.dtype
        tokens = (
            self.difference((pooled.unsqueeze(1) - self.visual[picked]).to(dtype))
            + self.report(self.reports[picked].to(dtype))
            + self.role(role.to(device))
        )
        embeddings = self.projection(tokens)
        records = self._records(columns, picked, similarity, agreement) if with_records else []
        words = [""] * len(batch)
        if self.config.sentences:
            positives = picked.masked_fill(~mask, -1)[:, : self.config.positives].tolist()
            for place, (rows_, found) in enumerate(zip(positives, predicted.squeeze(1).tolist(), strict=True)):
                told = self._told(rows_, found, batch.studies[place].language, space)
                words[place] = (" " if batch.studies[place].language == "en" else "").join(text for _, text in told)
                if records:
                    said = [{"study_id": self.records_of_rows[row].id, "sentence": text} for row, text in told]
                    records[place]["words"] = said
        return Evidence(kind=self.kind, embeddings=embeddings, words=words, mask=mask, records=records)

    def _told(
        self, rows: list[int], predicted: list[bool], language: str, space: TokenSpace
    ) -> list[tuple[int, str]]:
        """Sentences of retrieved positive studies that state predicted findings, with the row each comes from."""
        kept = self.store.sentences
        if kept is None:
            raise ValueError("the index holds no key sentences")
        own = [row for row in rows if row >= 0 and kept.languages[row] == language]
        studies = [kept.rows[row] for row in own]
        chosen = choose_sentences(
            studies,
            [place for place, present in enumerate(predicted) if present],
            lengths=[space.lengths([sentence.text for sentence in sentences]) for sentences in studies],
            most=self.config.sentences,
            budget=self.config.max_word_tokens,
        )
        return [(own[study], studies[study][place].text) for study, place in chosen]

    @torch.no_grad()
    def _neighbours(self, batch: StudyBatch, features: VisualFeatures) -> tuple[Tensor, Tensor, Tensor]:
        """Pooled vectors [B, D] of the index's encoder, candidate rows [B, C] and similarities [B, C]."""
        device = self.visual.device
        count = self.config.candidates
        cached = self.store.neighbours.shape[1]
        keeps = self.training and cached >= count
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
                _rows_of(features, pick)
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

    def _records(
        self, columns: Tensor, picked: Tensor, similarity: Tensor, agreement: Tensor
    ) -> list[dict[str, object]]:
        records: list[dict[str, object]] = []
        for place in range(columns.shape[0]):
            items = []
            for position, column in enumerate(columns[place].tolist()):
                if column < 0:
                    continue
                row = int(picked[place, position])
                items.append(
                    {
                        "study_id": self.records_of_rows[row].id,
                        "similarity": round(float(similarity[place, column]), 4),
                        "role": "positive" if position < self.config.positives else "negative",
                        "agreement": round(float(agreement[place, column]), 4),
                    }
                )
            records.append({"kind": self.kind, "items": items})
        return records


def _rows_of(features: VisualFeatures, rows: Tensor) -> VisualFeatures:
    return VisualFeatures(
        tokens=features.tokens[rows],
        mask=features.mask[rows],
        pooled=features.pooled[rows],
        grid=features.grid,
        view=features.view[rows],
        class_tokens=None if features.class_tokens is None else features.class_tokens[rows],
    )
