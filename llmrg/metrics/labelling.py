"""Findings of many reports, by several processes where that pays."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Literal

from llmrg.errors import UserError
from llmrg.findings.labeler import get_labeler
from llmrg.findings.mention import Mention
from llmrg.findings.vocabulary import get_vocabulary

__all__ = ["label_reports"]

# Fewer texts take less time than starting processes and sending mentions back.
_WORTH_PROCESSES = 4000
_CHUNK = 250

Mentions = dict[str, Mention]


def label_reports(
    texts: Sequence[str], *, vocabulary: str, language: Literal["zh", "en"], workers: int | None = None
) -> list[Mentions]:
    """Label reports by the rules; equal reports are read once.

    Args:
        texts: reports.
        vocabulary: name of the vocabulary.
        language: of the reports.
        workers: processes for thousands of different reports, by default as many as there are cores; 1 starts none.

    Returns:
        What each report says of each finding, in the order of the texts. Equal reports share one mapping.

    Raises:
        UserError: an unknown vocabulary or language, or fewer than one worker.
    """
    read = partial(_label, vocabulary, language)
    different = list(dict.fromkeys(texts))
    count = _cores() if workers is None else workers
    if count < 1:
        raise UserError(f"There must be at least one worker, not {count}", where="workers")
    if count == 1 or len(different) < _WORTH_PROCESSES:
        found = read(different)
    else:
        read([])  # names are checked and phrases compiled before processes are forked
        # Forking spares each process the import of everything.
        way = "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"
        chunks = [different[start : start + _CHUNK] for start in range(0, len(different), _CHUNK)]
        with ProcessPoolExecutor(count, mp_context=multiprocessing.get_context(way)) as pool:
            found = [mentions for part in pool.map(read, chunks) for mentions in part]
    known = dict(zip(different, found, strict=True))
    return [known[text] for text in texts]


def _label(vocabulary: str, language: Literal["zh", "en"], texts: Sequence[str]) -> list[Mentions]:
    return get_labeler(get_vocabulary(vocabulary), language).label_many(texts)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
