"""Key sentences: who is chosen, what is kept on disk, what the prompt is told."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from llmrg.artefacts import Manifest, atomic_directory
from llmrg.errors import UserError
from llmrg.evidence.base import Evidence
from llmrg.evidence.context_store import ContextStore
from llmrg.evidence.encoder import StudyEncoder
from llmrg.evidence.key_sentences import KeySentence, KeySentences, choose_sentences
from llmrg.evidence.retrieved_context import RetrievedContext
from llmrg.evidence.settings import RetrievedContextConfig
from llmrg.studies.batches import StudyBatch
from retrieval_index import Record, RetrievalIndex

sentence = st.builds(
    lambda text, findings: KeySentence(text=text, findings=tuple(sorted(findings))),
    st.text("ab", min_size=1, max_size=3),
    st.sets(st.integers(0, 4), min_size=1, max_size=3),
)


@given(
    studies=st.lists(st.lists(sentence, max_size=4), max_size=4),
    wanted=st.sets(st.integers(0, 4)),
    most=st.integers(0, 4),
    budget=st.integers(0, 8),
)
def test_what_is_chosen(studies: list[list[KeySentence]], wanted: set[int], most: int, budget: int) -> None:
    lengths = [[len(own.text) for own in sentences] for sentences in studies]
    chosen = choose_sentences(studies, wanted, lengths=lengths, most=most, budget=budget)
    said = [studies[study][place] for study, place in chosen]
    assert len(said) <= most
    assert sum(len(own.text) for own in said) <= budget
    assert chosen == sorted(chosen), "the first studies first"
    assert len({own.text for own in said}) == len(said)
    told: set[int] = set()
    for own in said:
        assert (set(own.findings) & wanted) - told, "each states a wanted finding that none before it has stated"
        told |= set(own.findings)
    everything = {finding for own in itertools.chain(*studies) for finding in own.findings}
    enough = choose_sentences(studies, wanted, lengths=lengths, most=99, budget=10**6)
    stated = {finding for study, place in enough for finding in studies[study][place].findings}
    # The same words that state different findings cannot come from one labeler, but may be drawn here.
    texts: dict[str, set[tuple[int, ...]]] = {}
    for own in itertools.chain(*studies):
        texts.setdefault(own.text, set()).add(own.findings)
    if all(len(found) == 1 for found in texts.values()):
        assert wanted & everything <= stated


PATIENTS = [f"p{row // 2}" for row in range(8)]
CONFIG = RetrievedContextConfig(candidates=6, positives=3, negatives=1, sentences=2, max_word_tokens=40)


@pytest.fixture
def batch(make_films: Callable[..., StudyBatch]) -> StudyBatch:
    return make_films([1] * 8, patients=PATIENTS)


@pytest.fixture
def store(tiny_encoder: StudyEncoder, batch: StudyBatch) -> ContextStore:
    encoded = tiny_encoder.encode([batch])
    records = [Record(id=study.id, patient=study.patient_id, labels={}) for study in batch.studies]
    labels = torch.zeros(8, 12, dtype=torch.bool)
    labels[:, 0] = True
    return ContextStore(
        index=RetrievalIndex.build(encoded["vectors"].numpy(), records),
        visual=encoded["pooled"],
        reports=torch.zeros(8, 5),
        labels=labels,
        neighbours=torch.zeros(8, 0, dtype=torch.long),
        similarities=torch.zeros(8, 0),
        sentences=KeySentences(
            languages=("zh",) * 7 + ("en",),
            rows=tuple((KeySentence(text=f"句{row}。", findings=(0,)),) for row in range(8)),
        ),
    )


def ask(store: ContextStore, encoder: StudyEncoder, batch: StudyBatch, present: list[int]) -> Evidence:
    torch.manual_seed(0)
    source = RetrievedContext(store=store, encoder=encoder, shared=True, size=24, scale=0.02, config=CONFIG).eval()
    probabilities = torch.zeros(8, 12, 3)
    probabilities[:, present] = 0.9
    asked = {"disease_queries": Evidence(kind="disease_queries", state={"probabilities": probabilities})}
    features = encoder.backbone(batch.pixels, batch.view_mask, batch.views)
    space: Any = SimpleNamespace(lengths=lambda texts: [len(text) for text in texts])
    return source(features, batch, space, asked, with_records=True)


def test_words_come_from_other_patients_of_the_same_language(
    store: ContextStore, tiny_encoder: StudyEncoder, batch: StudyBatch
) -> None:
    found = ask(store, tiny_encoder, batch, [0])
    assert found.words is not None
    for place, words in enumerate(found.words):
        told = found.records[place]["words"]
        assert words == "".join(item["sentence"] for item in told)
        assert len(told) == 1, "one sentence states the one finding"
        row = int(told[0]["study_id"].removeprefix("study"))
        assert told[0]["sentence"] == f"句{row}。"
        assert PATIENTS[row] != PATIENTS[place]
        assert row != 7, "an English report is no example for a Chinese one"
        positives = [item["study_id"] for item in found.records[place]["items"] if item["role"] == "positive"]
        assert told[0]["study_id"] in positives


def test_nothing_is_said_where_nothing_is_predicted(
    store: ContextStore, tiny_encoder: StudyEncoder, batch: StudyBatch
) -> None:
    assert ask(store, tiny_encoder, batch, []).words == [""] * 8
    assert ask(store, tiny_encoder, batch, [5]).words == [""] * 8, "no sentence states this finding"


def test_an_index_without_sentences_cannot_tell(
    store: ContextStore, tiny_encoder: StudyEncoder, batch: StudyBatch
) -> None:
    with pytest.raises(ValueError, match="no key sentences"):
        ask(dataclasses.replace(store, sentences=None), tiny_encoder, batch, [0])


def test_sentences_are_sealed_with_the_index_and_go_with_their_patient(store: ContextStore, tmp_path: Path) -> None:
    kept = store.without_patients(["p1"])
    assert kept.sentences is not None
    assert [row[0].text for row in kept.sentences.rows] == [f"句{row}。" for row in (0, 1, 4, 5, 6, 7)]
    folder = tmp_path / "index"
    with atomic_directory(folder) as target:
        details = {"tensors_hash": kept.save(target)}
        Manifest(kind="index", producer="test", configuration={}, details=details).write(target)
    loaded, _ = ContextStore.load(folder)
    assert loaded.sentences == kept.sentences
    text = (folder / "sentences.jsonl").read_text(encoding="utf-8")
    assert "句2" not in text
    (folder / "sentences.jsonl").write_text(text.replace("句0", "句9"), encoding="utf-8")
    with pytest.raises(UserError, match="cannot be read"):
        ContextStore.load(folder)
