"""Annotated reports: our format, RadGraph's, and what is wrong with a file."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from llmrg.errors import UserError
from llmrg.findings.graphs.graph import Entity, Relation
from llmrg.pretraining.graph_annotations import read_annotations

TEXT = "双肺纹理增多。"
ROW: dict[str, Any] = {
    "id": "a",
    "text": TEXT,
    "entities": [
        {"text": "双肺", "start": 0, "end": 2, "kind": "Anatomy"},
        {"text": "纹理", "start": 2, "end": 4, "kind": "NO"},
        {"text": "增多", "start": 4, "end": 6, "kind": "DPO", "uncertain": True},
    ],
    "relations": [{"kind": "modify", "source": 2, "target": 1}, {"kind": "located_at", "source": 1, "target": 0}],
    "pairs": [],
}
# In the format that PhysioNet publishes, with invented sentences.
RADGRAPH: dict[str, Any] = {
    "p1/s1.txt": {
        "text": "FINDINGS :  Small left pleural effusion , perhaps pneumonia .\nNo pneumothorax .",
        "data_split": "train",
        "entities": {
            "1": {
                "tokens": "Small", "label": "OBS-DP", "start_ix": 2, "end_ix": 2, "relations": [["modify", "3"]],
            },
            "2": {"tokens": "left pleural", "label": "ANAT-DP", "start_ix": 3, "end_ix": 4, "relations": []},
            "4": {"tokens": "pneumonia", "label": "OBS-U", "start_ix": 8, "end_ix": 8, "relations": []},
            "3": {
                "tokens": "effusion",
                "label": "OBS-DP",
                "start_ix": 5,
                "end_ix": 5,
                "relations": [["located_at", "2"], ["suggestive_of", "4"], ["located_at", "2"]],
            },
            "5": {
                "tokens": "pneumothorax", "label": "OBS-DA", "start_ix": 11, "end_ix": 11,
                "relations": [["located_at", "4"]],
            },
        },
    },
    "p1/s2.txt": {
        "text": "Clear lungs",
        "labeler_1": {
            "entities": {
                "1": {
                    "tokens": "Clear", "label": "Observation::definitely present", "start_ix": 0, "end_ix": 0,
                    "relations": [["located_at", "2"]],
                },
                "2": {
                    "tokens": "lungs", "label": "Anatomy::definitely present", "start_ix": 1, "end_ix": 1,
                    "relations": [],
                },
                "3": {"label": "ANAT-DP", "start_ix": 1, "end_ix": 1, "relations": [["modify", "2"]]},
            }
        },
        "labeler_2": {"entities": {}},
    },
}  # fmt: skip


def write(folder: Path, content: Any, name: str = "graphs.jsonl") -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_our_own_lines(tmp_path: Path) -> None:
    lines = (
        "\ufeff" + json.dumps(ROW, ensure_ascii=False) + "\n\n" + json.dumps({**ROW, "entities": [], "relations": []})
    )
    read = read_annotations([write(tmp_path, lines)] * 2, format="llmrg")
    assert len(read.reports) == 4 and read.dropped == {}
    report = read.reports[0]
    assert report.text == TEXT
    assert [TEXT[one.start : one.end] for one in report.graph.entities] == ["双肺", "纹理", "增多"]
    assert report.graph.entities[2].uncertain
    assert report.graph.relations == (Relation("modify", 2, 1), Relation("located_at", 1, 0))


def test_radgraph_is_mapped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        read = read_annotations([write(tmp_path, RADGRAPH)], format="radgraph")
    first, second = read.reports
    text = RADGRAPH["p1/s1.txt"]["text"]

    def entity(words: str, kind: Any) -> Entity:
        return Entity(words, text.index(words), text.index(words) + len(words), kind)

    assert first.graph.entities == (
        entity("Small", "DPO"),
        entity("left pleural", "Anatomy"),
        entity("effusion", "DPO"),
        entity("pneumonia", "DPO"),
        entity("pneumothorax", "DNO"),
    )
    assert [one.uncertain for one in first.graph.entities] == [False, False, False, True, False]
    assert set(first.graph.relations) == {Relation("modify", 0, 2), Relation("located_at", 2, 1)}
    assert len(first.graph.relations) == 2
    assert [one.kind for one in second.graph.entities] == ["DPO", "Anatomy"]
    assert second.graph.relations == (Relation("located_at", 0, 1),)
    assert read.dropped == {
        "relations of kind suggestive_of": 1,
        "relations of kind located_at between ends that the schema does not allow": 1,
        "entities that overlap another one": 1,
        "relations of dropped entities": 1,
    }
    assert "1 relations of kind suggestive_of were dropped" in caplog.text
    assert "effusion" not in caplog.text


def changed(**entity: Any) -> str:
    row = json.loads(json.dumps(ROW))
    row["entities"][1].update(entity)
    return json.dumps(row)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no annotated report"),
        ("\n \n", "no annotated report"),
        ("not json", "one object a line.*line 1"),
        ("[1]", "one object a line"),
        (json.dumps(RADGRAPH), "lacks text, entities, relations.*with-text"),
        (json.dumps({key: ROW[key] for key in ("entities", "relations")}), "lacks text.*with-text"),
        (json.dumps({**ROW, "text": 3}), "lacks a text"),
        (changed(kind="OBS"), "Unknown kind of entity.*line 1"),
        (changed(start=20, end=22), "reading order|not those of the report"),
        (changed(start=3, end=5), "not those of the report"),
        (changed(start=1, end=4, text="肺纹理"), "overlap"),
        (json.dumps({**ROW, "relations": [{"kind": "of", "source": 1, "target": 0}]}), "Unknown kind of relation"),
        (json.dumps({**ROW, "relations": [{"kind": "modify", "source": 1, "target": 0}]}), "modify joins"),
        (json.dumps({**ROW, "relations": [{"kind": "modify", "source": 1, "target": 7}]}), "two different entities"),
    ],
)
def test_what_is_wrong_with_our_own_lines(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_annotations([write(tmp_path, content)], format="llmrg")
    assert "graphs.jsonl" in str(caught.value) and "纹理" not in str(caught.value)


def radgraph(**entity: Any) -> dict[str, Any]:
    rows = json.loads(json.dumps(RADGRAPH))
    rows["p1/s1.txt"]["entities"]["3"].update(entity)
    return rows


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not RadGraph's format"),
        ("{}", "no annotated report"),
        (json.dumps(ROW) + "\n" + json.dumps(ROW), "format=llmrg"),
        (json.dumps(ROW), "has text and entities"),
        (radgraph(label="OBS-XX"), "Unknown label.*p1/s1.txt, entity 3.*OBS-DP"),
        (radgraph(end_ix=40), "outside of the report"),
        (radgraph(start_ix=-1), "outside of the report"),
        (radgraph(start_ix="5"), "outside of the report"),
        (radgraph(tokens="other"), "not those of the report"),
        (radgraph(relations=[["of", "2"]]), "Unknown kind of relation"),
        (radgraph(relations=[["modify", "9"]]), "no entity of the report"),
        (radgraph(relations=["modify"]), "pair of kind and entity"),
    ],
)
def test_what_is_wrong_with_radgraph(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_annotations([write(tmp_path, content)], format="radgraph")
    assert "effusion" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_annotations([tmp_path / "none.jsonl"], format="llmrg")
    path = tmp_path / "gbk.jsonl"
    path.write_bytes(json.dumps(ROW, ensure_ascii=False).encode("gb18030"))
    with pytest.raises(UserError, match="UTF-8"):
        read_annotations([path], format="llmrg")
