"""Annotations and tables of every format, damaged in hundreds of ways: nothing crashes, nothing is silently wrong."""

from __future__ import annotations

import csv
import gzip
import io
import json
import logging
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from llmrg.errors import UserError
from llmrg.studies.reading import read_studies
from llmrg.studies.settings import DataConfig, TableColumns
from llmrg.studies.study import Study

STUDIES = range(101, 109)
MARK = "véritable 正常"  # stands in every report; no message may repeat it


def text(number: int) -> str:
    return f'{MARK}, "case" {number};\nclear'


def split(number: int) -> str:
    return "train" if number < 106 else ("val" if number == 106 else "test")


class Made(NamedTuple):
    """A dataset: its configuration, and the files to damage."""

    config: dict[str, Any]
    files: list[str]


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def write_json(root: Path, name: str, value: Any) -> None:
    (root / name).write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8")


def write_csv(root: Path, name: str, rows: list[dict[str, Any]]) -> None:
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    data = file.getvalue().encode()
    (root / name).write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)


def lists(root: Path, record: Callable[[int], dict[str, Any]], folder: str = "images") -> Made:
    annotation: dict[str, list[Any]] = {"train": [], "val": [], "test": []}
    for number in STUDIES:
        item = record(number)
        annotation[split(number)].append(item)
        touch(root / folder, *item["image_path"])
    write_json(root, "annotation.json", annotation)
    return Made({}, ["annotation.json"])


def ped_xray(root: Path) -> Made:
    return lists(
        root, lambda n: {"id": str(n), "report": text(n), "image_path": [f"{n}/IMG-0001.jpg", f"{n}/IMG-0002.jpg"]}
    )


def cn_cxr(root: Path) -> Made:
    return lists(root, lambda n: {"id": n, "image_finding": text(n), "impressions": "x", "image_path": [f"{n}_PA.png"]})


def iu_annotation(root: Path) -> Made:
    def record(n: int) -> dict[str, Any]:
        paths = [f"CXR{n}_IM-1/{i}.png" for i in (0, 1)]
        return {"id": f"CXR{n}_IM-1", "report": text(n), "image_path": paths, "split": split(n)}

    return lists(root, record)


def mimic_annotation(root: Path) -> Made:
    def record(n: int) -> dict[str, Any]:
        ids = {"id": f"film{n}", "study_id": 5000 + n, "subject_id": 1000 + n}
        return {**ids, "report": text(n), "image_path": [f"p10/p{1000 + n}/s{5000 + n}/film{n}.jpg"]}

    return lists(root, record, folder="files")


def rexrank(root: Path) -> Made:
    records = {
        str(n): {
            "image_path": [f"/p/{n}_a.png", f"/p/{n}_b.png"],
            "section_findings": text(n),
            "section_impression": float("nan"),
            "frontal_lateral": ["Frontal", "Lateral"],
            "subject_id": n,
            "split": "test",
        }
        for n in STUDIES
    }
    touch(root / "images", *(name.lstrip("/") for record in records.values() for name in record["image_path"]))
    write_json(root, "rexrank.json", records)
    return Made({}, ["rexrank.json"])


def iu_tables(root: Path) -> Made:
    films = [(n, f"{n}_IM-1-{film}.dcm.png", view) for n in STUDIES for film, view in ((1, "Frontal"), (2, "Lateral"))]
    touch(root / "images", *(name for _, name, _ in films))
    write_csv(root, "indiana_reports.csv", [{"uid": n, "MeSH": "", "findings": text(n), "image": "x"} for n in STUDIES])
    write_csv(
        root, "indiana_projections.csv", [dict(zip(("uid", "filename", "projection"), f, strict=True)) for f in films]
    )
    return Made({}, ["indiana_reports.csv", "indiana_projections.csv"])


def openi(root: Path) -> Made:
    (root / "ecgen-radiology").mkdir(parents=True)
    for n in STUDIES:
        touch(root / "images", f"CXR{n}_1.png", f"CXR{n}_2.png")
        films = "".join(f'<parentImage id="CXR{n}_{i}"><caption>x</caption></parentImage>\n' for i in (1, 2))
        words = f'<AbstractText Label="FINDINGS">{text(n)}</AbstractText>'
        body = f'<?xml version="1.0" encoding="utf-8"?>\n<eCitation><uId id="CXR{n}"/>\n{words}\n{films}</eCitation>\n'
        (root / f"ecgen-radiology/{n}.xml").write_text(body, encoding="utf-8")
    return Made({}, ["ecgen-radiology/103.xml", "ecgen-radiology/107.xml"])


def mimic_tables(root: Path) -> Made:
    rows = []
    for n in STUDIES:
        patient, study = f"10{n}", f"50{n}"
        rows.append(
            {
                "dicom_id": f"f{n}",
                "study_id": study,
                "subject_id": patient,
                "split": split(n).replace("val", "validate"),
            }
        )
        touch(root / "files", f"p10/p{patient}/s{study}/f{n}.jpg")
        report = root / f"reports/p10/p{patient}/s{study}.txt"
        report.parent.mkdir(parents=True)
        report.write_text(f"FINAL REPORT\nFINDINGS: {text(n)}\n", encoding="utf-8")
    write_csv(root, "mimic-cxr-2.0.0-split.csv.gz", rows)
    write_csv(
        root, "mimic-cxr-2.0.0-metadata.csv", [{"dicom_id": row["dicom_id"], "ViewPosition": "PA"} for row in rows]
    )
    return Made({}, ["mimic-cxr-2.0.0-split.csv.gz", "reports/p10/p10103/s50103.txt"])


def chexpert(root: Path) -> Made:
    rows = []
    for n in STUDIES:
        for film in ("view1_frontal", "view2_lateral"):
            path = f"train/patient{n}/study1/{film}.jpg"
            touch(root / "CheXpert-v1.0-small", path)
            rows.append(
                {
                    "path_to_image": path,
                    "deid_patient_id": f"patient{n}",
                    "section_findings": text(n),
                    "section_impression": "",
                    "split": "train",
                }
            )
    write_csv(root, "df_chexpert_plus_240401.csv", rows)
    return Made({}, ["df_chexpert_plus_240401.csv"])


def table(root: Path) -> Made:
    rows = []
    for n in STUDIES:
        for film in ("PA", "lateral"):
            touch(root / "images", f"{n}_{film}.png")
            ids = {"study_id": n, "patient_id": f"p{n}", "image": f"{n}_{film}.png"}
            rows.append({**ids, "split": split(n), "view": film, "findings": text(n)})
    write_csv(root, "metadata.csv", rows)
    return Made({"columns": TableColumns()}, ["metadata.csv"])


FORMATS: dict[str, tuple[str, Callable[[Path], Made]]] = {
    "ped-xray": ("ped-xray", ped_xray),
    "cn-cxr": ("cn-cxr", cn_cxr),
    "iu-xray annotation": ("iu-xray", iu_annotation),
    "iu-xray tables": ("iu-xray", iu_tables),
    "iu-xray xml": ("iu-xray", openi),
    "mimic-cxr annotation": ("mimic-cxr", mimic_annotation),
    "mimic-cxr tables": ("mimic-cxr", mimic_tables),
    "rexrank": ("rexrank", rexrank),
    "chexpert-plus": ("chexpert-plus", chexpert),
    "table": ("table", table),
}

PATHS = ("../x.png", "a/../../x.png", "/etc/passwd", "C:\\x.png", "\\\\host\\x.png", "~/x.png", "", "  ", "a\0.png")
PATHS += ("none.png", "void.png", "folder", "out.png", "loop.png", "x" * 5000, "\ud800.png", "http://host/x.png")
VALUES: tuple[Any, ...] = (None, "", 5, 5.5, float("nan"), True, [], {}, ["x"], {"a": 1}, "a\0b", "\ud800", 10**30)


def traps(root: Path) -> None:
    """Things beside the films that a path may name."""
    for folder in (root, root / "images", root / "files"):
        folder.mkdir(exist_ok=True)
        (folder / "void.png").touch()
        (folder / "folder").mkdir()
        (folder / "out.png").symlink_to("/etc/hostname")
        (folder / "loop.png").symlink_to("loop.png")


def damaged_bytes(data: bytes, rng: random.Random, *, whole: bool) -> Iterator[bytes]:
    """Encodings, cuts, and bytes that do not belong; ``whole`` files cannot be cut unnoticed."""
    yield from (b"", b"\n", b"\0" * 100, b"\xff" * 10, b"\xef\xbb\xbf" + data, data.replace(b"\n", b"\r\n"))
    words = data.decode()
    for encoding in ("gb18030", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp037"):
        yield words.encode(encoding, errors="replace")
    yield words.encode("latin-1", errors="replace")
    for _ in range(8):
        place = rng.randrange(len(data))
        yield data[:place] + rng.choice((b"\0", b"\xff", b"\xc3(")) + data[place:]
    if whole:
        for _ in range(6):
            place = rng.randrange(1, len(data) - 2)
            yield data[: place + (data[place - 1 : place] == b"\n")]
    structure = [i for i, byte in enumerate(data) if chr(byte) in '{}[]<>:,"=\n' and data[max(0, i - 1) : i] != b"\\"]
    inside = [(i, j) for i, j in _texts(data)]
    structure = [i for i in structure if not any(a <= i < b for a, b in inside)]
    for place in rng.sample(structure, min(8, len(structure))):
        yield data[:place] + data[place + 1 :]


def _texts(data: bytes) -> Iterator[tuple[int, int]]:
    """Where reports stand: what is cut out of free text leaves another text, which nothing can tell."""
    start = 0
    while (start := data.find(MARK.encode(), start)) >= 0:
        end = data.index(b"clear", start)
        yield start, end
        start = end


def damaged_json(value: Any, rng: random.Random) -> Iterator[str]:
    def records(tree: Any) -> list[Any]:
        return (
            [item for part in tree.values() for item in part]
            if isinstance(next(iter(tree.values())), list)
            else list(tree.values())
        )

    def changed(change: Callable[[dict[str, Any], Any], None]) -> str:
        tree = json.loads(json.dumps(value))
        change(rng.choice(records(tree)), tree)
        return json.dumps(tree, indent=1)

    keys = list(records(value)[0])
    for key in keys:
        yield changed(lambda record, _, key=key: record.update({key[:-2] + key[-1:] + key[-2]: record.pop(key)}))
        yield changed(lambda record, _, key=key: record.pop(key))
        for other in VALUES:
            yield changed(lambda record, _, key=key, other=other: record.update({key: other}))
    for path in PATHS:
        yield changed(lambda record, _, path=path: record["image_path"].__setitem__(0, path))
    yield changed(lambda record, _: record["image_path"].append(record["image_path"][0]))
    yield changed(lambda record, _: record.update(extra=[[[[{}]]]]))
    for part in list(value):
        for other in VALUES:
            yield changed(lambda _, tree, part=part, other=other: tree.update({part: other}))
        yield json.dumps(value).replace(json.dumps(part), json.dumps(rng.choice(list(value))), 1)
        yield changed(lambda _, tree, part=part: tree.update({part + " ": tree.pop(part)}))
    for part in value.values():
        if isinstance(part, list):
            yield changed(lambda record, tree: next(iter(tree.values())).append(record))
            yield changed(lambda record, tree: record.update(id=records(tree)[0].get("id")))
    for other in ([], {}, None, 5, "x", [value], {"train": value}):
        yield json.dumps(other)
    yield "[" * 100_000
    yield json.dumps(value).replace("10", "1" * 5000, 1)


def damaged_csv(data: bytes, rng: random.Random) -> Iterator[bytes]:
    rows = list(csv.reader(io.StringIO(data.decode(), newline="")))

    def written(changed: list[list[str]], **options: Any) -> bytes:
        file = io.StringIO()
        csv.writer(file, lineterminator="\n", **options).writerows(changed)
        return file.getvalue().encode(errors="surrogatepass")

    for column, name in enumerate(rows[0]):
        yield written([[*row[:column], *row[column + 1 :]] for row in rows])
        yield written([[*rows[0][:column], name[1:] + name[0], *rows[0][column + 1 :]], *rows[1:]])
        yield written([[*row, row[column]] for row in rows])
        paths = rng.sample(PATHS, 8) if name in ("filename", "image", "path_to_image", "dicom_id") else []
        for cell in ("", "NaN", "x\0y", "\ud800", *paths):
            number = rng.randrange(1, len(rows))
            changed = [[*row[:column], cell, *row[column + 1 :]] if i == number else row for i, row in enumerate(rows)]
            yield written(changed)
    yield written(rows, delimiter=";")
    yield written(rows, delimiter="\t")
    yield written(rows, quoting=csv.QUOTE_ALL)
    yield written(rows[:1])
    yield written([*rows, rows[rng.randrange(1, len(rows))]])
    yield written([*rows[:3], rows[3][:-1], *rows[4:]])
    yield written([*rows[:3], [*rows[3], "more"], *rows[4:]])
    yield data.rstrip(b"\n")


def damaged_xml(data: bytes) -> Iterator[bytes]:
    entities = b'?>\n<!DOCTYPE e [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
    for old, new in (
        (b"?>", entities),
        (b"uId", b"uid"),
        (b"FINDINGS", b"FINDNGS"),
        (b'<parentImage id="', b'<parentImage id="../'),
        (b'<parentImage id="', b'<parentImage id="/'),
        (b'<parentImage id="', b'<parentImage id="no'),
        (b"parentImage", b"parentimage"),
        (b'uId id="CXR10', b'uId id="CXR11'),
        (b"case", b"&b;"),
        (b'encoding="utf-8"', b'encoding="utf-16"'),
    ):
        yield data.replace(old, new)


def mutations(name: str, data: bytes, rng: random.Random) -> Iterator[bytes]:
    if name.endswith(".json"):
        yield from damaged_bytes(data, rng, whole=True)
        yield from (words.encode(errors="surrogatepass") for words in damaged_json(json.loads(data), rng))
    elif name.endswith(".csv"):
        yield from damaged_bytes(data, rng, whole=True)
        yield from damaged_csv(data, rng)
    elif name.endswith(".csv.gz"):
        plain = gzip.decompress(data)
        for changed in (*damaged_bytes(plain, rng, whole=True), *damaged_csv(plain, rng)):
            yield gzip.compress(changed, mtime=0)
        for _ in range(30):
            place = rng.randrange(len(data))
            yield data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]
            yield data[:place]
    elif name.endswith(".xml"):
        yield from damaged_bytes(data, rng, whole=True)
        yield from damaged_xml(data)
    else:
        yield from damaged_bytes(data, rng, whole=False)


def check(study: Study, sound: dict[str, Study], reasons: str, hint: str) -> None:
    """A study that is read is one of the sound ones; what differs is named, or was stated otherwise (an id, a view)."""
    films = {image.path: image.view for image in study.images}
    (same,) = [other for other in sound.values() if any(image.path in films for image in other.images)]
    known = {image.path: image.view for image in same.images}
    assert films.keys() == known.keys() or (films.keys() < known.keys() and reasons), hint
    assert all(view in (known[path], "unknown") for path, view in films.items()), hint
    assert study.sections["findings"] == same.sections["findings"], hint
    assert study.sections.items() <= same.sections.items(), hint
    if study.id in sound:
        assert study.id == same.id, hint
        assert study.split == same.split or "twice" in reasons, hint
        assert study.patient_id in (same.patient_id, *map(str, VALUES)), hint


@pytest.mark.parametrize("case", FORMATS)
def test_nothing_crashes_and_nothing_is_silently_wrong(
    case: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    format, make = FORMATS[case]
    root = tmp_path / "data"
    root.mkdir()
    made = make(root)
    traps(root)
    config = DataConfig(
        **{
            "format": format,
            "root": root,
            "language": "en",
            "vocabulary": "chexpert14",
            "max_bad_fraction": 1,
            **made.config,
        }
    )
    caplog.set_level(logging.WARNING)
    sound = {study.id: study for study in read_studies(config)}
    assert len(sound) == len(STUDIES)
    rng = random.Random(case)
    tried = refused = partly = 0
    for name in made.files:
        data = (root / name).read_bytes()
        for changed in mutations(name, data, rng):
            (root / name).write_bytes(changed)
            tried += 1
            caplog.clear()
            hint = f"{case}, {name}, mutation {tried}: {changed[:3000]!r}"
            try:
                read = read_studies(config)
            except UserError as error:
                refused += 1
                assert MARK not in str(error), hint
                continue
            named = len(read.bad) + sum(read.set_aside.values())
            partly += named > 0
            assert all(MARK not in str(error) for error in read.bad), hint
            said = ("does not end with a line break", "unusual name", "is empty", "split by hash")
            warned = any(words in caplog.text for words in said)
            assert len(sound) - len(read) <= named or warned, hint
            for study in read if not warned else ():
                check(study, sound, " ".join(error.reason for error in read.bad), hint)
        (root / name).write_bytes(data)
    assert tried >= 60 and refused + partly >= 40
    assert {study.id: study for study in read_studies(config)} == sound
