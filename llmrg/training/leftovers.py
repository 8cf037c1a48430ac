"""What a killed process leaves beside an artefact or a run that it was writing."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

__all__ = ["remove_leftovers"]


def remove_leftovers(target: Path) -> None:
    """Remove the temporary directories of :func:`llmrg.artefacts.atomic_directory` for ``target``.

    Only who holds the lock of ``target`` may do so, because another writer's directory looks the same.
    """
    name = re.compile(rf"\.(tmp|old)-{re.escape(target.name)}-[a-z0-9_]{{8}}")
    if target.parent.is_dir():
        for path in target.parent.iterdir():
            if name.fullmatch(path.name) and path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
