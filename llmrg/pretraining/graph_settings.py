"""Configuration of the training of a graph extractor."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from llmrg.language.graph_encoder import GraphEncoderConfig
from llmrg.language.graph_network import GraphNetworkConfig
from llmrg.pretraining.graph_annotations import AnnotationFormat
from llmrg.pretraining.precision import Precision

__all__ = ["GraphExtractorConfig"]

_RATES = {"pretrained": 5e-5, "new": 2e-3}


@dataclass(frozen=True, kw_only=True)
class GraphExtractorConfig:
    """How a graph extractor is trained.

    Args:
        out: folder of the extractor.
        annotations: files of annotated reports.
        format: ``llmrg`` (our graphs with text, JSON Lines) or ``radgraph`` (RadGraph's JSON).
        language: of the reports.
        validation: files that choose the epoch; without any, a share of the annotations.
        validation_share: that share, by report.
        test: files that are scored once, at the end.
        encoder: what reads.
        network: the heads and their losses.
        epochs: passes over the reports.
        batch_size: windows a step.
        learning_rate: peak, of the encoder; None takes 5e-5 for a pretrained one and 2e-3 for a new one.
        head_learning_rate: peak, of the heads.
        weight_decay: of AdamW.
        unknown_share: share of the tokens that are hidden from a new encoder in training, so that it learns to read
            around words it has never met.
        warmup: share of the steps in which the learning rate rises.
        max_minutes: stop after this long (the schedule is then cut short and a warning says so); None has no limit.
        precision: see :func:`llmrg.pretraining.precision.use_bf16`.
        seed: of split, weights and order.
    """

    out: Path
    annotations: tuple[Path, ...]
    format: AnnotationFormat = "llmrg"
    language: Literal["zh", "en"]
    validation: tuple[Path, ...] = ()
    validation_share: float = 0.15
    test: tuple[Path, ...] = ()
    encoder: GraphEncoderConfig = field(default_factory=GraphEncoderConfig)
    network: GraphNetworkConfig = field(default_factory=GraphNetworkConfig)
    epochs: int = 20
    batch_size: int = 8
    learning_rate: float | None = None
    head_learning_rate: float = 1e-3
    weight_decay: float = 0.01
    unknown_share: float = 0.02
    warmup: float = 0.1
    max_minutes: float | None = None
    precision: Precision = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.annotations:
            raise ValueError("annotations must name a file")
        if min(self.epochs, self.batch_size) < 1:
            raise ValueError("epochs and batch_size must be positive")
        if self.head_learning_rate <= 0 or (self.learning_rate is not None and self.learning_rate <= 0):
            raise ValueError("learning rates must be positive")
        if not 0 < self.validation_share < 1 or not 0 <= self.warmup < 1 or not 0 <= self.unknown_share < 1:
            raise ValueError("validation_share must lie in (0, 1), warmup and unknown_share in [0, 1)")
        if self.weight_decay < 0 or self.seed < 0:
            raise ValueError("weight_decay and seed must not be negative")
        if self.max_minutes is not None and self.max_minutes <= 0:
            raise ValueError(f"max_minutes must be positive, not {self.max_minutes}")

    @property
    def encoder_learning_rate(self) -> float:
        """Peak learning rate of the encoder."""
        return self.learning_rate or _RATES["new" if self.encoder.path is None else "pretrained"]
