"""Split files: written once, read back, and what may be wrong with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from llmrg.errors import UserError
from llmrg.studies.reading import read_studies
from llmrg.studies.settings import DataConfig
from llmrg.studies.split_command import split_dataset
from llmrg.studies.split_file import read_split_file, split_text, write_split_file

ROWS = [("s,1", "p1", "train"), ("s2", 'p"2"', "test")]


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_what_is_written_is_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"splits.{kind}"
    write_split_file(path, split_text(ROWS, kind=kind, facts={"seed": 4}))
    assert read_split_file(path) == {"s,1": "train", "s2": "test"}
    if kind == "json":
        content = json.loads(path.read_text(encoding="utf-8"))
        assert content["seed"] == 4
        assert content["studies"][1] == {"study_id": "s2", "patient_id": 'p"2"', "split": "test"}
    write_split_file(path, split_text(ROWS, kind=kind, facts={"seed": 4}))  # the same again is no change
    other = split_text(ROWS[:1], kind=kind, facts={})
    with pytest.raises(UserError, match="another content"):
        write_split_file(path, other)
    write_split_file(path, other, replace=True)
    assert read_split_file(path) == {"s,1": "train"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "study_id,spilt\na,train\n", "no column 'split'"),
        ("a.csv", "study_id,split\na,train\na,test\n", "stands in two splits"),
        ("a.csv", "study_id,split\na,\n", "Record 1 of the split file lacks"),
        ("a.json", '{"studies": 5}', "must hold a list"),
        ("a.json", '[{"study_id": "a", "spilt": "train"}]', "'split' is missing"),
        ("a.json", '[{"study_id": true, "split": "train"}]', "no usable id"),
        ("a.json", "[", "not valid JSON"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=message):
        read_split_file(tmp_path / name)
    with pytest.raises(UserError, match="does not exist"):
        read_split_file(tmp_path / "nothing.csv")


def test_a_dataset_is_split_and_read_by_its_split_file(
    ped_xray_root: Path, ped_xray_config: Callable[..., DataConfig], tmp_path: Path
) -> None:
    config = ped_xray_config(ped_xray_root)
    out = tmp_path / "splits.csv"
    result = split_dataset(config, out, fractions=(0.5, 0.17, 0.33), seed=2)
    assert result.studies == {"train": 3, "val": 1, "test": 2}
    assert sum(result.patients.values()) == 6
    assert "rules" in result.labeler
    table = read_studies(replace(config, split_file=out))
    assert dict(table.splits) == result.studies
    rows = out.read_text(encoding="utf-8").splitlines()
    assert rows[0] == "study_id,patient_id,split"
    assert rows[1:] == sorted(rows[1:])
    out.write_text("\n".join(rows[:-2]) + "\n", encoding="utf-8")  # two studies are missing now
    table = read_studies(replace(config, split_file=out))
    assert len(table) == 4
    assert table.set_aside == {"no split in the split file": 2}
    with pytest.raises(UserError, match=r"\.csv, \.json"):
        split_dataset(config, tmp_path / "splits.txt")
    with pytest.raises(UserError, match="contradict"):
        replace(config, split_file=out, single_split="test")


def test_a_split_file_that_parts_a_patient_is_refused(
    write_chexpert: Callable[..., Path], chexpert_rows: list[dict[str, str]], tmp_path: Path
) -> None:
    rows = [row for row in chexpert_rows if "patient1/" in row["path_to_image"]]
    rows[-1]["section_findings"] = "Clear."
    root = write_chexpert(rows)
    out = tmp_path / "splits.csv"
    out.write_text("study_id,split\npatient1/study1,train\npatient1/study2,test\n", encoding="utf-8")
    config = DataConfig(
        format="chexpert-plus", root=root, language="en", vocabulary="chexpert14", split_file=out, max_bad_fraction=1.0
    )
    with pytest.raises(UserError, match="Patients stand in several splits"):
        read_studies(config)
