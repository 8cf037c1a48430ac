from __future__ import annotations

import copy

import pytest
import timm
import torch
from torch import nn

from llmrg.errors import UserError
from llmrg.vision.lora import QueryValueLora, add_query_value_lora, merge_query_value_lora, merged_state
from llmrg.vision.settings import VisionLoraConfig

CONFIG = VisionLoraConfig(rank=3, alpha=6, dropout=0.0)


def swin() -> nn.Module:
    torch.manual_seed(0)
    return timm.create_model(
        "swin_tiny_patch4_window7_224", img_size=64, embed_dim=12, depths=[1, 2], num_heads=[2, 4], window_size=4,
        num_classes=0, in_chans=1, drop_path_rate=0.0,
    ).eval()  # fmt: skip


def learn(trunk: nn.Module, steps: int = 4) -> None:
    torch.manual_seed(1)
    optimizer = torch.optim.AdamW([p for p in trunk.parameters() if p.requires_grad], lr=0.05)
    images = torch.randn(2, 1, 64, 64)
    for _ in range(steps):
        optimizer.zero_grad()
        trunk.forward_features(images).square().mean().sub(2).square().backward()  # type: ignore[operator]
        optimizer.step()


def test_adapters_start_as_nothing_and_only_they_learn() -> None:
    plain, trunk = swin(), swin()
    assert add_query_value_lora(trunk, CONFIG) == 3
    images = torch.randn(2, 1, 64, 64)
    assert torch.equal(trunk.forward_features(images), plain.forward_features(images))  # type: ignore[operator]
    learning = {name: p.numel() for name, p in trunk.named_parameters() if p.requires_grad}
    assert all("lora_" in name for name in learning)
    assert sum(learning.values()) == sum(4 * 3 * width for width in (12, 24, 24))
    frozen = {name: p.detach().clone() for name, p in trunk.named_parameters() if not p.requires_grad}
    learn(trunk)
    assert all(torch.equal(dict(trunk.named_parameters())[name], value) for name, value in frozen.items())
    assert not torch.allclose(trunk.forward_features(images), plain.forward_features(images))  # type: ignore[operator]


def test_keys_stay_as_they_are_to_the_bit() -> None:
    trunk = swin()
    add_query_value_lora(trunk, CONFIG)
    learn(trunk)
    layers = [module for module in trunk.modules() if isinstance(module, QueryValueLora)]
    for layer in layers:
        inputs = torch.randn(5, 7, layer.base.in_features)
        (q, k, v), (q0, k0, v0) = layer(inputs).chunk(3, -1), layer.base(inputs).chunk(3, -1)
        assert torch.equal(k, k0)
        assert not torch.allclose(q, q0)
        assert not torch.allclose(v, v0)
        merged = layer.merged()
        width = layer.width
        assert torch.equal(merged.weight[width : 2 * width], layer.base.weight[width : 2 * width])
        by_hand = layer.base.weight.double().clone()
        by_hand[:width] += 2 * layer.lora_query_up.double() @ layer.lora_query_down.double()
        by_hand[2 * width :] += 2 * layer.lora_value_up.double() @ layer.lora_value_down.double()
        torch.testing.assert_close(merged.weight, by_hand.float(), rtol=0, atol=0)


def test_merging_changes_nothing() -> None:
    trunk = swin()
    add_query_value_lora(trunk, CONFIG)
    learn(trunk)
    images = torch.randn(2, 1, 64, 64).double()
    exact = copy.deepcopy(trunk).double()
    merged = copy.deepcopy(trunk)
    assert merge_query_value_lora(merged) == 3
    assert not any(isinstance(module, QueryValueLora) for module in merged.modules())
    wanted = exact.forward_features(images)  # type: ignore[operator]
    torch.testing.assert_close(merged.double().forward_features(images), wanted, rtol=1e-4, atol=1e-4)  # type: ignore[operator]
    fresh = swin()
    fresh.load_state_dict(merged_state(trunk.state_dict(), CONFIG))
    assert all(torch.equal(a, b.float()) for a, b in zip(fresh.parameters(), merged.parameters(), strict=True))


def test_dropout_falls_on_the_adapters_alone() -> None:
    torch.manual_seed(0)
    layer = QueryValueLora(nn.Linear(8, 24), rank=2, alpha=2, dropout=0.5).train()
    nn.init.normal_(layer.lora_query_up)
    inputs = torch.randn(3, 8)
    first, second = layer(inputs), layer(inputs)
    assert not torch.equal(first[:, :8], second[:, :8])
    assert torch.equal(first[:, 8:16], second[:, 8:16])


def test_a_trunk_without_attention_has_no_place() -> None:
    with pytest.raises(UserError, match="no place for LoRA"):
        add_query_value_lora(timm.create_model("resnet10t", num_classes=0), CONFIG)
    with pytest.raises(ValueError, match="no queries, keys and values"):
        QueryValueLora(nn.Linear(4, 10), rank=2, alpha=2)
