from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmrg.errors import UserError
from llmrg.studies.reading import read_studies
from llmrg.studies.settings import DataConfig
from llmrg.studies.splits import split_of

Rows = list[dict[str, str]]
Write = Callable[..., Path]


def _config(root: Path, **changes: Any) -> DataConfig:
    base = {"format": "chexpert-plus", "root": root, "language": "en", "vocabulary": "chexpert14"}
    return DataConfig(**{**base, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("folder", ["PNG", "PNG/PNG", "."])
def test_the_twelve_rows(chexpert_rows: Rows, write_chexpert: Write, folder: str) -> None:
    table = read_studies(_config(write_chexpert(chexpert_rows, image_folder=folder)))
    assert table.ids == (
        "patient1/study1",
        "patient3/study1",
        "patient4/study1",
        "patient5/study1",
        "patient6/study1",
        "patient8/study1",  # its corrupt film is found out when it is decoded
        "patient901/study1",
        "patient902/study1",
    )
    assert dict(table.set_aside) == {"no findings section": 2}
    assert [error.study_id for error in table.bad] == ["patient7/study1"]
    first = table[0]
    assert [image.path.name for image in first.images] == ["view1_frontal.png", "view2_lateral.png"]
    assert [image.view for image in first.images] == ["frontal", "lateral"]
    assert first.sections == {
        "findings": "1. LOW LUNG VOLUMES.\\n\n2. NO EFFUSION; HEART SIZE, NORMAL.",
        "impression": "NORMAL CHEST.",
    }
    assert (first.context.age, first.context.sex, first.context.indication) == (62.0, "female", "Cough.")
    assert (table[1].context.age, table[1].context.sex) == (None, "Unknown")
    assert table[2].sections["findings"] == "Café‑au‑lait, 3.5 cm ≥ 2 cm “quoted”."
    assert table[3].context.history == "CHF."
    assert all(study.labels is None for study in table)


def test_splits_are_by_patient_and_valid_is_kept(chexpert_rows: Rows, write_chexpert: Write) -> None:
    root = write_chexpert(chexpert_rows)
    table = read_studies(_config(root))
    for study in table:
        official = "valid" if study.patient_id in ("patient901", "patient902") else None
        assert study.split == (official or split_of(study.patient_id))
    other = read_studies(_config(root, split_fractions=(0.0, 0.0, 1.0)))
    assert dict(other.splits) == {"test": 6, "valid": 2}


def test_impression_as_target_and_both(chexpert_rows: Rows, write_chexpert: Write) -> None:
    root = write_chexpert(chexpert_rows)
    table = read_studies(_config(root, target=("impression",)))
    assert table.ids == ("patient1/study1", "patient1/study2", "patient2/study1", "patient901/study1")
    both = read_studies(_config(root, target=("findings", "impression")))
    assert len(both) == 10
    assert both[-2].report(("findings", "impression")) == "Clear. Clear."
    with pytest.raises(UserError, match=r"no section 'finding'.*Did you mean 'findings'"):
        read_studies(_config(root, target=("finding",)))


def test_films_named_as_they_are(
    chexpert_rows: Rows, write_chexpert: Write, tmp_path: Path, write_film: Callable[..., Path]
) -> None:
    root = write_chexpert(chexpert_rows[5:6], image_folder="PNG")
    film = root / "PNG/train/patient4/study1/view1_frontal.png"
    film.unlink()
    write_film(tmp_path / "elsewhere/train/patient4/study1/view1_frontal.jpg")
    (study,) = read_studies(_config(root, image_roots=(tmp_path / "elsewhere",)))
    assert study.images[0].path.suffix == ".jpg"


@pytest.mark.parametrize("prefix", ["", "CheXpert-v1.0-small/"])
def test_small_films_of_the_first_release(
    chexpert_rows: Rows, write_chexpert: Write, write_film: Callable[..., Path], prefix: str
) -> None:
    rows = chexpert_rows[:6]
    root = write_chexpert(
        [{**row, "path_to_image": prefix + row["path_to_image"]} for row in rows], image_folder="none"
    )
    shutil.rmtree(root / "none")
    for row in rows[:5]:
        write_film(root / "CheXpert-v1.0-small" / row["path_to_image"])
    table = read_studies(_config(root, missing_images="skip"))
    assert table.ids == ("patient1/study1", "patient3/study1")
    assert [image.path.relative_to(root).as_posix() for image in table[0].images] == [
        f"CheXpert-v1.0-small/train/patient1/study1/{name}.jpg" for name in ("view1_frontal", "view2_lateral")
    ]
    assert dict(table.set_aside) == {"no findings section": 2, "no film on disk": 1}


def test_rows_of_a_study_must_not_contradict_each_other(chexpert_rows: Rows, write_chexpert: Write) -> None:
    chexpert_rows[1]["section_findings"] = "Another report."
    bad = read_studies(_config(write_chexpert(chexpert_rows), max_bad_fraction=1)).bad
    assert "its rows differ in section_findings" in {
        error.reason for error in bad if error.study_id == "patient1/study1"
    }


def _labels(root: Path, section: str, records: list[dict[str, Any]]) -> None:
    folder = root / "chexbert_labels"
    folder.mkdir(exist_ok=True)
    text = "\n".join(json.dumps(record) for record in records) + "\n"
    (folder / f"{section}_fixed.json").write_text(text, encoding="utf-8")


def _record(path: str, **values: Any) -> dict[str, Any]:
    labels = dict.fromkeys(("Cardiomegaly", "Edema", "Pleural Effusion", "No Finding"))
    return {"path_to_image": path, **labels, **{name.replace("_", " "): value for name, value in values.items()}}


def test_labels_follow_the_target(chexpert_rows: Rows, write_chexpert: Write) -> None:
    root = write_chexpert(chexpert_rows)
    path = "train/patient1/study1/view2_lateral.jpg"
    _labels(root, "findings", [_record(path, Cardiomegaly=0.0, Edema=-1.0, No_Finding=1.0)])
    _labels(root, "impression", [_record(path, Cardiomegaly=1.0, Edema=0.0, Pleural_Effusion=float("nan"))])
    _labels(root, "report", [_record(path, Pleural_Effusion=1.0)])  # tells of the history: never read
    by_target = {
        target: read_studies(_config(root, target=target))[0].labels
        for target in [("findings",), ("impression",), ("findings", "impression")]
    }
    assert by_target[("findings",)] == {"Cardiomegaly": 0.0, "Edema": -1.0, "No Finding": 1.0}
    assert by_target[("impression",)] == {"Cardiomegaly": 1.0, "Edema": 0.0}
    assert by_target[("findings", "impression")] == {"Cardiomegaly": 1.0, "Edema": -1.0}
    given = read_studies(_config(root, labels=Path("chexbert_labels/report_fixed.json")))
    assert given[0].labels == {"Pleural Effusion": 1.0}
    assert given[1].labels is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"path_to_image": "train/patient1/study1/a.jpg", "Edema": 2.0}', "none of 1, 0, -1"),
        ('{"path_to_img": "a.jpg"}', "rename 'path_to_img'"),
        ("[1]", "Line 2 is not a JSON object"),
        ("{", "Line 2 is not a JSON object"),
    ],
)
def test_broken_labels(chexpert_rows: Rows, write_chexpert: Write, line: str, message: str) -> None:
    root = write_chexpert(chexpert_rows)
    _labels(root, "findings", [_record("train/patient1/study1/view1_frontal.jpg")])
    with (root / "chexbert_labels/findings_fixed.json").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(UserError, match=message):
        read_studies(_config(root))


def test_labels_that_are_named_must_be_there(chexpert_rows: Rows, write_chexpert: Write) -> None:
    with pytest.raises(UserError, match="label file does not exist"):
        read_studies(_config(write_chexpert(chexpert_rows), labels=Path("labels")))


def test_rows_that_contradict_each_other_are_bad(chexpert_rows: Rows, write_chexpert: Write) -> None:
    chexpert_rows[1]["deid_patient_id"] = "patient6"
    table = read_studies(_config(write_chexpert(chexpert_rows), max_bad_fraction=0.5))
    reasons = {error.study_id: error.reason for error in table.bad}
    assert "several patients" in reasons["patient1/study1"]


def test_unknown_split_and_odd_path_are_bad(chexpert_rows: Rows, write_chexpert: Write) -> None:
    chexpert_rows[4]["split"] = "tarin"
    chexpert_rows[5]["path_to_image"] = "train/film.jpg"
    table = read_studies(_config(write_chexpert(chexpert_rows), max_bad_fraction=0.5))
    reasons = {error.study_id: error.reason for error in table.bad}
    assert "'tarin'" in reasons["patient3/study1"]
    assert "patientN/studyM" in reasons["row 7"]


def test_a_patient_in_train_and_valid_is_refused(chexpert_rows: Rows, write_chexpert: Write) -> None:
    chexpert_rows[-1]["deid_patient_id"] = "patient6"
    with pytest.raises(UserError, match="patient6"):
        read_studies(_config(write_chexpert(chexpert_rows)))


def test_the_csv_itself(chexpert_rows: Rows, write_chexpert: Write) -> None:
    root = write_chexpert(chexpert_rows)
    path = root / "df_chexpert_plus_240401.csv"
    text = path.read_text(encoding="utf-8")
    path.write_text("\ufeff" + text.replace("\n", "\r\n"), encoding="utf-8", newline="")
    assert len(read_studies(_config(root))) == 8
    path.write_text(text.replace("deid_patient_id", "patient_id", 1), encoding="utf-8")
    with pytest.raises(UserError, match=r"no column 'deid_patient_id'.*Did you mean 'patient_id'"):
        read_studies(_config(root))
    path.write_text(text + "a,b,SECRET WORDS\n", encoding="utf-8")
    with pytest.raises(UserError, match="has 3 columns, the header 27") as caught:
        read_studies(_config(root))
    assert "SECRET" not in str(caught.value)
    path.write_text("", encoding="utf-8")
    with pytest.raises(UserError, match="is empty"):
        read_studies(_config(root))
    path.unlink()
    with pytest.raises(UserError, match="CSV file does not exist"):
        read_studies(_config(root))


def test_the_comparison_split_warns_of_its_patients(
    chexpert_rows: Rows, write_chexpert: Write, caplog: pytest.LogCaptureFixture
) -> None:
    root = write_chexpert(chexpert_rows)

    def item(path: str) -> dict[str, Any]:
        return {"id": path, "image_path": [path], "report": f"report of {path}"}

    frontal, lateral = "train/patient1/study1/view1_frontal.png", "train/patient1/study1/view2_lateral.png"
    other = "train/patient5/study1/view1_frontal.png"
    annotation = {"train": [item(frontal)], "val": [item(other)], "test": [item(lateral)]}
    (root / "annotation.json").write_text(json.dumps(annotation), encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        table = read_studies(_config(root, comparison_split=Path("annotation.json")))
    assert dict(table.splits) == {"train": 1, "val": 1, "test": 1}
    assert "1 of train also in test" in caplog.text
    assert "published numbers only" in caplog.text
    assert table[0].sections == {"findings": f"report of {frontal}"}
    assert (table[0].patient_id, table[0].context.indication, table[0].images[0].view) == (
        "patient1",
        "Cough.",
        "frontal",
    )
    assert table.split("test")[0].images[0].view == "lateral"
    (root / "df_chexpert_plus_240401.csv").unlink()  # it only adds context
    without = read_studies(_config(root, comparison_split=Path("annotation.json")))
    assert without.ids == table.ids
    assert without.patient_ids == ("patient1", "patient5", "patient1")
