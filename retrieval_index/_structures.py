"""The FAISS structures behind each kind of index: made, extended, thinned out, and searched harder and harder."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from retrieval_index._faiss import load_faiss, one_thread
from retrieval_index._vectors import Vectors
from retrieval_index.config import IndexConfig
from retrieval_index.errors import InvalidConfigError, InvalidVectorsError

logger = logging.getLogger(__name__)

Mask = npt.NDArray[np.bool_]
Attempt = Callable[[Vectors, int, "Mask | None"], tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]]
"""Search ``queries, k, allowed rows`` -> scores and rows ``[Q, k]``, padded with -1."""

# FAISS asks for 39 training points a centroid; below that k-means cells mean little.
_POINTS_PER_CELL = 39


def create(vectors: Vectors, config: IndexConfig) -> Any:
    """Return a FAISS index over unit vectors; row i of ``vectors`` has id i."""
    faiss = load_faiss()
    dimension = vectors.shape[1]
    if config.kind == "flat":
        index = faiss.IndexFlatIP(dimension)
    elif config.kind == "hnsw":
        index = faiss.IndexHNSWFlat(dimension, config.links, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = config.ef_construction
        index.hnsw.efSearch = config.ef_search
    else:
        index = _trained_ivf_pq(vectors, config)
    append(index, vectors, config)
    return index


def append(index: Any, vectors: Vectors, config: IndexConfig) -> None:
    """Add unit vectors; their ids follow those that are there."""
    if len(vectors) == 0:
        return
    with one_thread(config.kind == "hnsw" and config.deterministic):
        index.add(vectors)


def drop(index: Any, keep: Mask, config: IndexConfig) -> Any:
    """Return the index without the rows that are not kept; ids are the places among the kept rows."""
    faiss = load_faiss()
    if config.kind == "hnsw":
        # A graph cannot lose a vertex, and hiding it would keep the patient's vector in the file: build again.
        stored = index.reconstruct_n(0, index.ntotal) if index.ntotal else np.zeros((0, index.d), np.float32)
        return create(np.ascontiguousarray(stored[keep]), config)
    index.remove_ids(np.flatnonzero(~keep).astype(np.int64))
    if config.kind == "ivf_pq":
        new_row = np.cumsum(keep, dtype=np.int64) - 1
        lists = faiss.extract_index_ivf(index).invlists
        for cell in range(index.nlist):
            size = lists.list_size(cell)
            if size:
                ids = faiss.rev_swig_ptr(lists.get_ids(cell), size)
                ids[:] = new_row[ids]
    return index


def attempts(index: Any, config: IndexConfig, *, accelerated: Any = None) -> list[Attempt]:
    """Return ways to search, each more thorough than the one before; the last one looks at every allowed row.

    Args:
        index: the index in main memory.
        config: its settings.
        accelerated: a copy on a GPU, if any; it answers first where nothing is filtered.
    """
    faiss = load_faiss()

    def flat(target: Any) -> Attempt:
        return lambda queries, k, allowed: target.search(
            queries, k, params=faiss.SearchParameters(sel=_selector(allowed)) if allowed is not None else None
        )

    def cells(nprobe: int) -> Attempt:
        def run(queries: Vectors, k: int, allowed: Mask | None) -> Any:
            chosen = {} if allowed is None else {"sel": _selector(allowed)}
            return index.search(queries, k, params=faiss.SearchParametersIVF(nprobe=nprobe, **chosen))

        return run

    def graph(candidates: int) -> Attempt:
        def run(queries: Vectors, k: int, allowed: Mask | None) -> Any:
            chosen = {} if allowed is None else {"sel": _selector(allowed)}
            parameters = faiss.SearchParametersHNSW(efSearch=max(candidates, k), **chosen)
            return index.search(queries, k, params=parameters)

        return run

    if config.kind == "flat":
        steps = [flat(index)]
    elif config.kind == "hnsw":
        steps = [graph(config.ef_search), graph(4 * config.ef_search), flat(faiss.downcast_index(index.storage))]
    else:
        probes = [min(config.nprobe, index.nlist)]
        while probes[-1] < index.nlist:
            probes.append(min(4 * probes[-1], index.nlist))
        steps = [cells(nprobe) for nprobe in probes]
    if accelerated is not None:
        steps[0] = _gpu_first(accelerated, steps[0])
    return steps


# FAISS's GPU kernels return at most this many neighbours.
_GPU_NEIGHBOURS = 2048


def _gpu_first(accelerated: Any, otherwise: Attempt) -> Attempt:
    def run(queries: Vectors, k: int, allowed: Mask | None) -> Any:
        if allowed is None and k <= _GPU_NEIGHBOURS:
            return accelerated.search(queries, k)
        return otherwise(queries, k, allowed)

    return run


def _selector(allowed: Mask) -> Any:
    return load_faiss().IDSelectorBitmap(np.packbits(allowed, bitorder="little"))


def _trained_ivf_pq(vectors: Vectors, config: IndexConfig) -> Any:
    faiss = load_faiss()
    count, dimension = vectors.shape
    if count == 0:
        raise InvalidVectorsError("an ivf_pq index learns its cells from vectors and got none; use flat or hnsw")
    cells = config.nlist or max(1, min(int(4 * count**0.5), count // _POINTS_PER_CELL))
    if cells > count:
        raise InvalidConfigError(f"nlist is {cells}, but there are only {count} vectors; use nlist=0 or fewer cells")
    parts = config.m or _parts(dimension)
    if dimension % parts:
        raise InvalidConfigError(f"m is {parts}, which does not divide the dimension {dimension}; use m=0 or a divisor")
    bits = min(config.bits, max(1, count.bit_length() - 1))
    if bits < config.bits:
        logger.warning("%d vectors are few for ivf_pq: %d bits a sub-vector instead of %d", count, bits, config.bits)
    if count < 2**bits:
        raise InvalidVectorsError(f"an ivf_pq index needs at least 2 vectors to learn from and got {count}; use flat")
    quantizer = faiss.IndexFlatIP(dimension)
    index = faiss.IndexIVFPQ(quantizer, dimension, cells, parts, bits, faiss.METRIC_INNER_PRODUCT)
    # Too few points a centroid is what small data sets have; the warning above says it once.
    index.cp.min_points_per_centroid = 1
    index.pq.cp.min_points_per_centroid = 1
    index.train(vectors)
    index.nprobe = min(config.nprobe, cells)
    return index


def _parts(dimension: int) -> int:
    most = max(1, min(64, dimension // 4))
    return next(parts for parts in range(most, 0, -1) if dimension % parts == 0)
