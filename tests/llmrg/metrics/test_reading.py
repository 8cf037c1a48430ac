"""Report files: what is read, what is refused."""

import json

import pytest

from llmrg.errors import UserError
from llmrg.metrics.reading import PREDICTION_FIELDS, read_reports


def write(path, *lines):
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), encoding="utf-8")
    return path


def test_what_is_read(tmp_path):
    path = write(
        tmp_path / "r.jsonl",
        "\ufeff" + json.dumps({"id": "b", "report": "Clear.\u2028Normal \U0001f600", "patient_id": 7, "x": 1}),
        "",
        {"id": "a", "report": "", "patient_id": "p", "comparison": "None."},
    )
    found = read_reports(path)
    assert found.reports == {"b": "Clear.\u2028Normal \U0001f600", "a": ""}
    assert found.patients == {"b": "7", "a": "p"}
    assert found.comparisons == {"a": "None."}
    assert read_reports(write(path, {"id": "a", "report": "x"})).patients is None


@pytest.mark.parametrize(
    ("lines", "match"),
    [
        (["{"], "line 1"),
        (["[]"], "no JSON object"),
        ([{"id": "a"}], "lacks 'report'"),
        ([{"id": 3, "report": "x"}], "'id' is no text"),
        ([{"id": " ", "report": "x"}], "empty"),
        ([{"id": "a", "report": None}], "'report' is no text"),
        ([{"id": "a", "report": "x"}, "", {"id": "a", "report": "y"}], "line 3"),
        ([{"id": "a", "report": "x", "patient_id": "p"}, {"id": "b", "report": "y"}], "1 entries lack"),
        ([""], "no reports"),
    ],
)
def test_refusals(tmp_path, lines, match):
    with pytest.raises(UserError, match=match) as error:
        read_reports(write(tmp_path / "r.jsonl", *lines))
    assert "r.jsonl" in str(error.value)


def test_unreadable(tmp_path):
    (tmp_path / "b").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "b", tmp_path / "missing", tmp_path):
        with pytest.raises(UserError, match="cannot be read"):
            read_reports(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("r.json", '[{"id": "a", "report": "x\\ny"}, {"study_id": "b", "model_prediction": ""}]'),
        ("r.json", '{"a": "x\\ny", "b": {"model_prediction": "", "section_findings": NaN}}'),
        ("r.csv", 'id,other,report\r\na,1,"x\ny"\r\nb,2,\r\n'),
        ("r.jsonl", '{"id": "a", "report": "x\\ny"}\r\n\r\n{"id": "b", "prediction": ""}'),
    ],
)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_other_forms(tmp_path, name, content, mark):
    path = tmp_path / name
    path.write_bytes((mark + content).encode("utf-8"))
    assert read_reports(path, fields=PREDICTION_FIELDS).reports == {"a": "x\ny", "b": ""}


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("r.json", "3", "a list or an object"),
        ("r.json", "[\n{]", "not JSON.*line 2"),
        ("r.json", '{"a": "x", "a": "y"}', "'a' occurs twice"),
        ("r.json", '{"a": 3}', "key 'a'"),
        ("r.json", '["x"]', "entry 1"),
        ("r.json", '[{"id": "a", "report": NaN}]', "'report' is no text"),
        ("r.json", "[" * 100_000, "not JSON"),
        ("r.json", '{"train": [], "val": []}', "no split 'test'"),
        ("r.json", '{"train": [], "test": []}', "no report"),
        ("r.csv", "id,text\na,x\n", "lacks 'report'"),
        ("r.csv", "id,report\na,x,y\n", "more values"),
        ("r.csv", 'id,report\na,"x', "not CSV.*line 2"),
        ("r.csv", "id,report\n", "no reports"),
        ("r.csv", "id,report\na\n", "'report' is no text"),
    ],
)
def test_refusals_of_other_forms(tmp_path, name, content, match):
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=match):
        read_reports(tmp_path / name)


def test_one_split_of_an_annotation_file(tmp_path):
    path = tmp_path / "annotation.json"
    path.write_text('{"train": [{"id": "a", "report": "x"}], "test": [{"id": "a", "report": "y"}]}', encoding="utf-8")
    assert read_reports(path).reports == {"a": "y"}
    assert read_reports(path, split="train").reports == {"a": "x"}
