"""`llmrg pretrain graph-extractor` makes an extractor; `llmrg graph` and `llmrg score` read with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from llmrg.cli import app
from llmrg.errors import UserError
from llmrg.findings.graphs.graph import ReportGraph
from llmrg.language.graph_choice import load_graph_extractor
from llmrg.language.graph_extractor import TrainedGraphExtractor

REPORTS = ["双肺纹理增多。", "左侧胸腔积液。", "", "心影增大，未见气胸。", "右肺片状影。"]


def test_from_rules_to_a_trained_extractor(tmp_path: Path) -> None:
    runner = CliRunner()
    source, silver, out = tmp_path / "r.csv", tmp_path / "silver.jsonl", tmp_path / "graphs.jsonl"
    source.write_text("report\n" + "".join(f'"{text}"\n' for text in REPORTS), encoding="utf-8")
    call = ["graph", str(source), "--language", "zh", "--out"]
    assert runner.invoke(app, [*call, str(silver), "--with-text"]).exit_code == 0
    rows = [json.loads(line) for line in silver.read_text(encoding="utf-8").splitlines()]
    assert [row["text"] for row in rows] == REPORTS
    config = tmp_path / "c.yaml"
    config.write_text(
        f"out: {tmp_path / 'extractor'}\nannotations: [{silver}]\nlanguage: zh\nepochs: 1\n"
        "encoder: {hidden_size: 16, heads: 2, layers: 1}\n",
        encoding="utf-8",
    )
    done = runner.invoke(app, ["pretrain", "graph-extractor", str(config), f"test=[{silver}]"])
    assert done.exit_code == 0, done.output
    assert "entity_f1" in done.output and "test (5 reports)" in done.output

    done = runner.invoke(app, [*call, str(out), "--extractor", str(tmp_path / "extractor")])
    assert done.exit_code == 0, done.output
    trained = TrainedGraphExtractor.load(tmp_path / "extractor")
    assert trained.version in done.output
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert all("text" not in line for line in lines)
    expected = trained.extract_many(REPORTS)
    assert [ReportGraph.from_mapping(line, text=text) for line, text in zip(lines, REPORTS, strict=True)] == expected

    reports = tmp_path / "reports.jsonl"
    rows = [{"id": str(place), "report": text} for place, text in enumerate(REPORTS) if text]
    reports.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    files = ["--predictions", str(reports), "--references", str(reports), "--language", "zh", "--resamples", "0"]
    done = runner.invoke(app, ["score", *files, "--graph-extractor", str(tmp_path / "extractor"), "--json"])
    assert done.exit_code == 0, done.output
    scored = json.loads(done.stdout)
    assert scored["protocol"]["graphs"] == trained.version
    assert "graph_f1" in scored["metrics"]

    assert load_graph_extractor(None, language="zh") is None
    with pytest.raises(UserError, match=r"another language.*Allowed: zh"):
        load_graph_extractor(tmp_path / "extractor", language="en")
    with pytest.raises(UserError, match="no trained graph extractor"):
        load_graph_extractor(tmp_path, language="zh")
