"""A vector index that knows vectors and records: build, add, remove, save, load and search under restrictions.

It stands on FAISS and knows nothing of X-rays or reports: a record is an id, a patient, labels and metadata.
FAISS is imported when an index is first built or loaded.
"""

from __future__ import annotations

from retrieval_index.config import IndexConfig
from retrieval_index.errors import RetrievalIndexError
from retrieval_index.filters import LabelFilter
from retrieval_index.hits import Hit, Hits
from retrieval_index.index import RetrievalIndex
from retrieval_index.records import Record

__all__ = ["Hit", "Hits", "IndexConfig", "LabelFilter", "Record", "RetrievalIndex", "RetrievalIndexError"]
