"""Configuration of a training: data, system, the stages before it, and the loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from llmrg.language.settings import DecodingConfig
from llmrg.language.text_encoder import Pooling
from llmrg.pretraining.language_model import LanguageModelPretrainingConfig
from llmrg.pretraining.precision import Precision
from llmrg.pretraining.settings import DiseaseClassifierConfig
from llmrg.studies.augmentation import AugmentationConfig
from llmrg.studies.mixture import Data
from llmrg.systems.build import EMBEDDED
from llmrg.systems.context import context_of
from llmrg.systems.published import fill_setting
from llmrg.systems.settings import SystemConfig
from llmrg.training.memory_settings import ActivationMapsConfig, MemoryStageConfig
from llmrg.training.oversampling import OversamplingConfig
from retrieval_index import IndexConfig

__all__ = [
    "COMBINED_METRICS",
    "STAGES",
    "VALIDATION_METRICS",
    "LoopConfig",
    "StagesConfig",
    "TextEncoderConfig",
    "TrainConfig",
]

STAGES = ("language_model", "disease_classifier", "activation_maps", "memory", "index", "context")
"""Stages before the generator, in the order in which they are built."""

COMBINED_METRICS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "bleu_4_cider_50_50": {"bleu_4": 0.5, "cider": 0.5},
        "bleu_4_cider_80_20": {"bleu_4": 0.8, "cider": 0.2},
    }
)
"""Weighted sums by which published systems chose their checkpoints (R2GenGPT and R2GenCSR; MambaXray-VL)."""

VALIDATION_METRICS = ("clinical_micro_f1", "clinical_macro_f1", "bleu_4", "rouge_l", "cider", *COMBINED_METRICS)


@dataclass(frozen=True, kw_only=True)
class TextEncoderConfig:
    """What turns reports into vectors for memory and index.

    Args:
        path: any transformers encoder or causal LM by name or directory, or ``embedded``.
        revision: of a hub model.
        pooling: ``mean`` of the last hidden states, or that of the class token (``cls``, AM-MRG).
        max_tokens: longest text that is read; longer ones are cut.
    """

    path: str = EMBEDDED
    revision: str | None = None
    pooling: Pooling = "mean"
    max_tokens: int = 512

    def __post_init__(self) -> None:
        if self.max_tokens < 4:
            raise ValueError(f"max_tokens must be at least 4, not {self.max_tokens}")


@dataclass(frozen=True, kw_only=True)
class StagesConfig:
    """How the artefacts before the generator are made.

    Args:
        language_model: training of the embedded language model (used where a path is ``embedded``).
        disease_classifier: training of trunk and disease queries.
        activation_maps: regions mined from the training films, where the visual memory is made of them.
        memory: what the memories are made of.
        text_encoder: gives report vectors.
        index: the retrieval index.
    """

    language_model: LanguageModelPretrainingConfig = field(default_factory=LanguageModelPretrainingConfig)
    disease_classifier: DiseaseClassifierConfig = field(default_factory=DiseaseClassifierConfig)
    activation_maps: ActivationMapsConfig = field(default_factory=ActivationMapsConfig)
    memory: MemoryStageConfig = field(default_factory=MemoryStageConfig)
    text_encoder: TextEncoderConfig = field(default_factory=TextEncoderConfig)
    index: IndexConfig = field(default_factory=IndexConfig)


@dataclass(frozen=True, kw_only=True)
class LoopConfig:
    """The training loop of the generator.

    Args:
        epochs: passes over the training split.
        batch_size: studies a step and process.
        accumulation: micro-batches an optimiser step.
        learning_rate: peak, of projections, memories and gates.
        vision_learning_rate: peak, of trunk and disease queries where they are tuned; None takes ``learning_rate``.
        language_learning_rate: peak, of the language model's adapters or weights; None takes ``learning_rate``.
        schedule: ``cosine`` falls with every step, ``cosine_by_epoch`` (R2GenGPT) once an epoch.
        final_learning_rate: where the schedule ends; no rate that is lower already rises to it.
        weight_decay: of AdamW.
        decay: ``matrices`` leaves norms, biases and single vectors undecayed, ``all`` decays them, too.
        warmup: share of the steps in which the learning rates rise.
        clip: largest gradient norm; None does not clip.
        precision: see :func:`llmrg.pretraining.precision.use_bf16`.
        gradient_checkpointing: recompute the language model's activations.
        workers: data loading processes.
        evaluations: how often validation reports are generated in the whole training (at its end always).
        validation_studies: validation studies that are generated for, at most (chosen by seed).
        validation_batch_size: studies generated for at once.
        metric: validation figure the best checkpoint is chosen by.
        keep: checkpoints kept beside the best.
        logging_steps: optimiser steps between log lines.
        tensorboard: write TensorBoard logs, into ``logs/NAME`` beside the run.
        max_minutes: stop the loop after this long; None has no limit.
        source_dropout: probability that an evidence source is not heard for a study, of all sources or by name; they
            are never all silent.
        oversampling: show studies with rare findings more often; None shows every study once an epoch.
    """

    epochs: float = 5
    batch_size: int = 16
    accumulation: int = 1
    learning_rate: float = 1e-4
    vision_learning_rate: float | None = None
    language_learning_rate: float | None = None
    schedule: Literal["cosine", "cosine_by_epoch"] = "cosine"
    final_learning_rate: float = 0.0
    weight_decay: float = 0.01
    decay: Literal["matrices", "all"] = "matrices"
    warmup: float = 0.05
    clip: float | None = 1.0
    precision: Precision = "auto"
    gradient_checkpointing: bool = False
    workers: int = 0
    evaluations: int = 3
    validation_studies: int = 200
    validation_batch_size: int = 32
    metric: str = "clinical_micro_f1"
    keep: int = 1
    logging_steps: int = 10
    tensorboard: bool = True
    max_minutes: float | None = None
    source_dropout: float | Mapping[str, float] = 0.0
    oversampling: OversamplingConfig | None = None

    def __post_init__(self) -> None:
        positive = ("epochs", "batch_size", "accumulation", "learning_rate", "logging_steps", "keep")
        for name in (*positive, "validation_studies", "validation_batch_size"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive, not {getattr(self, name)}")
        for name in ("vision_learning_rate", "language_learning_rate", "max_minutes", "clip"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"{name} must be positive, not {value}")
        for name in ("weight_decay", "workers", "final_learning_rate"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, not {getattr(self, name)}")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup must lie in [0, 1), not {self.warmup}")
        if self.evaluations < 1:
            raise ValueError("evaluations must be at least 1")
        dropout = self.source_dropout
        for value in dropout.values() if isinstance(dropout, Mapping) else (dropout,):
            if not 0 <= value < 1:
                raise ValueError(f"source_dropout must lie in [0, 1), not {value}")
        if self.metric not in VALIDATION_METRICS:
            raise ValueError(f"metric {self.metric!r} is unknown; allowed: {', '.join(VALIDATION_METRICS)}")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """A training from data to run.

    Args:
        out: the run directory.
        artefacts: where the stages leave their artefacts; None takes ``artefacts`` beside the run. Artefacts that fit
            (same configuration, same training studies) are used again.
        seed: of everything random.
        data: the dataset, or a mixture of several.
        system: the system.
        stages: the stages before the generator.
        augmentation: of training films.
        training: the loop.
        decoding: of validation reports, and the run's own default.
    """

    out: Path
    artefacts: Path | None = None
    seed: int = 0
    data: Data
    system: SystemConfig
    stages: StagesConfig = field(default_factory=StagesConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    training: LoopConfig = field(default_factory=LoopConfig)
    decoding: DecodingConfig = field(default_factory=DecodingConfig)

    @classmethod
    def complete_mapping(cls, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Add the defaults of a published system's setting, when a configuration is read."""
        return fill_setting(values)

    @property
    def artefacts_folder(self) -> Path:
        """Where the stages leave their artefacts."""
        return self.artefacts if self.artefacts is not None else self.out.parent / "artefacts"

    @property
    def stage_names(self) -> tuple[str, ...]:
        """The stages this system needs, in order."""
        sources = self.system.evidence.sources
        memory = any(kind.endswith("_memory") for kind in sources)
        index = self.system.searches
        context = context_of(self.system)
        embedded_text = self.stages.text_encoder.path == EMBEDDED and (memory or "retrieved_context" in sources)
        needed = {
            "language_model": self.system.language_model.path == EMBEDDED or embedded_text,
            "disease_classifier": self.system.classifies,
            "activation_maps": "visual_memory" in sources and self.stages.memory.visual == "regions",
            "memory": memory,
            "index": index,
            "context": context is not None and not context.searches,
        }
        return tuple(name for name in STAGES if needed[name])
