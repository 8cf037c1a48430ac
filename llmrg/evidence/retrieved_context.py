"""Retrieved context: how the study differs from similar training studies, and what was written of those."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from llmrg.evidence.base import Evidence
from llmrg.evidence.context_store import ContextStore
from llmrg.evidence.encoder import StudyEncoder
from llmrg.evidence.key_sentences import choose_sentences
from llmrg.evidence.projection import TokenProjection
from llmrg.evidence.settings import RetrievedContextConfig
from llmrg.evidence.study_retrieval import Retrieved, StudyRetrieval
from llmrg.language.token_space import TokenSpace
from llmrg.studies.batches import StudyBatch
from llmrg.vision.features import VisualFeatures

__all__ = ["RetrievedContext"]


class RetrievedContext(StudyRetrieval):
    """Context tokens of similar training studies (R2GenCSR's residuals, with true retrieval).

    A token is the projected residual of the query's pooled vector against a retrieved study's, plus that study's
    report vector, plus whether it agrees or disagrees with the findings predicted for the query. Studies of the
    query's own patient are never retrieved.

    With ``config.sentences`` it also says, in words, what the reports of the studies that agree state of the predicted
    findings (``{retrieved_context}`` in the prompt).

    Args:
        store: the indexed training studies.
        encoder: the frozen encoder that the index was built with.
        shared: the encoder is the system's own (not tuned), so that its features serve the search too.
        size: width of the decoder's word embeddings.
        scale: root mean square of the decoder's word embeddings.
        config: how many candidates, positives and negatives.
    """

    kind = "retrieved_context"
    reports: Tensor

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
        super().__init__(
            store=store,
            encoder=encoder,
            shared=shared,
            candidates=config.candidates,
            positives=config.positives,
            negatives=config.negatives,
            threshold=config.threshold,
        )
        self.config = config
        self.register_buffer("reports", store.reports.float(), persistent=False)
        width = store.visual.shape[1]
        self.difference = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width))
        self.report = nn.Linear(store.reports.shape[1], width)
        self.role = nn.Embedding(2, width)
        self.projection = TokenProjection(width=width, size=size, scale=scale)

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
        probabilities = earlier["disease_queries"].state["probabilities"][..., 0].detach()
        retrieved = self.retrieve(batch, features, probabilities)
        mask = retrieved.rows >= 0
        picked = retrieved.rows.clamp(min=0)
        role = torch.zeros_like(picked)
        role[:, self.config.positives :] = 1
        dtype = self.projection.linear.weight.dtype
        tokens = (
            self.difference((retrieved.pooled.unsqueeze(1) - self.visual[picked]).to(dtype))
            + self.report(self.reports[picked].to(dtype))
            + self.role(role)
        )
        embeddings = self.projection(tokens)
        records = self._records(retrieved) if with_records else []
        words = [""] * len(batch)
        if self.config.sentences:
            positives = retrieved.rows[:, : self.config.positives].tolist()
            predicted = (probabilities >= self.config.threshold).tolist()
            for place, (rows, found) in enumerate(zip(positives, predicted, strict=True)):
                told = self._told(rows, found, batch.studies[place].language, space)
                words[place] = (" " if batch.studies[place].language == "en" else "").join(text for _, text in told)
                if records:
                    said = [{"study_id": self.records_of_rows[row].id, "sentence": text} for row, text in told]
                    records[place]["words"] = said
        return Evidence(kind=self.kind, embeddings=embeddings, words=words, mask=mask, records=records)

    def _told(self, rows: list[int], predicted: list[bool], language: str, space: TokenSpace) -> list[tuple[int, str]]:
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

    def _records(self, retrieved: Retrieved) -> list[dict[str, object]]:
        records: list[dict[str, object]] = []
        for place, rows in enumerate(retrieved.rows.tolist()):
            items = [
                {
                    "study_id": self.records_of_rows[row].id,
                    "similarity": round(float(retrieved.similarity[place, position]), 4),
                    "role": "positive" if position < self.config.positives else "negative",
                    "agreement": round(float(retrieved.agreement[place, position]), 4),
                }
                for position, row in enumerate(rows)
                if row >= 0
            ]
            records.append({"kind": self.kind, "items": items})
        return records
