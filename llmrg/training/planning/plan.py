"""The plan of a training: parameters, memory, disk and hours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch

from llmrg.evidence.encoder import build_encoder
from llmrg.pretraining.precision import use_bf16
from llmrg.systems.build import encoder_config
from llmrg.systems.plan import SystemPlan, count_parts, planned_system
from llmrg.systems.rehearsal import rehearse_step
from llmrg.training.planning.devices import Device, device_named, measure_processor
from llmrg.training.planning.disk import plan_disk
from llmrg.training.planning.hours import TimePlan, plan_hours
from llmrg.training.planning.launch import Launch, launch_here
from llmrg.training.planning.memory import MemoryPlan, plan_memory, plan_weights
from llmrg.training.planning.sizes import (
    Counts,
    count_studies,
    language_dimensions,
    report_width,
    step_shape,
    weight_types,
)
from llmrg.training.settings import TrainConfig

__all__ = ["MEMORY_ERROR", "TIME_FACTOR", "PlanOptions", "TrainingPlan", "plan_training"]

MEMORY_ERROR = 0.25
"""Share by which the peak may be wrong; ``docs/performance.md`` has the measurements."""
TIME_FACTOR = 3.0
"""Factor by which times may be wrong, in either direction."""
DEFAULT_GPU = "a100"


@dataclass(frozen=True, kw_only=True)
class PlanOptions:
    """What a user says about the machine and the data.

    Args:
        launch: how the training is launched; None takes the launch this process belongs to.
        studies: training studies, where they shall not be counted.
        device: short name of a GPU, or ``cpu``; None takes what is here or in the launch file.
        gpu_memory: memory of each GPU (or of the machine, on the processor) in GB; None takes the device's.
        flops: floating-point operations a second that the device achieves; None takes the device's.
        report_tokens: tokens of the longest report of a batch; None takes ``max_report_tokens``.
        dimensions: folder of files with dimensions of language models.
    """

    launch: Launch | None = None
    studies: int | None = None
    device: str | None = None
    gpu_memory: float | None = None
    flops: float | None = None
    report_tokens: int | None = None
    dimensions: Path = Path("configs/language")


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """What a training needs.

    Args:
        name: of the system.
        parts: parameters by part.
        launch: how it is launched.
        counts: studies.
        device: on what.
        memory: of one process.
        available: bytes of memory of one device; None where unknown.
        disk: bytes by what is written.
        time: of the stages.
        bf16: computed in bfloat16.
        checkpointing: activations of the language model are recomputed.
        tokens: length of the language model's sequence.
    """

    name: str
    parts: SystemPlan
    launch: Launch
    counts: Counts
    device: Device
    memory: MemoryPlan
    available: int | None
    disk: Mapping[str, int]
    time: TimePlan
    bf16: bool
    checkpointing: bool
    tokens: int

    @property
    def fits(self) -> bool | None:
        """Whether the peak is below the memory there is; None where that is unknown."""
        return None if self.available is None else self.memory.peak <= self.available

    def to_json(self) -> dict[str, Any]:
        """Plain figures; bytes and seconds unless a key says otherwise."""
        hours = {name: seconds / 3600 for name, seconds in self.time.stages.items()}
        return {
            "system": self.name,
            "fits": self.fits,
            "trainable_parameters": self.parts.trainable,
            "total_parameters": self.parts.total,
            "parts": {
                name: {"trainable": part.trainable, "total": part.total} for name, part in self.parts.parts.items()
            },
            "memory": {
                "peak_bytes": self.memory.peak,
                "available_bytes": self.available,
                "relative_error": MEMORY_ERROR,
                "always_bytes": dict(self.memory.always),
                "training_step_bytes": dict(self.memory.step),
                "validation_bytes": dict(self.memory.validation),
                "host_bytes": dict(self.memory.host),
            },
            "disk": {"total_bytes": sum(self.disk.values()), "parts_bytes": dict(self.disk)},
            "hours": {
                "total": sum(hours.values()),
                "stages": hours,
                "step_seconds": self.time.step,
                "error_factor": TIME_FACTOR,
            },
            "assumptions": {
                "device": self.device.name,
                "device_figures": self.device.basis,
                "processes": self.launch.processes,
                "zero_stage": self.launch.zero_stage,
                "training_studies": self.counts.training,
                "validation_studies": self.counts.validation,
                "studies_from": self.counts.basis,
                "bf16": self.bf16,
                "gradient_checkpointing": self.checkpointing,
                "sequence_tokens": self.tokens,
            },
        }


def plan_training(settings: TrainConfig, options: PlanOptions | None = None) -> TrainingPlan:
    """Plan a training without weights and, where need be, without its dataset.

    Args:
        settings: the training.
        options: the machine, the launch and the number of studies.

    Raises:
        UserError: a language model of unknown dimensions, an unknown device, a trunk that cannot be built.
    """
    options = options or PlanOptions()
    on_processor = _on_processor(options)
    launch = options.launch or launch_here(on_processor=on_processor)
    launch = replace(launch, on_processor=on_processor)
    bf16 = use_bf16(settings.training.precision) if on_processor else settings.training.precision != "fp32"
    device = _device(options, on_processor=on_processor, bf16=bf16)
    counts = count_studies(settings.data, options.studies)
    dimensions = language_dimensions(settings, options.dimensions)
    width = report_width(settings, options.dimensions)
    system = planned_system(
        settings.system,
        settings.data,
        dimensions,
        report_width=width,
        visual_width=settings.stages.activation_maps.width if settings.stages.memory.visual == "regions" else None,
    )
    parts = count_parts(system)
    checkpointing = settings.training.gradient_checkpointing or settings.system.language_model.gradient_checkpointing
    if settings.training.gradient_checkpointing:
        cast(Any, system["language_model"]).activation_checkpointing_enable()
    types = weight_types(settings)
    weights = plan_weights(system, types, settings, launch)
    patterns = {
        # A report states two or three findings, so that few studies do not fill the banks.
        name.split(".")[1]: min(len(buffer), 3 * counts.training)
        for name, buffer in system.named_buffers()
        if name.endswith(".patterns")
    }
    visual = cast(int, cast(Any, system["encoder"]).backbone.width)
    findings = len(cast(Any, system["encoder"]).config.findings)
    widths = (visual, width, visual + 3 * findings)
    shape = step_shape(settings, bf16=bf16, report_tokens=options.report_tokens)
    step = rehearse_step(system, shape, dtypes=types)
    memory = plan_memory(
        system=system,
        weights=weights,
        step=step,
        settings=settings,
        launch=launch,
        counts=counts,
        widths=widths,
        prompt=step.tokens - shape.report_tokens,
    )
    disk = plan_disk(
        parts=parts,
        weights=weights,
        patterns=patterns,
        settings=settings,
        launch=launch,
        counts=counts,
        widths=widths,
    )
    vision = replace(settings.system.vision, pretrained=False, checkpoint=None)
    with torch.device("meta"):
        encoder = build_encoder(
            encoder_config(replace(settings.system, vision=vision), settings.data, as_classifier=True)
        )
    time = plan_hours(
        encoder=encoder,
        step=step,
        shape=shape,
        weights=weights,
        decoder_parameters=parts.parts["language_model"].total,
        settings=settings,
        launch=launch,
        counts=counts,
        device=device,
    )
    available = int(options.gpu_memory * 1e9) if options.gpu_memory is not None else device.memory
    return TrainingPlan(
        name=settings.system.name,
        parts=parts,
        launch=launch,
        counts=counts,
        device=device,
        memory=memory,
        available=available,
        disk=disk,
        time=time,
        bf16=bf16,
        checkpointing=checkpointing,
        tokens=step.tokens,
    )


def _on_processor(options: PlanOptions) -> bool:
    if options.device is not None:
        return options.device == "cpu"
    if options.launch is not None:
        return options.launch.on_processor
    return options.gpu_memory is None and not torch.cuda.is_available()


def _device(options: PlanOptions, *, on_processor: bool, bf16: bool) -> Device:
    device = measure_processor(bf16=bf16) if on_processor else device_named(options.device or DEFAULT_GPU)
    if options.flops is not None:
        device = replace(device, flops=options.flops, basis=f"{options.flops:.3g} FLOP/s as given; {device.basis}")
    return device
