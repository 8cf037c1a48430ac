"""Locks of folders: one writer at a time, on one machine and on a shared disk.

The lock is the kernel's (flock): it ends with its process, however that ends, so none is ever stale. The file's text
only says who holds it.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import socket
import time
from pathlib import Path
from typing import Any

from llmrg.errors import UserError

__all__ = ["FolderLock"]

logger = logging.getLogger(__name__)
_UNSUPPORTED = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
_INHERITED_SECONDS = 15.0
"""How long data loading workers may outlive the process that they inherited the lock from."""


class FolderLock:
    """A lock named after a file or folder, in a hidden file beside it.

    Args:
        path: what is locked; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = path.parent / f".{path.name}.lock"
        self._handle: int | None = None

    def try_acquire(self, *, shared: bool = False) -> bool:
        """Take the lock, or change a lock that is held, if nobody else's is in the way; otherwise hold none.

        Args:
            shared: with others who only read.
        """
        if shared and self._handle is None and self.file.parent.is_dir() and not os.access(self.file.parent, os.W_OK):
            return True  # nobody can write here, so nothing must be kept from changing
        while True:
            handle = self._open()
            try:
                fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            except BlockingIOError:
                self._close()
                return False
            except OSError as error:
                if error.errno not in _UNSUPPORTED:
                    self._close()
                    raise
                logger.warning("this disk knows no locks; nothing keeps another process from writing %s", self.path)
            if self._is_current(handle):
                if not shared:
                    _write_owner(handle)
                return True
            self._close()  # its last holder removed the file between our opening and locking it

    def acquire(self, *, shared: bool = False) -> None:
        """Take the lock, waiting as long as another process holds it."""
        told = False
        while not self.try_acquire(shared=shared):
            if not told:
                logger.warning("waiting for %s, which %s is working on", self.path, self.owner())
                told = True
            time.sleep(0.2)

    def acquire_now(self) -> None:
        """Take the lock or refuse.

        Raises:
            UserError: names the process that holds it.
        """
        until = time.monotonic() + _INHERITED_SECONDS
        while not self.try_acquire():
            if self._owner_is_alive() or time.monotonic() > until:
                raise UserError(
                    f"Another training writes here: {self.owner()}",
                    where=str(self.path),
                    next_step="wait for it, stop it, or choose another out",
                )
            time.sleep(0.1)

    def release(self) -> None:
        """Give the lock back and remove its file, unless others hold it too."""
        if self._handle is None:
            return
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self._is_current(self._handle):
                self.file.unlink(missing_ok=True)
        except OSError:
            pass  # others read, or the disk knows no locks: the file stays
        self._close()

    def owner(self) -> str:
        """Who holds the lock, in words."""
        owner = self._read_owner()
        return f"process {owner['pid']} on {owner['host']}" if owner else "another process"

    def _open(self) -> int:
        if self._handle is None:
            try:
                self.file.parent.mkdir(parents=True, exist_ok=True)
                self._handle = os.open(self.file, os.O_RDWR | os.O_CREAT, 0o644)
            except OSError as error:
                raise UserError(f"Cannot write here: {error.strerror}", where=str(self.file.parent)) from error
        return self._handle

    def _close(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
        self._handle = None

    def _is_current(self, handle: int) -> bool:
        """Tell whether the locked file is still the one at its place."""
        try:
            return os.path.samestat(os.fstat(handle), self.file.stat())
        except FileNotFoundError:
            return False

    def _read_owner(self) -> dict[str, Any] | None:
        try:
            owner = json.loads(self.file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return owner if isinstance(owner, dict) and {"pid", "host"} <= owner.keys() else None

    def _owner_is_alive(self) -> bool:
        owner = self._read_owner()
        if owner is None or owner["host"] != socket.gethostname():
            return owner is not None
        try:
            os.kill(int(owner["pid"]), 0)
        except ProcessLookupError:
            return False
        except (PermissionError, ValueError):
            return True
        return True


def _write_owner(handle: int) -> None:
    text = json.dumps({"pid": os.getpid(), "host": socket.gethostname()}) + "\n"
    os.ftruncate(handle, 0)
    os.pwrite(handle, text.encode(), 0)
