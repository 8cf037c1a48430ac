"""What a training looks at: two splits, labelled; bad films set aside; films in memory up to a limit."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmrg.config import load_config
from llmrg.errors import TooManyBadStudiesError, UserError
from llmrg.findings.labeler import get_labeler
from llmrg.studies import dataset as dataset_module
from llmrg.training.material import read_material, seeded_sample, training_hash
from llmrg.training.settings import TrainConfig

FILMS = 2 * 48 * 48  # bytes of one study


@pytest.fixture
def data(tiny_run: Any, tmp_path: Path) -> Any:
    root = shutil.copytree(tiny_run.data, tmp_path / "data")
    return replace(load_config(TrainConfig, tiny_run.config).data, root=root)


def test_training_and_validation_alone(data: Any) -> None:
    material = read_material(data)
    assert {study.split for study in material.training} == {"train"}
    assert {study.split for study in material.validation} == {"val"}
    assert (len(material.training), len(material.validation)) == (42, 6)
    ids = {study.id for study in (*material.training, *material.validation)}
    assert set(material.mentions) == set(material.films) == ids
    labeler = get_labeler(material.vocabulary, "zh")
    for study in material.training:
        found = labeler.label(study.report())
        assert material.mentions[study.id] == found
        abnormal = {finding.name for finding in material.vocabulary.abnormal}
        assert set(material.positive(study.id)) == {
            name for name, mention in found.items() if mention.polarity != "negative" and name in abnormal
        }


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_split_must_have_studies(data: Any, split: str) -> None:
    path = data.root / "annotation.json"
    annotation = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**annotation, split: []}), encoding="utf-8")
    with pytest.raises(UserError, match=split):
        read_material(data)


def test_bad_films_are_set_aside_and_too_many_fail(data: Any) -> None:
    whole = read_material(data)
    for study in whole.training[:2]:
        study.images[0].path.write_bytes(b"nothing")
    material = read_material(data)
    assert [error.study_id for error in material.bad] == [study.id for study in whole.training[:2]]
    assert list(material.training) == list(whole.training)[2:]
    assert material.split_hash != whole.split_hash
    for study in whole.training[2:6]:
        study.images[0].path.write_bytes(b"nothing")
    with pytest.raises(TooManyBadStudiesError, match="6 of 42"):
        read_material(data)


@pytest.mark.parametrize("room", [0, 6 * FILMS, 10 * FILMS + 5, 2**30])
def test_films_are_kept_up_to_a_limit(data: Any, room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = read_material(data)
    material = read_material(data, cache_bytes=room)
    held = sum(film.nbytes for films in material.films.values() for film in films)
    assert held <= room
    assert len(material.films) == min(room // FILMS, 48)
    if room >= 6 * FILMS:  # validation films are read at every evaluation, so they come first
        assert {study.id for study in material.validation} <= set(material.films)
    read: list[str] = []
    real = dataset_module.read_films
    monkeypatch.setattr(
        dataset_module, "read_films", lambda study, config: (read.append(study.id), real(study, config))[1]
    )
    dataset, reference = material.dataset(material.training), everything.dataset(everything.training)
    for _ in range(2):
        for row in range(42):
            (one, films, targets), (other, wanted, labels) = dataset[row], reference[row]
            assert one == other
            assert all(np.array_equal(a, b) for a, b in zip(films, wanted, strict=True))
            assert targets.keys() == labels.keys()
    beyond = [study.id for study in material.training if study.id not in material.films]
    assert read == 2 * beyond  # read again each time; nothing more is kept
    assert sum(film.nbytes for films in dataset._films.values() for film in films) <= room


def test_hash_follows_what_is_learnt_from(data: Any) -> None:
    studies = list(read_material(data).training)
    digest = training_hash(studies, data)
    assert training_hash(studies[::-1], data) == digest
    first = studies[0]
    changes = [
        replace(first, id="other"),
        replace(first, patient_id="other"),
        replace(first, sections={"findings": "另一份报告。"}),
        replace(first, images=first.images[:1]),
        replace(first, images=tuple(replace(image, view="unknown") for image in first.images)),
    ]
    assert len({digest, *(training_hash([change, *studies[1:]], data) for change in changes)}) == 6
    assert training_hash([replace(first, sections={**first.sections, "impression": "x"}), *studies[1:]], data) == digest
    with first.images[0].path.open("ab") as file:
        file.write(b"0")
    assert training_hash(studies, data) != digest


def test_a_sample_is_seeded_and_keeps_the_order(data: Any) -> None:
    studies = list(read_material(data).training)
    assert seeded_sample(studies, 99, 0) == studies
    some = seeded_sample(studies, 10, 0)
    assert len({study.id for study in some}) == 10
    assert some == [study for study in studies if study in some]
    assert seeded_sample(studies, 10, 0) == some
    assert seeded_sample(studies, 10, 1) != some
