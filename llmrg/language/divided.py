"""Weights that DeepSpeed ZeRO-3 divides among the processes: their true shapes, and whole copies of them.

A divided parameter is empty outside of its module's own forward pass. Everything here that makes it whole is done by
all processes together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor, distributed, nn

__all__ = [
    "fetch_before_backward",
    "full_size",
    "gathered",
    "is_divided",
    "largest_of_all",
    "put_tensors",
    "whole_copies",
]


def full_size(tensor: Tensor) -> torch.Size:
    """Return the shape a parameter has when it is whole."""
    return torch.Size(getattr(tensor, "ds_shape", tensor.shape))


def is_divided(module: nn.Module) -> bool:
    """Tell whether any weight of a module is divided among processes."""
    return any(hasattr(parameter, "ds_id") for parameter in module.parameters())


@contextmanager
def gathered(tensors: Iterable[Tensor], *, written: bool = False) -> Iterator[None]:
    """Make divided parameters whole within the block; others stay as they are.

    Args:
        tensors: parameters and buffers.
        written: the block changes them, in every process in the same way.
    """
    divided = [tensor for tensor in tensors if hasattr(tensor, "ds_id")]
    if not divided:
        yield
        return
    from deepspeed import zero

    with zero.GatheredParameters(divided, modifier_rank=0 if written else None):
        yield


def whole_copies(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copy tensors to the CPU, whole, one after the other."""
    copies = {}
    for name, tensor in tensors.items():
        with gathered([tensor]):
            copies[name] = tensor.detach().to("cpu", copy=True).contiguous()
    return copies


def put_tensors(targets: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
    """Write values of the same names and full sizes into parameters and buffers."""
    with torch.no_grad():
        for name, tensor in targets.items():
            with gathered([tensor], written=True):
                tensor.copy_(values[name])


def fetch_before_backward(system: nn.Module) -> None:
    """Have the weights of every module fetched before its backward pass, whatever the module returns.

    DeepSpeed's own hooks look for tensors in tuples, lists and dictionaries, but not in dataclasses.

    Args:
        system: a module that DeepSpeed has set up.
    """
    for module in system.modules():
        if "pre_bwd_fn" in vars(module) and any(True for _ in module.parameters(recurse=False)):
            module.register_forward_hook(_mark_outputs)


def _mark_outputs(module: nn.Module, _: Any, output: Any) -> Any:
    return _marked(module, output) if is_dataclass(output) else output


def _marked(module: Any, value: Any) -> Any:
    if isinstance(value, Tensor):
        return module.pre_bwd_fn.apply(value) if value.requires_grad else value
    if isinstance(value, Mapping):
        return {key: _marked(module, item) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: _marked(module, getattr(value, field.name)) for field in fields(value)})
    return value


def largest_of_all(value: int, *, device: torch.device) -> int:
    """Return the largest of the values that the processes bring."""
    shared = torch.tensor(value, device=device)
    distributed.all_reduce(shared, op=distributed.ReduceOp.MAX)
    return int(shared)
