"""Disease query tokens: one learnt question a finding, asked of the visual tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from llmrg.evidence.base import Evidence
from llmrg.evidence.predicted_side import predicted_side
from llmrg.evidence.projection import TokenProjection
from llmrg.findings.vocabulary import Finding
from llmrg.language.token_space import TokenSpace
from llmrg.studies.batches import VIEW_CODES, StudyBatch
from llmrg.vision.features import VisualFeatures

__all__ = ["DiseaseAnswers", "DiseaseQueries", "DiseaseQuerySource", "diagnosis_items", "diagnosis_losses"]


@dataclass(frozen=True, kw_only=True)
class DiseaseAnswers:
    """What the disease queries found.

    Legend: B studies, F findings, T visual tokens, D width.

    Args:
        tokens: [B, F, W], as wide as the query module makes its answers.
        logits: [B, F, 3]: present, on the left, on the right.
        attention: [B, F, T], where each query looked; sums to 1 over T.
    """

    tokens: Tensor
    logits: Tensor
    attention: Tensor


class DiseaseQueries(nn.Module):
    """Cross-attention from learnt query tokens, one a finding, to the visual tokens of all views.

    Attention alone starts as an average, in which a lesion of one token drowns and from which learning is slow. So
    each query also sees every channel's maximum over the places of each view, and it scores every place by itself; the
    soft maximum of those scores (log-mean-exp; Pinheiro & Collobert, CVPR 2015, equation 6) joins its logits. The
    answers are as wide as the visual tokens.

    Args:
        findings: F, number of queries.
        width: D, width of the visual tokens.
        heads: attention heads; ``width`` must be divisible by it.
        sharpness: r of the log-mean-exp.
        dropout: on the query tokens before the classifier.

    Raises:
        ValueError: ``width`` cannot be shared among the heads.
    """

    def __init__(
        self, *, findings: int, width: int, heads: int = 4, sharpness: float = 4.0, dropout: float = 0.0
    ) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} is not divisible by {heads} heads")
        self.width, self.heads, self.sharpness = width, heads, sharpness
        self.queries = nn.Parameter(torch.randn(findings, width) * width**-0.5)
        self.norm = nn.LayerNorm(width)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)
        self.peaks = nn.Linear(2 * width, width)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )
        self.token_norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        self.classify = nn.Parameter(torch.randn(findings, 3, width) * width**-0.5)
        self.locate = nn.Parameter(torch.randn(findings, 3, width) * width**-0.5)
        self.bias = nn.Parameter(torch.full((findings, 3), -1.5))

    def forward(self, features: VisualFeatures) -> DiseaseAnswers:
        """Ask every query of every study.

        Args:
            features: every study has a token that its mask does not hide.
        """
        tokens = self.norm(features.tokens)
        batch, length, width = tokens.shape
        head_width = width // self.heads
        key = self.key(tokens).view(batch, length, self.heads, head_width)
        value = self.value(tokens).view(batch, length, self.heads, head_width)
        query = self.queries.view(-1, self.heads, head_width) * head_width**-0.5
        hidden = ~features.mask[:, None, None, :]
        attention = torch.einsum("fhe,bthe->bhft", query, key).masked_fill(hidden, float("-inf")).softmax(-1)
        mixed = torch.einsum("bhft,bthe->bfhe", attention, value).reshape(batch, -1, width)
        found = self.queries + self.output(mixed) + self.peaks(_view_maxima(tokens, features)).unsqueeze(1)
        found = self.token_norm(found + self.feed_forward(found))
        local = torch.einsum("btd,fcd->bfct", tokens, self.locate)
        local = local.to(torch.promote_types(local.dtype, torch.float32))  # bfloat16 is too coarse for the maximum
        counts = features.mask.sum(-1).clamp(min=1).view(-1, 1, 1)
        peaks = (local * self.sharpness).masked_fill(hidden, float("-inf")).logsumexp(-1) - counts.log()
        logits = torch.einsum("bfd,fcd->bfc", self.dropout(found), self.classify) + self.bias + peaks / self.sharpness
        looked = attention.mean(1)
        pull = local[:, :, 0].masked_fill(hidden[:, 0], float("-inf")).mul(self.sharpness).softmax(-1)
        return DiseaseAnswers(tokens=found, logits=logits, attention=(looked + pull) / 2)


def _view_maxima(tokens: Tensor, features: VisualFeatures) -> Tensor:
    """Each channel's maximum over frontal (or unknown) and over lateral places [B, 2D]; 0 where a view is absent."""
    lateral = features.view == VIEW_CODES["lateral"]
    maxima = []
    for chosen in (features.mask & ~lateral, features.mask & lateral):
        highest = tokens.masked_fill(~chosen.unsqueeze(-1), float("-inf")).amax(dim=1)
        maxima.append(torch.where(chosen.any(dim=1, keepdim=True), highest, torch.zeros_like(highest)))
    return torch.cat(maxima, dim=-1)


def diagnosis_losses(logits: Tensor, targets: Mapping[str, Tensor], *, smoothing: float = 0.0) -> dict[str, Tensor]:
    """Binary cross-entropy of presence, and of side where the finding is present and its side is stated.

    Args:
        logits: [B, F, 3].
        targets: ``present`` [B, F] in {0, 1}; ``sides`` [B, F, 2] (left, right); ``side_known`` [B, F] bool; where
            given, ``observed`` [B, F] bool, False where the presence is not learnt (the report hedges).
        smoothing: label smoothing of presence.

    Returns:
        ``presence`` and ``side``, batch means.
    """
    present = targets["present"].to(logits.dtype)
    smoothed = present * (1 - smoothing) + 0.5 * smoothing
    observed = targets.get("observed", torch.ones_like(present)).to(logits.dtype)
    every = functional.binary_cross_entropy_with_logits(logits[..., 0], smoothed, reduction="none")
    presence = (every * observed).sum() / observed.sum().clamp(min=1)
    known = targets["side_known"].to(logits.dtype)
    side = functional.binary_cross_entropy_with_logits(
        logits[..., 1:], targets["sides"].to(logits.dtype), reduction="none"
    ).mean(-1)
    return {"presence": presence, "side": (side * known).sum() / known.sum().clamp(min=1)}


def diagnosis_items(targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Count what the losses of :func:`diagnosis_losses` are means over.

    Args:
        targets: as there.

    Returns:
        ``presence`` and ``side``, scalars (long).
    """
    observed = targets.get("observed", torch.ones_like(targets["present"]))
    return {"presence": observed.sum().long(), "side": targets["side_known"].sum().long()}


class DiseaseQuerySource(nn.Module):
    """Evidence of the disease queries: their tokens with what they decided written into them.

    Args:
        queries: the query module, perhaps trained by the disease-classifier stage.
        findings: the vocabulary's findings, in the order of the queries.
        width: of the answers.
        size: width of the decoder's word embeddings.
        scale: root mean square of the decoder's word embeddings.
        loss_weight: weight of the auxiliary classification losses.
        smoothing: label smoothing of presence.
        decisions: write what was decided about a finding into its token.
    """

    kind = "disease_queries"

    def __init__(
        self,
        *,
        queries: nn.Module,
        findings: tuple[Finding, ...],
        width: int,
        size: int,
        scale: float,
        loss_weight: float = 1.0,
        smoothing: float = 0.0,
        decisions: bool = True,
    ) -> None:
        super().__init__()
        self.queries = queries
        self.findings = findings
        self.loss_weight, self.smoothing = loss_weight, smoothing
        self.projection = TokenProjection(width=width, size=size, scale=scale)
        self.decisions = nn.Parameter(torch.randn(len(findings), 3, width) * 0.5) if decisions else None

    def forward(
        self,
        features: VisualFeatures,
        batch: StudyBatch,
        space: TokenSpace,
        earlier: Mapping[str, Evidence],
        *,
        with_records: bool = False,
    ) -> Evidence:
        """Give one token a finding; auxiliary losses where the batch carries targets and the queries are trained."""
        answers: DiseaseAnswers = self.queries(features)
        probabilities = answers.logits.sigmoid()
        spoken = answers.tokens
        if self.decisions is not None:
            stated = torch.cat([probabilities[..., :1], probabilities[..., 1:] * probabilities[..., :1]], dim=-1)
            spoken = spoken + torch.einsum("bfc,fcd->bfd", 2 * stated - 1, self.decisions)
        embeddings = self.projection(spoken)
        losses: dict[str, Tensor] = {}
        if "present" in batch.tensors and answers.logits.requires_grad:
            parts = diagnosis_losses(answers.logits, batch.tensors, smoothing=self.smoothing)
            losses = {f"diagnosis_{name}": self.loss_weight * value for name, value in parts.items()}
        return Evidence(
            kind=self.kind,
            embeddings=embeddings,
            mask=embeddings.new_ones(embeddings.shape[:2], dtype=torch.bool),
            losses=losses,
            state={"tokens": answers.tokens, "probabilities": probabilities, "attention": answers.attention},
            records=self._records(probabilities) if with_records else [],
        )

    def loss_items(self, batch: StudyBatch) -> dict[str, Tensor]:
        """Count what each of this source's losses is a mean over, by the loss's name."""
        if "present" not in batch.tensors:
            return {}
        return {f"diagnosis_{name}": count for name, count in diagnosis_items(batch.tensors).items()}

    def _records(self, probabilities: Tensor) -> list[dict[str, object]]:
        records: list[dict[str, object]] = []
        for row in probabilities.tolist():
            items = []
            for finding, (present, left, right) in zip(self.findings, row, strict=True):
                side = predicted_side(finding, left, right)
                items.append({"finding": finding.name, "probability": round(present, 4), "side": side, "picture": None})
            records.append({"kind": self.kind, "items": items})
        return records
