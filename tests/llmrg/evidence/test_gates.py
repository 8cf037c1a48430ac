"""Gates: open at first, one number a source, words pass, records tell."""

from __future__ import annotations

import math

import pytest
import torch

from llmrg.evidence.base import Evidence
from llmrg.evidence.gates import SourceGates


def said(kind: str) -> Evidence:
    return Evidence(
        kind=kind, embeddings=torch.ones(2, 3, 4), mask=torch.ones(2, 3).bool(), records=[{"kind": kind}] * 2
    )


def test_a_gate_multiplies_embeddings_and_says_so_in_the_records() -> None:
    gates = SourceGates(["patches", "report_memory", "diagnosis_hints"])
    with torch.no_grad():
        gates.logits["report_memory"].fill_(-0.2)
    found = gates("report_memory", said("report_memory"))
    wanted = 1 / (1 + math.exp(2.0))
    assert found.embeddings is not None
    assert torch.allclose(found.embeddings, torch.full((2, 3, 4), wanted))
    assert [record["gate"] for record in found.records] == [pytest.approx(wanted, abs=1e-4)] * 2
    assert gates.values() == {"patches": pytest.approx(0.9526, abs=1e-4), "report_memory": pytest.approx(wanted)}


def test_words_have_no_gate() -> None:
    gates = SourceGates(["diagnosis_hints"])
    assert not list(gates.parameters())
    spoken = Evidence(kind="diagnosis_hints", words=["a"], records=[{"kind": "diagnosis_hints"}])
    assert gates("diagnosis_hints", spoken) is spoken


def test_adam_moves_a_gate_ten_times_the_learning_rate() -> None:
    gates = SourceGates(["patches"])
    optimizer = torch.optim.Adam(gates.parameters(), lr=0.01)
    found = gates("patches", said("patches"))
    assert found.embeddings is not None
    found.embeddings.sum().backward()
    optimizer.step()
    logit = torch.logit(torch.tensor(gates.values()["patches"]))
    assert float(logit) == pytest.approx(3.0 - 10 * 0.01, abs=1e-3)


def test_silenced_rows_alone() -> None:
    evidence = Evidence(kind="x", embeddings=torch.ones(3, 2, 4), mask=torch.ones(3, 2).bool(), words=["a", "b", "c"])
    found = evidence.silenced(torch.tensor([True, False, True]))
    assert found.mask is not None
    assert found.mask.tolist() == [[False, False], [True, True], [False, False]]
    assert found.words == ["", "b", ""]
    assert evidence.silenced().words == ["", "", ""]
