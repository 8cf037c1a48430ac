"""Retrieval among the trunk's own vectors, against plain Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from llmrg.evidence.context_store import ContextStore
from llmrg.evidence.memory_bank import Pattern
from llmrg.evidence.trunk_retrieval import TrunkRetrieval
from llmrg.studies.study import Image, Study
from retrieval_index import Record, RetrievalIndex

COUNT, WIDTH, FINDINGS = 12, 5, 6
PATIENTS = [f"p{row // 2}" for row in range(COUNT)]


def patterns(patients: list[str] = PATIENTS) -> tuple[Pattern, ...]:
    return tuple(
        Pattern(study_id=f"s{row}", patient_id=patient, finding="candidate") for row, patient in enumerate(patients)
    )


@pytest.fixture
def store() -> ContextStore:
    draw = torch.Generator().manual_seed(0)
    records = [Record(id=f"s{row}", patient=patient, labels={}) for row, patient in enumerate(PATIENTS)]
    return ContextStore(
        index=RetrievalIndex.build(np.eye(COUNT, 16, dtype=np.float32), records),
        visual=torch.zeros(COUNT, 3),
        reports=torch.empty(COUNT, 0),
        labels=torch.rand(COUNT, FINDINGS, generator=draw) < 0.5,
        neighbours=torch.zeros(COUNT, 0, dtype=torch.long),
        similarities=torch.zeros(COUNT, 0),
    )


def query(patient: str) -> Study:
    images = (Image(path=Path("-")),)
    return Study(id=f"of-{patient}", patient_id=patient, images=images, split="test", language="en")


def make(store: ContextStore, found: tuple[Pattern, ...] | None = None, candidates: int = 6) -> TrunkRetrieval:
    given = patterns() if found is None else found
    return TrunkRetrieval(store=store, patterns=given, candidates=candidates, positives=2, negatives=2, threshold=0.5)


def test_nearest_by_cosine_then_by_findings(store: ContextStore) -> None:
    draw = torch.Generator().manual_seed(1)
    vectors = 3 * torch.randn(COUNT, WIDTH, generator=draw)
    asked = torch.randn(3, WIDTH, generator=draw)
    probabilities = torch.rand(3, FINDINGS, generator=draw)
    studies = [query("stranger"), query("p0"), query("p5")]
    found = make(store).retrieve(studies, asked, vectors, probabilities)
    for row, study in enumerate(studies):
        cosine = [
            float(np.dot(asked[row], v) / np.linalg.norm(asked[row]) / np.linalg.norm(v)) for v in vectors.numpy()
        ]
        others = [n for n in range(COUNT) if PATIENTS[n] != study.patient_id]
        nearest = sorted(others, key=lambda n, c=cosine: -c[n])[:6]
        predicted = set((probabilities[row] >= 0.5).nonzero().flatten().tolist())

        def agreement(n: int, predicted: set[int] = predicted) -> float:
            stated = set(store.labels[n].nonzero().flatten().tolist())
            return len(stated & predicted) / len(stated | predicted) if stated | predicted else 1.0

        positive = sorted(nearest, key=lambda n, c=cosine: (-agreement(n), -c[n]))[:2]
        negative = sorted(set(nearest) - set(positive), key=lambda n, c=cosine: (agreement(n), -c[n]))[:2]
        assert found.rows[row].tolist() == positive + negative
        np.testing.assert_allclose(found.similarity[row], [cosine[n] for n in positive + negative], atol=1e-5)
        np.testing.assert_allclose(found.agreement[row], [agreement(n) for n in positive + negative], atol=1e-5)


def test_new_vectors_in_place_are_noticed(store: ContextStore) -> None:
    vectors = torch.randn(COUNT, WIDTH, generator=torch.Generator().manual_seed(1))
    asked, probabilities = vectors[:1].clone(), torch.zeros(1, FINDINGS)
    module = make(store, candidates=4)
    first = module.retrieve([query("x")], asked, vectors, probabilities)
    vectors.copy_(10 * vectors.roll(1, 0))
    second = module.retrieve([query("x")], asked, vectors, probabilities)
    assert 0 in first.rows[0]
    assert 1 in second.rows[0]
    assert second.similarity.max() == pytest.approx(1, abs=1e-5)


def test_own_patient_unreadable_and_unindexed_studies_never_serve(store: ContextStore) -> None:
    vectors = torch.randn(COUNT, WIDTH, generator=torch.Generator().manual_seed(1))
    vectors[3] = torch.nan
    others = list(PATIENTS)
    others[5] = "not indexed under this name"
    module = make(store, patterns(others), candidates=COUNT + 3)
    found = module.retrieve([query("p0"), query("x")], vectors[:2], vectors, torch.zeros(2, FINDINGS))
    assert not {0, 1, 3, 5} & set(found.rows[0].tolist())
    assert not {3, 5} & set(found.rows[1].tolist())
    assert (found.rows >= 0).all()
    assert found.similarity.isfinite().all()
    nothing = module.retrieve([query("x")], vectors[:1], torch.full_like(vectors, torch.nan), torch.zeros(1, FINDINGS))
    assert nothing.rows.tolist() == [[-1] * 4]


def test_the_same_person_under_a_members_name_is_left_out(store: ContextStore) -> None:
    records = [Record(id=f"s{row}", patient=f"zh:{patient}", labels={}) for row, patient in enumerate(PATIENTS)]
    renamed = ContextStore(
        **{**vars(store), "index": RetrievalIndex.build(np.eye(COUNT, 16, dtype=np.float32), records)}
    )
    vectors = torch.randn(COUNT, WIDTH, generator=torch.Generator().manual_seed(1))
    module = make(renamed, patterns([f"zh:{patient}" for patient in PATIENTS]), candidates=COUNT)
    for name in ("p1", "zh:p1"):
        found = module.retrieve([query(name)], vectors[2:3], vectors, torch.ones(1, FINDINGS))
        assert not {2, 3} & set(found.rows[0].tolist())
