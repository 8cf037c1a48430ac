"""Published weights of ARM and MambaXray-VL under our names.

Their mixers keep each direction's parameters apart (``conv1d``, ``conv1d_b``, ``conv1d_c``, ``conv1d_c_b`` and so on);
ours stack the directions. The weights of a one-direction stage fill all directions, as MambaXray-VL does between its
stages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from llmrg.errors import UserError
from llmrg.vision.mamba.trunk import MambaTrunk, resize_positions

__all__ = ["from_published", "read_published", "without_prefixes"]

_SUFFIXES = ("", "_b", "_c", "_c_b")
_LAYER = re.compile(r"layers\.(\d+)\.(.+)")
_PLAIN = {
    "norm1.weight": "norm1.weight", "norm1.bias": "norm1.bias",
    "norm2.weight": "norm2.weight", "norm2.bias": "norm2.bias",
    "mixer.in_proj.weight": "mixer.in_proj.weight", "mixer.out_proj.weight": "mixer.out_proj.weight",
    "mlp.w1.weight": "mlp.fc1_g.weight", "mlp.w1.bias": "mlp.fc1_g.bias",
    "mlp.w2.weight": "mlp.fc1_x.weight", "mlp.w2.bias": "mlp.fc1_x.bias",
    "mlp.w3.weight": "mlp.fc2.weight", "mlp.w3.bias": "mlp.fc2.bias",
}  # fmt: skip
_OUTER = {
    "patch_embed.proj.weight": "patch_embed.proj.weight", "patch_embed.proj.bias": "patch_embed.proj.bias",
    "norm_f.weight": "norm.weight", "norm_f.bias": "norm.bias", "cls_token": "class_token",
}  # fmt: skip
# Their name of a direction's parameter, with {} for the direction, and ours.
_BY_DIRECTION = (
    ("mixer.conv1d{}.weight", "mixer.conv_weight"),
    ("mixer.conv1d{}.bias", "mixer.conv_bias"),
    ("mixer.x_proj{}.weight", "mixer.selection"),
    ("mixer.dt_proj{}.weight", "mixer.step_weight"),
    ("mixer.dt_proj{}.bias", "mixer.step_bias"),
    ("mixer.A{}_log", "mixer.log_decay"),
    ("mixer.D{}", "mixer.skip"),
)


def read_published(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a ``.pth`` or ``.safetensors`` file without running anything in it.

    Raises:
        UserError: the file cannot be read, or holds more than tensors and plain values.
    """
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise UserError(
            f"The weights cannot be read: {type(error).__name__}",
            where=str(path),
            next_step="only files that hold tensors and plain values are read; nothing in them is run",
        ) from error
    for key in ("model", "state_dict"):
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    tensors = {str(name): value for name, value in found.items() if isinstance(value, Tensor)}
    if not tensors:
        raise UserError("The file holds no weights", where=str(path))
    return tensors


def from_published(weights: Mapping[str, Tensor], trunk: MambaTrunk) -> dict[str, Tensor]:
    """Return published weights under the names and in the shapes of ``trunk``.

    Prefixes (``visual_encoder.``) are taken off; decoders and heads are left out; position embeddings are resized
    bicubically, and a class token that the published stage did not have starts with a position of zero. Weights under
    our names are taken as they are.

    Args:
        weights: tensors by published name.
        trunk: gives depth, directions and grid.

    Raises:
        UserError: tensors that the trunk needs are missing.
    """
    if set(weights) == set(trunk.state_dict()):
        return dict(weights)
    named = without_prefixes(weights)
    found = {ours: named[theirs] for theirs, ours in _OUTER.items() if theirs in named}
    if "cls_token" not in named:
        found["class_token"] = torch.zeros_like(trunk.class_token)
    if "pos_embed" in named:
        found["positions"] = resize_positions(_with_class_position(named["pos_embed"]), trunk.grid)
    for name, tensor in named.items():
        match = _LAYER.fullmatch(name)
        if match and match.group(2) in _PLAIN:
            found[f"blocks.{match.group(1)}.{_PLAIN[match.group(2)]}"] = tensor
    suffixes = _SUFFIXES[: trunk.directions]
    for layer in range(len(trunk.blocks)):
        for theirs, ours in _BY_DIRECTION:
            first = named.get(f"layers.{layer}.{theirs.format('')}")
            if first is None:
                continue
            parts = [named.get(f"layers.{layer}.{theirs.format(suffix)}", first) for suffix in suffixes]
            found[f"blocks.{layer}.{ours}"] = _stacked(ours, parts)
    missing = sorted(set(trunk.state_dict()) - set(found))
    if missing:
        raise UserError(
            f"The weights lack {len(missing)} tensors of this trunk, first {missing[0]}",
            next_step="check the size (arm_base has 12 blocks of 768, arm_large 24 of 1024)",
        )
    return {name: tensor for name, tensor in found.items() if name in trunk.state_dict()}


def without_prefixes(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Names without what training frameworks put in front; with a visual encoder among others, only its own."""
    names = dict(weights)
    if any("visual_encoder." in name for name in names):
        names = {name: tensor for name, tensor in names.items() if "visual_encoder." in name}
    result = {}
    for name, tensor in names.items():
        for prefix in ("module.", "model.", "visual_encoder.", "enc_"):
            name = name.removeprefix(prefix)
        result[name] = tensor
    return result


def _with_class_position(positions: Tensor) -> Tensor:
    count = positions.shape[1]
    side = round(count**0.5)
    if side * side != count:
        return positions
    middle = count // 2
    return torch.cat([positions[:, :middle], torch.zeros_like(positions[:, :1]), positions[:, middle:]], dim=1)


def _stacked(name: str, parts: list[Tensor]) -> Tensor:
    kind = name.rpartition(".")[2]
    if kind == "conv_weight":  # [E, 1, kernel] each
        return torch.stack([part.squeeze(1).T for part in parts], dim=1)
    if kind in ("selection", "step_weight"):  # [out, in] each
        return torch.stack([part.T for part in parts])
    return torch.stack(parts)
