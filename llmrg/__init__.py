"""llmrg: train, compare and run LLM-based chest X-ray report generators in Chinese and English."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmrg.version import __version__

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["__version__", "load"]


def load(run: str | Path, **options: Any) -> Any:
    """Load a finished run directory as a system that writes reports.

    Args:
        run: directory written by ``llmrg train``.
        **options: passed to :func:`llmrg.systems.run.load_run` (``device``, ``language_model``).

    Returns:
        A system with ``generate(batch, ...)``; see :mod:`llmrg.systems`.
    """
    from llmrg.systems.run import load_run

    return load_run(run, **options)
