"""Settings of a retrieval index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from retrieval_index.errors import InvalidConfigError

__all__ = ["GpuUse", "IndexConfig", "IndexKind"]

IndexKind = Literal["flat", "ivf_pq", "hnsw"]
GpuUse = Literal["auto", "never", "always"]


@dataclass(frozen=True, kw_only=True)
class IndexConfig:
    """How vectors are indexed. Similarity is always the inner product of vectors of length 1 (cosine).

    Args:
        kind: ``flat`` compares with every vector (exact); ``ivf_pq`` looks into the nearest ``nprobe`` of ``nlist``
            cells and keeps compressed vectors (small, fast, approximate); ``hnsw`` walks a neighbour graph
            (fast, approximate, keeps full vectors).
        nlist: cells of ``ivf_pq``; 0 chooses 4 times the root of the number of vectors, but at least 39 vectors a cell.
        nprobe: cells of ``ivf_pq`` that a search looks into first.
        m: bytes (sub-vectors) a compressed vector of ``ivf_pq`` has; it divides the dimension. 0 chooses the largest
            divisor up to a quarter of the dimension and 64.
        bits: bits a sub-vector of ``ivf_pq`` has; fewer are used when there are fewer than 2 ** bits vectors.
        links: neighbours a vertex of ``hnsw`` keeps (M in Malkov and Yashunin 2018).
        ef_construction: candidates kept while an ``hnsw`` graph is built.
        ef_search: candidates kept while an ``hnsw`` graph is searched.
        gpu: ``auto`` searches on a GPU where FAISS sees one, ``always`` demands it, ``never`` avoids it. ``hnsw`` has
            no GPU form. The index itself stays in main memory.
        deterministic: build ``hnsw`` in one thread, so that the same input gives the same graph (slower).

    Raises:
        InvalidConfigError: a value cannot work.
    """

    kind: IndexKind = "flat"
    nlist: int = 0
    nprobe: int = 16
    m: int = 0
    bits: int = 8
    links: int = 32
    ef_construction: int = 80
    ef_search: int = 64
    gpu: GpuUse = "auto"
    deterministic: bool = True

    def __post_init__(self) -> None:
        for name, choices in (("kind", get_args(IndexKind)), ("gpu", get_args(GpuUse))):
            value = getattr(self, name)
            if value not in choices:
                raise InvalidConfigError(f"index setting {name} is {value!r}; allowed: {', '.join(choices)}")
        least = {"nlist": 0, "nprobe": 1, "m": 0, "bits": 1, "links": 2, "ef_construction": 1, "ef_search": 1}
        for name, low in least.items():
            if getattr(self, name) < low:
                raise InvalidConfigError(f"index setting {name} is {getattr(self, name)}; it must be at least {low}")
        if self.bits > 8:
            raise InvalidConfigError(f"index setting bits is {self.bits}; it must be at most 8")
        if self.kind == "hnsw" and self.gpu == "always":
            raise InvalidConfigError(
                "an hnsw index cannot be searched on a GPU; use gpu=auto or never, or flat, ivf_pq"
            )
