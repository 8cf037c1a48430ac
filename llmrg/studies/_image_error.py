"""The error of a film that cannot be used (public as :class:`llmrg.studies.images.ImageError`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llmrg.errors import UserError


class ImageError(UserError):
    """A film cannot be used.

    Args:
        path: the file.
        reason: why, as the rest of a sentence that begins with the file ("is truncated").
    """

    def __init__(self, path: str | Path, reason: str) -> None:
        self.path = Path(path)
        self.reason = reason
        super().__init__(f"The film {str(path)!r} {reason}")

    def __reduce__(self) -> tuple[Any, ...]:
        """Let the error travel from a data loading process."""
        return (type(self), (self.path, self.reason))
