"""Graphs of a file, and their counts."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from llmrg.cli import app
from llmrg.errors import UserError
from llmrg.findings.graphs.graph import ReportGraph
from llmrg.findings.graphs.graph_file import GraphFile, graph_file

REPORTS = {"b": "双肺纹理增多。左侧胸腔积液。", "a": "", "c": "右侧胸腔积液，未见气胸。"}


def write_csv(path: Path, *, id_column: str | None = "id", encoding: str = "utf-8") -> Path:
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*([id_column] if id_column else []), "findings"])
        writer.writerows([*([id_] if id_column else []), text] for id_, text in REPORTS.items())
    return path


def run(source: Path, out: Path, **options: str) -> list[dict[str, object]]:
    graph_file(GraphFile(source=source, out=out, language="zh", column="findings", **options))
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("id_column", ["id", "study_id"])
def test_keeps_rows_and_ids(tmp_path: Path, encoding: str, id_column: str) -> None:
    source = write_csv(tmp_path / "r.csv", id_column=id_column, encoding=encoding)
    lines = run(source, tmp_path / "g.jsonl")
    assert [line["id"] for line in lines] == list(REPORTS)
    for line, text in zip(lines, REPORTS.values(), strict=True):
        ReportGraph.from_mapping(line, text=text)
    assert lines[0]["pairs"] == [["Lung", "Enhanced"], ["Lung", "Texture"], ["Pleura", "Effusion"]]
    assert lines[1]["pairs"] == lines[1]["entities"] == []


def test_without_ids(tmp_path: Path) -> None:
    lines = run(write_csv(tmp_path / "r.csv", id_column=None), tmp_path / "g.jsonl")
    assert len(lines) == 3 and all("id" not in line for line in lines)


def test_json_lines(tmp_path: Path) -> None:
    source = tmp_path / "r.jsonl"
    rows = [{"id": "1", "findings": "心影增大。"}, {"study_id": "2", "findings": None}, {"findings": "气胸。"}]
    source.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    lines = run(source, tmp_path / "g.jsonl")
    assert [line.get("id") for line in lines] == ["1", "2", None]
    assert lines[0]["pairs"] == [["Heart", "Prominence"]]


def test_counts_reports_not_mentions(tmp_path: Path) -> None:
    request = GraphFile(
        source=write_csv(tmp_path / "r.csv"), out=tmp_path / "g.jsonl", language="zh", column="findings"
    )
    summary = graph_file(request)
    assert (summary.rows, summary.empty) == (3, 1)
    assert summary.anatomy["Pleura"] == summary.lesions["Effusion"] == 2
    assert summary.lesions["Gas"] == 0 and summary.lesions["Texture"] == 1
    # 双肺, 左侧胸腔, 右侧胸腔; 增多, 积液, 积液; 未见; 纹理, 气胸
    assert dict(summary.entities) == {"Anatomy": 3, "DPO": 3, "DNO": 1, "NO": 2}
    # 纹理, 积液, 积液, 气胸 lie somewhere; 增多 > 纹理, 未见 > 气胸
    assert dict(summary.relations) == {"located_at": 4, "modify": 2}


def test_refuses(tmp_path: Path) -> None:
    source = write_csv(tmp_path / "r.csv")
    with pytest.raises(UserError):
        graph_file(GraphFile(source=source, out=source, language="zh", column="findings"))
    with pytest.raises(UserError):
        graph_file(GraphFile(source=source, out=tmp_path / "g.jsonl", language="fr", column="findings"))
    with pytest.raises(UserError):
        graph_file(GraphFile(source=source, out=tmp_path / "g.jsonl", language="zh", column="report"))
    assert not (tmp_path / "g.jsonl").exists()


def test_command(tmp_path: Path) -> None:
    source, out = write_csv(tmp_path / "r.csv"), tmp_path / "g.jsonl"
    arguments = ["graph", str(source), "--language", "zh", "--column", "findings", "--out", str(out)]
    shown = CliRunner().invoke(app, [*arguments, "--statistics"])
    assert shown.exit_code == 0 and "Effusion" in shown.output and "located_at" in shown.output
    as_json = CliRunner().invoke(app, [*arguments, "--json"])
    assert json.loads(as_json.output[as_json.output.index("{") :])["lesions"]["Effusion"] == 2
