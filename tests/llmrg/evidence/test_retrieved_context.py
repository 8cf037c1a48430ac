"""Retrieved context: who is chosen, who may not be, and what the tokens say."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from llmrg.evidence.base import Evidence
from llmrg.evidence.context_store import ContextStore
from llmrg.evidence.encoder import StudyEncoder
from llmrg.evidence.retrieved_context import RetrievedContext
from llmrg.evidence.settings import RetrievedContextConfig
from llmrg.evidence.study_retrieval import choose_context
from llmrg.studies.batches import StudyBatch
from retrieval_index import Record, RetrievalIndex

# Choosing

jaccard = st.builds(lambda a, b: min(a, b) / max(a, b), st.integers(0, 48), st.integers(1, 48))
candidates = st.lists(st.tuples(jaccard, st.floats(-1, 1, width=32), st.booleans()), min_size=1, max_size=12)


@given(rows=st.lists(candidates, min_size=1, max_size=3), positives=st.integers(0, 4), negatives=st.integers(0, 4))
def test_positives_agree_most_and_negatives_least(
    rows: list[list[tuple[float, float, bool]]], positives: int, negatives: int
) -> None:
    count = min(len(row) for row in rows)
    table = torch.tensor([[tuple(map(float, entry)) for entry in row[:count]] for row in rows])
    agreement, similarity, valid = table[..., 0], table[..., 1], table[..., 2].bool()
    columns = choose_context(agreement, similarity, valid, positives=positives, negatives=negatives)
    assert columns.shape == (len(rows), positives + negatives)
    for row in range(len(rows)):
        usable = [column for column in range(count) if valid[row, column]]

        def rank(column: int, sign: int, row: int = row) -> tuple[float, float, int]:
            return (-sign * float(agreement[row, column]), -float(similarity[row, column]), column)

        first = sorted(usable, key=lambda column: rank(column, 1))[:positives]
        rest = [column for column in usable if column not in first]
        second = sorted(rest, key=lambda column: rank(column, -1))[:negatives]
        expected = first + [-1] * (positives - len(first)) + second + [-1] * (negatives - len(second))
        assert columns[row].tolist() == expected
        if first and second:
            assert min(agreement[row, first]) >= max(agreement[row, second])


# The source

PATIENTS = [f"p{row // 2}" for row in range(10)]
CONFIG = RetrievedContextConfig(candidates=6, positives=2, negatives=2)


@pytest.fixture
def training_batch(make_films: Callable[..., StudyBatch]) -> StudyBatch:
    return make_films([2, 1] * 5, patients=PATIENTS)


@pytest.fixture
def store(tiny_encoder: StudyEncoder, training_batch: StudyBatch) -> ContextStore:
    encoded = tiny_encoder.encode([training_batch])
    generator = torch.Generator().manual_seed(0)
    records = [Record(id=study.id, patient=study.patient_id, labels={}) for study in training_batch.studies]
    found = ContextStore(
        index=RetrievalIndex.build(encoded["vectors"].numpy(), records),
        visual=encoded["pooled"],
        reports=torch.randn(10, 5, generator=generator),
        labels=torch.rand(10, 12, generator=generator) < 0.4,
        neighbours=torch.zeros(10, 0, dtype=torch.long),
        similarities=torch.zeros(10, 0),
    )
    neighbours, similarities = found.search(encoded["vectors"], CONFIG.candidates, patients=PATIENTS)
    return dataclasses.replace(found, neighbours=neighbours, similarities=similarities)


def source(
    store: ContextStore,
    encoder: StudyEncoder,
    *,
    shared: bool = True,
    config: RetrievedContextConfig = CONFIG,
    training: bool = False,
) -> RetrievedContext:
    torch.manual_seed(0)
    return RetrievedContext(store=store, encoder=encoder, shared=shared, size=24, scale=0.02, config=config).train(
        training
    )


@pytest.fixture
def ask(asked: Callable[..., dict[str, Evidence]]) -> Callable[..., Evidence]:
    """Ask a source with the system's own encoder; ``present`` are the predicted findings of every study."""

    def run(
        module: RetrievedContext, encoder: StudyEncoder, batch: StudyBatch, *, present: Sequence[float] = (0.9, 0.9)
    ) -> Evidence:
        probabilities = torch.zeros(len(batch), 12)
        probabilities[:, : len(present)] = torch.tensor(present)
        with torch.no_grad():
            features = encoder.backbone(batch.pixels, batch.view_mask, batch.views)
        return module(features, batch, None, asked(probabilities), with_records=True)

    return run


def retrieved(evidence: Evidence, row: int) -> list[str]:
    return [item["study_id"] for item in evidence.records[row]["items"]]


def without_names(batch: StudyBatch, *, patients: bool = False) -> StudyBatch:
    studies = tuple(
        dataclasses.replace(study, id=f"new{row}", patient_id=f"new{row}" if patients else study.patient_id)
        for row, study in enumerate(batch.studies)
    )
    return dataclasses.replace(batch, studies=studies)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("known", [True, False])
def test_the_own_patient_is_never_retrieved(
    ask: Callable[..., Evidence],
    store: ContextStore,
    tiny_encoder: StudyEncoder,
    training_batch: StudyBatch,
    training: bool,
    known: bool,
) -> None:
    batch = training_batch if known else without_names(training_batch)
    evidence = ask(source(store, tiny_encoder, training=training), tiny_encoder, batch)
    for row, study in enumerate(batch.studies):
        names = retrieved(evidence, row)
        assert len(names) == len(set(names)) == 4
        assert all(PATIENTS[int(name.removeprefix("study"))] != study.patient_id for name in names)


def test_searching_and_the_kept_neighbours_say_the_same(
    ask: Callable[..., Evidence], store: ContextStore, tiny_encoder: StudyEncoder, training_batch: StudyBatch
) -> None:
    kept = ask(source(store, tiny_encoder, training=True), tiny_encoder, training_batch)
    searched = ask(source(store, tiny_encoder), tiny_encoder, training_batch)
    fresh = ask(source(store, tiny_encoder, training=True), tiny_encoder, without_names(training_batch))
    for other in (searched, fresh):
        torch.testing.assert_close(other.embeddings, kept.embeddings, rtol=1e-3, atol=1e-5)
        assert [retrieved(other, row) for row in range(10)] == [retrieved(kept, row) for row in range(10)]


def test_the_kept_neighbours_serve_training_studies_alone(
    ask: Callable[..., Evidence], store: ContextStore, tiny_encoder: StudyEncoder, training_batch: StudyBatch
) -> None:
    """Planted neighbours show where the answer comes from."""
    planted = dataclasses.replace(store, neighbours=torch.tensor([[9, 8, 7, 6, -1, -1]]).repeat(10, 1))
    first = dataclasses.replace(
        training_batch,
        studies=training_batch.studies[:2],
        pixels=training_batch.pixels[:2],
        view_mask=training_batch.view_mask[:2],
        views=training_batch.views[:2],
    )
    expected = ask(source(store, tiny_encoder), tiny_encoder, first)
    training = ask(source(planted, tiny_encoder, training=True), tiny_encoder, first)
    assert {name for row in range(2) for name in retrieved(training, row)} == {f"study{row}" for row in (6, 7, 8, 9)}
    namesake = dataclasses.replace(
        first, studies=tuple(dataclasses.replace(study, patient_id="someone else") for study in first.studies)
    )
    for batch, mode in ((without_names(first), True), (first, False), (namesake, True), (namesake, False)):
        found = ask(source(planted, tiny_encoder, training=mode), tiny_encoder, batch)
        if batch is namesake:  # whose films are those of study0 and study1, of another patient as far as is known
            assert [retrieved(found, row) for row in range(2)] != [retrieved(training, row) for row in range(2)]
        else:
            assert [retrieved(found, row) for row in range(2)] == [retrieved(expected, row) for row in range(2)]


def test_too_few_kept_neighbours_are_searched(
    ask: Callable[..., Evidence], store: ContextStore, tiny_encoder: StudyEncoder, training_batch: StudyBatch
) -> None:
    short = dataclasses.replace(store, neighbours=store.neighbours[:, :3], similarities=store.similarities[:, :3])
    first = ask(source(store, tiny_encoder, training=True), tiny_encoder, training_batch)
    second = ask(source(short, tiny_encoder, training=True), tiny_encoder, training_batch)
    assert [retrieved(first, row) for row in range(10)] == [retrieved(second, row) for row in range(10)]


def test_a_shared_and_a_separate_encoder_give_the_same(
    ask: Callable[..., Evidence], store: ContextStore, tiny_encoder: StudyEncoder, make_films: Callable[..., StudyBatch]
) -> None:
    batch = make_films([1, 2, 2], patients=["x", "y", "z"], ids=["x", "y", "z"], seed=7)
    shared = ask(source(store, tiny_encoder), tiny_encoder, batch)
    separate = source(store, copy.deepcopy(tiny_encoder), shared=False)
    torch.testing.assert_close(ask(separate, tiny_encoder, batch).embeddings, shared.embeddings)
    with torch.no_grad():  # the system's own encoder is tuned on: the search must not notice
        for parameter in tiny_encoder.parameters():
            parameter.add_(1.0)
    again = ask(separate, tiny_encoder, batch)
    torch.testing.assert_close(again.embeddings, shared.embeddings)
    assert again.records == shared.records


def test_the_encoder_stays_frozen(
    ask: Callable[..., Evidence], store: ContextStore, tiny_encoder: StudyEncoder, training_batch: StudyBatch
) -> None:
    module = source(store, copy.deepcopy(tiny_encoder), shared=False, training=True)
    assert module.training
    assert not any(part.training for part in module.encoder.modules())
    evidence = ask(module, tiny_encoder, without_names(training_batch))
    evidence.embeddings.square().sum().backward()
    for name, parameter in module.named_parameters():
        assert (parameter.grad is None) == name.startswith("encoder."), name


def test_too_small_a_store_leaves_tokens_out(
    ask: Callable[..., Evidence], store: ContextStore, tiny_encoder: StudyEncoder, training_batch: StudyBatch
) -> None:
    small = ContextStore(
        index=RetrievalIndex.build(
            torch.eye(10, 16 + 36)[:3].numpy(),
            [Record(id=f"study{row}", patient=PATIENTS[row], labels={}) for row in range(3)],
        ),
        **{name: getattr(store, name)[:3] for name in ("visual", "reports", "labels", "neighbours", "similarities")},
    )
    evidence = ask(source(small, tiny_encoder), tiny_encoder, training_batch)
    assert evidence.mask[0].tolist() == [True, False, False, False]  # two of the three are of its patient
    assert evidence.mask[2].tolist() == [True, True, False, False]
    assert evidence.mask[9].tolist() == [True, True, True, False]
    assert [len(record["items"]) for record in evidence.records] == evidence.mask.sum(1).tolist()
    assert evidence.embeddings.isfinite().all()


def test_tokens_and_records_say_what_was_retrieved(
    ask: Callable[..., Evidence], store: ContextStore, tiny_encoder: StudyEncoder, make_films: Callable[..., StudyBatch]
) -> None:
    """Everything from the beginning, in plain Python, for two strangers."""
    batch = make_films([2, 1], patients=["x", "y"], ids=["x", "y"], seed=5)
    module = source(store, tiny_encoder)
    evidence = ask(module, tiny_encoder, batch, present=(0.9, 0.2, 0.5, 0.7))
    predicted = {0, 2, 3}  # at least 0.5
    encoded = tiny_encoder.encode([batch])
    similarity = encoded["vectors"] @ tiny_encoder.encode([make_films([2, 1] * 5, patients=PATIENTS)])["vectors"].T
    for row in range(2):
        nearest = similarity[row].argsort(descending=True)[:6].tolist()

        def agreement(study: int) -> float:
            stated = {finding for finding in range(12) if store.labels[study, finding]}
            return len(stated & predicted) / len(stated | predicted)

        positive = sorted(nearest, key=lambda s, row=row: (-agreement(s), -float(similarity[row, s])))[:2]
        rest = [study for study in nearest if study not in positive]
        negative = sorted(rest, key=lambda s, row=row: (agreement(s), -float(similarity[row, s])))[:2]
        items = evidence.records[row]["items"]
        assert [item["role"] for item in items] == ["positive", "positive", "negative", "negative"]
        for place, study in enumerate(positive + negative):
            assert items[place]["study_id"] == f"study{study}"
            assert items[place]["similarity"] == pytest.approx(float(similarity[row, study]), abs=1e-4)
            assert items[place]["agreement"] == pytest.approx(agreement(study), abs=1e-4)
            token = (
                module.difference(encoded["pooled"][row] - store.visual[study])
                + module.report(store.reports[study])
                + module.role.weight[0 if place < 2 else 1]
            )
            torch.testing.assert_close(evidence.embeddings[row, place], module.projection(token), rtol=1e-3, atol=1e-5)


def test_studies_without_findings_agree_with_a_normal_prediction(
    ask: Callable[..., Evidence], store: ContextStore, tiny_encoder: StudyEncoder, training_batch: StudyBatch
) -> None:
    labels = store.labels.clone()
    labels[:5] = False
    mixed = dataclasses.replace(store, labels=labels)
    everyone = RetrievedContextConfig(candidates=8, positives=3, negatives=3)
    evidence = ask(source(mixed, tiny_encoder, config=everyone), tiny_encoder, training_batch, present=(0.1,))
    for record in evidence.records:
        for item in record["items"]:
            expected: Tensor | float = float(not labels[int(item["study_id"].removeprefix("study"))].any())
            assert item["agreement"] == expected
