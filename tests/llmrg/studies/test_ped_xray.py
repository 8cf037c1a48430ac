from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmrg.errors import TooManyBadStudiesError, UserError
from llmrg.studies.reading import read_studies
from llmrg.studies.settings import DataConfig

Make = Callable[..., DataConfig]


def _edit(root: Path, change: Callable[[Any], Any]) -> None:
    path = root / "annotation.json"
    annotation = json.loads(path.read_text(encoding="utf-8"))
    result = change(annotation)
    path.write_text(json.dumps(annotation if result is None else result, ensure_ascii=False), encoding="utf-8")


def test_studies_as_written(ped_xray_root: Path, ped_xray_config: Make) -> None:
    table = read_studies(ped_xray_config(ped_xray_root))
    assert dict(table.splits) == {"train": 4, "val": 1, "test": 1}
    study = table[0]
    assert (study.id, study.patient_id, study.language) == ("00001", "00001", "zh")
    assert study.sections == {"findings": "双肺纹理增多,第1例。"}
    assert [image.view for image in study.images] == ["frontal", "lateral"]
    assert [image.path.name for image in study.images] == ["IMG-0001-00001.jpg", "IMG-0002-00001.jpg"]
    assert all(image.path.is_file() for image in study.images)
    assert table.bad == ()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_with_and_without_bom(ped_xray_root: Path, ped_xray_config: Make, encoding: str) -> None:
    path = ped_xray_root / "annotation.json"
    path.write_text(path.read_text(encoding="utf-8"), encoding=encoding)
    assert read_studies(ped_xray_config(ped_xray_root))[0].sections["findings"].startswith("双肺")


@pytest.mark.parametrize(("encoding", "name"), [("gb18030", "GBK"), ("utf-16", "UTF-16"), ("utf-16-le", "UTF-16")])
def test_other_encodings_are_named(ped_xray_root: Path, ped_xray_config: Make, encoding: str, name: str) -> None:
    path = ped_xray_root / "annotation.json"
    path.write_text(path.read_text(encoding="utf-8"), encoding=encoding)
    with pytest.raises(UserError, match=f"looks like {name}.*iconv"):
        read_studies(ped_xray_config(ped_xray_root))


def test_films_may_lie_below_the_root_itself(ped_xray_root: Path, ped_xray_config: Make) -> None:
    for folder in list((ped_xray_root / "images").iterdir()):
        folder.rename(ped_xray_root / folder.name)
    (ped_xray_root / "images").rmdir()
    assert len(read_studies(ped_xray_config(ped_xray_root))) == 6


def test_other_image_roots_and_annotation(ped_xray_root: Path, ped_xray_config: Make, tmp_path: Path) -> None:
    (ped_xray_root / "images").rename(tmp_path / "films")
    (ped_xray_root / "annotation.json").rename(ped_xray_root / "other.json")
    for films in (Path("../films"), tmp_path / "films"):
        config = ped_xray_config(ped_xray_root, image_roots=(films,), annotation=Path("other.json"))
        assert len(read_studies(config)) == 6
    with pytest.raises(UserError, match="image root does not exist"):
        read_studies(ped_xray_config(ped_xray_root, image_roots=(Path("none"),), annotation=Path("other.json")))


def test_the_folder_of_films_may_be_a_link_only_if_it_is_named(
    ped_xray_root: Path, ped_xray_config: Make, tmp_path: Path
) -> None:
    (ped_xray_root / "images").rename(tmp_path / "films")
    (ped_xray_root / "images").symlink_to(tmp_path / "films")
    with pytest.raises(UserError, match="set image_roots"):
        read_studies(ped_xray_config(ped_xray_root))
    assert len(read_studies(ped_xray_config(ped_xray_root, image_roots=(tmp_path / "films",)))) == 6


def test_the_root_may_be_a_link(ped_xray_root: Path, ped_xray_config: Make, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(ped_xray_root)
    assert len(read_studies(ped_xray_config(tmp_path / "link"))) == 6


def test_numbers_are_accepted_as_ids(ped_xray_root: Path, ped_xray_config: Make) -> None:
    def change(annotation: Any) -> None:
        for number, record in enumerate(record for records in annotation.values() for record in records):
            record["id"] = number

    _edit(ped_xray_root, change)
    assert read_studies(ped_xray_config(ped_xray_root)).ids == ("0", "1", "2", "3", "4", "5")


def test_one_view_as_text_and_a_limit_of_views(ped_xray_root: Path, ped_xray_config: Make) -> None:
    def change(annotation: Any) -> None:
        annotation["train"][0]["image_path"] = annotation["train"][0]["image_path"][0]

    _edit(ped_xray_root, change)
    table = read_studies(ped_xray_config(ped_xray_root, views=1))
    assert [len(study.images) for study in table] == [1] * 6
    assert [study.images[0].view for study in table] == ["lateral"] + ["frontal"] * 5


def test_studies_without_report_are_counted_or_kept(ped_xray_root: Path, ped_xray_config: Make) -> None:
    def change(annotation: Any) -> None:
        annotation["train"][0]["report"] = "  "
        annotation["train"][1]["report"] = None

    _edit(ped_xray_root, change)
    table = read_studies(ped_xray_config(ped_xray_root))
    assert (len(table), dict(table.set_aside), table.bad) == (4, {"no findings section": 2}, ())
    kept = read_studies(ped_xray_config(ped_xray_root, keep_without_report=True))
    assert (len(kept), kept[0].report()) == (6, "")


@pytest.mark.parametrize(
    "path",
    [
        "../outside.jpg",
        "image00001/../../outside.jpg",
        "..\\outside.jpg",
        "/etc/passwd",
        "C:\\films\\a.jpg",
        "c:/films/a.jpg",
        "\\\\server\\share\\a.jpg",
        "~/a.jpg",
        "a\0.jpg",
        "",
        "link.jpg",
        "linked/outside.jpg",
        "image00001",
        "empty.jpg",
        "missing.jpg",
        "broken.jpg",
    ],
)
def test_unsafe_and_missing_paths_set_one_study_aside(
    ped_xray_root: Path, ped_xray_config: Make, tmp_path: Path, write_film: Callable[..., Path], path: str
) -> None:
    outside = write_film(tmp_path / "secret" / "outside.jpg")
    write_film(tmp_path / "outside.jpg")
    images = ped_xray_root / "images"
    (images / "link.jpg").symlink_to(outside)
    (images / "linked").symlink_to(outside.parent)
    (images / "broken.jpg").symlink_to(images / "none.jpg")
    (images / "empty.jpg").touch()

    def change(annotation: Any) -> None:
        annotation["train"][1]["image_path"][0] = path

    _edit(ped_xray_root, change)
    table = read_studies(ped_xray_config(ped_xray_root))
    assert len(table) == 5
    (error,) = table.bad
    assert error.study_id == "00002"
    assert "secret" not in error.reason
    with pytest.raises(TooManyBadStudiesError, match=r"1 of 6 studies cannot be used, 0 are tolerated: study '00002'"):
        read_studies(ped_xray_config(ped_xray_root, max_bad_fraction=0))


def test_a_link_within_the_root_is_followed(ped_xray_root: Path, ped_xray_config: Make) -> None:
    film = ped_xray_root / "images/image00001/IMG-0001-00001.jpg"
    film.rename(film.with_name("real.jpg"))
    film.symlink_to("real.jpg")
    assert read_studies(ped_xray_config(ped_xray_root)).bad == ()


@pytest.mark.parametrize("paths", [[], None, [3], {"a": 1}])
def test_image_path_of_another_type(ped_xray_root: Path, ped_xray_config: Make, paths: Any) -> None:
    _edit(ped_xray_root, lambda annotation: annotation["val"][0].update(image_path=paths))
    (error,) = read_studies(ped_xray_config(ped_xray_root)).bad
    assert error.study_id == "00005"


def test_many_bad_studies_fail_and_the_first_are_listed(ped_xray_root: Path, ped_xray_config: Make) -> None:
    for number in (1, 3):
        (ped_xray_root / f"images/image{number:05d}/IMG-0002-{number:05d}.jpg").unlink()
    with pytest.raises(TooManyBadStudiesError, match=r"2 of 6 .*'00001'.*does not exist.*'00003'"):
        read_studies(ped_xray_config(ped_xray_root))
    assert len(read_studies(ped_xray_config(ped_xray_root, max_bad_fraction=0.4))) == 4


def test_an_id_twice_is_bad_wherever_it_stands(ped_xray_root: Path, ped_xray_config: Make) -> None:
    _edit(ped_xray_root, lambda annotation: annotation["test"][0].update(id="00001"))
    table = read_studies(ped_xray_config(ped_xray_root))
    assert "twice" in table.bad[0].reason
    assert dict(table.splits) == {"train": 4, "val": 1}
    with pytest.raises(UserError, match="'test' has no studies"):
        table.split("test")


def test_patients_must_not_overlap(ped_xray_root: Path, ped_xray_config: Make) -> None:
    def change(annotation: Any) -> None:
        annotation["train"][0]["patient_id"] = annotation["test"][0]["patient_id"] = 77

    _edit(ped_xray_root, change)
    with pytest.raises(UserError, match=r"1 of train also in test \(such as '77'\)"):
        read_studies(ped_xray_config(ped_xray_root))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not valid JSON"),
        ('{"train": [', "line 1"),
        ("[" * 100_000, "not valid JSON"),
        ("[]", "must map split names"),
        ("{}", "must map split names"),
        ('{"train": {"id": 1}}', "'train' of the annotation is not a list"),
        ('{"train": ["00001"]}', r"not a mapping.*train\[0\]"),
        ('{"train": [{"id": 1, "reprot": "x", "image_path": []}]}', "rename 'reprot' to 'report'"),
        ('{"train": [{"id": 1, "report": "x", "image_paths": []}]}', "rename 'image_paths' to 'image_path'"),
        ('{"train": [{"id": null, "report": "x", "image_path": []}]}', "no usable id"),
        ('{"train": [{"id": " ", "report": "x", "image_path": []}]}', "no usable id"),
        ('{"train": [{"id": [1], "report": "x", "image_path": []}]}', "no usable id"),
        ('{"train": []}', "no study that can be used"),
        ('{"train": [], "train": []}', "'train' stands twice"),
        ('{"train": [{"id": 1, "id": 2, "report": "x", "image_path": []}]}', "'id' stands twice"),
        ('{"train": [{"id": NaN, "report": "x", "image_path": []}]}', "no usable id"),
        ('{"train": [{"id": "a\\u0000b", "report": "x", "image_path": []}]}', "an id holds a NUL"),
        ('{"train": [{"id": 1, "report": "x", "image_path": [], "pateint_id": 2}]}', "looks like 'patient_id'"),
        ('{"train": [\0]}', "NUL byte"),
    ],
)
def test_broken_annotations(ped_xray_root: Path, ped_xray_config: Make, content: str, message: str) -> None:
    (ped_xray_root / "annotation.json").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=message) as caught:
        read_studies(ped_xray_config(ped_xray_root))
    assert "ped" in str(caught.value)


def test_missing_folders_and_files(ped_xray_root: Path, ped_xray_config: Make, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="root does not exist"):
        read_studies(ped_xray_config(tmp_path / "none"))
    with pytest.raises(UserError, match="root is not a folder"):
        read_studies(ped_xray_config(ped_xray_root / "annotation.json"))
    (ped_xray_root / "annotation.json").rename(ped_xray_root / "annotations.json")
    with pytest.raises(UserError, match=r"annotation does not exist.*Did you mean 'annotations.json'"):
        read_studies(ped_xray_config(ped_xray_root))
    with pytest.raises(UserError, match="has one section"):
        read_studies(ped_xray_config(ped_xray_root, target=("impression",)))


def test_every_study_in_one_split(ped_xray_root: Path, ped_xray_config: Make) -> None:
    assert dict(read_studies(ped_xray_config(ped_xray_root, single_split="test")).splits) == {"test": 6}


def test_texts_that_cannot_be_stored_are_named(ped_xray_root: Path, ped_xray_config: Make) -> None:
    def change(annotation: Any) -> None:
        for record, report in zip(annotation["train"], ("a\0b", "\ud800", ["x"], 5), strict=True):
            record["report"] = report

    path = ped_xray_root / "annotation.json"
    annotation = json.loads(path.read_text(encoding="utf-8"))
    change(annotation)
    path.write_text(json.dumps(annotation), encoding="utf-8")
    bad = read_studies(ped_xray_config(ped_xray_root, max_bad_fraction=1)).bad
    assert [error.reason.split()[-2:] for error in bad] == [
        ["NUL", "character"], ["lone", "surrogate)"], ["not", "text"], ["not", "text"],
    ]  # fmt: skip


def test_line_breaks_of_windows_are_those_of_others(ped_xray_root: Path, ped_xray_config: Make) -> None:
    _edit(ped_xray_root, lambda annotation: annotation["train"][0].update(report="a\r\nb\rc\n"))
    assert read_studies(ped_xray_config(ped_xray_root))[0].report() == "a\nb\nc"


def test_a_partial_download(ped_xray_root: Path, ped_xray_config: Make, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("image00001/IMG-0001-00001.jpg", "image00002/IMG-0001-00002.jpg", "image00002/IMG-0002-00002.jpg"):
        (ped_xray_root / "images" / name).unlink()
    with pytest.raises(TooManyBadStudiesError, match=r"2 of them lack films on disk.*missing_images=skip"):
        read_studies(ped_xray_config(ped_xray_root))
    table = read_studies(ped_xray_config(ped_xray_root, missing_images="skip"))
    assert table.ids == ("00001", "00003", "00004", "00005", "00006")
    assert [image.view for image in table[0].images] == ["lateral"]
    assert dict(table.set_aside) == {"no film on disk": 1}
    assert "3 films are not on disk (missing_images: skip): 1 studies are left out, 1 keep fewer films" in caplog.text
