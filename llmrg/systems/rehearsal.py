"""A training step rehearsed on tensors without contents: its peak memory and its floating-point operations.

Every operation of the real modules runs on PyTorch's fake tensors, forward and backward, so that what autograd keeps,
recomputes and frees is what it keeps, recomputes and frees in training. Nothing is allocated.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterator, Mapping, Sequence, ValuesView
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from llmrg.evidence.base import Evidence
from llmrg.language.llm import LanguageModel
from llmrg.language.token_space import TokenSpace
from llmrg.studies.batches import StudyBatch
from llmrg.studies.study import Image, Study
from llmrg.vision.features import VisualFeatures
from llmrg.vision.selective_scan.cost import SCAN_COSTS, ScanCost

__all__ = ["Rehearsal", "StepShape", "rehearse_encoder", "rehearse_step"]

_NOWHERE = Path("-")
_ASKED = ("patches", "disease_queries", "visual_memory", "report_memory")
"""Sources whose own code is run; what the others add to the prompt is given as so many tokens."""


@dataclass(frozen=True, kw_only=True)
class StepShape:
    """How large one micro-batch is.

    Args:
        studies: in the micro-batch.
        views: films a study.
        image_size: side of the films in pixels.
        prompt_tokens: of words, and of evidence that is not asked for here.
        report_tokens: of the longest report of the batch; the others are padded to it.
        bf16: compute in bfloat16 (autocast).
        tune_vision: the trunk learns.
    """

    studies: int
    views: int
    image_size: int
    prompt_tokens: int
    report_tokens: int
    bf16: bool
    tune_vision: bool


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """What one micro-batch needs.

    Args:
        peak: bytes of every live tensor at the fullest moment, weights and gradients among them.
        held: bytes of weights, buffers and, where gradients were asked for, gradients.
        flops: floating-point operations (a multiplication with its addition counts as two), recomputing among them.
        traffic: bytes that operations read and write.
        operations: how many operations that compute something.
        tokens: length of the sequence that the language model read; 0 without one.
    """

    peak: int
    held: int
    flops: int
    traffic: int
    operations: int
    tokens: int = 0

    @property
    def activations(self) -> int:
        """Bytes at the fullest moment beyond weights and gradients."""
        return max(0, self.peak - self.held)


class _Meter(TorchDispatchMode):
    """Adds up the live storages that operations make, and their floating-point operations.

    PyTorch's own counter hooks modules, which keeps recomputed activations alive.
    """

    def __init__(self) -> None:
        super().__init__()
        self.live = 0
        self.peak = 0
        self.flops = 0
        self.traffic = 0
        self.operations = 0
        self._known: dict[int, weakref.ref[Any]] = {}

    def watch(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key = id(storage)
        known = self._known.get(key)
        if known is not None and known() is storage:
            return
        size = storage.nbytes()
        self.live += size
        self.peak = max(self.peak, self.live)

        def forget(reference: weakref.ref[Any]) -> None:
            self.live -= size
            if self._known.get(key) is reference:
                del self._known[key]

        self._known[key] = weakref.ref(storage, forget)

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        options = dict(kwargs or {})
        result = func(*args, **options)
        packet = func._overloadpacket
        if packet in SCAN_COSTS:
            return self._count_scan(SCAN_COSTS[packet](*args), result)
        if packet in _ATTENTION:
            self.flops += _ATTENTION[packet](*args)
        elif packet in flop_registry:
            self.flops += cast(int, cast(Any, flop_registry[packet])(*args, **options, out_val=result))
        made = list(_tensors(result))
        for value in made:
            self.watch(value)
        read = [*_tensors(args), *_tensors(options.values())]
        sources = {value.untyped_storage()._cdata for value in read}
        if func._schema.is_mutable or any(value.untyped_storage()._cdata not in sources for value in made):
            self.operations += 1  # views and questions about shapes compute nothing
            self.traffic += sum(value.numel() * value.element_size() for value in (*read, *made))
        return result

    def _count_scan(self, cost: ScanCost, result: Any) -> Any:
        self.flops += cost.flops
        self.traffic += cost.traffic
        self.operations += cost.operations
        for value in result:
            self.watch(value)
        self.peak = max(self.peak, self.live + cost.workspace)
        return result


def _tensors(value: Any) -> Iterator[FakeTensor]:
    """Tensors among the arguments or results of an operation: these nest lists at most."""
    if isinstance(value, FakeTensor):
        yield value
    elif isinstance(value, list | tuple | ValuesView):
        for part in value:
            yield from _tensors(part)


def rehearse_step(system: nn.ModuleDict, shape: StepShape, *, dtypes: Mapping[str, torch.dtype]) -> Rehearsal:
    """Rehearse forward and backward pass of the generator on one micro-batch.

    Args:
        system: what :func:`llmrg.systems.plan.planned_system` built; it is of no use afterwards.
        shape: of the micro-batch.
        dtypes: type of the weights by the first part of their name (``encoder``, ``sources``, ``language_model``);
            adapters stay float32.
    """
    language_model = cast(LanguageModel, system["language_model"])
    sources = cast(nn.ModuleDict, system["sources"])
    system.train()
    with _rehearsing(system, dtypes) as meter:
        with torch.autocast("cpu", torch.bfloat16, enabled=shape.bf16):
            with torch.set_grad_enabled(shape.tune_vision):
                features = _features(system["encoder"], shape)
            batch = _batch(shape)
            found: dict[str, Evidence] = {}
            for kind, source in sources.items():
                if kind in _ASKED:
                    found[kind] = source(features, batch, TokenSpace(language_model), found)
            heard = [e.embeddings.to(language_model.dtype) for e in found.values() if e.embeddings is not None]
            words = shape.prompt_tokens + shape.report_tokens
            ids = torch.zeros(shape.studies, words, dtype=torch.long)
            sequence = torch.cat([*heard, language_model.embed(ids)], dim=1)
            if not any(part.requires_grad for part in heard):
                sequence.requires_grad_(False)
            loss = _language_loss(language_model, sequence, shape)
            for evidence in found.values():
                if "tokens" in evidence.state and evidence.state["probabilities"].requires_grad:
                    loss = loss + evidence.state["probabilities"].float().sum()
        if loss.requires_grad:
            loss.backward()
        length = sequence.shape[1]
        held = _held(system)
    return Rehearsal(
        peak=meter.peak, held=held, flops=meter.flops, traffic=meter.traffic, operations=meter.operations, tokens=length
    )


def rehearse_encoder(encoder: nn.Module, shape: StepShape, *, learn: bool) -> Rehearsal:
    """Rehearse trunk and disease queries alone, as the disease-classifier stage (``learn``) or encoding run them."""
    encoder.train(learn)
    with _rehearsing(encoder, {}) as meter:
        with torch.autocast("cpu", torch.bfloat16, enabled=shape.bf16), torch.set_grad_enabled(learn):
            answers = encoder.answers(_features(encoder, shape))  # type: ignore[operator]
        if learn:
            answers.logits.float().sum().backward()
        held = _held(encoder)
    return Rehearsal(peak=meter.peak, held=held, flops=meter.flops, traffic=meter.traffic, operations=meter.operations)


@contextmanager
def _rehearsing(module: nn.Module, dtypes: Mapping[str, torch.dtype]) -> Iterator[_Meter]:
    meter = _Meter()
    with FakeTensorMode():
        for name, parameter in list(module.named_parameters()):
            dtype = torch.float32 if "lora_" in name else dtypes.get(name.partition(".")[0], parameter.dtype)
            empty = torch.empty(parameter.shape, dtype=dtype, device="cpu")
            fake = nn.Parameter(empty, requires_grad=parameter.requires_grad)
            for owner, leaf in _places(module, parameter):
                owner._parameters[leaf] = fake
        for buffer in list(module.buffers()):
            fake_buffer = torch.empty(buffer.shape, dtype=buffer.dtype, device="cpu")
            for owner, leaf in _buffer_places(module, buffer):
                owner._buffers[leaf] = fake_buffer
        with meter:
            for tensor in (*module.parameters(), *module.buffers()):
                meter.watch(tensor)
            yield meter


def _places(module: nn.Module, parameter: nn.Parameter) -> list[tuple[nn.Module, str]]:
    """Every place of a parameter: tied ones have several."""
    return [
        (owner, leaf) for owner in module.modules() for leaf, found in owner._parameters.items() if found is parameter
    ]


def _buffer_places(module: nn.Module, buffer: Tensor) -> list[tuple[nn.Module, str]]:
    """Every place of a buffer: the blocks of a trunk may share one."""
    return [(owner, leaf) for owner in module.modules() for leaf, found in owner._buffers.items() if found is buffer]


def _held(module: nn.Module) -> int:
    storages = {}
    for parameter in module.parameters():
        for tensor in (parameter, parameter.grad):
            if tensor is not None:
                storages[tensor.untyped_storage()._cdata] = tensor.untyped_storage().nbytes()
    for buffer in module.buffers():
        storages[buffer.untyped_storage()._cdata] = buffer.untyped_storage().nbytes()
    return sum(storages.values())


def _features(encoder: nn.Module, shape: StepShape) -> VisualFeatures:
    """What :class:`llmrg.vision.backbone.Backbone` gives where every view exists."""
    backbone = cast(Any, encoder.backbone)
    films = torch.zeros(shape.studies * shape.views, 1, shape.image_size, shape.image_size, dtype=torch.uint8)
    maps, class_tokens = backbone.look(films)
    _, height, width, depth = maps.shape
    summary = getattr(backbone.trunk, "global_vectors", None)
    vectors = None if summary is None else summary(maps)
    if backbone.positions is not None:
        maps = backbone.positions(maps, torch.ones(len(films), dtype=torch.long))
    tokens = maps.reshape(shape.studies, -1, depth)
    mask = torch.ones(tokens.shape[:2], dtype=torch.bool)
    return VisualFeatures(
        tokens=tokens,
        mask=mask,
        pooled=tokens.mean(1),
        grid=(shape.views, height, width),
        view=torch.ones(tokens.shape[:2], dtype=torch.long),
        global_vectors=None if vectors is None else vectors.view(shape.studies, shape.views, depth),
        class_tokens=None if class_tokens is None else class_tokens.view(shape.studies, shape.views, depth),
    )


def _batch(shape: StepShape) -> StudyBatch:
    study = Study(id="-", patient_id="-", images=(Image(path=_NOWHERE),), split="train", language="en")
    pixels = torch.zeros(shape.studies, shape.views, 1, shape.image_size, shape.image_size, dtype=torch.uint8)
    mask = torch.ones(shape.studies, shape.views, dtype=torch.bool)
    return StudyBatch(studies=(study,) * shape.studies, pixels=pixels, view_mask=mask, views=mask.long())


def _language_loss(model: LanguageModel, sequence: Tensor, shape: StepShape) -> Tensor:
    """The loss of :meth:`LanguageModel.forward`, whose choice of label positions depends on values."""
    body, head = model.causal.base_model, model.causal.get_output_embeddings()
    positions = torch.arange(sequence.shape[1])[None].expand(shape.studies, -1)
    hidden = body(inputs_embeds=sequence, position_ids=positions, use_cache=False).last_hidden_state
    kept = hidden[:, -shape.report_tokens - 1 : -1].reshape(-1, hidden.shape[-1])
    logits = head(kept)
    targets = torch.zeros(len(kept), dtype=torch.long)
    # The Trainer holds the outputs, and so the logits, until the backward pass is over.
    model._rehearsed = logits
    return functional.cross_entropy(logits.float(), targets, reduction="sum")


def _attention(query: Tensor, key: Tensor, value: Tensor, *_: Any) -> int:
    batch, heads, length, width = query.shape
    return 2 * batch * heads * length * key.shape[2] * (width + value.shape[3])


def _attention_backward(gradient: Tensor, query: Tensor, key: Tensor, value: Tensor, *_: Any) -> int:
    return math.ceil(2.5 * _attention(query, key, value))


_ATTENTION: Mapping[Any, Any] = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
}
"""Operations of the processor that PyTorch's registry leaves out."""
