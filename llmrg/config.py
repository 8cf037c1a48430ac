"""Typed configuration: frozen dataclasses, YAML files and ``key.sub=value`` overrides."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from llmrg.errors import UserError

__all__ = ["added_later", "dump_config", "load_config", "load_mapping", "to_mapping"]

T = TypeVar("T")


def added_later(default: Any) -> Any:
    """Field of a configuration that older versions of it lack: :func:`to_mapping` leaves it out at its default.

    So what older versions wrote stays equal to what is written now, and artefacts that were made before still fit.

    Args:
        default: its value there, or the class of a configuration, whose own defaults it then has.
    """
    if isinstance(default, type):
        return dataclasses.field(default_factory=default, metadata={"later": True})
    return dataclasses.field(default=default, metadata={"later": True})


def load_config(schema: type[T], path: str | Path | None = None, overrides: Sequence[str] = ()) -> T:
    """Read a YAML file, apply overrides, check every key and type, and build ``schema``.

    Args:
        schema: a frozen dataclass; nested dataclasses, ``tuple[...]``, ``dict`` and optional fields are understood. One
            with a class method ``complete_mapping`` (mapping to mapping) adds defaults that depend on other keys.
        path: YAML file; in any mapping of it the key ``extends`` names another file (or a list of files), relative to
            it, that this mapping refines.
        overrides: ``key.sub=value`` strings; values are read as YAML.

    Raises:
        UserError: unreadable file, unknown key (with the nearest one), wrong type or a value that the
            dataclass itself refuses.
    """
    values = load_mapping(path) if path is not None else {}
    where = str(path) if path is not None else "the command line"
    for override in overrides:
        _apply_override(values, override)
    return typing.cast(T, _build(schema, values, where=where, prefix=""))


def load_mapping(path: str | Path) -> dict[str, Any]:
    """Read a YAML file (following ``extends`` and ``${...}`` references) into plain Python values."""
    merged = _read_chain(Path(path), seen=())
    try:
        resolved = OmegaConf.to_container(OmegaConf.create(merged), resolve=True)
    except OmegaConfBaseException as error:
        raise UserError(f"A reference cannot be resolved: {_first_line(error)}", where=str(path)) from error
    return typing.cast("dict[str, Any]", resolved)


def to_mapping(config: Any, *, complete: bool = False) -> dict[str, Any]:
    """Turn a configuration dataclass into plain values that YAML and JSON can hold.

    Args:
        config: the dataclass.
        complete: with fields :func:`added_later` at their defaults, too, as a file has them that is read again.
    """

    def plain(value: Any) -> Any:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            given = {field: getattr(value, field.name) for field in dataclasses.fields(value)}
            return {
                field.name: plain(content)
                for field, content in given.items()
                if complete or not (field.metadata.get("later") and content == _default(field))
            }
        if isinstance(value, Mapping):
            return {str(key): plain(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(item) for item in value]
        return str(value) if isinstance(value, Path) else value

    return typing.cast("dict[str, Any]", plain(config))


def dump_config(config: Any) -> str:
    """Write a configuration as YAML that :func:`load_config` reads back to an equal object."""
    return OmegaConf.to_yaml(OmegaConf.create(to_mapping(config, complete=True)))


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def _read_chain(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    if not path.is_file():
        folder = path.parent if path.parent.is_dir() else Path()
        raise UserError(
            "The configuration file does not exist",
            where=str(path),
            allowed=sorted(str(p) for p in folder.glob("*.yaml"))[:20] or None,
            got=str(path),
        )
    if path.resolve() in seen:
        raise UserError("A configuration extends itself", where=str(path))
    try:
        loaded = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    except Exception as error:
        raise UserError(f"The configuration is not valid YAML: {_first_line(error)}", where=str(path)) from error
    if not isinstance(loaded, dict):
        raise UserError("A configuration must be a mapping of keys to values", where=str(path))
    return _expand({str(key): value for key, value in loaded.items()}, path, (*seen, path.resolve()))


def _expand(values: dict[str, Any], path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    """Resolve ``extends`` of this mapping and of the mappings inside it."""
    own = {str(key): _expand_value(value, path, seen) for key, value in values.items() if key != "extends"}
    bases = values.get("extends", [])
    bases = [bases] if isinstance(bases, str) else bases
    if not isinstance(bases, list) or not all(isinstance(base, str) for base in bases):
        raise UserError(f"extends must name a file or a list of files, not {bases!r}", where=str(path))
    result: dict[str, Any] = {}
    for base in bases:
        result = _merge(result, _read_chain(path.parent / base, seen))
    return _merge(result, own)


def _expand_value(value: Any, path: Path, seen: tuple[Path, ...]) -> Any:
    if isinstance(value, Mapping):
        return _expand(dict(value), path, seen)
    if isinstance(value, list):
        return [_expand_value(item, path, seen) for item in value]
    return value


def _merge(base: dict[str, Any], update: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in update.items():
        if isinstance(value, Mapping) and isinstance(result.get(key), dict):
            result[key] = _merge(result[key], value)
        else:
            result[key] = value
    return result


def _apply_override(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise UserError(f"{override!r} is not an override", next_step="write overrides as key.sub=value")
    try:
        value = OmegaConf.to_container(OmegaConf.from_dotlist([f"value={text}"]))["value"]  # type: ignore[index,call-overload]
    except Exception as error:
        raise UserError(f"The value of {override!r} cannot be read: {_first_line(error)}") from error
    node = values
    *parents, last = key.strip().split(".")
    for parent in parents:
        child = node.get(parent)
        if not isinstance(child, dict):
            child = {}
            node[parent] = child
        node = child
    node[last] = value


def _build(schema: type[Any], values: Any, *, where: str, prefix: str) -> Any:
    """Build one dataclass, collecting every mistake of this level into one message."""
    if not isinstance(values, Mapping):
        raise UserError(f"{prefix or 'the configuration'} must be a mapping, not {values!r}", where=where)
    complete = getattr(schema, "complete_mapping", None)
    if complete is not None:
        values = complete(values)
    fields = {field.name: field for field in dataclasses.fields(schema)}
    hints = typing.get_type_hints(schema)
    for key in values:
        if key not in fields:
            raise UserError(f"Unknown key {prefix + str(key)!r}", where=where, allowed=sorted(fields), got=str(key))
    arguments = {
        name: _convert(hints[name], values[name], where=where, key=prefix + name) for name in fields if name in values
    }
    missing = [
        prefix + name
        for name, field in fields.items()
        if name not in arguments
        and field.default is dataclasses.MISSING
        and field.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise UserError(f"Missing key(s): {', '.join(missing)}", where=where)
    try:
        return schema(**arguments)
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f"{prefix.rstrip('.') or 'the configuration'}: {error}", where=where) from error


def _convert(hint: Any, value: Any, *, where: str, key: str) -> Any:
    origin = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if hint is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        options = _likeliest([option for option in arguments if option is not type(None)], value)
        for option in options[:-1]:
            try:
                return _convert(option, value, where=where, key=key)
            except UserError:
                continue
        return _convert(options[-1], value, where=where, key=key)
    if origin is typing.Literal:
        if value not in arguments:
            raise UserError(
                f"{key} cannot be {value!r}", where=where, allowed=[str(a) for a in arguments], got=str(value)
            )
        return value
    if dataclasses.is_dataclass(hint):
        return _build(typing.cast("type[Any]", hint), {} if value is None else value, where=where, prefix=key + ".")
    if origin in (tuple, list):
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise UserError(f"{key} must be a list, not {value!r}", where=where)
        if origin is tuple and not (len(arguments) == 2 and arguments[1] is Ellipsis):
            if len(value) != len(arguments):
                raise UserError(f"{key} must have {len(arguments)} entries, not {len(value)}", where=where)
            return tuple(
                _convert(hint_, item, where=where, key=f"{key}[{i}]")
                for i, (hint_, item) in enumerate(zip(arguments, value, strict=True))
            )
        items = [_convert(arguments[0], item, where=where, key=f"{key}[{i}]") for i, item in enumerate(value)]
        return tuple(items) if origin is tuple else items
    if origin in (dict, Mapping) or hint is dict:
        if not isinstance(value, Mapping):
            raise UserError(f"{key} must be a mapping, not {value!r}", where=where)
        inner = arguments[1] if len(arguments) == 2 else Any
        return {str(k): _convert(inner, v, where=where, key=f"{key}.{k}") for k, v in value.items()}
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        inner = arguments[1] if len(arguments) == 2 else Any
        return {str(k): _convert(inner, v, where=where, key=f"{key}.{k}") for k, v in dict(value).items()}
    return _convert_scalar(hint, value, where=where, key=key)


def _likeliest(options: list[Any], value: Any) -> list[Any]:
    """Keep, for a mapping, the dataclass that knows most of its keys, so that its mistakes are told as that one's."""
    schemas = [option for option in options if dataclasses.is_dataclass(option)]
    if not isinstance(value, Mapping) or not schemas:
        return options
    known = [len({field.name for field in dataclasses.fields(option)} & value.keys()) for option in schemas]
    return [schemas[known.index(max(known))]] if max(known) or len(schemas) == len(options) else options


def _convert_scalar(hint: Any, value: Any, *, where: str, key: str) -> Any:
    if hint is Path and isinstance(value, (str, Path)):
        return Path(value)
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if hint is float and isinstance(value, str):
        try:
            return float(value)  # YAML 1.1 reads 1e-4 as a string
        except ValueError:
            pass
    if hint is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if hint is bool and isinstance(value, bool):
        return value
    if hint is str and isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return str(value)
    name = getattr(hint, "__name__", str(hint))
    raise UserError(f"{key} must be of type {name}, not {value!r}", where=where)
