"""Studies of several datasets in one table: whose they are, and that patients of two are never one."""

from __future__ import annotations

import pytest

from llmrg.errors import UserError
from llmrg.studies.mixed_table import join_tables
from llmrg.studies.study import Study
from llmrg.studies.study_table import StudyTable, StudyTableBuilder


def study(id_: str, patient: str, split: str = "train", language: str = "zh") -> Study:
    return Study(
        id=id_,
        patient_id=patient,
        images=(),
        split=split,
        language=language,  # type: ignore[arg-type]
        sections={"findings": id_},
    )


def table(*studies: Study) -> StudyTable:
    return StudyTable.from_studies(studies)


def test_only_identifiers_that_several_members_use_change() -> None:
    joined = join_tables(
        {
            "kids": table(study("1", "p"), study("2", "q"), study("3", "q")),
            "adults": table(study("2", "r", "test", "en"), study("4", "p", "val", "en")),
        }
    )
    found = [(s.id, s.patient_id, s.split, s.language, s.dataset, s.report()) for s in joined]
    assert found == [
        ("1", "kids:p", "train", "zh", "kids", "1"),
        ("kids:2", "q", "train", "zh", "kids", "2"),
        ("3", "q", "train", "zh", "kids", "3"),
        ("adults:2", "r", "test", "en", "adults", "2"),
        ("4", "adults:p", "val", "en", "adults", "4"),
    ]
    assert not joined.overlapping_patients(), "p of the kids trains, p of the adults validates: two people"
    assert dict(joined.splits) == {"train": 3, "test": 1, "val": 1}


def test_a_made_identifier_that_is_taken_is_refused() -> None:
    with pytest.raises(UserError, match="cannot be told"):
        join_tables({"a": table(study("1", "p")), "b": table(study("1", "q"), study("a:1", "r"))})
    with pytest.raises(UserError, match="cannot be told"):
        join_tables({"a": table(study("1", "p")), "b": table(study("2", "p"), study("3", "a:p"))})


def test_what_was_left_out_is_told_of_all() -> None:
    tables = {}
    for name in ("a", "b"):
        builder = StudyTableBuilder()
        builder.add(study(name, name))
        tables[name] = builder.finish(bad=[("x", "no film")], set_aside={"no findings section": 2})
    joined = join_tables(tables)
    assert [(error.study_id, error.reason) for error in joined.bad] == [("a:x", "no film"), ("b:x", "no film")]
    assert joined.set_aside == {"no findings section": 4}
