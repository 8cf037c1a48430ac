"""Encoding the training studies once, keeping of each only what memory and index need."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from llmrg.errors import BadStudyError, TooManyBadStudiesError
from llmrg.evidence.encoder import StudyEncoder
from llmrg.studies.dataset import StudyDataset, StudySample, collate_studies

__all__ = ["MEND", "EncodedStudies", "encode_studies", "readable_batches"]

logger = logging.getLogger(__name__)
MEND = "mend the files or raise data.max_bad_fraction"
IN_MEMORY = 2**28
"""Bytes from which on vectors are written to a temporary file that is mapped into memory."""


@dataclass(frozen=True, kw_only=True)
class EncodedStudies:
    """What an encoder says of studies.

    Legend: N studies that could be read, D width, W width of retrieval vectors.

    Args:
        rows: [N] their places among the studies asked for, rising.
        vectors: [N, W] for retrieval.
        pooled: [N, D].
        answers: (row, query) to its token, as wide as the queries' answers; query None is the mean over all queries.
    """

    rows: npt.NDArray[np.int64]
    vectors: Tensor
    pooled: Tensor
    answers: Mapping[tuple[int, int | None], Tensor]


def encode_studies(
    encoder: StudyEncoder,
    dataset: StudyDataset,
    *,
    batch_size: int,
    answers: Mapping[int, Sequence[int | None]],
    tolerated: int,
) -> EncodedStudies:
    """Encode studies, their films read by several threads while the encoder works on the batch before.

    Args:
        encoder: trunk and disease queries.
        dataset: the studies, without augmentation; what else it gives of them is not used.
        batch_size: studies at once.
        answers: row to the queries whose tokens are kept (None: their mean).
        tolerated: studies whose films may turn out to be bad; they are left out.

    Raises:
        TooManyBadStudiesError: more are bad.
    """
    kept: dict[tuple[int, int | None], Tensor] = {}
    rows: list[npt.NDArray[np.int64]] = []
    vectors, pooled = _Rows(len(dataset)), _Rows(len(dataset))
    for places, samples in readable_batches(dataset, batch_size, tolerated=tolerated):
        found = encoder.encode([collate_studies(samples)])
        vectors.append(found["vectors"])
        pooled.append(found["pooled"])
        rows.append(np.array(places, dtype=np.int64))
        for number, row in enumerate(places):
            tokens = found["tokens"][number]
            for query in answers.get(row, ()):
                kept[row, query] = (tokens.mean(0) if query is None else tokens[query]).clone()
    return EncodedStudies(
        rows=np.concatenate(rows) if rows else np.empty(0, dtype=np.int64),
        vectors=vectors.finish(),
        pooled=pooled.finish(),
        answers=kept,
    )


def readable_batches(
    dataset: StudyDataset, batch_size: int, *, tolerated: int, rows: Sequence[int] | None = None
) -> Iterator[tuple[list[int], list[StudySample]]]:
    """Batches of studies that could be read, with their rows; the next one is read while this one is used.

    Args:
        dataset: the studies.
        batch_size: studies at once.
        tolerated: studies whose films may turn out to be bad; they are left out.
        rows: of the studies that are wanted, rising; None takes all.

    Raises:
        TooManyBadStudiesError: more are bad.
    """

    def read(row: int) -> StudySample | BadStudyError:
        try:
            return dataset[row]
        except BadStudyError as error:
            return error

    wanted = range(len(dataset)) if rows is None else rows
    bad: list[BadStudyError] = []
    workers = max(1, min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 4))
    with ThreadPoolExecutor(workers) as pool:

        def start(first: int) -> list[tuple[int, Future[StudySample | BadStudyError]]]:
            return [(row, pool.submit(read, row)) for row in wanted[first : first + batch_size]]

        ahead = start(0)
        for first in range(0, len(wanted), batch_size):
            now, ahead = ahead, start(first + batch_size)
            places, samples = [], []
            for row, future in now:
                found = future.result()
                if isinstance(found, BadStudyError):
                    logger.warning("set aside: %s", found)
                    bad.append(found)
                else:
                    places.append(row)
                    samples.append(found)
            if len(bad) > tolerated:
                raise TooManyBadStudiesError(
                    f"{len(bad)} of {len(wanted)} studies cannot be read: {'; '.join(map(str, bad[:5]))}",
                    next_step=MEND,
                )
            if samples:
                yield places, samples


class _Rows:
    """Rows of one width that become a tensor, in memory or in a nameless mapped file."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        self._rows: npt.NDArray[np.float32] | None = None

    def append(self, part: Tensor) -> None:
        new = part.numpy()
        if self._rows is None:
            self._rows = self._room(new.shape[1])
        self._rows[self._count : self._count + len(new)] = new
        self._count += len(new)

    def finish(self) -> Tensor:
        return torch.from_numpy(self._rows[: self._count]) if self._rows is not None else torch.empty(0, 0)

    def _room(self, width: int) -> npt.NDArray[np.float32]:
        if 4 * self._most * width <= IN_MEMORY:
            return np.empty((self._most, width), dtype=np.float32)
        handle, name = tempfile.mkstemp(prefix="llmrg-", suffix=".vectors")
        os.close(handle)
        rows = np.memmap(name, dtype=np.float32, mode="w+", shape=(self._most, width))
        Path(name).unlink()
        return rows
