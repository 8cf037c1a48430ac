"""Artefacts: directories that carry a manifest, are written atomically and are checked before use.

An artefact is anything built from training data that a system needs: a language model, an encoder, an index,
a memory. Its directory holds safetensors, FAISS and JSON files, ``manifest.json``, and a completion marker that is
written last; a directory without the marker is ignored.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import IO, Any

from llmrg.errors import UserError
from llmrg.version import __version__

__all__ = [
    "COMPLETE",
    "MANIFEST",
    "Manifest",
    "atomic_directory",
    "atomic_file",
    "file_hash",
    "is_complete",
    "read_manifest",
    "text_hash",
    "tree_hash",
    "write_bytes",
    "write_text",
]

MANIFEST = "manifest.json"
COMPLETE = "COMPLETE"


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Where an artefact comes from and what it fits.

    Args:
        kind: what it is (``language_model``, ``disease_classifier``, ``memory``, ``index``, ``run``, ...).
        producer: the command that made it.
        configuration: the resolved configuration it was made with.
        encoder_hash: hash of the encoder whose vectors it holds, if any.
        split_hash: hash over the ids of the studies it was built from.
        languages: languages of the reports it was built from.
        contains_patient_text: whether report text of patients can be read from its files.
        details: counts, dimensions and hashes that its consumer checks.
    """

    kind: str
    producer: str
    configuration: dict[str, Any] = field(default_factory=dict)
    encoder_hash: str | None = None
    split_hash: str | None = None
    languages: tuple[str, ...] = ()
    contains_patient_text: bool = False
    details: dict[str, Any] = field(default_factory=dict)
    llmrg_version: str = __version__

    def write(self, directory: Path) -> None:
        """Write ``manifest.json`` into ``directory``."""
        write_text(directory / MANIFEST, json.dumps(asdict(self), ensure_ascii=False, indent=2, sort_keys=True) + "\n")

    def require(self, *, kind: str, where: str | Path, **expected: Any) -> None:
        """Refuse the artefact unless ``kind`` and the expected fields or details agree.

        Raises:
            UserError: names the first field that differs, with both values.
        """
        if self.kind != kind:
            raise UserError(f"This is an artefact of kind {self.kind!r}, but {kind!r} is needed", where=str(where))
        for name, wanted in expected.items():
            found = getattr(self, name) if hasattr(self, name) else self.details.get(name)
            if found != wanted:
                raise UserError(
                    f"The {kind} artefact does not fit: its {name} is {found!r}, but {wanted!r} is needed",
                    where=str(where),
                    next_step="build it again with this configuration",
                )


def read_manifest(directory: str | Path) -> Manifest:
    """Read the manifest of a complete artefact.

    Raises:
        UserError: no such directory, no completion marker, or a broken manifest.
    """
    directory = Path(directory)
    if not is_complete(directory):
        state = "is incomplete (its writing was interrupted)" if directory.is_dir() else "does not exist"
        raise UserError(f"The artefact {state}", where=str(directory), next_step="build it again")
    try:
        values = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
        names = {f.name for f in fields(Manifest)}
        values = {name: value for name, value in values.items() if name in names}
        values["languages"] = tuple(values.get("languages", ()))
        return Manifest(**values)
    except (OSError, ValueError, TypeError) as error:
        raise UserError("The artefact's manifest cannot be read", where=str(directory / MANIFEST)) from error


def is_complete(directory: str | Path) -> bool:
    """Tell whether ``directory`` holds an artefact whose writing was finished."""
    directory = Path(directory)
    return (directory / COMPLETE).is_file() and (directory / MANIFEST).is_file()


@contextmanager
def atomic_directory(target: str | Path) -> Iterator[Path]:
    """Give a temporary directory that takes the place of ``target`` when the block ends without an error.

    Files are flushed to disk, the completion marker is written last, then the directory is renamed. If the block
    fails, ``target`` stays as it was.
    """
    target = Path(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".tmp-{target.name}-", dir=target.parent))
    except OSError as error:
        raise UserError(f"Cannot write here: {error.strerror}", where=str(target.parent)) from error
    try:
        temporary.chmod(0o755)
        yield temporary
        _flush_tree(temporary)
        (temporary / COMPLETE).write_text("", encoding="utf-8")
        _flush(temporary / COMPLETE)
        _flush(temporary)
        old: Path | None = None
        if target.exists():
            old = Path(tempfile.mkdtemp(prefix=f".old-{target.name}-", dir=target.parent)) / target.name
            os.replace(target, old)
        os.replace(temporary, target)
        _flush(target.parent)
        if old is not None:
            shutil.rmtree(old.parent, ignore_errors=True)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


@contextmanager
def atomic_file(path: str | Path, *, encoding: str = "utf-8") -> Iterator[IO[str]]:
    """Open a text file for writing that appears under its name only when the block ends without an error.

    Line ends are written as they are given.

    Args:
        path: of the file; its folder is made where it is not there.
        encoding: of the text.

    Raises:
        UserError: a folder that cannot be written.
        OSError: a full disk; nothing is left behind.
    """
    handle, temporary = _open_beside(Path(path))
    with _replacing(Path(path), temporary), os.fdopen(handle, "w", encoding=encoding, newline="") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def write_text(path: str | Path, text: str) -> None:
    """Write a text file whole or not at all (temporary name, flush, rename).

    Raises:
        UserError: a folder that cannot be written.
        OSError: a full disk; nothing is left behind.
    """
    content = text.encode("utf-8")  # a text that cannot be encoded leaves nothing behind
    handle, temporary = _open_beside(Path(path))
    _fill(handle, temporary, Path(path), content)


def write_bytes(path: str | Path, content: bytes | memoryview) -> None:
    """Write a file whole or not at all (temporary name, flush, rename), into a folder that is there.

    Raises:
        OSError: a full disk, a folder that cannot be written; nothing is left behind.
    """
    handle, name = _temporary(Path(path))
    _fill(handle, Path(name), Path(path), content)


def _open_beside(path: Path) -> tuple[int, Path]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = _temporary(path)
    except OSError as error:
        raise UserError(f"Cannot write here: {error.strerror}", where=str(path.parent)) from error
    return handle, Path(name)


def _temporary(path: Path) -> tuple[int, str]:
    return tempfile.mkstemp(prefix=f".tmp-{path.name}-", dir=path.parent)


def _fill(handle: int, temporary: Path, path: Path, content: bytes | memoryview) -> None:
    with _replacing(path, temporary), os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _replacing(path: Path, temporary: Path) -> Iterator[None]:
    """Let a temporary file take the place of ``path`` at the end, or vanish."""
    try:
        yield
        temporary.chmod(0o644)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def file_hash(path: str | Path) -> str:
    """Return the sha256 of a file as hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tree_hash(directory: str | Path, *, suffixes: Iterable[str] | None = None) -> str:
    """Return one sha256 over the names and contents of all files below ``directory``, in sorted order.

    Args:
        directory: the folder to read.
        suffixes: if given, only files that end so count (``.safetensors``, ``.json``).
    """
    directory = Path(directory)
    wanted = None if suffixes is None else tuple(suffixes)
    digest = hashlib.sha256()
    for path in sorted(p for p in directory.rglob("*") if p.is_file()):
        name = path.relative_to(directory).as_posix()
        if wanted is None or name.endswith(wanted):
            digest.update(f"{name}\0{file_hash(path)}\n".encode())
    return digest.hexdigest()


def text_hash(parts: Iterable[str]) -> str:
    """Return one sha256 over strings in the given order (sort ids first to hash a set of studies)."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _flush_tree(directory: Path) -> None:
    for path in directory.rglob("*"):
        if path.is_file():
            _flush(path)
