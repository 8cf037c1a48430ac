"""Hours of the stages and of the generator's training on a device."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

from torch import nn

from llmrg.evidence.context_residuals import needs_vectors
from llmrg.evidence.encoder import StudyEncoder
from llmrg.findings.vocabulary import get_vocabulary
from llmrg.systems.context import context_of
from llmrg.systems.rehearsal import Rehearsal, StepShape, rehearse_encoder
from llmrg.training.planning.devices import Device
from llmrg.training.planning.launch import Launch
from llmrg.training.planning.memory import Weights
from llmrg.training.planning.sizes import Counts
from llmrg.training.settings import TrainConfig

__all__ = ["TimePlan", "plan_hours"]


@dataclass(frozen=True, kw_only=True)
class TimePlan:
    """Seconds by stage; reading films is not among them.

    Args:
        stages: by name.
        step: of one optimiser step of the generator.
    """

    stages: dict[str, float]
    step: float


def plan_hours(
    *,
    encoder: nn.Module,
    step: Rehearsal,
    shape: StepShape,
    weights: Weights,
    decoder_parameters: int,
    settings: TrainConfig,
    launch: Launch,
    counts: Counts,
    device: Device,
) -> TimePlan:
    """Estimate the time of each stage from its floating-point operations, its memory traffic and its operations.

    Args:
        encoder: the planned trunk and disease queries; of no use afterwards.
        step: the rehearsed micro-batch of the generator.
        shape: of that micro-batch.
        weights: of the planned system.
        decoder_parameters: of the language model.
        settings: the training.
        launch: processes share the studies.
        counts: the studies.
        device: what the machine achieves.
    """
    loop, processes = settings.training, launch.processes
    names = settings.stage_names
    stages: dict[str, float] = {}
    if "language_model" in names:
        config = settings.stages.language_model
        model = config.model
        layer = 4 * model.hidden_size**2 + 3 * model.hidden_size * model.intermediate_size
        size = model.layers * layer + model.vocabulary_size * model.hidden_size
        tokens = config.batch_size * shape.report_tokens
        one = device.seconds(
            flops=6 * size * tokens,
            traffic=60 * model.layers * tokens * model.hidden_size * 4,
            operations=250 * model.layers,
        )
        stages["language_model"] = config.max_steps * one
        if config.max_seconds is not None:
            stages["language_model"] = min(stages["language_model"], config.max_seconds)
    if "disease_classifier" in names:
        classifier = settings.stages.disease_classifier
        batch = StepShape(**{**vars(shape), "studies": classifier.batch_size})
        learnt = rehearse_encoder(encoder, batch, learn=True)
        steps = math.ceil(counts.training * classifier.epochs / classifier.batch_size)  # one process builds it
        stages["disease_classifier"] = steps * _seconds(device, learnt)
        if classifier.max_minutes is not None:
            stages["disease_classifier"] = min(stages["disease_classifier"], 60 * classifier.max_minutes)
    known: dict[int, float] = {}

    def reading(views: int) -> float:
        """Seconds that the encoder takes for a batch."""
        if views not in known:
            batch = StepShape(**{**vars(shape), "studies": loop.validation_batch_size, "views": views})
            known[views] = _seconds(device, rehearse_encoder(encoder, batch, learn=False))
        return known[views]

    mined = "activation_maps" in names
    if mined or "memory" in names or "index" in names:
        read = reading(shape.views)
        stages["encoding"] = math.ceil(counts.training / loop.validation_batch_size) * read
        if mined:  # every film at most, then the regions as films of their own; gradients pass the head alone
            findings = len(get_vocabulary(settings.data.vocabulary).abnormal)
            regions = settings.stages.activation_maps.regions * findings / shape.views
            stages["activation_maps"] = math.ceil((counts.training + regions) / loop.validation_batch_size) * read
    context = context_of(settings.system)
    if context is not None:
        studies = counts.training if context.searches else min(counts.training, 2 * context.config.reserve)
        # A trunk that learns encodes them at the beginning of every epoch and before every evaluation.
        tuned = settings.system.tune_vision
        once = int(needs_vectors(cast(StudyEncoder, encoder).backbone, context, tuned=False))
        times = math.ceil(loop.epochs) + loop.evaluations if tuned else once
        passes = times * math.ceil(studies / (loop.validation_batch_size * processes))
        if passes:
            stages["context"] = passes * reading(1 if context.faithful else shape.views)
    # AdamW reads weights, gradients and two states, and writes three of them.
    update = device.seconds(flops=0, traffic=28 * weights.trainable / launch.divides[0], operations=0)
    one = loop.accumulation * _seconds(device, step) + update
    steps = math.ceil(counts.training * loop.epochs / (loop.batch_size * loop.accumulation * processes))
    stages["generator"] = steps * one
    if loop.max_minutes is not None:
        stages["generator"] = min(stages["generator"], 60 * loop.max_minutes)
    shown = min(loop.validation_studies, counts.validation)
    batches = math.ceil(shown / (loop.validation_batch_size * processes))
    stages["validation"] = (
        loop.evaluations * batches * _writing(device, step, shape, weights, decoder_parameters, settings)
    )
    return TimePlan(stages=stages, step=one)


def _seconds(device: Device, work: Rehearsal) -> float:
    return device.seconds(flops=work.flops, traffic=work.traffic, operations=work.operations)


def _writing(
    device: Device, step: Rehearsal, shape: StepShape, weights: Weights, parameters: int, settings: TrainConfig
) -> float:
    """Seconds of one batch of validation reports: every token reads all weights of the language model."""
    rows, tokens = settings.training.validation_batch_size, settings.decoding.max_new_tokens
    stored = sum(size for name, size in weights.stored.items() if name.startswith("language_model"))
    layers = max(1, step.operations // 400)
    one = device.seconds(flops=2 * parameters * rows, traffic=stored, operations=60 * layers)
    prefill = device.seconds(flops=2 * parameters * rows * step.tokens, traffic=stored, operations=60 * layers)
    return prefill + tokens * one
