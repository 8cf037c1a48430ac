"""Whole drawn datasets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from llmrg.artefacts import MANIFEST, tree_hash
from llmrg.errors import UserError
from llmrg.studies.phantoms.dataset import draw_dataset
from llmrg.studies.phantoms.layouts.registry import layout_names
from llmrg.studies.phantoms.truth import read_truth
from llmrg.studies.reading import read_studies
from llmrg.studies.settings import FORMATS, DataConfig

_ARGUMENTS: dict[str, Any] = {
    "format": "ped-xray",
    "studies": 24,
    "seed": 5,
    "size": 48,
    "preset": "bench",
    "workers": 1,
}


def _draw(out: Path, **changes: Any) -> Path:
    return draw_dataset(out, **(_ARGUMENTS | changes))


@pytest.fixture(scope="module")
def drawn_children(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _draw(tmp_path_factory.mktemp("phantoms") / "one")


@pytest.mark.parametrize("format", layout_names())
def test_same_seed_same_bytes_whatever_the_workers(tmp_path: Path, format: str) -> None:
    one = _draw(tmp_path / "one", format=format)
    two = _draw(tmp_path / "two", format=format, workers=2)
    other = _draw(tmp_path / "other", format=format, seed=6)
    assert tree_hash(one) == tree_hash(two)
    assert tree_hash(one) != tree_hash(other)


@pytest.mark.parametrize(("format", "language"), [("ped-xray", "zh"), ("chexpert-plus", "en")])
def test_readers_find_every_study_where_the_truth_says(tmp_path: Path, format: str, language: Any) -> None:
    assert format in FORMATS
    root = _draw(tmp_path / "data", format=format, studies=60)
    vocabulary = {"zh": "ped_xray", "en": "chexpert14"}[language]
    table = read_studies(DataConfig(format=format, root=root, language=language, vocabulary=vocabulary))
    truth = read_truth(root)
    assert not table.bad
    assert {study.id for study in table} == set(truth)
    patients: dict[str, set[str]] = {}
    for study in table:
        assert (study.patient_id, study.split) == (truth[study.id].patient_id, truth[study.id].split)
        assert [image.view for image in study.images] == ["frontal", "lateral"]
        assert study.report()
        patients.setdefault(study.patient_id, set()).add(study.split)
    assert all(len(splits) == 1 for splits in patients.values())
    assert {"train", "val", "test"} <= {study.split for study in table}


def test_films_have_the_size_and_boxes_lie_on_them(drawn_children: Path) -> None:
    truths = read_truth(drawn_children)
    assert sum(bool(truth.findings) for truth in truths.values()) > 8
    for truth in truths.values():
        for number, view in enumerate(("frontal", "lateral"), start=1):
            path = drawn_children / f"images/image{truth.study_id}/IMG-{number:04d}-00001.jpg"
            with Image.open(path) as film:
                assert film.size == (48, 48) and film.mode == "L" and film.format == "JPEG"
                assert np.asarray(film).std() > 15
            for finding in truth.findings:
                if view in finding.boxes:
                    x0, y0, x1, y1 = finding.boxes[view]
                    assert 0 <= x0 < x1 <= 48 and 0 <= y0 < y1 <= 48


def test_shifted_keeps_who_and_what_and_changes_how(drawn_children: Path, tmp_path: Path) -> None:
    plain, shifted = read_truth(drawn_children), read_truth(_draw(tmp_path / "shifted", shifted=True))
    assert list(plain) == list(shifted)
    for a, b in zip(plain.values(), shifted.values(), strict=True):
        assert (a.patient_id, a.split, a.age, a.sex) == (b.patient_id, b.split, b.age, b.sex)
        assert [(f.observation, f.side, f.zone, f.severity, f.kind) for f in a.findings] == [
            (f.observation, f.side, f.zone, f.severity, f.kind) for f in b.findings
        ]
    files = [
        [
            json.loads((root / "annotation.json").read_text(encoding="utf-8"))
            for root in (drawn_children, tmp_path / "shifted")
        ]
    ][0]
    reports = [[item["report"] for items in file.values() for item in items] for file in files]
    assert sum(a == b for a, b in zip(*reports, strict=True)) <= 2
    name = "images/image00001/IMG-0001-00001.jpg"
    films = [np.asarray(Image.open(root / name), dtype=float) for root in (drawn_children, tmp_path / "shifted")]
    assert np.abs(films[0] - films[1]).mean() > 5


def test_drawing_again_is_free_and_other_arguments_are_refused(tmp_path: Path) -> None:
    out = _draw(tmp_path / "data", studies=3)
    before = (out / MANIFEST).stat().st_mtime_ns
    assert _draw(out, studies=3, workers=2) == out
    assert (out / MANIFEST).stat().st_mtime_ns == before
    with pytest.raises(UserError, match=r"other arguments .*seed"):
        _draw(out, studies=3, seed=9)
    assert (out / MANIFEST).stat().st_mtime_ns == before


def test_foreign_folders_and_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert (_draw(tmp_path / "empty", studies=1) / "annotation.json").is_file()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match="not empty"):
        _draw(tmp_path / "full")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["note.txt"]
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match="file of this name"):
        _draw(tmp_path / "file")
    with pytest.raises(UserError, match="Cannot write"):
        _draw(tmp_path / "file" / "below")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file", "full"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 31}, "32 to 1280"),
        ({"size": 1281}, "32 to 1280"),
        ({"studies": 0}, "at least one study"),
        ({"seed": -1}, "negative"),
        ({"workers": 0}, "at least one worker"),
        ({"preset": "benhc"}, "'bench'"),
        ({"format": "pedxray"}, "'ped-xray'"),
    ],
)
def test_bad_arguments_are_one_clear_error(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        _draw(tmp_path / "data", **change)
    assert not list(tmp_path.iterdir())
