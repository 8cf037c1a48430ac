"""Building, searching, adding and removing, against NumPy brute force."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from retrieval_index import IndexConfig, Record, RetrievalIndex
from retrieval_index.errors import (
    FaissMissingError,
    InvalidConfigError,
    InvalidFilterError,
    InvalidRecordsError,
    InvalidVectorsError,
)

pytest.importorskip("faiss")

ROOT = Path(__file__).parents[2]
KINDS = ("flat", "ivf_pq", "hnsw")


def make_records(count: int, *, patients: int = 10, start: int = 0) -> list[Record]:
    return [
        Record(
            id=f"s{i}",
            patient=f"p{i % patients}",
            labels={"edema": "positive" if i % 3 == 0 else "negative"} if i % 5 else {},
            metadata={"place": i},
        )
        for i in range(start, start + count)
    ]


def clustered(count: int, dimension: int, *, seed: int = 0, clusters: int = 40, spread: float = 0.35) -> np.ndarray:
    """Vectors as encoders give them: around centres."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(clusters, dimension))
    return (centres[rng.integers(clusters, size=count)] + spread * rng.normal(size=(count, dimension))).astype("f4")


def brute_force(vectors: np.ndarray, queries: np.ndarray) -> np.ndarray:
    a = vectors.astype("f8") / np.linalg.norm(vectors.astype("f8"), axis=1, keepdims=True)
    b = queries.astype("f8") / np.linalg.norm(queries.astype("f8"), axis=1, keepdims=True)
    return b @ a.T


@pytest.mark.parametrize(("count", "dimension", "queries"), [(1, 1, 1), (37, 5, 3), (300, 24, 50)])
def test_flat_equals_brute_force(count, dimension, queries):
    rng = np.random.default_rng(count)
    vectors, asked = rng.normal(size=(count, dimension)), rng.normal(size=(queries, dimension)) * 100
    hits = RetrievalIndex.build(vectors, make_records(count)).search(asked, 7)
    similarity = brute_force(vectors, asked)
    for query in range(queries):
        best = np.sort(similarity[query])[::-1][:7]
        found = hits.rows[query][: len(best)]
        assert len(set(found.tolist())) == len(best)
        np.testing.assert_allclose(similarity[query][found], best, atol=1e-6)
        np.testing.assert_allclose(hits.scores[query][: len(best)], best, atol=1e-6)
        assert [hit.id for hit in hits[query]] == [f"s{row}" for row in found]


@pytest.mark.parametrize("kind", KINDS)
def test_more_wanted_than_there_are_is_padded(kind):
    vectors = clustered(300, 16)[:20]
    hits = RetrievalIndex.build(vectors, make_records(20), config=IndexConfig(kind=kind)).search(vectors[:2], 30)
    assert (np.sort(hits.rows[:, :20], axis=1) == np.arange(20)).all()
    assert (hits.rows[:, 20:] == -1).all()
    assert np.isneginf(hits.scores[:, 20:]).all()
    assert all(id_ is None for id_ in hits.ids[0, 20:])
    assert len(hits[0]) == 20
    assert (np.diff(hits.scores[:, :20], axis=1) <= 0).all()


@pytest.mark.parametrize("kind", ["flat", "hnsw"])
def test_empty_index_answers_with_nothing_and_can_grow(kind):
    index = RetrievalIndex.build(np.zeros((0, 8)), [], config=IndexConfig(kind=kind))
    hits = index.search(np.ones((2, 8)), 3, exclude_patients=[None, "p1"], where={"all_of": {"a": "b"}})
    assert (hits.rows == -1).all()
    assert hits[0] == []
    index.add(np.eye(8), make_records(8))
    assert index.search(np.eye(8)[2:3], 1).ids[0, 0] == "s2"
    assert index.search(np.zeros((0, 8)), 3).rows.shape == (0, 3)


def test_ivf_pq_needs_something_to_learn_from():
    with pytest.raises(InvalidVectorsError, match="flat"):
        RetrievalIndex.build(np.zeros((0, 8)), [], config=IndexConfig(kind="ivf_pq"))
    with pytest.raises(InvalidVectorsError, match="at least 2"):
        RetrievalIndex.build(np.ones((1, 8)), make_records(1), config=IndexConfig(kind="ivf_pq"))
    with pytest.raises(InvalidConfigError, match="nlist"):
        RetrievalIndex.build(np.eye(8), make_records(8), config=IndexConfig(kind="ivf_pq", nlist=9))
    with pytest.raises(InvalidConfigError, match="divide"):
        RetrievalIndex.build(np.eye(8), make_records(8), config=IndexConfig(kind="ivf_pq", m=3))


@pytest.mark.parametrize(("kind", "least"), [("ivf_pq", 0.8), ("hnsw", 0.97)])
def test_approximate_kinds_find_the_true_neighbours(kind, least):
    vectors = clustered(4000, 32)
    queries = clustered(100, 32)[:100] + 0.05
    truth = np.argsort(-brute_force(vectors, queries), axis=1)[:, :10]
    config = IndexConfig(kind=kind, m=16 if kind == "ivf_pq" else 0)
    found = RetrievalIndex.build(vectors, make_records(4000), config=config).search(queries, 10).rows
    recall = np.mean([len(set(f) & set(t)) / 10 for f, t in zip(found.tolist(), truth.tolist(), strict=True)])
    assert recall >= least


@pytest.mark.parametrize("kind", KINDS)
def test_same_input_gives_same_answer(kind):
    vectors, queries = clustered(600, 16), clustered(30, 16, seed=5)
    first, second = (
        RetrievalIndex.build(vectors, make_records(600), config=IndexConfig(kind=kind)).search(queries, 9)
        for _ in range(2)
    )
    assert (first.rows == second.rows).all()
    assert (first.scores == second.scores).all()


def test_equal_scores_are_ordered_by_row():
    hits = RetrievalIndex.build(np.ones((6, 4)), make_records(6)).search(np.ones((1, 4)), 6)
    assert hits.rows[0].tolist() == list(range(6))


@pytest.mark.parametrize("kind", KINDS)
def test_removal_erases_and_closes_gaps(kind):
    vectors = clustered(400, 16)
    index = RetrievalIndex.build(vectors, make_records(400), config=IndexConfig(kind=kind))
    before = [{hit.id: hit.score for hit in index.search(vectors, 400)[query]} for query in (5, 250)]
    assert index.remove_patient("p3") == 40
    assert index.remove_patient("nobody") == 0
    assert index.remove(["s0", "s1", "s0"]) == 2
    assert len(index) == 358
    hits = index.search(vectors, 358)
    assert (np.sort(hits.rows, axis=1) == np.arange(358)).all()
    assert not {"s0", "s1"} & set(hits.ids.ravel())
    assert all(index.records[row].patient != "p3" for row in range(358))
    for query, scores in zip((5, 250), before, strict=True):
        after = {hit.id: hit.score for hit in index.search(vectors, 358)[query]}
        kept = [f"s{i}" for i in range(2, 400) if i % 10 != 3]
        assert after == pytest.approx({id_: scores[id_] for id_ in kept}, abs=1e-6)
    index.add(vectors[:1], make_records(1))
    assert index.records[-1].id == "s0"
    assert "s0" in index.search(vectors[:1], 20).ids[0]


@pytest.mark.parametrize("kind", KINDS)
def test_everything_can_be_removed(kind):
    index = RetrievalIndex.build(clustered(50, 8), make_records(50), config=IndexConfig(kind=kind))
    assert index.remove([record.id for record in index.records]) == 50
    assert (index.search(np.ones((1, 8)), 2).rows == -1).all()
    index.add(np.ones((1, 8)), make_records(1))
    assert index.search(np.ones((1, 8)), 2).ids[0].tolist() == ["s0", None]


@pytest.mark.parametrize(
    "bad",
    [
        np.full((2, 4), np.nan),
        np.array([[1.0, 0, 0, np.inf], [1, 0, 0, 0]]),
        np.zeros((2, 4)),
        np.ones(4),
        np.ones((2, 0)),
        np.array([["a", "b"]]),
        np.ones((2, 2), dtype=complex),
    ],
)
def test_vectors_without_a_direction_are_refused(bad):
    with pytest.raises(InvalidVectorsError):
        RetrievalIndex.build(bad, make_records(2))
    index = RetrievalIndex.build(np.eye(4), make_records(4))
    with pytest.raises(InvalidVectorsError):
        index.search(bad, 1)
    with pytest.raises(InvalidVectorsError):
        index.add(bad, make_records(2, start=10))
    assert len(index) == 4


def test_very_large_and_very_small_vectors_keep_their_direction():
    vectors = np.array([[1e200, 0.0], [1e-200, 1e-200]])
    hits = RetrievalIndex.build(vectors, make_records(2)).search(np.array([[1e-300, 1e-300]]), 2)
    np.testing.assert_allclose(hits.scores[0], [1.0, 0.5**0.5], atol=1e-6)
    assert hits.rows[0].tolist() == [1, 0]


def test_records_must_fit():
    for records in (make_records(3), [*make_records(3), make_records(1)[0]], [Record(id="", patient="p")] * 4):
        with pytest.raises(InvalidRecordsError):
            RetrievalIndex.build(np.eye(4), records)
    with pytest.raises(InvalidRecordsError, match="patient"):
        RetrievalIndex.build(np.eye(1), [Record(id="a", patient="")])
    with pytest.raises(InvalidRecordsError, match="labels"):
        RetrievalIndex.build(np.eye(1), [Record(id="a", patient="b", labels={"edema": 1})])
    index = RetrievalIndex.build(np.eye(4), make_records(4))
    with pytest.raises(InvalidRecordsError, match="s2"):
        index.add(np.eye(4)[:1], make_records(1, start=2))
    with pytest.raises(InvalidRecordsError, match="s9"):
        index.remove(["s1", "s9"])
    with pytest.raises(InvalidRecordsError):
        index.remove("s1")
    assert len(index) == 4


def test_bad_settings_are_refused():
    for values in (
        {"kind": "tree"},
        {"gpu": "yes"},
        {"nprobe": 0},
        {"links": 1},
        {"bits": 9},
        {"kind": "hnsw", "gpu": "always"},
    ):
        with pytest.raises(InvalidConfigError):
            IndexConfig(**values)
    index = RetrievalIndex.build(np.eye(4), make_records(4))
    for k in (0, -1, 1.5, True):
        with pytest.raises(InvalidFilterError):
            index.search(np.eye(4), k)


def test_a_gpu_that_is_not_there_is_an_error_only_if_demanded(monkeypatch):
    monkeypatch.setattr("retrieval_index.index.gpu_count", lambda: 0)
    with pytest.raises(FaissMissingError, match="gpu"):
        RetrievalIndex.build(np.eye(4), make_records(4), config=IndexConfig(gpu="always"))
    assert len(RetrievalIndex.build(np.eye(4), make_records(4), config=IndexConfig(gpu="auto"))) == 4


@pytest.mark.parametrize("kind", ["flat", "ivf_pq"])
def test_answers_of_a_gpu_copy_obey_restrictions_too(kind, monkeypatch):
    """The copy is a clone in main memory here: what counts is how its answers are used."""
    import faiss

    asked = []

    def clone(structure):
        copy = faiss.clone_index(structure)
        search = copy.search
        copy.search = lambda queries, k: (asked.append(k), search(queries, k))[1]
        return copy

    monkeypatch.setattr("retrieval_index.index.gpu_count", lambda: 1)
    monkeypatch.setattr(faiss, "index_cpu_to_all_gpus", clone, raising=False)
    vectors = clustered(500, 16)
    with_gpu = RetrievalIndex.build(vectors, make_records(500), config=IndexConfig(kind=kind))
    without = RetrievalIndex.build(vectors, make_records(500), config=IndexConfig(kind=kind, gpu="never"))
    for restriction in ({}, {"where": {"all_of": {"edema": "positive"}}}):
        mine = with_gpu.search(vectors[:20], 5, exclude_patients=["p0"] * 20, **restriction)
        theirs = without.search(vectors[:20], 5, exclude_patients=["p0"] * 20, **restriction)
        assert (mine.rows == theirs.rows).all()
    assert asked
    with_gpu.add(vectors[:1], make_records(1, start=500))
    assert 500 in with_gpu.search(vectors[:1], 9).rows[0]


def test_an_index_that_a_gpu_cannot_hold_is_searched_without(monkeypatch):
    import faiss

    def refuse(structure):
        raise RuntimeError("bytes per encoded vector")

    monkeypatch.setattr("retrieval_index.index.gpu_count", lambda: 1)
    monkeypatch.setattr(faiss, "index_cpu_to_all_gpus", refuse, raising=False)
    assert RetrievalIndex.build(np.eye(4), make_records(4)).search(np.eye(4), 1).rows[:, 0].tolist() == [0, 1, 2, 3]
    with pytest.raises(FaissMissingError, match="GPU"):
        RetrievalIndex.build(np.eye(4), make_records(4), config=IndexConfig(gpu="always")).search(np.eye(4), 1)


@pytest.mark.parametrize("order", ["torch, faiss", "faiss, torch"])
def test_faiss_and_torch_live_in_one_process(order):
    """Both bring an OpenMP runtime; either order of imports has to compute."""
    pytest.importorskip("torch")
    code = f"""
import {order}
import numpy as np
from retrieval_index import Record, RetrievalIndex
vectors = np.random.default_rng(0).normal(size=(3000, 64)).astype("float32")
before = float(torch.from_numpy(vectors).matmul(torch.from_numpy(vectors).T).double().abs().sum())
index = RetrievalIndex.build(vectors, [Record(id=str(i), patient="p") for i in range(3000)])
assert (index.search(vectors, 1).rows[:, 0] == np.arange(3000)).all()
after = float(torch.from_numpy(vectors).matmul(torch.from_numpy(vectors).T).double().abs().sum())
assert abs(before - after) <= 1e-9 * before
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "2"},
    )
    assert done.returncode == 0, done.stderr


def test_without_faiss_the_message_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(FaissMissingError, match=r"\[cpu\]"):
        RetrievalIndex.build(np.eye(2), make_records(2))


def test_importing_the_package_loads_neither_faiss_nor_llmrg():
    code = "import sys, retrieval_index; assert not {'faiss', 'llmrg', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=ROOT)


@pytest.mark.parametrize("kind", KINDS)
def test_stored_vectors_are_those_of_the_records(kind):
    vectors = clustered(400, 16)
    index = RetrievalIndex.build(vectors, make_records(400), config=IndexConfig(kind=kind))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    for removed in (None, "p3"):
        if removed:
            index.remove_patient(removed)
        rows = [int(record.id[1:]) for record in index.records]
        cosine = (index.stored_vectors() * unit[rows]).sum(axis=1)
        assert cosine.min() > (0.8 if kind == "ivf_pq" else 1 - 1e-6)
        assert len(index.stored_vectors()) == len(index)
    assert RetrievalIndex.build(np.zeros((0, 4)), []).stored_vectors().shape == (0, 4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_is_its_own(kind):
    vectors = clustered(200, 16)
    index = RetrievalIndex.build(vectors, make_records(200), config=IndexConfig(kind=kind), encoder_hash="e")
    copy = index.copy()
    assert copy.remove_patient("p1") == 20
    assert len(index) == 200
    assert copy.encoder_hash == "e"
    assert len(index.search(vectors[1:2], 200)[0]) == 200
    assert "p1" not in {record.patient for record in copy.records}
