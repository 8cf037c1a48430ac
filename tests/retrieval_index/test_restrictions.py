"""Exclusions and filters are exact, whatever the kind of index."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval_index import IndexConfig, LabelFilter, Record, RetrievalIndex
from retrieval_index.errors import InvalidFilterError

pytest.importorskip("faiss")

LABELS = ("edema", "effusion")
VALUES = ("positive", "negative")


@st.composite
def cases(draw):
    count = draw(st.integers(2, 120))
    seed = draw(st.integers(0, 2**16))
    rng = np.random.default_rng(seed)
    patients = draw(st.sampled_from([1, 2, 5, 60]))
    records = [
        Record(
            id=str(i),
            patient=f"p{rng.integers(patients)}",
            labels={name: VALUES[rng.integers(2)] for name in LABELS if rng.random() < 0.7},
        )
        for i in range(count)
    ]
    vectors = rng.normal(size=(count, 6))
    queries = rng.normal(size=(draw(st.integers(1, 4)), 6))
    one = st.one_of(st.none(), st.sampled_from([f"p{i}" for i in range(patients)]))
    many = st.sets(st.sampled_from([f"p{i}" for i in range(patients)]))
    exclude = [draw(st.one_of(one, many)) for _ in queries]
    part = st.dictionaries(st.sampled_from(LABELS), st.sampled_from(VALUES))
    where = st.one_of(
        st.none(),
        st.fixed_dictionaries({}, optional={"all_of": part, "any_of": part, "none_of": part}),
        st.just(lambda record: int(record.id) % 7 == 0),
    )
    wheres = draw(st.one_of(where, st.tuples(*[where] * len(queries)).map(list)))
    return vectors, records, queries, draw(st.integers(1, 40)), exclude, wheres


def admissible(record, excluded, where):
    """The definition, written down a second time."""
    patients = set() if excluded is None else {excluded} if isinstance(excluded, str) else excluded
    if record.patient in patients:
        return False
    if where is None:
        return True
    if callable(where):
        return where(record)
    has = set(record.labels.items())
    any_of = set(where.get("any_of", {}).items())
    return (
        set(where.get("all_of", {}).items()) <= has
        and (not any_of or bool(any_of & has))
        and not set(where.get("none_of", {}).items()) & has
    )


@pytest.mark.parametrize("kind", ["flat", "ivf_pq", "hnsw"])
@settings(max_examples=60, deadline=None)
@given(case=cases())
def test_only_the_admissible_and_as_many_as_there_are(kind, case):
    vectors, records, queries, k, exclude, where = case
    index = RetrievalIndex.build(vectors, records, config=IndexConfig(kind=kind, nprobe=1, ef_search=2, links=2))
    hits = index.search(queries, k, exclude_patients=exclude, where=where)
    a = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    b = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    for query, excluded in enumerate(exclude):
        own = where[query] if isinstance(where, list) else where
        good = {row for row, record in enumerate(records) if admissible(record, excluded, own)}
        found = [hit.row for hit in hits[query]]
        assert set(found) <= good
        assert len(set(found)) == len(found) == min(k, len(good))
        if kind == "flat" and good:
            best = np.sort(a[sorted(good)] @ b[query])[::-1][: len(found)]
            np.testing.assert_allclose([hit.score for hit in hits[query]], best, atol=1e-6)


@pytest.mark.parametrize("kind", ["flat", "ivf_pq", "hnsw"])
def test_a_patient_with_very_many_records_is_excluded(kind):
    rng = np.random.default_rng(0)
    vectors = np.concatenate([1 + 0.01 * rng.normal(size=(500, 8)), -1 + 0.01 * rng.normal(size=(5, 8))])
    records = [Record(id=str(i), patient="big" if i < 500 else "small") for i in range(505)]
    index = RetrievalIndex.build(vectors, records, config=IndexConfig(kind=kind, nprobe=1))
    hits = index.search(np.ones((2, 8)), 10, exclude_patients=["big", None])
    assert sorted(hit.row for hit in hits[0]) == [500, 501, 502, 503, 504]
    assert {index.records[hit.row].patient for hit in hits[1]} == {"big"}


def test_a_label_that_is_missing_is_neither_positive_nor_negative():
    records = [
        Record(id=value, patient=value, labels={"edema": value} if value != "silent" else {})
        for value in ("positive", "negative", "silent")
    ]
    index = RetrievalIndex.build(np.eye(3), records)

    def found(where):
        return {hit.id for hit in index.search(np.ones((1, 3)), 3, where=where)[0]}

    assert found({"all_of": {"edema": "negative"}}) == {"negative"}
    assert found(LabelFilter(none_of=(("edema", "positive"),))) == {"negative", "silent"}
    assert found({"any_of": {"edema": "positive", "other": "positive"}}) == {"positive"}
    assert found({}) == {"positive", "negative", "silent"}
    assert found(LabelFilter(all_of=[["edema", "uncertain"]])) == set()


def test_restrictions_of_the_wrong_shape_are_refused():
    index = RetrievalIndex.build(np.eye(3), [Record(id=str(i), patient=str(i)) for i in range(3)])
    for values in (
        {"exclude_patients": "1"},
        {"exclude_patients": ["1"]},
        {"where": [None]},
        {"where": {"every": {"a": "b"}}},
        {"where": {"all_of": ["a"]}},
        {"where": {"all_of": {"a": 1}}},
        {"where": 3},
        {"where": "edema"},
    ):
        with pytest.raises(InvalidFilterError):
            index.search(np.eye(3), 1, **values)


def test_unknown_patients_and_an_own_list_for_each_query():
    index = RetrievalIndex.build(np.eye(3), [Record(id=str(i), patient=str(i)) for i in range(3)])
    hits = index.search(np.eye(3), 1, exclude_patients=["stranger", ["1", "2"], []])
    assert hits.ids[:, 0].tolist() == ["0", "0", "2"]
