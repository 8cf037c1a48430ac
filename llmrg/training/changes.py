"""What changed between a stopped training and its continuation, and whether going on makes sense."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmrg.config import to_mapping
from llmrg.training.settings import TrainConfig

__all__ = ["changed_keys", "describe_training", "may_change"]

FREE = ("workers", "max_minutes", "logging_steps", "tensorboard", "validation_batch_size", "keep")
"""Settings of the loop that may change at any time: the weights do not depend on them."""

_ABSENT = "(absent)"
_LOOP = ("training", "decoding", "augmentation", "seed", "processes")
_PLACES = ("root", "annotation", "image_roots", "max_bad_fraction", "prepared")


def describe_training(config: TrainConfig, *, split_hash: str, processes: int) -> dict[str, Any]:
    """Everything that the weights of a training depend on, as flat keys and plain values.

    Where the run and its artefacts lie is not among it.

    Args:
        config: the training.
        split_hash: of its studies.
        processes: how many train together.
    """
    values = to_mapping(config)
    values = {name: value for name, value in values.items() if name not in ("out", "artefacts")}
    values["training"] = {name: value for name, value in values["training"].items() if name not in FREE}
    return _flat(values) | {"training studies": split_hash, "processes": processes}


def changed_keys(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The keys whose values differ, with the old and the new value."""
    keys = [*before, *(key for key in now if key not in before)]
    found = {key: (before.get(key, _ABSENT), now.get(key, _ABSENT)) for key in keys}
    return {key: (old, new) for key, (old, new) in found.items() if old != new}


def may_change(key: str) -> bool:
    """Tell whether a training can go on with another value of this key.

    The loop's settings, decoding, augmentation, seed, number of processes, and where the same studies lie; never what
    the weights and artefacts were made for: the system, its stages, how films are read, other studies.
    """
    first, last = key.split(".")[0], key.split(".")[-1]
    return first in _LOOP or (first == "data" and last in _PLACES)


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found
