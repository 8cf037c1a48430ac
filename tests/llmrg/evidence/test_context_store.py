from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from llmrg.artefacts import Manifest, atomic_directory, file_hash
from llmrg.errors import UserError
from llmrg.evidence.context_store import ContextStore
from retrieval_index import Record, RetrievalIndex

PATIENTS = ["a", "a", "b", "c", "c"]


def make_store(patients: list[str] = PATIENTS) -> tuple[ContextStore, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    vectors = torch.nn.functional.normalize(torch.randn(len(patients), 6, generator=generator), dim=1)
    records = [Record(id=f"study{row}", patient=patient, labels={}) for row, patient in enumerate(patients)]
    store = ContextStore(
        index=RetrievalIndex.build(vectors.numpy(), records, encoder_hash="abc"),
        visual=torch.randn(len(patients), 4, generator=generator),
        reports=torch.randn(len(patients), 3, generator=generator),
        labels=torch.rand(len(patients), 2, generator=generator) < 0.5,
        neighbours=torch.arange(len(patients)).view(-1, 1).repeat(1, 2),
        similarities=torch.rand(len(patients), 2, generator=generator),
    )
    return store, vectors


def write(store: ContextStore, out: Path, *, encoder_hash: str = "abc") -> Path:
    with atomic_directory(out) as directory:
        digest = store.save(directory)
        Manifest(kind="index", producer="test", encoder_hash=encoder_hash, details={"tensors_hash": digest}).write(
            directory
        )
    return out


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    store, vectors = make_store()
    loaded, manifest = ContextStore.load(write(store, tmp_path / "index"))
    assert manifest.encoder_hash == "abc"
    for name in ("visual", "reports", "labels", "neighbours", "similarities"):
        assert torch.equal(getattr(loaded, name), getattr(store, name)), name
        assert getattr(loaded, name).dtype == getattr(store, name).dtype
    assert loaded.index.records == store.index.records
    for found, expected in zip(
        loaded.search(vectors, 2, patients=PATIENTS), store.search(vectors, 2, patients=PATIENTS), strict=True
    ):
        assert torch.equal(found, expected)


def test_a_patient_of_a_mixture_is_left_out_under_the_name_of_one_member_too() -> None:
    """A dataset that shares identifiers with another is generated for alone, under its own identifiers."""
    store, vectors = make_store(["kids:7", "adults:7", "kids:8", "9", "kids:7"])
    rows, _ = store.search(vectors[:3], 5, patients=["7", "kids:7", "8"])
    assert [sorted(row[row >= 0].tolist()) for row in rows] == [[2, 3], [1, 2, 3], [0, 1, 3, 4]]


def test_search_is_by_inner_product_without_the_own_patient() -> None:
    store, vectors = make_store()
    rows, similarity = store.search(vectors, 4, patients=PATIENTS)
    assert rows.dtype == torch.long
    assert similarity.dtype == torch.float32
    cosine = (vectors @ vectors.T).numpy()
    for query, patient in enumerate(PATIENTS):
        others = [row for row in range(5) if PATIENTS[row] != patient]
        expected = sorted(others, key=lambda row: -cosine[query, row])
        padding = 4 - len(expected)
        assert rows[query].tolist() == expected + [-1] * padding
        np.testing.assert_allclose(similarity[query].numpy(), [*cosine[query, expected], *[0.0] * padding], atol=1e-6)


def test_a_stranger_may_get_anyone() -> None:
    store, vectors = make_store()
    rows, similarity = store.search(vectors, 1, patients=["x"] * 5)
    assert rows[:, 0].tolist() == [0, 1, 2, 3, 4]
    torch.testing.assert_close(similarity[:, 0], torch.ones(5))


def test_a_store_has_one_row_a_record() -> None:
    store, _ = make_store()
    for name in ("visual", "reports", "labels", "neighbours", "similarities"):
        parts = {part: getattr(store, part) for part in store.__dataclass_fields__}
        with pytest.raises(ValueError, match="5 records"):
            ContextStore(**{**parts, name: parts[name][:3]})


def test_damaged_artefacts_are_refused(tmp_path: Path) -> None:
    store, _ = make_store()

    def other_tensors(folder: Path) -> None:
        save_file({"visual": torch.zeros(5, 4)}, folder / "context.safetensors")
        digest = file_hash(folder / "context.safetensors")
        Manifest(kind="index", producer="test", encoder_hash="abc", details={"tensors_hash": digest}).write(folder)

    def flip_a_bit(folder: Path) -> None:
        content = bytearray((folder / "context.safetensors").read_bytes())
        content[-3] ^= 1
        (folder / "context.safetensors").write_bytes(content)

    damages = {
        "bit": (flip_a_bit, "damaged"),
        "missing": (lambda d: (d / "context.safetensors").unlink(), "cannot be read"),
        "keys": (other_tensors, "KeyError"),
        "faiss": (lambda d: (d / "faiss" / "index.faiss").write_bytes(b"x"), "build it again"),
        "records": (lambda d: (d / "faiss" / "records.jsonl").unlink(), "build it again"),
        "marker": (lambda d: (d / "COMPLETE").unlink(), "incomplete"),
    }
    for name, (damage, word) in damages.items():
        folder = write(store, tmp_path / name)
        damage(folder)
        with pytest.raises(UserError, match=word):
            ContextStore.load(folder)


def test_an_index_that_lost_records_is_refused(tmp_path: Path) -> None:
    store, _ = make_store()
    folder = write(store, tmp_path / "index")
    store.index.remove_patient("b")
    store.index.save(folder / "faiss")
    with pytest.raises(UserError, match="build it again"):
        ContextStore.load(folder)


def test_an_index_of_another_encoder_is_refused(tmp_path: Path) -> None:
    store, _ = make_store()
    with pytest.raises(UserError, match="encoder"):
        ContextStore.load(write(store, tmp_path / "index", encoder_hash="def"))


def test_another_kind_of_artefact_is_refused(tmp_path: Path) -> None:
    with atomic_directory(tmp_path / "memory") as directory:
        Manifest(kind="memory", producer="test").write(directory)
    with pytest.raises(UserError, match="'memory'"):
        ContextStore.load(tmp_path / "memory")


def searched_store(patients: list[str], vectors: torch.Tensor) -> ContextStore:
    """A store with the neighbours that the index finds."""
    store, _ = make_store(patients)
    rows, similarities = store.search(vectors, 2, patients=patients)
    parts = {part: getattr(store, part) for part in store.__dataclass_fields__}
    return ContextStore(**{**parts, "neighbours": rows, "similarities": similarities})


def test_without_a_patient_the_store_is_as_if_built_without(tmp_path: Path) -> None:
    patients = [*PATIENTS, "d", "e", "b"]
    _, vectors = make_store(patients)
    store = searched_store(patients, vectors)
    before = store.neighbours.clone()
    for gone in ({"b"}, {"a", "c"}, {"nobody"}, set(patients)):
        left = store.without_patients(gone)
        kept = [row for row, patient in enumerate(patients) if patient not in gone]
        assert [record.id for record in left.index.records] == [f"study{row}" for row in kept]
        assert torch.equal(left.visual, store.visual[kept])
        if kept:
            rows, similarities = left.search(vectors[kept], 2, patients=[patients[row] for row in kept])
            assert torch.equal(left.neighbours, rows)
            torch.testing.assert_close(left.similarities, similarities)
        write(left, tmp_path / "-".join(sorted(gone)))
        loaded, _ = ContextStore.load(tmp_path / "-".join(sorted(gone)))
        assert torch.equal(loaded.neighbours, left.neighbours)
    assert torch.equal(store.neighbours, before)
    assert len(store.index) == len(patients)
