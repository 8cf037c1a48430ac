"""Configuration of the stages before the generator that train a network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from llmrg.pretraining.precision import Precision

__all__ = ["DiseaseClassifierConfig"]


@dataclass(frozen=True, kw_only=True)
class DiseaseClassifierConfig:
    """How the disease classifier (trunk and disease queries) is trained.

    Args:
        epochs: passes over the training split.
        batch_size: studies a step.
        learning_rate: peak.
        weight_decay: of AdamW.
        warmup: share of the steps in which the learning rate rises.
        smoothing: label smoothing of presence.
        side_weight: weight of the side loss beside the presence loss.
        teacher: ``disease_classifier`` artefact that teaches this one (see :class:`llmrg.pretraining.teacher.Teacher`);
            None learns from the labels alone.
        teacher_weight: weight of the teacher's loss beside the labels'.
        max_minutes: stop after this long (the schedule is then cut short and a warning says so); None has no limit.
        precision: see :func:`llmrg.pretraining.precision.use_bf16`.
        workers: data loading processes.
    """

    epochs: float = 20
    batch_size: int = 16
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warmup: float = 0.1
    smoothing: float = 0.0
    side_weight: float = 0.5
    teacher: Path | None = None
    teacher_weight: float = 1.0
    max_minutes: float | None = None
    precision: Precision = "auto"
    workers: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "learning_rate"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive, not {getattr(self, name)}")
        for name in ("warmup", "smoothing"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must lie in [0, 1), not {getattr(self, name)}")
        for name in ("weight_decay", "side_weight", "teacher_weight", "workers"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, not {getattr(self, name)}")
        if self.max_minutes is not None and self.max_minutes <= 0:
            raise ValueError(f"max_minutes must be positive, not {self.max_minutes}")
