"""Calibrates the diagnosis hints on training studies, before a training and while trunk and queries learn."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import torch
from torch import Tensor

from llmrg.evidence.diagnosis_hints import DiagnosisHints
from llmrg.studies.batches import StudyBatch
from llmrg.studies.dataset import collate_studies, usable_studies
from llmrg.systems.report_generator import ReportGenerator
from llmrg.training.material import TrainingMaterial, seeded_sample

__all__ = ["calibrate_hints"]

logger = logging.getLogger(__name__)
MOST = 1000
"""Training studies that are looked at, at most; further ones hardly change two numbers a finding."""


def calibrate_hints(system: ReportGenerator, material: TrainingMaterial, *, batch_size: int, seed: int = 0) -> bool:
    """Fit the calibration of a system's hints; the films are seen as in generation, without augmentation.

    Every process does all of it, so that all have the same hints.

    Args:
        system: the system.
        material: the training's studies; only those of the training split are used, as for everything that a run knows
            of labels. The classifier has seen them, so that it looks surer here than it is.
        batch_size: studies at once.
        seed: of the choice among many.

    Returns:
        Whether the system has hints that are calibrated.
    """
    hints = dict(system.sources.items()).get("diagnosis_hints")
    if not isinstance(hints, DiagnosisHints) or hints.calibration is None:
        return False
    chosen = seeded_sample(material.training, MOST, seed)
    dataset = material.dataset(list(usable_studies(chosen, material.data, keep_bytes=0)[0]))
    labels: list[tuple[Tensor, Tensor]] = []

    def batches() -> Iterator[StudyBatch]:
        for start in range(0, len(dataset), batch_size):
            samples = [dataset[row] for row in range(start, min(start + batch_size, len(dataset)))]
            labels.extend((extras["present"], extras["observed"]) for _, _, extras in samples)
            yield collate_studies(samples)

    probabilities = system.encoder.encode(batches())["probabilities"][..., 0]
    present, observed = (torch.stack(part) for part in zip(*labels, strict=True))
    hints.calibration.fit(probabilities, present, observed)
    logger.info("diagnosis hints: calibrated on %d training studies, named from %.2f", len(labels), hints.threshold)
    return True
