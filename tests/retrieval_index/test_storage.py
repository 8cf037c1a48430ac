"""Saving and loading: equal, atomic, and checked to the bit."""

import json

import numpy as np
import pytest

from retrieval_index import IndexConfig, Record, RetrievalIndex
from retrieval_index.errors import DamagedIndexError, RetrievalIndexError

pytest.importorskip("faiss")

FILES = ("index.faiss", "records.jsonl", "manifest.json", "COMPLETE")


@pytest.fixture
def small_index():
    rng = np.random.default_rng(0)
    records = [
        Record(id=f"检查{i}\n", patient=f"p{i % 4}", labels={"肺水肿": "positive"}, metadata={"age": i, "none": None})
        for i in range(60)
    ]
    return RetrievalIndex.build(rng.normal(size=(60, 8)), records, encoder_hash="abc")


@pytest.mark.parametrize("kind", ["flat", "ivf_pq", "hnsw"])
def test_loaded_equals_saved(kind, tmp_path):
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(300, 8))
    records = [Record(id=str(i), patient=f"p{i % 4}", metadata={"i": i}) for i in range(300)]
    index = RetrievalIndex.build(vectors, records, config=IndexConfig(kind=kind, nprobe=3), encoder_hash="abc")
    index.remove_patient("p2")
    index.save(tmp_path / "deep" / "index", manifest={"split_hash": "s", "languages": ["zh"]})
    loaded = RetrievalIndex.load(tmp_path / "deep" / "index", encoder_hash="abc")
    assert loaded.records == index.records
    assert loaded.config == index.config
    assert loaded.encoder_hash == "abc"
    assert loaded.manifest["split_hash"] == "s"
    assert loaded.manifest["details"]["count"] == 225
    assert loaded.manifest["details"]["patients"] == 3
    mine = index.search(vectors, 5, exclude_patients=["p1"] * 300)
    theirs = loaded.search(vectors, 5, exclude_patients=["p1"] * 300)
    assert (mine.rows == theirs.rows).all()
    assert (mine.scores == theirs.scores).all()
    loaded.remove_patient("p1")
    loaded.add(vectors[:1], [Record(id="new", patient="q")])
    assert loaded.search(vectors[:1], 4).rows.max() < len(loaded) == 151


def test_odd_strings_survive(small_index, tmp_path):
    small_index.save(tmp_path / "index")
    loaded = RetrievalIndex.load(tmp_path / "index")
    assert loaded.records == small_index.records
    assert loaded.search(np.ones((1, 8)), 1, where={"all_of": {"肺水肿": "positive"}}).rows[0, 0] >= 0


def test_an_empty_index_can_be_saved(tmp_path):
    RetrievalIndex.build(np.zeros((0, 5)), []).save(tmp_path / "index")
    loaded = RetrievalIndex.load(tmp_path / "index")
    assert (len(loaded), loaded.dimension) == (0, 5)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("where", [0.0, 0.5, 0.98])
def test_a_flipped_bit_is_found(small_index, tmp_path, name, where):
    small_index.save(tmp_path / "index")
    path = tmp_path / "index" / name
    content = bytearray(path.read_bytes())
    content[int(where * len(content))] ^= 4
    path.write_bytes(bytes(content))
    with pytest.raises(DamagedIndexError):
        RetrievalIndex.load(tmp_path / "index")


@pytest.mark.parametrize("name", FILES)
def test_a_missing_or_cut_file_is_found(small_index, tmp_path, name):
    small_index.save(tmp_path / "index")
    path = tmp_path / "index" / name
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DamagedIndexError):
        RetrievalIndex.load(tmp_path / "index")
    path.unlink()
    with pytest.raises(DamagedIndexError):
        RetrievalIndex.load(tmp_path / "index")


def test_no_index_there(tmp_path):
    with pytest.raises(DamagedIndexError, match="no index"):
        RetrievalIndex.load(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DamagedIndexError, match="incomplete"):
        RetrievalIndex.load(tmp_path / "empty")


def test_another_encoder_is_refused(small_index, tmp_path):
    small_index.save(tmp_path / "index")
    with pytest.raises(DamagedIndexError, match="encoder"):
        RetrievalIndex.load(tmp_path / "index", encoder_hash="other")


def test_saving_replaces_whole_and_leaves_nothing_behind(small_index, tmp_path):
    small_index.save(tmp_path / "index")
    small_index.remove_patient("p0")
    small_index.save(tmp_path / "index")
    assert len(RetrievalIndex.load(tmp_path / "index")) == 45
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index"]
    assert sorted(path.name for path in (tmp_path / "index").iterdir()) == sorted(FILES)


def test_a_failed_save_leaves_the_old_index(small_index, tmp_path):
    small_index.save(tmp_path / "index")
    small_index.add(np.ones((1, 8)), [Record(id="bad", patient="p", metadata={"set": {1}})])
    with pytest.raises(RetrievalIndexError, match="JSON"):
        small_index.save(tmp_path / "index")
    with pytest.raises(RetrievalIndexError, match="own"):
        small_index.save(tmp_path / "index", manifest={"details": {}})
    with pytest.raises(RetrievalIndexError, match="JSON"):
        small_index.save(tmp_path / "index", manifest={"loss": float("nan")})
    assert len(RetrievalIndex.load(tmp_path / "index")) == 60
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index"]


def test_a_place_that_cannot_be_written(small_index, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RetrievalIndexError, match="cannot write"):
        small_index.save(tmp_path / "file" / "index")


def test_same_index_same_bytes(small_index, tmp_path):
    for name in ("a", "b"):
        small_index.save(tmp_path / name)
    assert all((tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in FILES)
    assert json.loads((tmp_path / "a" / "manifest.json").read_text())["kind"] == "index"
