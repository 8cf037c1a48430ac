"""Report files: what is read, what is refused."""

import json

import pytest

from llmrg.errors import UserError
from llmrg.metrics.reading import read_reports


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
        ([{"id": "a", "report": "x", "patient_id": "p"}, {"id": "b", "report": "y"}], "1 lines lack"),
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
