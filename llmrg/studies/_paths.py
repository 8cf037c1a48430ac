"""Image paths from annotation files, which are not to be trusted, resolved below the image roots."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from llmrg.errors import UserError


class PathError(Exception):
    """Why an image path is not used; the message is the reason of a bad study."""


class MissingImageError(PathError):
    """No file of this name is there, as in a partial download."""


def unsafe_reason(name: str) -> str | None:
    """Tell why a relative path from an annotation must not be followed, or None where it may."""
    if not name.strip():
        return "an image path is empty"
    if "\0" in name:
        return "an image path holds a NUL character"
    if re.match(r"^[A-Za-z]:", name):
        return f"the image path {name!r} names a drive"
    if name.startswith(("/", "\\", "~")):
        return f"the image path {name!r} is absolute"
    if ".." in re.split(r"[/\\]", name):
        return f"the image path {name!r} leaves the dataset's folder (..)"
    return None


class ImageFinder:
    """Finds the file of an image path below one of several roots; no pixel is read.

    Args:
        roots: resolved folders, tried in order.
        variants: turns a path of the annotation into the file names to try (another extension).
        what: what the files are, for messages.
    """

    def __init__(
        self, roots: Sequence[Path], *, variants: Callable[[str], Sequence[str]] | None = None, what: str = "image"
    ) -> None:
        self._roots = list(roots)
        self._what = what
        self._variants = variants or (lambda name: (name,))
        self._folders: dict[str, str] = {}

    def find(self, name: str) -> Path:
        """Return the path of an existing, non-empty file.

        Raises:
            MissingImageError: there is no such file below any root.
            PathError: the path is unsafe, or the file is empty or no file.
        """
        reason = unsafe_reason(name)
        if reason:
            raise PathError(reason)
        name = name.replace("\\", "/")
        for number, root in enumerate(self._roots):
            for variant in self._variants(name):
                path = root / variant
                try:
                    status = os.lstat(path)
                except (OSError, ValueError):
                    continue
                self._check_inside(path, root, is_link=stat.S_ISLNK(status.st_mode), name=name)
                if stat.S_ISLNK(status.st_mode):
                    try:
                        status = path.stat()
                    except OSError:
                        raise PathError(f"the {self._what} {name!r} is a broken link") from None
                if not stat.S_ISREG(status.st_mode):
                    raise PathError(f"the {self._what} path {name!r} is not a file")
                if status.st_size == 0:
                    raise PathError(f"the {self._what} {name!r} is empty (0 bytes)")
                if number:  # the root that served last is tried first
                    self._roots.insert(0, self._roots.pop(number))
                return path
        raise MissingImageError(f"the {self._what} {name!r} does not exist")

    def _check_inside(self, path: Path, root: Path, *, is_link: bool, name: str) -> None:
        real = os.path.realpath(path) if is_link else self._real_folder(path.parent, root)
        if real != str(root) and not real.startswith(str(root).rstrip(os.sep) + os.sep):
            raise PathError(
                f"the {self._what} path {name!r} leaves the dataset's folder through a link "
                "(name its real place in image_roots, if it is meant)"
            )

    def _real_folder(self, folder: Path, root: Path) -> str:
        """Resolve links of a folder below a resolved root, looking at each folder once (realpath starts at ``/``)."""
        if folder == root:
            return str(root)
        key = str(folder)
        if key not in self._folders:
            parent = self._real_folder(folder.parent, root)
            plain = os.path.join(parent, folder.name)  # noqa: PTH118 (a path object for each film costs more)
            self._folders[key] = os.path.realpath(plain) if os.path.islink(plain) else plain  # noqa: PTH114
        return self._folders[key]


def dataset_root(root: Path) -> Path:
    """Return the resolved root of a dataset.

    Raises:
        UserError: it does not exist or is no folder.
    """
    if not root.is_dir():
        state = "is not a folder" if root.exists() else "does not exist"
        raise UserError(f"The dataset's root {state}", where=str(root), next_step="set root to the dataset's folder")
    return root.resolve()


def image_roots(root: Path, configured: Sequence[Path], *, usual: Sequence[str]) -> list[Path]:
    """Return the resolved image roots: the configured ones, else those of the usual ones that exist, and the root.

    Raises:
        UserError: a configured image root does not exist, or a usual one is a link that leaves the dataset.
    """
    if configured:
        for folder in configured:
            if not (root / folder).is_dir():
                raise UserError("An image root does not exist", where=str(root / folder))
        return [(root / folder).resolve() for folder in configured]
    found = []
    for name in usual:
        folder = root / name
        if not folder.is_dir():
            continue
        real = folder.resolve()
        if not real.is_relative_to(root):
            raise UserError(
                f"The folder {name!r} is a link that leaves the dataset",
                where=str(folder),
                next_step=f"if it is meant, set image_roots: [{real}]",
            )
        found.append(real)
    return [*found, root]
