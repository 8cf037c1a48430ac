"""Low-rank adapters on the queries and values of a trunk's attention; its keys stay as they are.

R2GenGPT's *delta* alignment (Wang et al. 2023) on Hu et al. 2021. timm's attention has one linear layer that gives
queries, keys and values side by side, so that an adapter on the whole layer would change the keys, too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from llmrg.errors import UserError
from llmrg.vision.settings import VisionLoraConfig

__all__ = ["QueryValueLora", "add_query_value_lora", "merge_query_value_lora", "merged_state"]

_ADAPTER = ("lora_query_down", "lora_query_up", "lora_value_down", "lora_value_up")


class QueryValueLora(nn.Module):
    """A fused linear layer of queries, keys and values whose queries and values are shifted by low-rank products.

    Args:
        base: the layer, ``[3 * width, width_in]``; it is frozen.
        rank: of the products.
        alpha: they are scaled by ``alpha / rank``.
        dropout: on what the products read.

    Raises:
        ValueError: outputs that are no thirds.
    """

    def __init__(self, base: nn.Linear, *, rank: int, alpha: float, dropout: float = 0.0) -> None:
        super().__init__()
        if base.out_features % 3:
            raise ValueError(f"{base.out_features} outputs are no queries, keys and values")
        self.base = base.requires_grad_(False)
        self.width = base.out_features // 3
        self.scale = alpha / rank
        self.dropout = nn.Dropout(dropout)
        place = base.weight.device  # adapters are float32, whatever the layer is
        self.lora_query_down = nn.Parameter(torch.empty(rank, base.in_features, device=place))
        self.lora_query_up = nn.Parameter(torch.zeros(self.width, rank, device=place))
        self.lora_value_down = nn.Parameter(torch.empty(rank, base.in_features, device=place))
        self.lora_value_up = nn.Parameter(torch.zeros(self.width, rank, device=place))
        for down in (self.lora_query_down, self.lora_value_down):
            nn.init.kaiming_uniform_(down, a=math.sqrt(5))

    def forward(self, inputs: Tensor) -> Tensor:
        """Map ``[..., width_in]`` to ``[..., 3 * width]``: queries, keys, values."""
        queries, keys, values = self.base(inputs).split(self.width, dim=-1)
        read = self.dropout(inputs)
        queries = queries + self._product(read, self.lora_query_down, self.lora_query_up).to(queries.dtype)
        values = values + self._product(read, self.lora_value_down, self.lora_value_up).to(values.dtype)
        return torch.cat([queries, keys, values], dim=-1)

    def merged(self) -> nn.Linear:
        """Return one linear layer that computes the same without dropout; the rows of the keys are copied."""
        layer = nn.Linear(
            self.base.in_features,
            self.base.out_features,
            bias=self.base.bias is not None,
            device=self.base.weight.device,
            dtype=self.base.weight.dtype,
        )
        with torch.no_grad():
            layer.weight.copy_(_merge(self.base.weight, [getattr(self, name) for name in _ADAPTER], self.scale))
            if self.base.bias is not None:
                layer.bias.copy_(self.base.bias)
        return layer

    def _product(self, read: Tensor, down: Tensor, up: Tensor) -> Tensor:
        return functional.linear(functional.linear(read.to(down.dtype), down), up) * self.scale


def add_query_value_lora(trunk: nn.Module, config: VisionLoraConfig) -> int:
    """Freeze a trunk and give each of its attention layers adapters that learn.

    Args:
        trunk: a model whose attention layers have a linear layer ``qkv`` (timm's Swin and ViT).
        config: rank, scale, dropout.

    Returns:
        How many layers have adapters now.

    Raises:
        UserError: the trunk has no such layer.
    """
    trunk.requires_grad_(False)
    places = [name for name, module in trunk.named_modules() if name.endswith("qkv") and isinstance(module, nn.Linear)]
    if not places:
        raise UserError(
            "The trunk has no attention with a linear layer of queries, keys and values, so there is no place for LoRA",
            where="system.vision_lora",
            next_step="take a Swin or ViT trunk, or train the whole trunk",
        )
    for name in places:
        path, _, leaf = name.rpartition(".")
        owner = trunk.get_submodule(path)
        layer = QueryValueLora(getattr(owner, leaf), rank=config.rank, alpha=config.alpha, dropout=config.dropout)
        setattr(owner, leaf, layer)
    return len(places)


def merge_query_value_lora(trunk: nn.Module) -> int:
    """Put one linear layer where each layer with adapters is; return how many there were."""
    found = [name for name, module in trunk.named_modules() if isinstance(module, QueryValueLora)]
    for name in found:
        path, _, leaf = name.rpartition(".")
        owner = trunk.get_submodule(path)
        setattr(owner, leaf, getattr(owner, leaf).merged())
    return len(found)


def merged_state(state: Mapping[str, Tensor], config: VisionLoraConfig) -> dict[str, Tensor]:
    """Return saved weights as they would be without adapters, those that there were merged.

    Args:
        state: weights by name; the adapters stand beside ``NAME.base.weight``.
        config: rank and scale of the adapters.
    """
    result = dict(state)
    for name in state:
        prefix = name.removesuffix(_ADAPTER[0])
        if prefix == name:
            continue
        adapter = [result.pop(prefix + part) for part in _ADAPTER]
        result[f"{prefix}weight"] = _merge(result.pop(f"{prefix}base.weight"), adapter, config.alpha / config.rank)
        if f"{prefix}base.bias" in result:
            result[f"{prefix}bias"] = result.pop(f"{prefix}base.bias")
    return result


def _merge(weight: Tensor, adapter: Sequence[Tensor], scale: float) -> Tensor:
    queries, keys, values = weight.chunk(3)
    query_down, query_up, value_down, value_up = (part.double() for part in adapter)
    queries = (queries.double() + scale * (query_up @ query_down)).to(weight.dtype)
    values = (values.double() + scale * (value_up @ value_down)).to(weight.dtype)
    return torch.cat([queries, keys, values])
