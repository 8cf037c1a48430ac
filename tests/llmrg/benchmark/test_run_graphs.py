"""A benchmark with a trained graph extractor: it reads both sides, and the results name it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmrg.benchmark import run
from llmrg.benchmark.settings import BenchmarkConfig, GallerySettings, SystemEntry
from llmrg.findings.graphs.extractor import get_extractor
from llmrg.findings.graphs.graph import GraphExtractor, ReportGraph
from llmrg.studies.phantoms.dataset import draw_dataset
from llmrg.studies.reading import read_studies
from llmrg.studies.settings import DataConfig


class Blind:
    """Finds nothing in any report, and counts how many it was given."""

    version = "graph-extractor-4567"
    read = 0

    def extract(self, text: str) -> ReportGraph:
        Blind.read += 1
        return ReportGraph()


def test_results_name_the_extractor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw_dataset(tmp_path / "ped", format="ped-xray", studies=30, seed=5, size=32, preset="easy", workers=1)
    data = DataConfig(format="ped-xray", root=tmp_path / "ped", language="zh", vocabulary="ped_xray", image_size=32)
    scored = read_studies(data).split("test")
    path = tmp_path / "p.jsonl"
    rows = ({"id": study.id, "report": study.report(data.target)} for study in scored)
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    asked: list[Path | None] = []

    def load(directory: Path | None, *, language: str) -> GraphExtractor | None:
        asked.append(directory)
        return None if directory is None else Blind()

    monkeypatch.setattr(run, "load_graph_extractor", load)
    figures = {}
    for extractor in (None, tmp_path / "extractor"):
        config = BenchmarkConfig(
            data=data,
            out=tmp_path / "runs" / "ped",
            systems=(SystemEntry(name="copy", predictions=path),),
            graph_extractor=extractor,
            nearest=False,
            resamples=0,
            trials=0,
            gallery=GallerySettings(studies=0),
        )
        results = run.run_benchmark(config)
        row = results.row("copy")
        assert row is not None
        version = get_extractor("zh").version if extractor is None else Blind.version
        assert version in results.protocol["graph"]
        assert f"extractor:{version}" in results.signature
        figures[extractor] = row.value("graph_f1")
    assert asked == [None, tmp_path / "extractor"]
    assert list(figures.values()) == [1.0, 0.0]
    assert Blind.read >= 2 * len(scored)  # references and reports
