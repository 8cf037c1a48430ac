"""A removed patient is in no byte of what a run remembers, and everybody else is remembered as before."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from llmrg.artefacts import is_complete, read_manifest, tree_hash
from llmrg.errors import UserError
from llmrg.evidence.context_store import ContextStore
from llmrg.evidence.memory_bank import MemoryBank
from llmrg.studies.dataset import collate_studies, read_films
from llmrg.studies.reading import read_studies
from llmrg.systems import removal as removal_module
from llmrg.systems.byte_scan import Needles, scan_directory
from llmrg.systems.export import export_run
from llmrg.systems.removal import remove_patients, was_removed
from llmrg.systems.run import open_run

PATIENT = "trainpatient-003"
STUDIES = ("trainstudy-006", "trainstudy-007")


@pytest.fixture
def run(tiny_run: Any, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_run.run, tmp_path / "run"))


def content(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def vectors_of(run: Path, patient: str) -> list[bytes]:
    """The bytes of every vector that the run keeps of a patient."""
    store, _ = ContextStore.load(run / "artefacts" / "index")
    rows = [row for row, record in enumerate(store.index.records) if record.patient == patient]
    stored = store.index.stored_vectors()
    found = [tensor[row].numpy().tobytes() for row in rows for tensor in (store.visual, store.reports)]
    found += [stored[row].tobytes() for row in rows]
    bank = MemoryBank.load(run / "artefacts" / "memory", "visual_memory")
    rows = [row for row, pattern in enumerate(bank.patterns) if pattern.patient_id == patient]
    return found + [bank.vectors[row].numpy().tobytes() for row in rows]


def test_no_byte_of_the_patient_is_left(tiny_run: Any, run: Path, tmp_path: Path) -> None:
    annotation = json.loads((tiny_run.data / "annotation.json").read_text(encoding="utf-8-sig"))
    texts = [record["report"] for record in annotation["train"] if record["patient_id"] == PATIENT]
    assert len(texts) == 2
    vectors = vectors_of(run, PATIENT)
    assert len(vectors) > 6
    before = b"\0".join(content(run).values())
    assert all(vector in before for vector in vectors)
    assert PATIENT.encode() in before
    done = remove_patients(run, [PATIENT])
    assert (done.patients, done.before, done.studies) == (1, 0, 2)
    assert done.patterns > 0
    assert done.leftovers == ()
    after = b"\0".join(content(run).values())
    assert not [vector for vector in vectors if vector in after]
    assert scan_directory(run, Needles(words=texts, identifiers=[PATIENT, *STUDIES])) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


def test_the_run_still_writes(run: Path, tiny_loaded: Any) -> None:
    remove_patients(run, [PATIENT, "trainpatient-010"])
    loaded = open_run(run, device="cpu")
    data = loaded.config.data
    studies = list(read_studies(data).split("test"))[:3] + list(read_studies(data).split("train"))[6:8]
    batch = collate_studies([(study, read_films(study, data), {}) for study in studies])
    written = loaded.system.generate(batch, loaded.config.decoding, with_records=True)
    told = json.dumps([report.records for report in written])
    assert "trainstudy-" in told
    assert not [study for study in STUDIES if study in told]
    loaded.system.train()
    loaded.system.gather(batch)  # the kept neighbours serve in training


def test_the_others_are_remembered_as_if_the_patient_had_never_been(run: Path) -> None:
    store, _ = ContextStore.load(run / "artefacts" / "index")
    banks = {name: MemoryBank.load(run / "artefacts" / "memory", name) for name in ("visual_memory", "report_memory")}
    remove_patients(run, [PATIENT])
    left, _ = ContextStore.load(run / "artefacts" / "index")
    kept = [row for row, record in enumerate(store.index.records) if record.patient != PATIENT]
    assert left.index.records == tuple(store.index.records[row] for row in kept)
    for name in ("visual", "reports", "labels"):
        assert torch.equal(getattr(left, name), getattr(store, name)[kept])
    stored = torch.from_numpy(store.index.stored_vectors())[kept]
    torch.testing.assert_close(torch.from_numpy(left.index.stored_vectors()), stored)
    patients = [record.patient for record in left.index.records]
    cosine = stored @ stored.T
    for row, patient in enumerate(patients):
        others = torch.tensor([other != patient for other in patients])
        best = cosine[row].masked_fill(~others, -2.0).sort(descending=True).values[: left.neighbours.shape[1]]
        found = left.neighbours[row]
        assert (found >= 0).all()
        assert not [n for n in found.tolist() if patients[n] == patient]
        torch.testing.assert_close(cosine[row][found], best, atol=1e-5, rtol=0)
        torch.testing.assert_close(left.similarities[row], best, atol=1e-5, rtol=0)
    for name, bank in banks.items():
        rows = [row for row, pattern in enumerate(bank.patterns) if pattern.patient_id != PATIENT]
        now = MemoryBank.load(run / "artefacts" / "memory", name)
        assert now.patterns == tuple(bank.patterns[row] for row in rows)
        assert torch.equal(now.vectors, bank.vectors[rows])


def test_what_manifest_and_card_say(run: Path) -> None:
    before = read_manifest(run)
    remove_patients(run, [PATIENT])
    manifest = read_manifest(run)
    (removal,) = manifest.details["removals"]
    assert removal["patients"] == 1
    assert removal["studies"] == 2
    assert len(removal["date"]) == 10
    assert was_removed(PATIENT, manifest.details["removals"])
    assert not was_removed("trainpatient-004", manifest.details["removals"])
    assert PATIENT not in json.dumps(manifest.details)
    patients = {part["where"]: part["patients"] for part in manifest.details["patient_data"]}
    assert patients["artefacts/index"] == 20
    assert patients["model.safetensors"] == 21
    card = (run / "README.md").read_text(encoding="utf-8")
    assert "may still remember" in card
    assert card.count("## Privacy") == 1
    assert manifest.details["weights_hash"] == before.details["weights_hash"]
    for name, digest in manifest.details["artefacts"].items():
        assert tree_hash(run / "artefacts" / name) == digest
    index = read_manifest(run / "artefacts" / "index")
    assert index.details["studies"] == 40
    assert len(index.details["removals"]) == 1


def test_again_is_harmless(run: Path) -> None:
    remove_patients(run, [PATIENT])
    before = content(run)
    done = remove_patients(run, [PATIENT])
    assert (done.patients, done.before) == (0, 1)
    assert content(run) == before
    done = remove_patients(run, [PATIENT, "trainpatient-004"])
    assert (done.patients, done.before) == (1, 1)
    assert len(read_manifest(run).details["removals"]) == 2
    exported = export_run(run, run.parent / "out", without_data=True)
    removals = read_manifest(exported.directory).details["removals"]
    assert [removal.keys() for removal in removals] == [{"date", "patients", "studies", "patterns"}] * 2
    assert "2 patients were removed" in (exported.directory / "README.md").read_text(encoding="utf-8")
    with pytest.raises(UserError, match="exported without data"):
        remove_patients(exported.directory, ["trainpatient-005"])


def test_an_unknown_patient_is_one_message_and_removes_nobody(run: Path) -> None:
    before = content(run)
    with pytest.raises(UserError) as refused:
        remove_patients(run, [PATIENT, "trainpatient-0003"])
    assert "1 of the 2 patients named" in str(refused.value)
    assert "by place: 2" in str(refused.value)
    assert "trainpatient" not in str(refused.value)
    assert content(run) == before


def test_artefacts_alone_and_folders_of_them(tiny_run: Any, tmp_path: Path) -> None:
    artefacts = Path(shutil.copytree(tiny_run.artefacts, tmp_path / "artefacts"))
    remove_patients(artefacts / "memory", [PATIENT])
    assert scan_directory(artefacts / "memory", Needles(identifiers=[PATIENT])) == []
    assert scan_directory(artefacts / "index", Needles(identifiers=[PATIENT])) == ["faiss/records.jsonl"]
    done = remove_patients(artefacts, [PATIENT])
    assert done.studies == 2
    assert scan_directory(artefacts, Needles(identifiers=[PATIENT])) == []
    assert all(is_complete(artefacts / name) for name in ("memory", "index"))
    for folder in (artefacts / "language_model", tiny_run.data, tmp_path / "nowhere"):
        with pytest.raises(UserError, match="Nothing here remembers patients"):
            remove_patients(folder, [PATIENT])


def test_a_memory_is_never_left_empty(tiny_run: Any, run: Path) -> None:
    before = content(run)
    everybody = {f"trainpatient-{number:03}" for number in range(21)}
    with pytest.raises(UserError, match="without a pattern"):
        remove_patients(run, sorted(everybody))
    assert content(run) == before


@pytest.mark.parametrize("failing", ["tree_hash", "privacy_section", "file_hash"])
def test_a_failure_leaves_the_run_as_it_was(run: Path, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    before = content(run)

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(removal_module, failing, fail)
    with pytest.raises(OSError, match="No space"):
        remove_patients(run, [PATIENT])
    assert content(run) == before
    assert [path.name for path in run.parent.iterdir()] == ["run"]


def test_leftovers_of_stopped_commands_are_named(run: Path) -> None:
    old = run.parent / ".old-run-abc" / "run"
    old.mkdir(parents=True)
    assert remove_patients(run, [PATIENT]).leftovers == (str(old.parent),)


def test_a_damaged_run_is_refused(run: Path) -> None:
    path = run / "artefacts" / "index" / "faiss" / "records.jsonl"
    path.write_text(path.read_text().replace(PATIENT, "trainpatient-999"))
    with pytest.raises(UserError, match="damaged"):
        remove_patients(run, [PATIENT])
