"""Labelling files: what is in them stays, what is added is right, and bad files are refused whole."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmrg.cli import main
from llmrg.errors import UserError
from llmrg.findings.label_file import LabelFile, label_file
from llmrg.findings.vocabulary import get_vocabulary

NAMES = list(get_vocabulary("chexpert14").names)
ROWS = [
    {"id": "001", "note": " NA", "report": "右侧胸腔少量积液，左侧未见。"},
    {"id": "2.50", "note": 'a "quoted", value', "report": "未见气胸。\r\n心影增大可能。"},
    {"id": "", "note": "两行\n文字", "report": ""},
    {"id": "nan", "note": "1e5", "report": "  "},
]
EXPECTED = [
    {"Pleural Effusion": "1"},
    {"Pneumothorax": "0", "Cardiomegaly": "-1"},
    {},
    {},
]


def _csv(rows: list[dict[str, str]], delimiter: str = ",") -> str:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _read(path: Path, encoding: str = "utf-8", delimiter: str = ",") -> list[dict[str, str]]:
    with path.open(encoding=encoding, newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter, strict=True))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize(("suffix", "delimiter"), [(".csv", ","), (".tsv", "\t")])
def test_rows_stay_and_labels_are_added(tmp_path: Path, encoding: str, suffix: str, delimiter: str) -> None:
    source, out = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    source.write_bytes(_csv(ROWS, delimiter).encode(encoding))
    summary = label_file(LabelFile(source=source, out=out, language="zh"))
    read = _read(out, encoding, delimiter)
    assert list(read[0]) == [*ROWS[0], *NAMES]
    assert [{name: row[name] for name in ROWS[0]} for row in read] == ROWS
    assert [{name: row[name] for name in NAMES if row[name]} for row in read] == EXPECTED
    assert (summary.rows, summary.empty) == (4, 2)
    assert summary.counts["Pleural Effusion"] == {"positive": 1, "negative": 0, "uncertain": 0, "unmentioned": 3}


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)] * 2),
        min_size=1,
        max_size=4,
    )
)
def test_any_values_survive(tmp_path_factory: pytest.TempPathFactory, values: list[tuple[str, str]]) -> None:
    folder = tmp_path_factory.mktemp("any")
    rows = [{"report": report, "other": other} for report, other in values]
    (folder / "in.csv").write_bytes(_csv(rows).encode())
    label_file(LabelFile(source=folder / "in.csv", out=folder / "out.csv", language="zh"))
    read = _read(folder / "out.csv")
    assert [{name: row[name] for name in ("report", "other")} for row in read] == rows


def test_json_lines_keep_their_text(tmp_path: Path) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    lines = ['{"id": 1.0, "report": "左侧气胸。", "x": [1, {"y": 1e5}]}', '{"report": null}', "{}", '{"id":"\\u4e00"}']
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")
    label_file(LabelFile(source=source, out=out, language="zh", side=True))
    written = out.read_text(encoding="utf-8").splitlines()
    assert len(written) == len(lines)
    for line, before in zip(written, lines, strict=True):
        assert line.startswith(before[:-1])
    first, *others = (json.loads(line) for line in written)
    assert first["Pneumothorax"] == 1
    assert first["Pneumothorax side"] == "left"
    assert first["Edema"] is None
    assert all(other[name] is None for other in others for name in NAMES)


def test_side_severity_and_prefix(tmp_path: Path) -> None:
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("report,Edema\nSmall left pleural effusion.,x\n", encoding="utf-8")
    label_file(LabelFile(source=source, out=out, language="en", side=True, severity=True, prefix="rules "))
    row = _read(out)[0]
    assert (row["Edema"], row["rules Edema"]) == ("x", "")
    assert row["rules Pleural Effusion side"] == "left"
    assert row["rules Pleural Effusion severity"] == "mild"
    assert "rules Cardiomegaly side" not in row
    assert "rules No Finding severity" not in row


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,raport\n1,x\n", "Did you mean 'raport'"),
        ("id;report\n1;x\n", "separated by ';'"),
        ("report,Edema\nx,1\n", "Edema"),
        ("report,report\nx,1\n", "twice"),
        ("id,report\n1\n", "Row 2 has 1 columns"),
        ('id,report\n1,"x\n', "quotation mark"),
        ("", "empty"),
    ],
)
def test_bad_tables_are_refused_and_nothing_is_written(tmp_path: Path, text: str, message: str) -> None:
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text(text, encoding="utf-8")
    out.write_text("older", encoding="utf-8")
    with pytest.raises(UserError, match=message):
        label_file(LabelFile(source=source, out=out, language="zh"))
    assert out.read_text(encoding="utf-8") == "older"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.csv"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"text": "x"}\n', "Did you mean"),
        ('{"report": "x"}\nreport\n', "Line 2 is no JSON object"),
        ('{"report": ["x"]}\n', "Line 1"),
        ('{"report": "x", "Edema": 1}\n', "Edema"),
    ],
)
def test_bad_json_lines_are_refused(tmp_path: Path, text: str, message: str) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(text.replace('"text"', '"reports"'), encoding="utf-8")
    with pytest.raises(UserError, match=message):
        label_file(LabelFile(source=source, out=tmp_path / "out.jsonl", language="zh"))
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


@pytest.mark.parametrize(
    ("name", "out", "content"),
    [
        ("in.csv", "in.csv", b"report\nx\n"),
        ("in.csv", "out.jsonl", b"report\nx\n"),
        ("in.txt", "out.txt", b"report\nx\n"),
        ("in.csv", "out.csv", "report\nx\n".encode("utf-16")),
        ("in.csv", "out.csv", b"report\n\xff\xff\n"),
    ],
)
def test_other_formats_and_encodings(tmp_path: Path, name: str, out: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError):
        label_file(LabelFile(source=tmp_path / name, out=tmp_path / out, language="zh"))
    assert (tmp_path / name).read_bytes() == content


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text(_csv(ROWS), encoding="utf-8", newline="")
    arguments = ["label", str(source), "--language", "zh", "--out", str(out), "--vocabulary", "ped_xray"]
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--json"])
    assert ended.value.code == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["rows"] == 4
    assert figures["counts"]["pleural_effusion"]["positive"] == 1
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--column", "reports"])
    assert ended.value.code == 2
    assert "Did you mean 'report'" in " ".join(capsys.readouterr().err.split())
