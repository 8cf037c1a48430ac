"""What a training writes, in bytes."""

from __future__ import annotations

from collections.abc import Mapping

from llmrg.systems.plan import SystemPlan
from llmrg.training.planning.launch import Launch
from llmrg.training.planning.memory import Weights
from llmrg.training.planning.sizes import Counts
from llmrg.training.settings import TrainConfig

__all__ = ["plan_disk"]

RECORD = 220
"""Bytes of one study in the index's records and of one pattern in a bank's, about."""
TOKENIZER = 4 * 2**20
FILM = 1
"""Bytes a pixel of the prepared films."""


def plan_disk(
    *,
    parts: SystemPlan,
    weights: Weights,
    patterns: Mapping[str, int],
    settings: TrainConfig,
    launch: Launch,
    counts: Counts,
    widths: tuple[int, int, int],
) -> dict[str, int]:
    """Add up what lies on disk while the training runs; the checkpoints are removed when the run is saved.

    Args:
        parts: parameters by part.
        weights: of the planned system.
        patterns: rows of the memory banks, by kind.
        settings: the training.
        launch: DeepSpeed's checkpoints hold the frozen weights too.
        counts: the studies.
        widths: of visual vectors, report vectors and retrieval vectors.
    """
    visual, report, retrieval = widths
    encoder = sum(4 * parts.parts[name].total for name in ("vision", "disease_queries") if name in parts.parts)
    artefacts: dict[str, int] = {}
    names = settings.stage_names
    if "language_model" in names:
        model = settings.stages.language_model.model
        layer = 4 * model.hidden_size**2 + 3 * model.hidden_size * model.intermediate_size
        artefacts["language_model"] = 4 * (model.vocabulary_size * model.hidden_size + model.layers * layer)
    if "disease_classifier" in names:
        artefacts["disease_classifier"] = encoder
    if "memory" in names:
        widths_of = {"visual_memory": visual, "report_memory": report}
        artefacts["memory"] = sum(rows * (4 * widths_of[kind] + RECORD) for kind, rows in patterns.items())
    if "index" in names:
        evidence = settings.system.evidence
        kinds = [kind for kind in ("retrieved_context", "context_residuals") if kind in evidence.sources]
        candidates = max(getattr(evidence, kind).candidates for kind in kinds)
        row = 4 * (retrieval + visual + report) + 12 * candidates + RECORD + 64
        artefacts["index"] = counts.training * row
    frozen = parts.total - parts.trainable
    learnt = 4 * parts.trainable
    checkpoint = learnt + 8 * weights.trainable
    if launch.deepspeed:
        checkpoint = sum(weights.stored.values()) + 12 * weights.trainable
    asked = "disease_queries" in settings.system.evidence.sources  # a classifier that only warmed up is not kept
    held = sum(size for name, size in artefacts.items() if asked or name != "disease_classifier")
    run = learnt + held + (encoder if frozen and not settings.system.tune_vision else 0) + TOKENIZER
    film = settings.data.views * settings.data.image_size**2
    return {
        **{f"artefact: {name}": size for name, size in artefacts.items()},
        "checkpoints": (settings.training.keep + 2) * checkpoint,  # the best, those kept, and the one being written
        "run": run,
        "prepared_films": FILM * (counts.training + counts.validation) * film,
    }
