"""Decoders that do not talk: what Pillow and pydicom warn about and log quotes metadata, which names patients."""

from __future__ import annotations

import logging
import warnings

_DECODERS = r"(PIL|pydicom)(\.|$)"

_LEVELS = ((logging.getLogger("PIL"), logging.WARNING), (logging.getLogger("pydicom"), logging.CRITICAL))


def silence_decoders() -> None:
    """Ignore the warnings and the log of Pillow and pydicom from now on; to be called before each use of them.

    pydicom sets the level of its log when it is imported, perhaps after this file was. Films are decoded in threads,
    where ``warnings.catch_warnings`` would restore another thread's filters; and whoever else restores filters takes
    this one away. So it is put back whenever it is not the first.
    """
    for logger, level in _LEVELS:
        if logger.level != level:
            logger.setLevel(level)
    first = warnings.filters[0] if warnings.filters else None
    module = first[3] if first is not None else None
    if first is None or first[0] != "ignore" or getattr(module, "pattern", None) != _DECODERS:
        warnings.filterwarnings("ignore", module=_DECODERS)
