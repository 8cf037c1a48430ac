"""Boxes and maps meet on the square that the model sees."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PilImage

from llmrg.benchmark.evidence_maps import judged_maps, query_probabilities
from llmrg.benchmark.predictions import Prediction
from llmrg.findings.vocabulary import get_vocabulary
from llmrg.generation.maps import encode_maps
from llmrg.studies.film import read_film
from llmrg.studies.phantoms.truth import FindingTruth, PhantomTruth
from llmrg.studies.settings import DataConfig
from llmrg.studies.study import Image, Study

VOCABULARY = get_vocabulary("ped_xray")
ROW = {finding.name: row for row, finding in enumerate(VOCABULARY.abnormal)}
BOX = (30.0, 12.0, 50.0, 44.0)


def prediction(maps: Any, names: tuple[str, ...], probability: float = 0.9) -> Prediction:
    items = [{"finding": name, "probability": probability} for name in names]
    record = {"kind": "disease_queries", "items": items, "maps": maps}
    return Prediction(id="s", report="", evidence=({"kind": "patches", "items": []}, record))


def truth(**boxes: tuple[float, float, float, float]) -> PhantomTruth:
    finding = FindingTruth(observation="nodule", boxes=boxes)
    other = FindingTruth(observation="hernia", boxes=boxes)  # not in the vocabulary
    return PhantomTruth(
        study_id="s", patient_id="p", split="test", age_group="adult", age=50.0, sex="female", findings=(finding, other)
    )


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Two films, 100 wide and 60 high, white in the box alone."""
    film = np.zeros((60, 100), dtype=np.uint8)
    film[int(BOX[1]) : int(BOX[3]), int(BOX[0]) : int(BOX[2])] = 255
    paths = [tmp_path / name for name in ("a.png", "b.png")]
    for path in paths:
        PilImage.fromarray(film).save(path)
    images = (Image(path=paths[0], view="frontal"), Image(path=paths[1], view="lateral"))
    return Study(id="s", patient_id="p", images=images, split="test", language="zh")


def config(tmp_path: Path, **changes: Any) -> DataConfig:
    data = DataConfig(format="ped-xray", root=tmp_path, language="zh", vocabulary="ped_xray", image_size=40)
    return replace(data, **changes)


@pytest.mark.parametrize("fit", ["pad", "crop", "stretch"])
def test_a_box_lies_around_what_the_model_sees(study: Study, tmp_path: Path, fit: str) -> None:
    """A map made from the film itself lies in the box, however the film became a square."""
    data = config(tmp_path, fit=fit)
    seen = read_film(study.images[0].path, size=40, fit=data.fit).astype(float)
    maps = encode_maps(np.stack([np.stack([seen, seen])]) / seen.sum())
    judged = judged_maps(
        [prediction(maps, ("nodule",))], [study], [truth(frontal=BOX)], data=data, vocabulary=VOCABULARY
    )
    assert judged is not None
    ((key, box),) = judged.boxes[0].items()
    assert key == (ROW["nodule"], 0)
    x, y = (np.arange(40) + 0.5) / 40, (np.arange(40) + 0.5) / 40
    mass = seen / seen.sum()
    assert mass.sum(axis=0) @ x == pytest.approx((box[0] + box[2]) / 2, abs=0.006)
    assert mass.sum(axis=1) @ y == pytest.approx((box[1] + box[3]) / 2, abs=0.006)
    bright = seen > 127
    inside = ((x > box[0]) & (x < box[2]))[None, :] & ((y > box[1]) & (y < box[3]))[:, None]
    assert (bright & ~inside).sum() <= 2
    assert (bright & inside).sum() >= 0.9 * inside.sum()


def test_views_films_and_likely_findings(study: Study, tmp_path: Path) -> None:
    data = config(tmp_path)
    both = truth(frontal=BOX, lateral=BOX)
    maps = encode_maps(np.ones((2, 2, 4, 4)))
    sure = prediction(maps, ("edema", "nodule"))
    judged = judged_maps(
        [sure, prediction(maps, ("edema", "nodule"), probability=0.4)],
        [study, study],
        [both, both],
        data=data,
        vocabulary=VOCABULARY,
    )
    assert judged is not None
    row = ROW["nodule"]
    assert [set(own) for own in judged.boxes] == [{(row, 0), (row, 1)}] * 2
    assert [set(own) for own in judged.likely] == [{(row, 0), (row, 1)}, set()]
    assert judged.views == ("frontal", "lateral")
    assert [set(own) for own in judged.of_view("lateral")] == [{(row, 1)}] * 2
    assert judged.maps[0].maps[ROW["edema"]].sum() == 32
    assert judged.maps[0].maps[ROW["rib_fracture"]].sum() == 0
    assert query_probabilities(sure) == {"edema": 0.9, "nodule": 0.9}
    # The system read the first film only.
    one = judged_maps(
        [prediction(encode_maps(np.ones((1, 1, 4, 4))), ("nodule",))], [study], [both], data=data, vocabulary=VOCABULARY
    )
    assert one is not None
    assert set(one.boxes[0]) == {(row, 0)}


def test_predictions_without_maps_are_not_judged(study: Study, tmp_path: Path) -> None:
    data, both = config(tmp_path), truth(frontal=BOX)
    good = prediction(encode_maps(np.ones((1, 2, 4, 4))), ("nodule",))
    for broken in (
        Prediction(id="s", report=""),
        prediction(None, ("nodule",)),
        prediction(encode_maps(np.ones((2, 2, 4, 4))), ("nodule",)),
        prediction(encode_maps(np.ones((1, 0, 4, 4))), ("nodule",)),
    ):
        assert judged_maps([broken], [study], [both], data=data, vocabulary=VOCABULARY) is None
        mixed = judged_maps([good, broken], [study, study], [both, both], data=data, vocabulary=VOCABULARY)
        assert mixed is not None
        assert [len(own) for own in mixed.boxes] == [1, 0]
    more = prediction(encode_maps(np.ones((1, 3, 4, 4))), ("nodule",))  # more films than the study has
    found = judged_maps([more], [study], [both], data=data, vocabulary=VOCABULARY)
    assert found is not None
    assert found.boxes == ({},)


def test_an_unseen_query_and_an_unreadable_film_have_no_box(study: Study, tmp_path: Path) -> None:
    data, both = config(tmp_path), truth(frontal=BOX, lateral=BOX)
    study.images[1].path.write_bytes(b"no film")
    maps = encode_maps(np.ones((1, 2, 4, 4)))
    found = [
        judged_maps([prediction(maps, (name,))], [study], [both], data=data, vocabulary=VOCABULARY)
        for name in ("nodule", "edema")
    ]
    assert [set(one.boxes[0]) for one in found if one is not None] == [{(ROW["nodule"], 0)}, set()]
