"""Published figures of a dataset, which stand beside ours and are never ranked with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from llmrg.benchmark.result_parts import PublishedTable
from llmrg.config import load_config
from llmrg.errors import UserError

__all__ = ["published_names", "read_published"]


@dataclass(frozen=True, kw_only=True)
class _Row:
    system: str
    source: str
    values: tuple[float | None, ...]
    known: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Table:
    name: str
    protocol: str
    columns: tuple[str, ...]
    rows: tuple[_Row, ...]
    known: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _File:
    dataset: str
    sources: Mapping[str, str]
    tables: tuple[_Table, ...]


def published_names() -> tuple[str, ...]:
    """Datasets whose published figures come with the package."""
    folder = resources.files("llmrg.benchmark") / "published"
    return tuple(sorted(file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml")))


def read_published(name: str) -> tuple[PublishedTable, ...]:
    """Read the published tables of a dataset.

    Args:
        name: one of :func:`published_names`, or the path of a YAML file of the same form (``dataset``, ``sources``,
            ``tables`` with ``name``, ``protocol``, ``columns``, ``known`` and ``rows`` of ``system``, ``source``,
            ``values``, ``known``).

    Raises:
        UserError: an unknown dataset, or a file of another form: unknown keys, a row that has not one value a column, a
            source that is not told, a figure that is no share where it should be one, a system twice in a table.
    """
    if name.endswith((".yaml", ".yml")):
        return _tables(load_config(_File, Path(name)), where=name)
    if name not in published_names():
        raise UserError(
            f"No published figures of {name!r} are known",
            where="published",
            allowed=published_names(),
            got=name,
            next_step="name one of these, the path of a YAML file of that form, or null",
        )
    with resources.as_file(resources.files("llmrg.benchmark") / "published" / f"{name}.yaml") as path:
        return _tables(load_config(_File, path), where=str(path))


def _tables(file: _File, *, where: str) -> tuple[PublishedTable, ...]:
    tables: list[PublishedTable] = []
    for table in file.tables:
        place = f"{where}, table {table.name!r}"
        for row in table.rows:
            _check(row, table, file, where=place)
        names = [row.system for row in table.rows]
        twice = next((system for system in names if names.count(system) > 1), None)
        if twice is not None:
            raise UserError(f"System {twice!r} stands twice in a published table", where=place)
        tables.append(
            {
                "name": table.name,
                "protocol": " ".join(table.protocol.split()),
                "known": list(table.known),
                "sources": {row.source: file.sources[row.source] for row in table.rows} or dict(file.sources),
                "rows": [
                    {
                        "system": row.system,
                        "metrics": {
                            column: value
                            for column, value in zip(table.columns, row.values, strict=True)
                            if value is not None
                        },
                        "source": row.source,
                        "table": table.name,
                        "known": list(row.known),
                    }
                    for row in table.rows
                ],
            }
        )
    return tuple(tables)


_NO_SHARES = ("cider", "minutes", "trained_parameters")


def _check(row: _Row, table: _Table, file: _File, *, where: str) -> None:
    place = f"{where}, system {row.system!r}"
    if len(row.values) != len(table.columns):
        raise UserError(f"{len(row.values)} values stand under {len(table.columns)} columns", where=place)
    if row.source not in file.sources:
        raise UserError(f"The source {row.source!r} is not told", where=place, allowed=file.sources, got=row.source)
    for column, value in zip(table.columns, row.values, strict=True):
        if value is None:
            continue
        if value < 0 or (column not in _NO_SHARES and value > 1):
            raise UserError(f"{column} is {value}, but must be a part of one", where=place)
