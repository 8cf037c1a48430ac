from __future__ import annotations

import csv
import json
import logging
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmrg.errors import TooManyBadStudiesError, UserError
from llmrg.studies.reading import read_studies
from llmrg.studies.settings import DataConfig

XML = """<?xml version="1.0" encoding="utf-8"?>
<eCitation>
   <uId id="CXR{number}" />
   <MedlineCitation><Article><Abstract>
      <AbstractText Label="COMPARISON">None.</AbstractText>
      <AbstractText Label="INDICATION">Cough &amp; fever</AbstractText>
      <AbstractText Label="FINDINGS">Lungs are clear &lt; normal, case {number}.</AbstractText>
      <AbstractText Label="IMPRESSION"/>
   </Abstract></Article></MedlineCitation>
   <parentImage id="CXR{number}_IM-0001-4001"><caption>PA</caption></parentImage>
   <parentImage id="CXR{number}_IM-0001-3001"><caption>Lateral</caption></parentImage>
</eCitation>
"""


def _config(root: Path, **changes: Any) -> DataConfig:
    return DataConfig(**{"format": "iu-xray", "root": root, "language": "en", "vocabulary": "chexpert14", **changes})


@pytest.fixture
def iu_root(tmp_path: Path) -> Path:
    """Three studies in the annotation of R2Gen; films are files of one byte."""
    root = tmp_path / "iu"
    annotation: dict[str, list[dict[str, Any]]] = {"train": [], "val": [], "test": []}
    for number, split in enumerate(annotation, start=1):
        name = f"CXR{number}_IM-{number:04d}"
        paths = [f"{name}/0.png", f"{name}/1.png"]
        _touch(root / "images", paths)
        annotation[split].append(
            {"id": name, "report": f"Case {number}.", "image_path": paths, "split": split, "tag": "iu"}
        )
    (root / "annotation.json").write_text(json.dumps(annotation), encoding="utf-8")
    return root


@pytest.fixture
def indiana_root(tmp_path: Path) -> Path:
    """Four reports as two CSV files; the third has no findings, the film of the fourth is missing."""
    root = tmp_path / "indiana"
    root.mkdir()
    with (root / "indiana_reports.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["uid", "MeSH", "Problems", "image", "indication", "comparison", "findings", "impression"])
        for uid in range(1, 5):
            findings = "" if uid == 3 else f'Heart "XXXX", normal;\nuid {uid}.'
            writer.writerow([uid, "normal", "normal", "PA", f"Cough {uid}", "None.", findings, f"Normal {uid}."])
    rows = ["uid,filename,projection"]
    for uid in range(1, 5):
        rows += [
            f"{uid},{uid}_IM-0001-3001.dcm.png,Lateral",
            f"{uid},{uid}_IM-0001-4001.dcm.png,Frontal",
        ]
    rows.append("9,9_IM-0001-4001.dcm.png,Frontal")
    (root / "indiana_projections.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    names = [f"{uid}_IM-0001-{film}.dcm.png" for uid in range(1, 4) for film in (3001, 4001)]
    _touch(root / "images/images_normalized", names)
    return root


@pytest.fixture
def openi_root(tmp_path: Path) -> Path:
    """Three XML reports of Open-i with their films."""
    root = tmp_path / "openi"
    (root / "ecgen-radiology").mkdir(parents=True)
    for number in (1, 2, 10):
        (root / f"ecgen-radiology/{number}.xml").write_text(XML.format(number=number), encoding="utf-8")
        _touch(root / "NLMCXR_png", [f"CXR{number}_IM-0001-{film}.png" for film in (4001, 3001)])
    return root


def _touch(folder: Path, names: list[str]) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def test_the_annotation_of_r2gen(iu_root: Path) -> None:
    table = read_studies(_config(iu_root))
    assert dict(table.splits) == {"train": 1, "val": 1, "test": 1}
    study = table[1]
    assert (study.id, study.patient_id, study.split, dict(study.sections)) == (
        "CXR2_IM-0002",
        "CXR2",
        "val",
        {"findings": "Case 2."},
    )
    assert [image.path.name for image in study.images] == ["0.png", "1.png"]
    assert [image.view for image in study.images] == ["unknown", "unknown"]  # nothing tells them


def test_views_of_the_annotation_come_from_the_projections(iu_root: Path) -> None:
    (iu_root / "indiana_projections.csv").write_text(
        "uid,filename,projection\n"
        "1,1_IM-0001-4001.dcm.png,Frontal\n1,1_IM-0001-3001.dcm.png,Lateral\n"  # the lateral comes first by name
        "2,2_IM-0002-1001.dcm.png,Frontal\n",
        encoding="utf-8",
    )
    views = [[(image.path.name, image.view) for image in study.images] for study in read_studies(_config(iu_root))]
    assert views == [
        [("1.png", "frontal"), ("0.png", "lateral")],
        [("0.png", "frontal"), ("1.png", "unknown")],
        [("0.png", "unknown"), ("1.png", "unknown")],
    ]


def test_a_record_in_the_wrong_list_is_bad(iu_root: Path) -> None:
    path = iu_root / "annotation.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"split": "test"', '"split": "train"'), encoding="utf-8")
    (error,) = read_studies(_config(iu_root)).bad
    assert error.study_id == "CXR3_IM-0003" and "its own split is 'train'" in error.reason


def test_the_pair_of_tables(indiana_root: Path) -> None:
    table = read_studies(_config(indiana_root, target=("impression",), max_bad_fraction=0.3))
    assert table.ids == ("1", "2", "3")
    assert [error.study_id for error in table.bad] == ["4"]
    assert dict(table.set_aside) == {"films without a report": 1}
    study = table[0]
    assert dict(study.sections) == {
        "findings": 'Heart "XXXX", normal;\nuid 1.',
        "impression": "Normal 1.",
        "comparison": "None.",
    }
    assert (study.patient_id, study.context.indication) == ("CXR1", "Cough 1")
    assert [(image.path.name, image.view) for image in study.images] == [
        ("1_IM-0001-4001.dcm.png", "frontal"),
        ("1_IM-0001-3001.dcm.png", "lateral"),
    ]
    findings = read_studies(_config(indiana_root, max_bad_fraction=0.5))
    assert (findings.ids, dict(findings.set_aside)["no findings section"]) == (("1", "2"), 1)


def test_the_pair_of_tables_must_be_a_pair(indiana_root: Path) -> None:
    with pytest.raises(UserError, match="no section 'summary'"):
        read_studies(_config(indiana_root, target=("summary",)))
    (indiana_root / "indiana_projections.csv").unlink()
    with pytest.raises(UserError, match="table of films does not exist"):
        read_studies(_config(indiana_root))


def test_partial_download(indiana_root: Path, caplog: pytest.LogCaptureFixture) -> None:
    (indiana_root / "images/images_normalized/2_IM-0001-3001.dcm.png").unlink()
    with pytest.raises(TooManyBadStudiesError, match=r"2 of them lack films.*missing_images=skip"):
        read_studies(_config(indiana_root))
    with caplog.at_level(logging.WARNING):
        table = read_studies(_config(indiana_root, missing_images="skip"))
    assert (table.ids, table.bad) == (("1", "2"), ())
    assert len(table[1].images) == 1
    assert dict(table.set_aside)["no film on disk"] == 1
    assert "3 films are not on disk (missing_images: skip): 1 studies are left out, 1 keep fewer films" in caplog.text


def test_a_partial_download_still_refuses_unsafe_paths(indiana_root: Path) -> None:
    path = indiana_root / "indiana_projections.csv"
    text = path.read_text(encoding="utf-8").replace("2_IM-0001-3001.dcm.png", "../2_IM-0001-3001.dcm.png")
    path.write_text(text, encoding="utf-8")
    (error,) = read_studies(_config(indiana_root, missing_images="skip")).bad
    assert error.study_id == "2" and "leaves the dataset's folder" in error.reason


def test_open_i(openi_root: Path) -> None:
    table = read_studies(_config(openi_root))
    assert table.ids == ("CXR1", "CXR2", "CXR10")
    study = table[2]
    assert dict(study.sections) == {"findings": "Lungs are clear < normal, case 10.", "comparison": "None."}
    assert (study.patient_id, study.context.indication) == ("CXR10", "Cough & fever")
    assert [image.view for image in study.images] == ["unknown", "unknown"]
    (openi_root / "indiana_projections.csv").write_text(
        "uid,filename,projection\n1,1_IM-0001-4001.dcm.png,Frontal\n1,1_IM-0001-3001.dcm.png,Lateral\n",
        encoding="utf-8",
    )
    assert [image.view for image in read_studies(_config(openi_root))[0].images] == ["frontal", "lateral"]


def test_the_same_patient_has_the_same_split_in_tables_and_xml(openi_root: Path, indiana_root: Path) -> None:
    xml, tables = read_studies(_config(openi_root)), read_studies(_config(indiana_root, max_bad_fraction=0.5))
    assert [(s.patient_id, s.split) for s in xml][:2] == [(s.patient_id, s.split) for s in tables]


BOMB = (
    '<!DOCTYPE lolz [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    + "]>"
)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: text[:300], "broken at line"),
        (lambda text: "", "broken at line"),
        (lambda text: text.replace("<uId", "<uid"), "no uId"),
        (lambda text: text.replace("?>\n", "?>\n" + BOMB, 1).replace("Cough", "&i;"), "declares an entity"),
        (
            lambda text: text.replace("?>\n", '?>\n<!DOCTYPE e [<!ENTITY x SYSTEM "SECRET">]>', 1).replace(
                "Cough", "&x;"
            ),
            "declares an entity",
        ),
        (
            lambda text: text.replace("?>\n", '?>\n<!DOCTYPE e [<!ENTITY % x SYSTEM "SECRET"> %x;]>', 1),
            "declares an entity",
        ),
        (
            lambda text: text.replace("?>\n", '?>\n<!DOCTYPE e SYSTEM "SECRET">', 1).replace("Cough", "&y;"),
            "declares an entity|broken",
        ),
        (lambda text: text.replace("Cough", "&y;"), "broken at line"),
        (lambda text: text.replace('encoding="utf-8"', 'encoding="klingon"'), "unknown encoding|broken"),
        (lambda text: text.replace("Cough", "\0"), "broken at line"),
        (lambda text: text.replace("</eCitation>", "<!--" + "x" * 5_000_000 + "--></eCitation>"), "more than 4 MiB"),
        (lambda text: text.replace('"CXR2_IM-0001-4001"', '"../../CXR2"'), "leaves the dataset's folder"),
        (lambda text: text.replace('"CXR2_IM-0001-4001"', '"/etc/passwd"'), "absolute"),
    ],
)
def test_bad_xml_sets_one_study_aside(openi_root: Path, change: Callable[[str], str], reason: str) -> None:
    secret = openi_root.parent / "secret.txt"
    secret.write_text("SECRET WORDS", encoding="utf-8")
    path = openi_root / "ecgen-radiology/2.xml"
    text = change(path.read_text(encoding="utf-8")).replace('"SECRET"', f'"{secret.as_uri()}"')
    path.write_text(text, encoding="utf-8")
    table = read_studies(_config(openi_root))
    assert table.ids == ("CXR1", "CXR10")
    (error,) = table.bad
    assert error.study_id in ("2.xml", "CXR2")
    assert any(part in error.reason for part in reason.split("|"))
    assert all("SECRET WORDS" not in str(study) for study in table)


def test_an_empty_folder_of_reports(openi_root: Path) -> None:
    for path in (openi_root / "ecgen-radiology").iterdir():
        path.unlink()
    with pytest.raises(UserError, match="annotation does not exist"):
        read_studies(_config(openi_root))
    with pytest.raises(UserError, match="no XML files"):
        read_studies(_config(openi_root, annotation=Path("ecgen-radiology")))


def _real() -> Path:
    folder = os.environ.get("LLMRG_TEST_DATA")
    if not folder or not (Path(folder) / "iu_xray").is_dir():
        pytest.skip("LLMRG_TEST_DATA is not set: the folder of real samples is not on this machine")
    return Path(folder) / "iu_xray"


def test_real_annotation(tmp_path: Path) -> None:
    real, root = _real(), tmp_path / "iu"
    annotation = json.loads((real / "annotation.json").read_text(encoding="utf-8"))
    _touch(root / "images", [name for items in annotation.values() for item in items for name in item["image_path"]])
    for name in ("annotation.json", "indiana_projections.csv"):
        (root / name).write_bytes((real / name).read_bytes())
    table = read_studies(_config(root))
    assert dict(table.splits) == {"train": 2069, "val": 296, "test": 590}
    assert (table.bad, dict(table.set_aside)) == ((), {})
    assert len(set(table.patient_ids)) == 2955
    assert [study.report() for study in table] == [i["report"].strip() for items in annotation.values() for i in items]
    views = Counter(image.view for study in table for image in study.images)
    assert views["unknown"] < 0.01 * sum(views.values()) and views["frontal"] > 2900


def test_real_tables(tmp_path: Path) -> None:
    real, root = _real(), tmp_path / "iu"
    rows = list(csv.DictReader((real / "indiana_projections.csv").open(encoding="utf-8")))
    _touch(root / "images/images_normalized", [row["filename"] for row in rows])
    for name in ("indiana_reports.csv", "indiana_projections.csv"):
        (root / name).write_bytes((real / name).read_bytes())
    table = read_studies(_config(root))
    reports = list(csv.DictReader((real / "indiana_reports.csv").open(encoding="utf-8", newline="")))
    assert table.ids == tuple(row["uid"] for row in reports if row["findings"].strip())
    assert table.reports() == [row["findings"].strip() for row in reports if row["findings"].strip()]
    assert table.bad == ()
    assert dict(table.set_aside) == {
        "no findings section": sum(not row["findings"].strip() for row in reports),
        "films without a report": len({row["uid"] for row in rows} - {row["uid"] for row in reports}),
    }
