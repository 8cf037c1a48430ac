from __future__ import annotations

import pickle
import tempfile
from pathlib import Path

import pytest

from llmrg.artefacts import text_hash
from llmrg.errors import BadStudyError, UserError
from llmrg.studies.study import Context, Image, Study
from llmrg.studies.study_table import StudyTable, StudyTableBuilder


def _study(number: int) -> Study:
    return Study(
        id=f"s{number}",
        patient_id=f"p{number // 2}",
        images=(Image(path=Path(f"/films/{number}.png"), view="frontal"), Image(path=Path("b.png"))),
        split=("train", "val", "test")[number % 3],
        language="zh" if number % 2 else "en",
        context=Context(age=0.5 + number, sex="female", history="x" * number or None),
        prior="earlier" if number % 2 else None,
        sections={"findings": f"发现 {number}", "impression": "clear"} if number else {},
        labels={"Edema": 1.0, "Fracture": -1.0} if number % 2 else (None if number else {}),
    )


STUDIES = [_study(number) for number in range(10)]


@pytest.fixture(params=["memory", "disk"])
def studies_table(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyTable:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    builder = StudyTableBuilder(chunk=3, memory=0 if request.param == "disk" else 2**20)
    for study in STUDIES:
        assert builder.add(study)
    assert not builder.add(STUDIES[0])
    table = builder.finish(bad=[("s99", "is empty")], set_aside={"no findings section": 4})
    assert not list(tmp_path.iterdir())  # nothing of the patients stays on disk under a name
    return table


def test_studies_come_back_equal(studies_table: StudyTable) -> None:
    assert list(studies_table) == STUDIES
    assert [studies_table[index] for index in range(10)] == STUDIES
    assert studies_table[-1] == STUDIES[-1]
    with pytest.raises(IndexError):
        studies_table[10]


def test_slices_selections_and_filters_are_tables(studies_table: StudyTable) -> None:
    assert list(studies_table[2:8:2]) == STUDIES[2:8:2]
    assert list(studies_table[2:8][1:3]) == STUDIES[3:5]
    assert studies_table.select([5, 1]).ids == ("s5", "s1")
    assert studies_table.filter(lambda study: study.language == "zh").ids == ("s1", "s3", "s5", "s7", "s9")
    assert len(studies_table[3:3]) == 0


def test_splits(studies_table: StudyTable) -> None:
    assert dict(studies_table.splits) == {"train": 4, "val": 3, "test": 3}
    test = studies_table.split("test")
    assert test.ids == ("s2", "s5", "s8")
    assert test.patient_ids == ("p1", "p2", "p4")
    assert studies_table.split_hash("test") == test.split_hash() == text_hash(["s2", "s5", "s8"])
    assert test.select([2, 0, 1]).split_hash() == test.split_hash()  # the order does not count
    with pytest.raises(UserError, match=r"'tset' has no studies.*Did you mean 'test'"):
        studies_table.split("tset")


def test_reports(studies_table: StudyTable) -> None:
    assert studies_table.select([1, 0, 2]).reports(("findings", "impression")) == ["发现 1clear", "", "发现 2 clear"]


def test_it_travels_between_processes(studies_table: StudyTable) -> None:
    copy = pickle.loads(pickle.dumps(studies_table[3:6]))
    assert list(copy) == STUDIES[3:6]
    assert dict(copy.set_aside) == {"no findings section": 4}
    (error,) = copy.bad
    assert isinstance(error, BadStudyError)
    assert (error.study_id, error.reason) == ("s99", "is empty")


def test_from_studies_refuses_an_id_twice() -> None:
    assert list(StudyTable.from_studies(STUDIES)) == STUDIES
    assert len(StudyTable.from_studies([])) == 0
    with pytest.raises(UserError, match="'s1' occurs twice"):
        StudyTable.from_studies([STUDIES[1], STUDIES[1]])
