"""The dataset that a command is about: a file of its own, the ``data`` of another configuration, or keys alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llmrg.config import load_config, load_mapping
from llmrg.errors import UserError
from llmrg.studies.settings import DataConfig

__all__ = ["read_data_config"]


def read_data_config(source: str | Path, overrides: Sequence[str] = (), *, member: str | None = None) -> DataConfig:
    """Read a dataset's configuration.

    Args:
        source: a YAML file of a dataset, one with a mapping ``data`` (a training, a benchmark, a run's
            ``config.yaml``), or itself a ``key=value``: then there is no file.
        overrides: ``key=value``; ``data.key=value`` means the same.
        member: which dataset of a mixture (``data.members``).

    Raises:
        UserError: what :func:`llmrg.config.load_config` refuses.
    """
    given = [override.removeprefix("data.") for override in overrides]
    if "=" in str(source) and not Path(source).exists():
        return load_config(DataConfig, None, [str(source).removeprefix("data."), *given])
    whole = load_mapping(source)
    values: Any = whole.get("data", whole)
    if isinstance(values, dict) and isinstance(values.get("members"), dict):
        values = _member(values["members"], member, where=str(source))
    elif member is not None:
        raise UserError("This is one dataset, not a mixture with members", where=str(source))
    elif "data" not in whole:
        return load_config(DataConfig, source, given)
    if not isinstance(values, dict):
        raise UserError("data must be a mapping of keys to values", where=str(source))
    texts = [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    return load_config(DataConfig, None, [*texts, *given])


def _member(members: dict[str, Any], name: str | None, *, where: str) -> Any:
    if name is None or not isinstance(members.get(name), dict):
        raise UserError(
            "This is a mixture of datasets: one of them must be named" if name is None else f"No member {name!r}",
            where=where,
            allowed=members,
            got=name,
            next_step="add --member NAME" if name is None else None,
        )
    return members[name].get("data")
