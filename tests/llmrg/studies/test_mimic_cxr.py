from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmrg.errors import TooManyBadStudiesError, UserError
from llmrg.studies.reading import read_studies
from llmrg.studies.settings import DataConfig

# film, study, patient, split, position, meaning
FILMS = [
    ("aaaa-1", "50000001", "10000001", "train", "LATERAL", "lateral"),
    ("aaaa-2", "50000001", "10000001", "train", "PA", "postero-anterior"),
    ("bbbb-1", "50000002", "10000001", "train", "", "antero-posterior"),
    ("cccc-1", "50000003", "11000002", "validate", "AP", ""),
    ("dddd-1", "50000004", "12000003", "test", "LL", "left lateral"),
]
CHEXPERT = """subject_id,study_id,Atelectasis,Pleural Effusion,No Finding
10000001,50000001,1.0,-1.0,
10000001,50000002,,0.0,1.0
"""


def _config(root: Path, **changes: Any) -> DataConfig:
    return DataConfig(**{"format": "mimic-cxr", "root": root, "language": "en", "vocabulary": "chexpert14", **changes})


def _path(film: str, study: str, patient: str) -> str:
    return f"p{patient[:2]}/p{patient}/s{study}/{film}.jpg"


def _write_films(folder: Path) -> None:
    for film, study, patient, *_ in FILMS:
        path = folder / _path(film, study, patient)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


@pytest.fixture
def jpg_root(tmp_path: Path) -> Path:
    """The JPG release with packed tables, and the reports."""
    root = tmp_path / "mimic"
    _write_films(root / "files")
    split = "dicom_id,study_id,subject_id,split\n" + "".join(f"{f},{s},{p},{x}\n" for f, s, p, x, *_ in FILMS)
    metadata = "dicom_id,subject_id,study_id,ViewPosition,Rows,ViewCodeSequence_CodeMeaning\n" + "".join(
        f"{f},{p},{s},{v},3056,{m}\n" for f, s, p, _, v, m in reversed(FILMS)
    )
    for name, text in (("split", split), ("metadata", metadata), ("chexpert", CHEXPERT)):
        (root / f"mimic-cxr-2.0.0-{name}.csv.gz").write_bytes(gzip.compress(text.encode()))
    for _, study, patient, *_ in FILMS:
        report = root / f"mimic-cxr-reports/files/p{patient[:2]}/p{patient}/s{study}.txt"
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(
            f" FINAL REPORT\n INDICATION: Cough {study}.\n\n"
            f" FINDINGS: Heart of {study}\n is normal.\n\n IMPRESSION: Ok.\n",
            encoding="utf-8",
        )
    return root


@pytest.fixture
def r2gen_root(tmp_path: Path) -> Path:
    """The annotation of R2Gen: one record a film."""
    root = tmp_path / "r2gen"
    _write_films(root / "images")
    annotation: dict[str, list[dict[str, Any]]] = {"train": [], "val": [], "test": []}
    for film, study, patient, split, *_ in FILMS:
        split = "val" if split == "validate" else split
        annotation[split].append(
            {
                "id": film,
                "study_id": int(study),
                "subject_id": int(patient),
                "report": f"Report of {study}.\n",
                "image_path": [_path(film, study, patient)],
                "split": split,
            }
        )
    (root / "annotation.json").write_text(json.dumps(annotation), encoding="utf-8")
    return root


def _edit(root: Path, change: Callable[[Any], Any]) -> None:
    path = root / "annotation.json"
    annotation = json.loads(path.read_text(encoding="utf-8"))
    change(annotation)
    path.write_text(json.dumps(annotation), encoding="utf-8")


def _unpacked(root: Path, kind: str, change: Callable[[str], str]) -> None:
    packed = root / f"mimic-cxr-2.0.0-{kind}.csv.gz"
    (root / f"mimic-cxr-2.0.0-{kind}.csv").write_text(change(gzip.decompress(packed.read_bytes()).decode()))
    packed.unlink()


def test_the_jpg_release(jpg_root: Path) -> None:
    table = read_studies(_config(jpg_root))
    assert table.ids == ("50000001", "50000002", "50000003", "50000004")
    assert dict(table.splits) == {"train": 2, "val": 1, "test": 1}
    study = table[0]
    assert (study.patient_id, study.split, study.context.indication) == ("10000001", "train", "Cough 50000001.")
    assert dict(study.sections) == {"findings": "Heart of 50000001 is normal.", "impression": "Ok."}
    assert [(image.path.name, image.view) for image in study.images] == [
        ("aaaa-2.jpg", "frontal"),
        ("aaaa-1.jpg", "lateral"),
    ]
    assert [study.images[0].view for study in table] == ["frontal", "frontal", "frontal", "lateral"]
    assert study.labels is None  # labels of whole reports are read on request only
    both = read_studies(_config(jpg_root, target=("findings", "impression")))
    assert both[0].report(("findings", "impression")) == "Heart of 50000001 is normal. Ok."


def test_labels_on_request(jpg_root: Path) -> None:
    table = read_studies(_config(jpg_root, labels=Path("mimic-cxr-2.0.0-chexpert.csv.gz")))
    assert [study.labels for study in table][:3] == [
        {"Atelectasis": 1.0, "Pleural Effusion": -1.0},
        {"Pleural Effusion": 0.0, "No Finding": 1.0},
        None,
    ]
    with pytest.raises(UserError, match=r"label file does not exist.*chexpert"):
        read_studies(_config(jpg_root, labels=Path("mimic-cxr-2.0.0-chexprt.csv.gz")))
    _unpacked(jpg_root, "chexpert", lambda text: text.replace("-1.0", "yes"))
    with pytest.raises(UserError, match="A label is none of 1, 0, -1"):
        read_studies(_config(jpg_root, labels=Path("mimic-cxr-2.0.0-chexpert.csv")))


def test_every_film_a_study(jpg_root: Path, r2gen_root: Path) -> None:
    for root in (jpg_root, r2gen_root):
        table = read_studies(_config(root, group_by="image"))
        assert table.ids == tuple(film[0] for film in FILMS)
        assert [len(study.images) for study in table] == [1] * 5
    with pytest.raises(UserError, match="grouped by study_id or image"):
        read_studies(_config(r2gen_root, group_by="patient_id"))


def test_the_annotation_of_r2gen(r2gen_root: Path, jpg_root: Path) -> None:
    table = read_studies(_config(r2gen_root))
    assert table.ids == ("50000001", "50000002", "50000003", "50000004")
    assert [(study.patient_id, study.split) for study in table] == [
        ("10000001", "train"),
        ("10000001", "train"),
        ("11000002", "val"),
        ("12000003", "test"),
    ]
    assert table[0].sections == {"findings": "Report of 50000001."}
    assert [image.view for image in table[0].images] == ["unknown", "unknown"]
    for kind in ("metadata", "chexpert"):
        name = f"mimic-cxr-2.0.0-{kind}.csv.gz"
        (r2gen_root / name).write_bytes((jpg_root / name).read_bytes())
    table = read_studies(_config(r2gen_root, labels=Path("mimic-cxr-2.0.0-chexpert.csv.gz")))
    assert [image.view for image in table[0].images] == ["frontal", "lateral"]
    assert table[0].labels == {"Atelectasis": 1.0, "Pleural Effusion": -1.0}


@pytest.mark.parametrize(
    ("change", "study_id", "reason"),
    [
        (lambda a: a["train"][1].update(report="Another."), "50000001", "several reports"),
        (lambda a: a["train"][1].update(image_path=a["train"][0]["image_path"]), "50000001", "listed twice"),
        (lambda a: a["train"][1].update(subject_id=10000009), "aaaa-2", "differs from its image path"),
        (lambda a: a["train"][1].update(study_id=50000002), "aaaa-2", "differs from its image path"),
        (lambda a: a["train"][2].update(report=["x"]), "50000002", "not text"),
    ],
)
def test_films_that_contradict_each_other(r2gen_root: Path, change: Any, study_id: str, reason: str) -> None:
    _edit(r2gen_root, change)
    (error,) = read_studies(_config(r2gen_root)).bad
    assert error.study_id == study_id and reason in error.reason


def test_a_study_in_two_splits_is_refused(r2gen_root: Path) -> None:
    def move(annotation: Any) -> None:
        annotation["val"].append({**annotation["train"].pop(1), "split": "val"})

    _edit(r2gen_root, move)
    (error,) = read_studies(_config(r2gen_root)).bad
    assert (error.study_id, "several splits" in error.reason) == ("50000001", True)


def test_a_patient_that_nothing_tells(r2gen_root: Path) -> None:
    def change(annotation: Any) -> None:
        record = annotation["test"][0]
        del record["subject_id"]
        record["image_path"] = ["film.jpg"]

    _edit(r2gen_root, change)
    with pytest.raises(UserError, match=r"'subject_id' is missing.*test\[0\]"):
        read_studies(_config(r2gen_root))


def test_partial_download(jpg_root: Path) -> None:
    (jpg_root / "files/p11/p11000002/s50000003/cccc-1.jpg").unlink()
    (jpg_root / "mimic-cxr-reports/files/p12/p12000003/s50000004.txt").unlink()
    with pytest.raises(TooManyBadStudiesError, match=r"2 of them lack films.*missing_images=skip"):
        read_studies(_config(jpg_root))
    table = read_studies(_config(jpg_root, missing_images="skip"))
    assert table.ids == ("50000001", "50000002")
    assert dict(table.set_aside) == {"no film on disk": 1, "no report on disk": 1}


def test_reports_elsewhere_packed_and_absent(jpg_root: Path) -> None:
    (jpg_root / "mimic-cxr-reports").rename(jpg_root / "texts")
    with pytest.raises(UserError, match=r"no report files.*set reports"):
        read_studies(_config(jpg_root))
    for path in list((jpg_root / "texts").rglob("*.txt")):
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert len(read_studies(_config(jpg_root, reports=Path("texts/files")))) == 4


@pytest.mark.parametrize(
    ("old", "new", "row"),
    [("dddd-1,50000004", "dddd-1,../../x", "row 6"), ("aaaa-1,", ",", "row 2"), ("12000003", "nobody", "row 6")],
)
def test_rows_without_usable_ids(jpg_root: Path, old: str, new: str, row: str) -> None:
    _unpacked(jpg_root, "split", lambda text: text.replace(old, new))
    (error,) = read_studies(_config(jpg_root)).bad
    assert error.study_id.startswith(row)


def test_other_bad_rows(jpg_root: Path) -> None:
    _unpacked(jpg_root, "split", lambda text: text.replace("test\n", "tset\n") + "aaaa-1,50000001,10000001,train\n")
    bad = read_studies(_config(jpg_root, max_bad_fraction=0.5)).bad
    assert {error.study_id: error.reason.split()[0] for error in bad} == {"50000001": "one", "50000004": "its"}


def test_ids_that_went_through_floating_point(jpg_root: Path) -> None:
    _unpacked(jpg_root, "split", lambda text: text.replace("50000004,12000003", "50000004.0,12000003.0"))
    assert read_studies(_config(jpg_root)).ids[-1] == "50000004"


@pytest.mark.parametrize("content", [b"FINDINGS: \xff\xfe", b"FINDINGS: a\0b", b"x" * 2_000_000])
def test_a_bad_report_file(jpg_root: Path, content: bytes) -> None:
    (jpg_root / "mimic-cxr-reports/files/p12/p12000003/s50000004.txt").write_bytes(content)
    (error,) = read_studies(_config(jpg_root)).bad
    assert error.study_id == "50000004"


def test_a_packed_table_that_is_cut_short(jpg_root: Path) -> None:
    path = jpg_root / "mimic-cxr-2.0.0-split.csv.gz"
    whole = path.read_bytes()
    for content, message in ((whole[:-20], "ends too early"), (whole[:40] + b"\0\xff" + whole[42:], "damaged")):
        path.write_bytes(content)
        with pytest.raises(UserError, match=message):
            read_studies(_config(jpg_root))
