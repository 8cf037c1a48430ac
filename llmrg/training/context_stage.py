"""The stage that draws context studies (R2GenCSR), and what the index must hold for context by similarity."""

from __future__ import annotations

import logging
from typing import Any

import torch

from llmrg.config import to_mapping
from llmrg.errors import UserError
from llmrg.evidence.context_choice import NEGATIVE, POSITIVE, draw_context
from llmrg.evidence.context_settings import ResolvedContext
from llmrg.evidence.memory_bank import MemoryBank, Pattern
from llmrg.evidence.settings import EvidenceConfig
from llmrg.systems.context import SOURCE, context_of
from llmrg.systems.settings import SystemConfig
from llmrg.training.material import TrainingMaterial

__all__ = ["draw_configuration", "draw_studies", "neighbours_kept"]

logger = logging.getLogger(__name__)


def neighbours_kept(evidence: EvidenceConfig) -> int:
    """Return the most neighbours of a query that a source looks at."""
    kinds = [kind for kind in ("retrieved_context", SOURCE) if kind in evidence.sources]
    return max((int(getattr(evidence, kind).candidates) for kind in kinds), default=0)


def draw_configuration(system: SystemConfig) -> dict[str, Any]:
    """Return what decides who is drawn, besides the studies and the labeler."""
    drawn = _drawn(system)
    given = to_mapping(drawn.config)
    return {"faithful": drawn.faithful, **{name: given[name] for name in ("mode", "reserve", "seed")}}


def draw_studies(system: SystemConfig, material: TrainingMaterial) -> MemoryBank:
    """Draw the context studies from the training split; their vectors are encoded while the generator trains.

    Raises:
        UserError: the system draws none.
    """
    context = _drawn(system)
    drawn = draw_context(
        material.training,
        context,
        target=material.data.target,
        has_finding=lambda study_id: bool(material.positive(study_id)),
    )
    counts = {role: sum(own == role for _, own in drawn) for role in (POSITIVE, NEGATIVE)}
    if min(counts.values()) <= context.config.pairs:
        logger.warning("few context studies: %d positive, %d negative", counts[POSITIVE], counts[NEGATIVE])
    studies = [(material.training[row], role) for row, role in drawn]
    return MemoryBank(
        vectors=torch.empty(len(drawn), 0),
        patterns=tuple(Pattern(study_id=s.id, patient_id=s.patient_id, finding=role) for s, role in studies),
    )


def _drawn(system: SystemConfig) -> ResolvedContext:
    context = context_of(system)
    if context is None or context.searches:
        raise UserError("The system draws no context studies", where="system.evidence.context_residuals.mode")
    return context
