from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from llmrg.findings.vocabulary import get_vocabulary
from llmrg.studies.images import load_image
from llmrg.studies.phantoms.dataset import draw_dataset
from llmrg.studies.phantoms.truth import read_truth
from llmrg.studies.reading import read_studies
from llmrg.studies.settings import DataConfig

FORMATS = [
    ("ped-xray", "zh", "ped_xray"),
    ("chexpert-plus", "en", "chexpert14"),
    ("iu-xray", "en", "chexpert14"),
    ("mimic-cxr", "en", "chexpert14"),
    ("cn-cxr", "zh", "ped_xray"),
]


@pytest.mark.parametrize(("layout", "language", "vocabulary"), FORMATS)
@pytest.mark.parametrize("shifted", [False, True])
def test_phantoms_are_read_as_they_were_drawn(
    tmp_path: Path, layout: str, language: str, vocabulary: str, shifted: bool
) -> None:
    root = draw_dataset(
        tmp_path / "drawn", format=layout, studies=30, seed=5, size=48, preset="bench", shifted=shifted, workers=1
    )
    config = DataConfig(format=layout, root=root, language=language, vocabulary=vocabulary)  # type: ignore[arg-type]
    table = read_studies(config)
    truth = read_truth(root)
    assert sorted(table.ids) == sorted(truth)
    assert (table.bad, dict(table.set_aside)) == ((), {})
    for study in table:
        known = truth[study.id]
        assert (study.patient_id, study.split) == (known.patient_id, known.split)
        assert [image.view for image in study.images] == ["frontal", "lateral"]
        assert all(load_image(image.path).shape == (48, 48) for image in study.images)
        assert study.report()
        if layout in ("chexpert-plus", "cn-cxr"):
            assert study.context.sex == known.sex
        if layout == "chexpert-plus":
            assert study.labels is not None
            there = {f.name for f in get_vocabulary(vocabulary).abnormal if f.observation in known.observations}
            assert {name for name, value in study.labels.items() if value == 1} - {"No Finding"} == there


def test_no_film_is_opened_and_the_truth_is_never_read(
    ped_xray_root: Path, ped_xray_config: Callable[..., DataConfig]
) -> None:
    for film in (ped_xray_root / "images").rglob("*.jpg"):
        film.write_bytes(b"no film")
        film.chmod(0)
    (ped_xray_root / "truth").mkdir()
    (ped_xray_root / "truth" / "truth.jsonl").write_text("MARKER, and not even JSON", encoding="utf-8")
    table = read_studies(ped_xray_config(ped_xray_root))
    assert len(table) == 6
    assert all("MARKER" not in str(study) for study in table)


def test_reading_twice_gives_the_same_table(ped_xray_root: Path, ped_xray_config: Callable[..., DataConfig]) -> None:
    first, second = (read_studies(ped_xray_config(ped_xray_root)) for _ in range(2))
    assert list(first) == list(second)
    assert first.split_hash("train") == second.split_hash("train") != first.split_hash("test")


def test_a_split_hash_changes_with_its_studies(ped_xray_root: Path, ped_xray_config: Callable[..., DataConfig]) -> None:
    before = read_studies(ped_xray_config(ped_xray_root)).split_hash("train")
    path = ped_xray_root / "annotation.json"
    annotation = json.loads(path.read_text(encoding="utf-8"))
    annotation["train"].pop()
    path.write_text(json.dumps(annotation), encoding="utf-8")
    assert read_studies(ped_xray_config(ped_xray_root)).split_hash("train") != before
