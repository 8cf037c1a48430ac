"""Configuration of the evidence sources."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from llmrg.config import added_later
from llmrg.evidence.context_settings import ContextResidualsConfig

__all__ = [
    "OWN_SOURCES",
    "SOURCES",
    "WORD_SOURCES",
    "DiagnosisHintsConfig",
    "DiseaseQueriesConfig",
    "EvidenceConfig",
    "MemoryConfig",
    "PatchesConfig",
    "QFormerConfig",
    "RetrievedContextConfig",
]

OWN_SOURCES = ("patches", "disease_queries", "visual_memory", "report_memory", "retrieved_context", "diagnosis_hints")
"""Sources of our own system, in order."""

SOURCES = (*OWN_SOURCES, "context_residuals")
"""All sources."""

WORD_SOURCES = ("diagnosis_hints",)
"""Sources that speak in words alone."""


@dataclass(frozen=True, kw_only=True)
class PatchesConfig:
    """Visual tokens in the prompt.

    Args:
        pool: side of the grid that each view is averaged to; None keeps the trunk's grid.
        views: ``all`` shows the tokens of every view, ``mean`` their mean over the views that exist, place by place
            (R2GenGPT).
        class_token: show the trunk's class token, too, in the middle of each view's tokens, where Mamba trunks have it
            (MambaXray-VL's 197 tokens).
        norm: what the layer norm after the projection starts with: the size of word embeddings (``words``) or weights
            of one (``one``, as R2GenGPT was released).
    """

    pool: int | None = None
    views: Literal["all", "mean"] = "all"
    class_token: bool = False
    norm: Literal["words", "one"] = "words"

    def __post_init__(self) -> None:
        if self.pool is not None and self.pool < 1:
            raise ValueError(f"pool must be at least 1, not {self.pool}")


@dataclass(frozen=True, kw_only=True)
class QFormerConfig:
    """A Q-Former (BLIP-2; AM-MRG): layers of BERT's kind, of which some look at the visual tokens.

    Args:
        layers: of self-attention and a feed-forward net each.
        width: of query tokens and answers.
        inner_width: of the feed-forward nets; None takes four times ``width``.
        cross_attention_every: layers from one that looks at the visual tokens to the next, the first being one.
        visual_width: to which a linear map brings the visual tokens first (1408 in BLIP-2); None leaves them.
        views: look at the tokens of every view (``all``), or at their mean over the views that exist (``mean``).
        class_token: look at the trunk's class token, too.
        judged_by: each finding is judged by the answer to its own query (``own``), or by the mean of all answers
            (``mean``).
        classifier: hidden widths of each finding's classifier.
    """

    layers: int = 12
    width: int = 768
    inner_width: int | None = None
    cross_attention_every: int = 2
    visual_width: int | None = None
    views: Literal["all", "mean"] = "all"
    class_token: bool = False
    judged_by: Literal["own", "mean"] = "own"
    classifier: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in ("layers", "width", "inner_width", "cross_attention_every", "visual_width"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
        if any(width < 1 for width in self.classifier):
            raise ValueError(f"the widths of classifier must be at least 1, not {list(self.classifier)}")


@dataclass(frozen=True, kw_only=True)
class DiseaseQueriesConfig:
    """Disease query tokens.

    Args:
        head: what asks them: one cross-attention with a maximum over places (``queries``), or a Q-Former.
        qformer: the Q-Former.
        decisions: write what was decided about a finding into its token.
        fresh: the generator asks queries of its own, which start anew; those of the disease-classifier stage only map
            regions and search.
        heads: attention heads.
        dropout: before the classifier.
        loss_weight: weight of the auxiliary classification losses while the generator trains.
        smoothing: label smoothing of presence.
        sharpness: sharpness of the soft maximum over places.
    """

    heads: int = 4
    dropout: float = 0.1
    loss_weight: float = 1.0
    smoothing: float = 0.0
    sharpness: float = 4.0
    head: Literal["queries", "qformer"] = added_later("queries")
    qformer: QFormerConfig = added_later(QFormerConfig)  # noqa: RUF009 (a field)
    decisions: bool = added_later(True)
    fresh: bool = added_later(False)

    def __post_init__(self) -> None:
        if self.heads < 1:
            raise ValueError(f"heads must be at least 1, not {self.heads}")
        for name in ("dropout", "smoothing"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must lie in [0, 1), not {getattr(self, name)}")
        if self.loss_weight < 0 or self.sharpness <= 0:
            raise ValueError("loss_weight must not be negative and sharpness must be positive")
        if self.head == "qformer" and self.qformer.width % self.heads:
            raise ValueError(f"the Q-Former's width {self.qformer.width} is not divisible by {self.heads} heads")


@dataclass(frozen=True, kw_only=True)
class DiagnosisHintsConfig:
    """The predicted findings in words.

    Args:
        threshold: probability from which a finding is named; None fits it on the training split, for F1.
        sure: probability from which a finding is named without a word of doubt; None never doubts.
        calibrate: fit the probabilities to the training split (Platt scaling a finding).
    """

    threshold: float | None = 0.5
    sure: float | None = None
    calibrate: bool = False

    def __post_init__(self) -> None:
        for name in ("threshold", "sure"):
            value = getattr(self, name)
            if value is not None and not 0 < value < 1:
                raise ValueError(f"{name} must lie between 0 and 1, not {value}")
        if self.threshold is None and not self.calibrate:
            raise ValueError("a threshold is fitted only where calibrate is true")
        if self.sure is not None and self.threshold is not None and self.sure < self.threshold:
            raise ValueError("sure must not be below threshold")


@dataclass(frozen=True, kw_only=True)
class MemoryConfig:
    """A Hopfield memory.

    Args:
        heads: retrieval heads.
        head_width: width of a head; None takes the state's width over the heads.
        beta: inverse temperature; None takes 1 / sqrt(head_width).
        learn_beta: train beta.
        steps: Hopfield updates.
        width: in which the memory is asked and answers, the query tokens brought to it by a linear map; None takes the
            query tokens' own.
        value_width: of the values of one head; None takes the head's width.
        value_norm: values come from patterns with a norm of their own.
        key_bias: give the key projection a bias.
        dropout: share of associations left out in training.
        per_finding: most patterns kept a finding.
        strongest: remembered patterns named in a record, a finding.
    """

    heads: int = 4
    head_width: int | None = None
    beta: float | None = None
    learn_beta: bool = True
    steps: int = 1
    width: int | None = None
    value_width: int | None = None
    value_norm: bool = False
    key_bias: bool = False
    dropout: float = 0.0
    per_finding: int = 500
    strongest: int = 3

    def __post_init__(self) -> None:
        for name in ("heads", "head_width", "steps", "width", "value_width", "per_finding"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
        if self.beta is not None and self.beta <= 0:
            raise ValueError(f"beta must be positive, not {self.beta}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1), not {self.dropout}")
        if self.strongest < 0:
            raise ValueError(f"strongest must not be negative, not {self.strongest}")


@dataclass(frozen=True, kw_only=True)
class RetrievedContextConfig:
    """Retrieved training studies as context.

    Args:
        candidates: nearest training studies looked at.
        positives: of those, how many that share the predicted findings are given to the decoder.
        negatives: how many that share them least.
        threshold: probability above which a finding counts as predicted.
        sentences: sentences of the reports of the studies that share them, which state predicted findings, that the
            decoder is told in words at most; the index then holds words of training reports.
        max_word_tokens: tokens of all these sentences together.
    """

    candidates: int = 24
    positives: int = 3
    negatives: int = 3
    threshold: float = 0.5
    sentences: int = 0
    max_word_tokens: int = 96

    def __post_init__(self) -> None:
        if self.sentences < 0 or self.max_word_tokens < 1:
            raise ValueError("sentences must not be negative and max_word_tokens at least 1")
        if min(self.positives, self.negatives) < 0 or self.positives + self.negatives < 1:
            raise ValueError("positives and negatives must not be negative, and together at least 1")
        if not 0 < self.threshold < 1:
            raise ValueError(f"threshold must lie between 0 and 1, not {self.threshold}")
        if self.candidates < self.positives + self.negatives:
            raise ValueError("candidates must be at least positives + negatives")


@dataclass(frozen=True, kw_only=True)
class EvidenceConfig:
    """Which evidence sources a system has, in order.

    Args:
        sources: names; memories, ``retrieved_context`` and ``diagnosis_hints`` need ``disease_queries``
            before them.
        patches: settings of ``patches``.
        disease_queries: settings of ``disease_queries``.
        visual_memory: settings of ``visual_memory``.
        report_memory: settings of ``report_memory``.
        retrieved_context: settings of ``retrieved_context``.
        context_residuals: settings of ``context_residuals``.
        diagnosis_hints: settings of ``diagnosis_hints``.
        gates: multiply the embeddings of each source by a learnt gate.
    """

    sources: tuple[str, ...] = OWN_SOURCES
    patches: PatchesConfig = field(default_factory=PatchesConfig)
    disease_queries: DiseaseQueriesConfig = field(default_factory=DiseaseQueriesConfig)
    visual_memory: MemoryConfig = field(default_factory=MemoryConfig)
    report_memory: MemoryConfig = field(default_factory=MemoryConfig)
    retrieved_context: RetrievedContextConfig = field(default_factory=RetrievedContextConfig)
    context_residuals: ContextResidualsConfig = field(default_factory=ContextResidualsConfig)
    diagnosis_hints: DiagnosisHintsConfig = field(default_factory=DiagnosisHintsConfig)
    gates: bool = False

    def __post_init__(self) -> None:
        for name in self.sources:
            if name not in SOURCES:
                raise ValueError(f"unknown evidence source {name!r}; allowed: {', '.join(SOURCES)}")
        if len(set(self.sources)) != len(self.sources):
            raise ValueError("an evidence source is named twice")
        for name in ("visual_memory", "report_memory", "retrieved_context", "diagnosis_hints"):
            if name in self.sources and "disease_queries" not in self.sources[: self.sources.index(name)]:
                raise ValueError(f"{name} needs disease_queries before it")
        if "diagnosis_hints" in self.sources and self.diagnosis_hints.calibrate and self.disease_queries.fresh:
            raise ValueError("hints are calibrated for the classifier's queries: not with disease_queries.fresh")
