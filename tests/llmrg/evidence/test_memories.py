"""Memories: who answers, who must not, and what the record says of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from llmrg.evidence.base import Evidence
from llmrg.evidence.hopfield import HopfieldRetrieval
from llmrg.evidence.memories import HopfieldMemory
from llmrg.evidence.memory_bank import NOBODY, MemoryBank, Pattern
from llmrg.findings.vocabulary import get_vocabulary
from llmrg.studies.batches import StudyBatch
from llmrg.vision.features import VisualFeatures

FINDINGS = get_vocabulary("ped_xray").abnormal
F = len(FINDINGS)


def memory(
    patients: list[str], *, strongest: int = 3, beta: float | None = None, asked: int | None = None
) -> HopfieldMemory:
    torch.manual_seed(0)
    patterns = tuple(
        Pattern(study_id=f"train{row}", patient_id=patient, finding=FINDINGS[row % F].name)
        for row, patient in enumerate(patients)
    )
    return HopfieldMemory(
        kind="visual_memory",
        bank=MemoryBank(vectors=torch.randn(len(patients), 10), patterns=patterns),
        retrieval=HopfieldRetrieval(
            state_width=asked or 16, pattern_width=10, out_width=asked or 16, heads=2, beta=beta
        ),
        findings=FINDINGS,
        state_width=16,
        size=24,
        scale=0.02,
        strongest=strongest,
        asked_width=asked,
    )


@pytest.fixture
def ask(
    make_films: Callable[..., StudyBatch],
    make_features: Callable[..., VisualFeatures],
    asked: Callable[..., dict[str, Evidence]],
) -> Callable[..., Evidence]:
    def run(module: HopfieldMemory, patients: list[str], *, present: float = 0.9, seed: int = 0) -> Evidence:
        batch = make_films([1] * len(patients), patients=patients)
        features = make_features([[True]] * len(patients))
        earlier = asked(torch.full((len(patients), F), present), seed=seed)
        return module(features, batch, None, earlier, with_records=True)

    return run


def test_one_token_a_finding(ask: Callable[..., Evidence]) -> None:
    module = memory(["a", "b", "c", "d"])
    evidence = ask(module, ["x", "y"])
    assert evidence.kind == "visual_memory"
    assert evidence.embeddings.shape == (2, F, 24)
    assert evidence.mask.shape == (2, F)
    assert evidence.mask.all()
    evidence.embeddings.sum().backward()
    assert module.patterns.grad is None
    assert not any("patterns" in name for name in module.state_dict())


@pytest.mark.parametrize("training", [True, False])
def test_the_own_patients_patterns_never_answer(ask: Callable[..., Evidence], training: bool) -> None:
    module = memory(["a", "b", "a", "c", "d", "b"]).train(training)
    first = ask(module, ["a", "x"])
    with torch.no_grad():
        module.patterns[[0, 2]] = 100 * torch.randn(2, 10)
    second = ask(module, ["a", "x"])
    torch.testing.assert_close(first.embeddings[0], second.embeddings[0], rtol=0, atol=0)
    assert not torch.allclose(first.embeddings[1], second.embeddings[1])  # another patient hears them
    assert first.records[0] == second.records[0]
    named = {item["pattern"]["study_id"] for item in first.records[0]["items"]}
    assert named <= {"train1", "train3", "train4", "train5"}


def test_it_is_as_if_the_own_patterns_were_not_there(ask: Callable[..., Evidence]) -> None:
    full = memory(["a", "b", "a", "c"])
    rest = memory(["b", "c"])
    rest.load_state_dict(full.state_dict())
    with torch.no_grad():
        rest.patterns.copy_(full.patterns[[1, 3]])
    torch.testing.assert_close(ask(full, ["a"]).embeddings, ask(rest, ["a"]).embeddings)


@pytest.mark.parametrize("training", [True, False])
def test_a_bank_of_the_own_patient_alone_is_silent(ask: Callable[..., Evidence], training: bool) -> None:
    module = memory(["a", "a"]).train(training)
    evidence = ask(module, ["a", "x"])
    assert not evidence.mask[0].any()
    assert evidence.mask[1].all()
    assert not evidence.embeddings[0].any()
    assert evidence.records[0]["items"] == []
    assert len(evidence.records[1]["items"]) == 2 * F
    evidence.embeddings.sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in module.parameters())


def test_patterns_of_the_own_patient_are_not_named_to_fill_a_record(ask: Callable[..., Evidence]) -> None:
    evidence = ask(memory(["a", "a", "b"], strongest=3), ["a"])
    assert {item["pattern"]["study_id"] for item in evidence.records[0]["items"]} == {"train2"}
    assert all(item["weight"] == pytest.approx(1) for item in evidence.records[0]["items"])


def test_records_name_the_strongest_patterns(
    ask: Callable[..., Evidence], asked: Callable[..., dict[str, Evidence]]
) -> None:
    module = memory(["a", "b", "c", "d", "e"], strongest=2, beta=1.0)
    record = ask(module, ["x"]).records[0]
    assert record["kind"] == "visual_memory"
    states = asked(torch.full((1, F), 0.9))["disease_queries"].state["tokens"]
    _, association = module.retrieval(states, module.patterns)
    mean = association.mean(1)[0]  # over heads
    for index, finding in enumerate(FINDINGS):
        items = [item for item in record["items"] if item["finding"] == finding.name]
        expected = sorted(range(5), key=lambda row: -float(mean[index, row]))[:2]
        assert [item["pattern"]["study_id"] for item in items] == [f"train{row}" for row in expected]
        assert [item["pattern"]["finding"] for item in items] == [FINDINGS[row].name for row in expected]
        assert [item["weight"] for item in items] == pytest.approx([float(mean[index, r]) for r in expected], abs=1e-4)


def test_findings_that_are_not_expected_are_not_recorded(ask: Callable[..., Evidence]) -> None:
    assert ask(memory(["a", "b"]), ["x"], present=0.4).records[0]["items"] == []


def test_a_state_like_a_pattern_is_answered_by_it(
    make_films: Callable[..., StudyBatch],
    make_features: Callable[..., VisualFeatures],
    asked: Callable[..., dict[str, Evidence]],
) -> None:
    """With identical projections and a large beta each finding hears the pattern that looks like its query."""
    torch.manual_seed(0)
    earlier = asked(torch.full((1, F), 0.9))
    vectors = earlier["disease_queries"].state["tokens"][0].flip(0)
    retrieval = HopfieldRetrieval(state_width=16, pattern_width=16, out_width=16, heads=1, beta=20.0)
    with torch.no_grad():
        retrieval.query.weight.copy_(torch.eye(16))
        retrieval.query.bias.zero_()
        retrieval.key.weight.copy_(torch.eye(16))
    patterns = tuple(Pattern(study_id=f"t{row}", patient_id=f"p{row}", finding="nodule") for row in range(F))
    module = HopfieldMemory(
        kind="report_memory",
        bank=MemoryBank(vectors=vectors, patterns=patterns),
        retrieval=retrieval,
        findings=FINDINGS,
        state_width=16,
        size=8,
        scale=1.0,
        strongest=1,
    )
    evidence = module(make_features([[True]]), make_films([1]), None, earlier, with_records=True)
    assert [item["pattern"]["study_id"] for item in evidence.records[0]["items"]] == [
        f"t{F - 1 - row}" for row in range(F)
    ]


def test_patterns_of_nobody_answer_everybody(ask: Callable[..., Evidence]) -> None:
    """Learnt tokens are no patient's, and no more so for a study whose patient is not known."""
    module = memory([NOBODY, "a", NOBODY])
    evidence = ask(module, ["a", NOBODY])
    assert evidence.mask.all()
    assert {item["pattern"]["study_id"] for item in evidence.records[0]["items"]} == {"train0", "train2"}
    assert {item["pattern"]["study_id"] for item in evidence.records[1]["items"]} == {"train0", "train1", "train2"}


def test_a_memory_may_be_asked_in_another_width(ask: Callable[..., Evidence]) -> None:
    module = memory(["a", "b"], asked=12)
    assert ask(module, ["x"]).embeddings.shape == (1, F, 24)
    assert sum(p.numel() for p in module.asking.parameters()) == 16 * 12 + 12
    assert "asking.weight" not in memory(["a", "b"]).state_dict(), "runs without it load as before"
