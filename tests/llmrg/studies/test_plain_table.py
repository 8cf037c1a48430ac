from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmrg.errors import UserError
from llmrg.studies.reading import read_studies
from llmrg.studies.settings import DataConfig, TableColumns
from llmrg.studies.splits import split_of

WriteTable = Callable[[str], Path]
FULL = """image,study_id,patient_id,split,view,language,findings,impression,age,sex,indication
b.png,s1,p1,train,L,,Clear lungs.,Normal.,3 months,F,Cough
a.png,s1,p1,train,PA,,,,,,
c.png|d.png,s2,p2,val,lateral|AP,zh,双肺清晰。,,5岁,男,
e.png,s3,p3,test,,,"Left effusion,
two lines.",,,,
"""


@pytest.fixture
def write_plain_table(tmp_path: Path, write_film: Callable[..., Path]) -> WriteTable:
    def write(text: str) -> Path:
        for name in "abcde":
            write_film(tmp_path / "table" / "images" / f"{name}.png")
        (tmp_path / "table" / "metadata.csv").write_text(text, encoding="utf-8")
        return tmp_path / "table"

    return write


def _config(root: Path, **changes: Any) -> DataConfig:
    base = {"format": "table", "root": root, "language": "en", "vocabulary": "chexpert14"}
    return DataConfig(**{**base, **changes})  # type: ignore[arg-type]


def test_rows_become_studies(write_plain_table: WriteTable) -> None:
    table = read_studies(_config(write_plain_table(FULL)))
    one, two, three = table
    assert (one.id, one.patient_id, one.split, one.language) == ("s1", "p1", "train", "en")
    assert [(image.path.name, image.view) for image in one.images] == [("a.png", "frontal"), ("b.png", "lateral")]
    assert one.sections == {"findings": "Clear lungs.", "impression": "Normal."}
    assert (one.context.age, one.context.sex, one.context.indication) == (0.25, "female", "Cough")
    assert [(image.path.name, image.view) for image in two.images] == [("d.png", "frontal"), ("c.png", "lateral")]
    assert (two.language, two.context.age, two.context.sex) == ("zh", 5.0, "male")
    assert three.sections == {"findings": "Left effusion,\ntwo lines."}


def test_other_column_names(write_plain_table: WriteTable) -> None:
    root = write_plain_table("file,who,notes\na.png,1,Clear.\nb.png,1,\nc.png,2,Effusion.\n")
    columns = TableColumns(image="file", patient_id="who", sections={"findings": "notes"})
    films = read_studies(_config(root, columns=columns, group_by="image"))
    assert films.ids == ("a", "c")
    assert films.patient_ids == ("1", "2")
    assert dict(films.set_aside) == {"no findings section": 1}
    assert films.split_names == (split_of("1"), split_of("2"))
    patients = read_studies(_config(root, columns=columns, group_by="patient_id"))
    assert patients.ids == ("1", "2")
    assert len(patients[0].images) == 2
    kept = read_studies(_config(root, columns=columns, group_by="image", keep_without_report=True))
    assert kept.ids == ("a", "b", "c")


def test_without_patients_it_must_be_said(write_plain_table: WriteTable) -> None:
    root = write_plain_table("image,study_id,report\na.png,1,Clear.\n")
    with pytest.raises(UserError, match="no column 'patient_id'"):
        read_studies(_config(root, target=("report",)))
    (study,) = read_studies(_config(root, target=("report",), columns=TableColumns(patient_id=None)))
    assert study.patient_id == "1"


@pytest.mark.parametrize(
    ("text", "changes", "message"),
    [
        ("image,patient_id,findings\na.png,1,x\n", {}, "group_by to image or patient_id"),
        ("imgae,patient_id,findings\na.png,1,x\n", {"group_by": "image"}, "Did you mean 'imgae'"),
        ("image,patient_id,finding\na.png,1,x\n", {"group_by": "image"}, "Did you mean 'finding'"),
        ("image,image,patient_id\na.png,a.png,1\n", {"group_by": "image"}, "'image' stands twice"),
        ("image,patient_id,findings\na.png,1,x,y\n", {"group_by": "image"}, "has 4 columns, the header 3"),
        (
            "image,patient_id,findings\na.png,1,x\n",
            {"group_by": "image", "columns": TableColumns(view="position")},
            "no column 'position'",
        ),
        (
            "image,patient_id,findings\na.png,1,x\n",
            {"group_by": "image", "columns": TableColumns(sections={"findings": "findigns"})},
            "Did you mean 'findings'",
        ),
        ("image,patient_id,findings\n", {"group_by": "image"}, "no study that can be used"),
        ("image;patient_id;findings\na.png;1;x\n", {"group_by": "image"}, "separated by ';', not by commas"),
        ("image\tpatient_id\tfindings\na.png\t1\tx\n", {"group_by": "image"}, "not by commas"),
        ('image,patient_id,findings\na.png,1,"x\nb.png,2,y\n', {"group_by": "image"}, "quotation mark is not closed"),
        ('image,patient_id,findings\na.png,1,"x\nb.png,2,"y"\n', {"group_by": "image"}, "within a quoted field"),
        ("image,patient_id,spilt,findings\na.png,1,train,x\n", {"group_by": "image"}, "no column 'split', but 'spilt'"),
        ("image,patient_id,findings\na.png,1,x\0y\n", {"group_by": "image"}, "NUL byte .at byte 35"),
        (
            "image,patient_id,split,findings\na.png,1,train,x\nb.png,1,test,y\n",
            {"group_by": "image"},
            "1 of train also in test",
        ),
    ],
)
def test_mistakes_in_the_table(write_plain_table: WriteTable, text: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_studies(_config(write_plain_table(text), **changes))


def test_bad_rows_are_named(write_plain_table: WriteTable) -> None:
    root = write_plain_table(
        "image,study_id,patient_id,split,language,findings\n"
        "a.png,s1,p1,train,en,x\n"
        "b.png,s2,,train,en,x\n"
        "c.png,s3,p3,,en,x\n"
        "d.png,s4,p4,train,fr,x\n"
        ",s5,p5,train,en,x\n"
        "e.png,,p6,train,en,x\n"
        "a.png,s7,p7,train,en,x\n"
        "b.png,s7,p8,train,en,x\n"
        "gone.png,s9,p9,train,en,x\n"
    )
    table = read_studies(_config(root, max_bad_fraction=1.0))
    assert table.ids == ("s1",)
    assert {error.study_id: error.reason for error in table.bad} == {
        "s2": "its patient_id is empty",
        "s3": "its split is empty",
        "s4": "its language is 'fr', neither zh nor en",
        "s5": "it has no image",
        "row 7 of metadata.csv": "its study_id is empty",
        "s7": "its rows differ in patient_id",
        "s9": "the image 'gone.png' does not exist",
    }


def test_a_film_listed_twice_is_bad(write_plain_table: WriteTable) -> None:
    root = write_plain_table("image,patient_id,findings\na.png,1,x\nb.png,2,y\na.png,1,z\n")
    table = read_studies(_config(root, group_by="image"))
    assert table.ids == ("a", "b")
    assert [error.study_id for error in table.bad] == ["a"]


def test_covid_films_through_the_shipped_configuration(test_data: Path, repository: Path) -> None:
    from llmrg.config import load_config

    config = load_config(DataConfig, repository / "configs/data/covid_cxr.yaml", [f"root={test_data / 'covid_cxr'}"])
    table = read_studies(config)
    assert (len(table), dict(table.set_aside), table.bad) == (141, {"no findings section": 69}, ())
    assert set(table.splits) == {"train", "val", "test"}
    assert {study.images[0].view for study in table} == {"frontal", "lateral"}
    everything = load_config(
        DataConfig,
        repository / "configs/data/covid_cxr.yaml",
        [f"root={test_data / 'covid_cxr'}", "keep_without_report=true"],
    )
    assert len(read_studies(everything)) == 210


def test_rows_of_a_study_must_not_contradict_each_other(write_plain_table: WriteTable) -> None:
    root = write_plain_table(
        "study_id,image,patient_id,split,findings\n"
        "1,a.png,1,train,Clear.\n1,b.png,1,train,\n"  # an empty cell says nothing else
        "2,a.png,2,train,Clear.\n2,b.png,2,train,Not clear.\n"
    )
    table = read_studies(_config(root))
    assert (table.ids, [str(error) for error in table.bad]) == (("1",), ["study '2': its rows differ in findings"])


def test_a_table_that_may_be_cut_short_is_named(
    write_plain_table: WriteTable, caplog: pytest.LogCaptureFixture
) -> None:
    root = write_plain_table("study_id,image,patient_id,split,findings\n1,a.png,1,train,Clear")
    assert len(read_studies(_config(root))) == 1
    assert "metadata.csv does not end with a line break" in caplog.text


def test_packed_tables(write_plain_table: WriteTable) -> None:
    root = write_plain_table("study_id,image,patient_id,split,findings\n1,a.png,1,train,Clear.\n")
    packed = gzip.compress((root / "metadata.csv").read_bytes())
    (root / "all.csv.gz").write_bytes(packed)
    assert read_studies(_config(root, annotation=Path("all.csv.gz"))).ids == ("1",)
    (root / "all.csv.gz").write_bytes(packed[:-5])
    with pytest.raises(UserError, match="compressed file ends too early"):
        read_studies(_config(root, annotation=Path("all.csv.gz")))
