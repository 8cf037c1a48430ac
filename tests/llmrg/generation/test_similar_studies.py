"""The index of a run is found wherever the user points, and searched. Films: see the README's commands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from llmrg.errors import UserError
from llmrg.generation.similar_studies import encode_films, find_index, search_index
from retrieval_index import Record, RetrievalIndex, RetrievalIndexError


@pytest.fixture
def run_with_index(tmp_path: Path) -> Path:
    """A folder laid out like a run, whose index holds the unit vectors e0..e3 of patients p0, p0, p1, p1."""
    records = [
        Record(id=f"s{i}", patient=f"p{i // 2}", labels={"effusion": "positive"} if i == 3 else {}) for i in range(4)
    ]
    RetrievalIndex.build(np.eye(4, dtype=np.float32), records).save(tmp_path / "artefacts" / "index" / "faiss")
    return tmp_path


@pytest.mark.parametrize("place", [".", "artefacts", "artefacts/index", "artefacts/index/faiss"])
def test_index_is_found(run_with_index: Path, place: str) -> None:
    assert find_index(run_with_index / place).resolve() == run_with_index / "artefacts" / "index" / "faiss"


def test_no_index_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="llmrg index build"):
        find_index(tmp_path)


def test_search_gives_cosine_patient_and_labels(run_with_index: Path) -> None:
    query = np.array([[3.0, 0.0, 0.0, 4.0]], dtype=np.float32)
    assert search_index(run_with_index, query, k=2) == [
        [
            {"id": "s3", "patient": "p1", "labels": {"effusion": "positive"}, "similarity": 0.8},
            {"id": "s0", "patient": "p0", "labels": {}, "similarity": 0.6},
        ]
    ]


def test_exclusions_and_labels_hold(run_with_index: Path) -> None:
    queries = np.eye(4, dtype=np.float32)
    for hits in search_index(run_with_index, queries, k=4, exclude_patients=["p1"]):
        assert {hit["id"] for hit in hits} == {"s0", "s1"}
    for hits in search_index(run_with_index, queries, k=4, labels=[("effusion", "positive")]):
        assert [hit["id"] for hit in hits] == ["s3"]


def test_queries_of_another_width_are_refused(run_with_index: Path) -> None:
    with pytest.raises(RetrievalIndexError):
        search_index(run_with_index, np.ones((1, 3), dtype=np.float32), k=1)


def test_films_need_a_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        encode_films(tmp_path / "nowhere", ["film.png"])
