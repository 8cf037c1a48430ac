"""Published weights of VMamba and R2GenCSR under our names."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from llmrg.errors import UserError
from llmrg.vision.mamba.published import without_prefixes
from llmrg.vision.vmamba.trunk import VMambaTrunk

__all__ = ["from_published"]

_OUTER = {
    "patch_embed.0": "stem.0.conv",
    "patch_embed.2": "stem.0.norm",
    "patch_embed.5": "stem.1.conv",
    "patch_embed.7": "stem.1.norm",
    "classifier.norm": "norm",
}
_IN_BLOCK = {
    "norm": "norm1",
    "norm2": "norm2",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
    "op.in_proj": "mixer.in_proj",
    "op.conv2d": "mixer.conv",
    "op.out_norm": "mixer.norm",
    "op.out_proj": "mixer.out_proj",
}
_PARAMETERS = {
    "op.x_proj_weight": "mixer.selection",
    "op.dt_projs_weight": "mixer.step_weight",
    "op.dt_projs_bias": "mixer.step_bias",
    "op.A_logs": "mixer.log_decay",
    "op.Ds": "mixer.skip",
}
_HALVING = {"1": "conv", "3": "norm"}
_BLOCK_NAME = re.compile(r"layers\.(\d+)\.blocks\.(\d+)\.(.+)")
_HALVING_NAME = re.compile(r"layers\.(\d+)\.downsample\.(\d+)\.(weight|bias)")


def from_published(weights: Mapping[str, Tensor], trunk: VMambaTrunk) -> dict[str, Tensor]:
    """Return published weights under the names and in the shapes of ``trunk``.

    Prefixes (``visual_encoder.``) are taken off and the classifier's last layer is left out. Weights that were trained
    with channels first are the same numbers. Weights under our names are taken as they are.

    Args:
        weights: tensors by published name.
        trunk: gives the names.

    Raises:
        UserError: tensors that the trunk needs are missing, or it has no place for some.
    """
    needed = set(trunk.state_dict())
    if set(weights) == needed:
        return dict(weights)
    found, strange = {}, []
    for name, tensor in without_prefixes(weights).items():
        if name.startswith(("classifier.head.", "head.")):
            continue
        ours = _our_name(name)
        if ours in needed:
            found[ours] = _in_our_shape(ours, tensor)
        else:
            strange.append(name)
    missing = sorted(needed - set(found))
    if missing or strange:
        what = f"lack {len(missing)} tensors of this trunk, first {missing[0]}" if missing else (
            f"hold {len(strange)} tensors that this trunk has no place for, first {sorted(strange)[0]}"
        )  # fmt: skip
        raise UserError(
            f"The weights {what}",
            next_step="check the size (vmamba_base is vssm_base_0229, vmamba_tiny is vssm1_tiny_0230)",
        )
    return found


def _our_name(name: str) -> str | None:
    if match := _BLOCK_NAME.fullmatch(name):
        stage, block, rest = match.groups()
        module, _, kind = rest.rpartition(".")
        ours = _PARAMETERS.get(rest) or (f"{_IN_BLOCK[module]}.{kind}" if module in _IN_BLOCK else None)
        return ours and f"stages.{stage}.{block}.{ours}"
    if match := _HALVING_NAME.fullmatch(name):
        stage, place, kind = match.groups()
        return f"halvings.{stage}.{_HALVING[place]}.{kind}" if place in _HALVING else None
    module, _, kind = name.rpartition(".")
    return f"{_OUTER[module]}.{kind}" if module in _OUTER else None


def _in_our_shape(name: str, tensor: Tensor) -> Tensor:
    kind = name.rpartition(".mixer.")[2]
    if kind in ("log_decay", "skip"):  # four directions, one below the other
        return tensor.unflatten(0, (4, -1)) if len(tensor) % 4 == 0 else tensor
    if name.endswith(("_proj.weight", "fc1.weight", "fc2.weight")) and tensor.dim() == 4:  # as 1 x 1 convolutions
        return tensor.flatten(1)
    return tensor
