"""The bytes of a film: ordinary files alone, never waiting, never more than allowed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from llmrg.studies._image_error import ImageError

# A pipe without a writer would hold open() for ever; Windows knows neither the flag nor the trouble.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def film_bytes(path: Path, *, max_bytes: int) -> bytes:
    """Read a file whole.

    Args:
        path: the file.
        max_bytes: larger files are refused before they are read.

    Returns:
        Its content, at least one byte.

    Raises:
        ImageError: missing, a folder, a pipe or a device, without permission, empty, or too large.
    """
    try:
        _check_kind(path, path.stat())  # before it is opened: opening a device may move it
        descriptor = os.open(path, _FLAGS)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            _check_kind(path, found)
            if found.st_size > max_bytes:
                raise ImageError(path, f"is larger than {max_bytes:,} bytes")
            content = file.read(found.st_size + 1)  # of as many bytes as are read, memory is taken first
    except FileNotFoundError:
        raise ImageError(path, "does not exist") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its path is not valid"
        raise ImageError(path, f"cannot be read ({reason})") from None
    if not content:
        raise ImageError(path, "is empty (0 bytes)")
    if len(content) > max_bytes:
        raise ImageError(path, f"is larger than {max_bytes:,} bytes")
    return content


def _check_kind(path: Path, found: os.stat_result) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise ImageError(path, "is a folder, not a film")
    if not stat.S_ISREG(found.st_mode):
        raise ImageError(path, "is a pipe, socket or device, not a file")
