"""Memory of one process by part: on its device, and in the host's memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from llmrg.language.llm import LanguageModel
from llmrg.systems.plan import part_of
from llmrg.systems.rehearsal import Rehearsal
from llmrg.training.planning.launch import Launch
from llmrg.training.planning.sizes import Counts
from llmrg.training.settings import TrainConfig

__all__ = ["MemoryPlan", "Weights", "plan_memory", "plan_weights"]

GIB = 2**30
GPU_CONTEXT = int(0.7 * GIB)
"""CUDA context and libraries of one process."""
PROCESS = int(0.8 * GIB)
"""Python, PyTorch and transformers, and what the stages before leave with the allocator (measured, see docs)."""
WORKER = int(0.12 * GIB)
"""A data loading process beyond the pages it shares with its parent."""
FILM_CACHE = GIB
"""Most bytes of films that training keeps in memory (:func:`llmrg.training.material.read_material`)."""
BUCKET = 500_000_000
"""Elements of DeepSpeed's communication buckets (its default)."""
SCORED = 2**26
"""Most logits at once when reports are scored (:meth:`LanguageModel.generate`)."""
NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)
"""A 4-bit weight with its doubly quantised scales."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Weights by part.

    Args:
        stored: bytes by part and type, such as ``language_model, 4 bit``.
        trainable: elements that learn.
        gradients: bytes of their gradients.
        rehearsed: bytes that the rehearsal counted for the same weights.
    """

    stored: Mapping[str, int]
    trainable: int
    gradients: int
    rehearsed: int


@dataclass(frozen=True, kw_only=True)
class MemoryPlan:
    """Memory of one process in bytes.

    Args:
        always: on the device from beginning to end, by part.
        step: on the device in a training step besides, by part.
        validation: on the device while validation reports are written besides, by part.
        host: in the host's memory, by part; on the processor the device is the host and this joins the sum.
        on_processor: there is no GPU.
    """

    always: Mapping[str, int]
    step: Mapping[str, int]
    validation: Mapping[str, int]
    host: Mapping[str, int]
    on_processor: bool

    @property
    def peak(self) -> int:
        """Bytes at the fullest moment on the device (on the processor: with the host's parts)."""
        held = sum(self.always.values()) + (sum(self.host.values()) if self.on_processor else 0)
        return held + max(sum(self.step.values()), sum(self.validation.values()))


def plan_weights(system: nn.Module, types: Mapping[str, torch.dtype], settings: TrainConfig, launch: Launch) -> Weights:
    """Count the bytes of weights and gradients.

    Args:
        system: what :func:`llmrg.systems.plan.planned_system` built, not yet rehearsed.
        types: of the weights by the first part of their name.
        settings: quantisation of the language model.
        launch: DeepSpeed casts what is not quantised to bfloat16 where that is computed in.
    """
    quantised = _quantised(system, settings)
    stored: dict[str, float] = {}
    trainable = gradients = rehearsed = 0
    for name, parameter in system.named_parameters():
        dtype = torch.float32 if "lora_" in name else types.get(name.partition(".")[0], torch.float32)
        rehearsed += parameter.numel() * dtype.itemsize
        if name in quantised:
            label, size = {"4bit": ("4 bit", NF4_BYTES), "8bit": ("8 bit", 1.0 + 4 / parameter.shape[-1])}[
                settings.system.language_model.quantisation
            ]
        else:
            label, size = str(dtype).removeprefix("torch."), float(dtype.itemsize)
        key = f"{part_of(name)}, {label}"
        stored[key] = stored.get(key, 0) + parameter.numel() * size
        if parameter.requires_grad:
            trainable += parameter.numel()
            gradients += parameter.numel() * dtype.itemsize
    return Weights(
        stored={name: round(size) for name, size in stored.items()},
        trainable=trainable,
        gradients=gradients,
        rehearsed=rehearsed,
    )


def _quantised(system: nn.Module, settings: TrainConfig) -> set[str]:
    """Names of the weights that bitsandbytes stores: linear layers of the language model but the last."""
    if settings.system.language_model.quantisation == "none":
        return set()
    return {
        f"{name}.weight"
        for name, module in system.named_modules()
        if isinstance(module, nn.Linear)
        and name.startswith("language_model.")
        and "lora_" not in name
        and not name.endswith("lm_head")
    }


def plan_memory(
    *,
    system: nn.ModuleDict,
    weights: Weights,
    step: Rehearsal,
    settings: TrainConfig,
    launch: Launch,
    counts: Counts,
    widths: tuple[int, int, int],
    prompt: int,
) -> MemoryPlan:
    """Add up the parts.

    Args:
        system: the planned system.
        weights: of :func:`plan_weights`.
        step: the rehearsed micro-batch.
        settings: the training.
        launch: how it is launched.
        counts: the studies.
        widths: of visual vectors, report vectors and retrieval vectors.
        prompt: tokens before the report.
    """
    loop, sources = settings.training, settings.system.evidence.sources
    visual, report, retrieval = widths
    for_optimizer, for_gradients, for_weights = launch.divides
    always: dict[str, int] = {}
    host: dict[str, int] = {"process": PROCESS}
    for name, size in weights.stored.items():
        (host if launch.weights_on_host else always)[f"weights: {name}"] = size // for_weights
    states = weights.trainable * (12 if launch.deepspeed else 8) // for_optimizer
    (host if launch.optimizer_on_host else always)["optimizer_states"] = states
    if any(kind.endswith("_memory") for kind in sources):
        always["memories"] = sum(b.numel() * 4 for n, b in system.named_buffers() if n.endswith(".patterns"))
    if settings.system.searches:
        always["retrieval_index"] = counts.training * 4 * (visual + report)
        host["retrieval_index"] = counts.training * (4 * (visual + report + retrieval) + 600)
    if not launch.on_processor:
        always["context_of_the_device"] = GPU_CONTEXT
    during: dict[str, int] = {
        "gradients": weights.gradients // for_gradients,
        # When the activations are gone, the optimizer's step needs room of its own on GPUs.
        "activations": max(step.activations, 0 if launch.on_processor else 4 * weights.trainable // for_optimizer),
    }
    if settings.system.language_model.quantisation != "none":
        during["dequantised_weight"] = 2 * max(
            parameter.numel() for name, parameter in system.named_parameters() if "layers" in name
        )
    if launch.deepspeed:
        during["deepspeed_buckets"] = 2 * 2 * min(BUCKET, weights.trainable)
    elif launch.processes > 1:
        during["gradient_buckets"] = weights.gradients
    if for_weights > 1:
        largest = max(size for size in weights.stored.values())
        during["gathered_weights"] = min(2 * 10**9, largest)
    film = settings.data.image_size**2
    host["films_in_memory"] = min(FILM_CACHE, counts.training * settings.data.views * film)
    host["studies"] = counts.training * 12
    host["data_loader"] = loop.workers * (WORKER + 2 * loop.batch_size * settings.data.views * film)
    return MemoryPlan(
        always=always,
        step=during,
        validation=_validation(system, settings, prompt=prompt),
        host=host,
        on_processor=launch.on_processor,
    )


def _validation(system: nn.ModuleDict, settings: TrainConfig, *, prompt: int) -> dict[str, int]:
    """Keys and values of validation reports, and the logits that score them."""
    model = system["language_model"]
    if not isinstance(model, LanguageModel):
        raise TypeError("the system has no language model")
    config = model.causal.config
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    item = 4 if settings.system.language_model.path == "embedded" else 2
    rows = settings.training.validation_batch_size
    beams = settings.decoding.beams if settings.decoding.strategy == "beam" else 1
    length = prompt + settings.decoding.max_new_tokens
    written = rows * settings.decoding.max_new_tokens
    return {
        "keys_and_values": rows * beams * length * config.num_hidden_layers * 2 * heads * width * item,
        "hidden_states": rows * length * item * (4 * config.hidden_size + 2 * config.intermediate_size),
        "scores": min(SCORED, written * config.vocab_size) * (item + 8),
    }
