"""The sizes a plan is made of: what is trained, on how many studies, with which shapes."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import torch

from llmrg.errors import LlmrgError
from llmrg.studies.mixture import Data, MixtureConfig
from llmrg.studies.reading import read_studies
from llmrg.studies.settings import DataConfig
from llmrg.systems.build import EMBEDDED
from llmrg.systems.plan import LanguageDimensions, embedded_dimensions, find_dimensions
from llmrg.systems.rehearsal import StepShape
from llmrg.training.settings import TrainConfig

__all__ = ["Counts", "count_studies", "language_dimensions", "report_width", "step_shape", "weight_types"]

logger = logging.getLogger(__name__)

PROMPT_TOKENS = 96
"""Tokens of the prompt's words and of evidence in words; the exact number needs the tokenizer."""
CONTEXT_TOKENS = 12
"""Tokens of a context vector with the words around it (the embedded tokenizer takes about twice as many)."""

_PUBLISHED = {
    "ped-xray": (2047, 293, "PED-Xray: 2,925 studies, 7:1:2"),
    "chexpert-plus": (40463, 5780, "CheXpert Plus: films with findings of the published comparison split"),
    "iu-xray": (2069, 296, "IU X-ray: split of R2Gen"),
    "mimic-cxr": (270790, 2130, "MIMIC-CXR: films of R2Gen's split"),
}


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Studies.

    Args:
        training: of the training split.
        validation: of the validation split.
        basis: where the numbers come from.
    """

    training: int
    validation: int
    basis: str


def count_studies(data: Data, given: int | None) -> Counts:
    """Count the studies: as given, else of the dataset where it is on disk, else as published.

    Args:
        data: the dataset or mixture.
        given: training studies, where the user names them.
    """
    if given is not None:
        return Counts(training=given, validation=max(1, given // 7), basis="as given")
    configs = data.datasets if isinstance(data, MixtureConfig) else (data,)
    found = [_count(config) for config in configs]
    return Counts(
        training=sum(count.training for count in found),
        validation=sum(count.validation for count in found),
        basis="; ".join(dict.fromkeys(count.basis for count in found)),
    )


def _count(data: DataConfig) -> Counts:
    if data.root.is_dir():
        quiet = logging.getLogger("llmrg.studies")
        level = quiet.level
        quiet.setLevel(logging.ERROR)
        try:
            splits = read_studies(data).splits
            return Counts(
                training=splits.get("train", 0), validation=splits.get("val", 0), basis=f"counted in {data.root}"
            )
        except LlmrgError as error:
            logger.info("the dataset cannot be counted (%s)", error)
        finally:
            quiet.setLevel(level)
    training, validation, basis = _PUBLISHED.get(data.format, (10_000, 1_000, "assumed; give --studies"))
    return Counts(training=training, validation=validation, basis=basis)


def language_dimensions(settings: TrainConfig, folder: Path) -> LanguageDimensions:
    """Dimensions of the system's language model."""
    path = settings.system.language_model.path
    if path == EMBEDDED:
        return embedded_dimensions(settings.stages.language_model.model)
    return find_dimensions(path, folder)


def report_width(settings: TrainConfig, folder: Path) -> int:
    """Width of the report vectors in memory and index."""
    path = settings.stages.text_encoder.path
    if path == EMBEDDED:
        return settings.stages.language_model.model.hidden_size
    return int(find_dimensions(path, folder).architecture["hidden_size"])


def _context_tokens(settings: TrainConfig) -> int:
    """Vectors of context studies and the words around them."""
    if "context_residuals" not in settings.system.evidence.sources:
        return 0
    return 2 * settings.system.evidence.context_residuals.pairs * CONTEXT_TOKENS


def step_shape(settings: TrainConfig, *, bf16: bool, report_tokens: int | None) -> StepShape:
    """Shape of a micro-batch of the generator."""
    return StepShape(
        studies=settings.training.batch_size,
        views=settings.data.views,
        image_size=settings.data.image_size,
        prompt_tokens=PROMPT_TOKENS + _context_tokens(settings),
        report_tokens=report_tokens or settings.system.max_report_tokens,
        bf16=bf16,
        tune_vision=settings.system.tune_vision,
    )


def weight_types(settings: TrainConfig) -> dict[str, torch.dtype]:
    """Type of the weights by the first part of their name, as loading leaves them (see ``load_causal_model``)."""
    model = settings.system.language_model
    if model.dtype != "auto":
        return {"language_model": getattr(torch, model.dtype)}
    published_as = torch.float32 if model.path == EMBEDDED or model.tuning == "full" else torch.bfloat16
    return {"language_model": published_as}
