"""Context residuals: the formulas by hand, who may serve, and what is masked."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from llmrg.evidence.base import Evidence
from llmrg.evidence.context_residuals import ContextResiduals, global_vectors
from llmrg.evidence.context_settings import ContextResidualsConfig
from llmrg.evidence.context_store import ContextStore
from llmrg.evidence.encoder import StudyEncoder
from llmrg.evidence.memory_bank import MemoryBank, Pattern
from llmrg.evidence.study_retrieval import StudyRetrieval
from llmrg.studies.batches import StudyBatch
from llmrg.vision.features import VisualFeatures
from retrieval_index import Record, RetrievalIndex

SIZE, WIDTH, SCALE = 24, 16, 0.02
PATIENTS = [f"p{row // 2}" for row in range(10)]


class Letters:
    """A token space in which every character is a token; :class:`llmrg.language.token_space.TokenSpace`'s ``embed``."""

    def __init__(self) -> None:
        self.table = torch.randn(2**16, SIZE, generator=torch.Generator().manual_seed(5))

    def one(self, text: str) -> Tensor:
        return self.table[[ord(letter) for letter in text]]

    def embed(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        rows = [self.one(text) for text in texts]
        longest = max(map(len, rows))
        vectors = torch.stack([functional.pad(row, (0, 0, 0, longest - len(row))) for row in rows])
        return vectors, torch.tensor([[place < len(row) for place in range(longest)] for row in rows])


SPACE = Letters()


def bank(roles: str = "++++----", *, patients: Sequence[str] | None = None, vectors: bool = True) -> MemoryBank:
    generator = torch.Generator().manual_seed(1)
    return MemoryBank(
        vectors=torch.randn(len(roles), WIDTH, generator=generator) if vectors else torch.empty(len(roles), 0),
        patterns=tuple(
            Pattern(
                study_id=f"c{row}",
                patient_id=patients[row] if patients else f"q{row}",
                finding={"+": "positive", "-": "negative"}[role],
            )
            for row, role in enumerate(roles)
        ),
    )


def source(
    encoder: StudyEncoder, given: MemoryBank, setting: str, *, tuned: bool = False, **changes: Any
) -> ContextResiduals:
    torch.manual_seed(0)
    config = ContextResidualsConfig(**{"mode": "keyword", "pairs": 2, **changes})
    projection = nn.Linear(WIDTH, SIZE)
    return ContextResiduals(
        bank=given,
        backbone=encoder.backbone,
        projection=projection,
        context=config.resolved(setting),
        scale=SCALE,
        tuned=tuned,
    )


def ask(
    module: ContextResiduals, encoder: StudyEncoder, batch: StudyBatch, earlier: dict[str, Evidence] | None = None
) -> tuple[Evidence, VisualFeatures]:
    features = encoder.backbone(batch.pixels, batch.view_mask, batch.views)
    return module(features, batch, SPACE, earlier or {}, with_records=True), features  # type: ignore[arg-type]


def in_english(batch: StudyBatch, rows: Sequence[int]) -> StudyBatch:
    studies = tuple(
        dataclasses.replace(study, language="en") if row in rows else study for row, study in enumerate(batch.studies)
    )
    return dataclasses.replace(batch, studies=studies)


# The formulas

RELEASED = [("Note: <Img>", "</Img> normal. "), ("Note: <Img>", "</Img> with desease. ")]
FIXED = {
    "en": [("Note: <Img>", "</Img> normal. "), ("Note: <Img>", "</Img> with disease. ")],
    "zh": [("对照：<Img>", "</Img>正常。"), ("对照：<Img>", "</Img>有病变。")],
}
ORDER = (4, 0, 5, 1)  # of the bank: first negative, first positive, second negative, second positive


@pytest.mark.parametrize("residual", ["before", "after"])
@pytest.mark.parametrize("setting", ["faithful", "fixed"])
def test_tokens_by_hand(
    tiny_encoder: StudyEncoder, make_films: Callable[..., StudyBatch], setting: str, residual: str
) -> None:
    """In double precision, piece by piece."""
    given = bank()
    module = source(tiny_encoder, given, setting, residual=residual).double()
    tiny_encoder.double()
    batch = in_english(make_films([2, 1, 2]), [1])
    SPACE.table = SPACE.table.double()
    evidence, features = ask(module, tiny_encoder, batch)
    SPACE.table = SPACE.table.float()
    weight, bias = module.projection.weight, module.projection.bias
    for row, study in enumerate(batch.studies):
        query = features.tokens[row][features.mask[row]].mean(0)
        expected = []
        for slot, number in enumerate(ORDER):
            other = given.vectors[number].double()
            if residual == "before":
                token = weight @ (query - other) + bias
            else:
                token = (weight @ query + bias) - (weight @ other + bias)
            if setting == "fixed":
                token = (token - token.mean()) / (token.var(unbiased=False) + 1e-5).sqrt() * SCALE
            before, after = (RELEASED if setting == "faithful" else FIXED[study.language])[slot % 2]
            words = [SPACE.one(text).double() for text in (before, after)]
            if setting == "faithful" and residual == "after":
                words = [(weight @ query + bias) - word for word in words]
            expected += [words[0], token[None], words[1]]
        wanted = torch.cat(expected)
        assert int(evidence.mask[row].sum()) == len(wanted)
        torch.testing.assert_close(evidence.embeddings[row][evidence.mask[row]], wanted)


def test_gradient_flows_in_fixed_alone(tiny_encoder: StudyEncoder, make_films: Callable[..., StudyBatch]) -> None:
    for setting in ("faithful", "fixed"):
        module = source(tiny_encoder, bank(), setting, tuned=True)
        evidence, _ = ask(module, tiny_encoder, make_films([1, 1]))
        assert evidence.embeddings.requires_grad is (setting == "fixed")
        assert not module.vectors.requires_grad
        assert (module.norm is None) is (setting == "faithful")


def test_the_global_vector_is_normalised_where_the_trunk_leaves_that_out(
    tiny_encoder: StudyEncoder, make_films: Callable[..., StudyBatch]
) -> None:
    """As VMamba: maps before the last norm, and a method that norms and averages."""
    batch = make_films([2, 1, 2])
    backbone = tiny_encoder.backbone
    features = backbone(batch.pixels, batch.view_mask, batch.views)
    assert global_vectors(features) is features.pooled
    norm = nn.LayerNorm(WIDTH)
    nn.init.normal_(norm.weight)
    backbone.trunk.global_vectors = lambda maps: norm(maps).mean((1, 2))  # type: ignore[assignment]
    features = backbone(batch.pixels, batch.view_mask, batch.views)
    found = global_vectors(features)
    for row in range(3):
        own = norm(backbone.feature_map(batch.pixels[row, batch.view_mask[row]]))  # without what is added for places
        torch.testing.assert_close(found[row], own.mean((0, 1, 2)))


def test_what_the_source_encodes_is_what_it_compares_with(
    tiny_encoder: StudyEncoder, make_films: Callable[..., StudyBatch]
) -> None:
    """A context study that looks like the query leaves no residual."""
    module = source(tiny_encoder, bank("+-", vectors=False), "faithful", residual="after")
    batch = make_films([2, 1])
    features = tiny_encoder.backbone(batch.pixels, batch.view_mask, batch.views)
    module.remember(module.encode(features))
    evidence, _ = ask(module, tiny_encoder, batch)
    place = len("Note: <Img>")  # the first vector: the negative study, which is the second film
    assert evidence.embeddings[1, place].abs().max() < 1e-5
    assert evidence.embeddings[0, place].abs().max() > 1e-3


# Who may serve


def served(evidence: Evidence, row: int) -> list[tuple[str, str]]:
    return [(item["study_id"], item["role"]) for item in evidence.records[row]["items"]]


def test_every_query_has_the_same_studies_but_its_own(
    tiny_encoder: StudyEncoder, make_films: Callable[..., StudyBatch]
) -> None:
    module = source(tiny_encoder, bank(), "faithful")
    batch = make_films([1] * 4, patients=["stranger", "q0", "q5", "mixture:q4"])
    evidence, _ = ask(module, tiny_encoder, batch)
    assert served(evidence, 0) == [("c4", "negative"), ("c0", "positive"), ("c5", "negative"), ("c1", "positive")]
    assert served(evidence, 1) == [("c4", "negative"), ("c1", "positive"), ("c5", "negative"), ("c2", "positive")]
    assert served(evidence, 2) == [("c4", "negative"), ("c0", "positive"), ("c6", "negative"), ("c1", "positive")]
    assert served(evidence, 3) == served(evidence, 0)
    of_mixture = source(tiny_encoder, bank(patients=[f"member:q{row}" for row in range(8)]), "faithful")
    evidence, _ = ask(of_mixture, tiny_encoder, batch)
    assert "c0" not in dict(served(evidence, 1))


@pytest.mark.parametrize(("roles", "kept"), [("+---", {0: 2, 1: 1}), ("++", {0: 0, 1: 2}), ("---", {0: 2, 1: 0})])
def test_missing_studies_are_masked_with_their_words(
    tiny_encoder: StudyEncoder, make_films: Callable[..., StudyBatch], roles: str, kept: dict[int, int]
) -> None:
    for setting in ("faithful", "fixed"):
        evidence, _ = ask(source(tiny_encoder, bank(roles), setting), tiny_encoder, make_films([1, 1]))
        wraps = RELEASED if setting == "faithful" else FIXED["zh"]
        lengths = sum(kept[role] * (len(wraps[role][0] + wraps[role][1]) + 1) for role in (0, 1))
        assert evidence.mask.sum(1).tolist() == [lengths, lengths]
        assert len(evidence.records[0]["items"]) == sum(kept.values())
        assert evidence.embeddings.isfinite().all()


def test_studies_that_could_not_be_read_do_not_serve(
    tiny_encoder: StudyEncoder, make_films: Callable[..., StudyBatch]
) -> None:
    module = source(tiny_encoder, bank(vectors=False), "fixed")
    assert not module.is_current
    evidence, _ = ask(module, tiny_encoder, make_films([1]))
    assert not evidence.mask.any()  # nothing is encoded yet
    vectors = bank().vectors
    vectors[0] = torch.nan
    module.remember(vectors)
    assert module.is_current
    evidence, _ = ask(module, tiny_encoder, make_films([1]))
    assert [name for name, role in served(evidence, 0) if role == "positive"] == ["c1", "c2"]
    kept = module.bank()
    assert [pattern.study_id for pattern in kept.patterns] == [f"c{row}" for row in range(1, 8)]
    assert torch.equal(kept.vectors, bank().vectors[1:])
    with pytest.raises(ValueError, match="vectors"):
        module.remember(vectors[:3])


def test_a_silenced_source_says_nothing(tiny_encoder: StudyEncoder, make_films: Callable[..., StudyBatch]) -> None:
    evidence, _ = ask(source(tiny_encoder, bank(), "fixed"), tiny_encoder, make_films([1]))
    assert evidence.mask.any()
    assert not evidence.silenced().mask.any()


def test_saved_vectors_come_back_bit_for_bit(
    tiny_encoder: StudyEncoder, make_films: Callable[..., StudyBatch], tmp_path: Any
) -> None:
    module = source(tiny_encoder, bank(), "fixed")
    first, _ = ask(module, tiny_encoder, make_films([2, 1]))
    module.bank().save(tmp_path, "context")
    again = source(tiny_encoder, MemoryBank.load(tmp_path, "context"), "fixed")
    second, _ = ask(again, tiny_encoder, make_films([2, 1]))
    assert torch.equal(first.embeddings, second.embeddings)
    assert first.records == second.records


# True retrieval


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
        reports=torch.empty(10, 0),
        labels=torch.rand(10, 12, generator=generator) < 0.4,
        neighbours=torch.zeros(10, 0, dtype=torch.long),
        similarities=torch.zeros(10, 0),
    )
    neighbours, similarities = found.search(encoded["vectors"], 6, patients=PATIENTS)
    return dataclasses.replace(found, neighbours=neighbours, similarities=similarities)


def searching(store: ContextStore, encoder: StudyEncoder, *, given: MemoryBank | None = None) -> ContextResiduals:
    torch.manual_seed(0)
    config = ContextResidualsConfig(mode="similarity", pairs=2, candidates=6)
    records = store.index.records
    patterns = tuple(Pattern(study_id=r.id, patient_id=r.patient, finding="candidate") for r in records)
    return ContextResiduals(
        bank=given or MemoryBank(vectors=store.visual, patterns=patterns),
        backbone=encoder.backbone,
        projection=nn.Linear(WIDTH, SIZE),
        context=config.resolved("fixed"),
        scale=SCALE,
        retrieval=StudyRetrieval(
            store=store, encoder=encoder, shared=True, candidates=6, positives=2, negatives=2, threshold=0.5
        ),
    )


@pytest.mark.parametrize("training", [True, False])
def test_similar_studies_are_sorted_by_the_predicted_findings(
    tiny_encoder: StudyEncoder,
    training_batch: StudyBatch,
    store: ContextStore,
    asked: Callable[..., dict[str, Evidence]],
    training: bool,
) -> None:
    """From the beginning, in plain Python: kept neighbours and a search give the same."""
    module = searching(store, tiny_encoder).train(training)
    present = (torch.rand(10, 12, generator=torch.Generator().manual_seed(3)) < 0.3).float()
    with torch.no_grad():
        evidence, features = ask(module, tiny_encoder, training_batch, asked(present))
    vectors = tiny_encoder.encode([training_batch])["vectors"]
    similarity = vectors @ vectors.T
    for row in range(10):
        allowed = [other for other in range(10) if PATIENTS[other] != PATIENTS[row]]
        nearest = sorted(allowed, key=lambda other, row=row: -float(similarity[row, other]))[:6]
        predicted = {finding for finding in range(12) if present[row, finding]}

        def agreement(other: int, predicted: set[int] = predicted) -> float:
            stated = {finding for finding in range(12) if store.labels[other, finding]}
            return len(stated & predicted) / len(stated | predicted) if stated | predicted else 1.0

        positive = sorted(nearest, key=lambda o, row=row: (-agreement(o), -float(similarity[row, o])))[:2]
        rest = [other for other in nearest if other not in positive]
        negative = sorted(rest, key=lambda o, row=row: (agreement(o), -float(similarity[row, o])))[:2]
        wanted = [(f"study{n}", "negative") for n in negative], [(f"study{p}", "positive") for p in positive]
        assert served(evidence, row) == [wanted[0][0], wanted[1][0], wanted[0][1], wanted[1][1]]
        items = evidence.records[row]["items"]
        for item in items:
            other = int(item["study_id"].removeprefix("study"))
            assert item["similarity"] == pytest.approx(float(similarity[row, other]), abs=1e-3)
            assert item["agreement"] == pytest.approx(agreement(other), abs=1e-4)
        place = len("对照：<Img>")
        residual = module.projection(features.pooled[row]) - module.projection(store.visual[negative[0]])
        torch.testing.assert_close(evidence.embeddings[row, place], module.norm(residual), rtol=1e-3, atol=1e-4)


def test_a_patient_taken_out_of_bank_and_index_is_gone(
    tiny_encoder: StudyEncoder,
    training_batch: StudyBatch,
    store: ContextStore,
    asked: Callable[..., dict[str, Evidence]],
    make_films: Callable[..., StudyBatch],
) -> None:
    """Rows of bank and index need not be the same."""
    whole = searching(store, tiny_encoder).bank()
    smaller = searching(store.without_patients(["p1"]), tiny_encoder, given=whole.without_patients(["p1"]))
    loose = searching(store, tiny_encoder, given=whole.without_patients(["p1"]))
    present = torch.zeros(3, 12)
    batch = make_films([1, 2, 1], patients=["a", "b", "c"], ids=["a", "b", "c"], seed=9)
    for module in (smaller.eval(), loose.eval()):
        evidence, _ = ask(module, tiny_encoder, batch, asked(present))
        for row in range(3):
            assert not {"study2", "study3"} & set(dict(served(evidence, row)))
        assert all(int(evidence.mask[row].sum()) > 0 for row in range(3))
    full, _ = ask(searching(store, tiny_encoder).eval(), tiny_encoder, batch, asked(present))
    names = {name for row in range(3) for name in dict(served(full, row))}
    assert names <= {f"study{row}" for row in range(10)}


def test_a_retrieval_belongs_to_similarity_alone(tiny_encoder: StudyEncoder, store: ContextStore) -> None:
    with pytest.raises(ValueError, match="retrieval"):
        source(tiny_encoder, bank(), "fixed", mode="similarity")
