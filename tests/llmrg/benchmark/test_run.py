from __future__ import annotations

import json
import shutil
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmrg.benchmark.results import Results, read_results
from llmrg.benchmark.run import run_benchmark
from llmrg.benchmark.settings import BenchmarkConfig, GallerySettings, SystemEntry
from llmrg.errors import UserError
from llmrg.studies.phantoms.dataset import draw_dataset
from llmrg.studies.phantoms.truth import read_truth
from llmrg.studies.phantoms.wording import write_report
from llmrg.studies.reading import read_studies
from llmrg.studies.settings import DataConfig

MARKER = "planted marker 7Q"
FORMATS = {"ped-xray": ("zh", "ped_xray"), "chexpert-plus": ("en", "chexpert14")}
NLG = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider", "distinct_ratio", "mean_length")
CLINICAL = ("clinical_micro_precision", "clinical_micro_recall", "clinical_micro_f1", "clinical_macro_f1")


def dataset(root: Path, format_: str) -> DataConfig:
    language, vocabulary = FORMATS[format_]
    draw_dataset(root, format=format_, studies=80, seed=5, size=48, preset="easy", workers=1)
    return DataConfig(format=format_, root=root, language=language, vocabulary=vocabulary, image_size=48)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def ped_xray(tmp_path_factory: pytest.TempPathFactory) -> DataConfig:
    return dataset(tmp_path_factory.mktemp("phantoms") / "ped", "ped-xray")


def predict(data: DataConfig, path: Path, *, context: bool = True) -> Path:
    """Write predictions that state the truth in fresh words, each with a retrieved training study."""
    table, truth, rng = read_studies(data), read_truth(data.root), np.random.default_rng(0)
    training = table.split("train")
    lines = []
    for position, study in enumerate(table.split("test")):
        hit = {"study_id": training[position].id, "similarity": 0.9, "role": "positive", "agreement": 1.0}
        evidence = [{"kind": "retrieved_context", "items": [hit]}] if context else []
        report = write_report(truth[study.id], language=data.language, rng=rng)["findings"]
        lines.append(json.dumps({"id": study.id, "report": report, "confidence": 0.9, "evidence": evidence}))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def finished(ped_xray: DataConfig, tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, Path]:
    out = tmp_path_factory.mktemp("runs") / "ped_xray"
    predictions = predict(ped_xray, out / "predictions.jsonl")
    config = BenchmarkConfig(
        data=ped_xray,
        out=out,
        systems=(SystemEntry(name="truthful", predictions=predictions),),
        resamples=50,
        trials=50,
        gallery=GallerySettings(studies=6),
    )
    return run_benchmark(config), out


def test_every_row_is_there(finished: tuple[Results, Path]) -> None:
    assert [(row.system, row.kind) for row in finished[0].rows] == [
        ("truthful", "system"),
        ("constant", "baseline"),
        ("random", "baseline"),
        ("nearest", "baseline"),
        ("nearest_encoder", "baseline"),
        ("oracle_nearest", "oracle"),
        ("oracle", "oracle"),
    ]


def test_figures_fall_where_they_must(finished: tuple[Results, Path]) -> None:
    results, _ = finished
    f1 = {row.system: row.value("clinical_micro_f1") or 0.0 for row in results.rows}
    assert f1["oracle"] > 0.97
    assert f1["truthful"] > 0.97
    assert f1["constant"] < 0.3
    assert f1["nearest"] < 0.9
    distinct = {row.system: row.value("distinct_ratio") for row in results.rows}
    assert distinct["constant"] == pytest.approx(1 / results.n)


def test_the_file_has_the_agreed_shape(finished: tuple[Results, Path], ped_xray: DataConfig) -> None:
    results, out = finished
    values = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert (values["dataset"], values["split"], values["language"]) == ("ped_xray", "test", "zh")
    test = read_studies(ped_xray).split("test")
    assert (values["n"], values["patients"]) == (len(test), len({study.patient_id for study in test}))
    for row in values["rows"]:
        assert row["kind"] in ("system", "baseline", "oracle")
        for name in (*NLG, *CLINICAL):
            assert isinstance(row["metrics"][name], float), name
        assert "side_accuracy" in row["metrics"]
        for figures in row["metrics"]["per_class"].values():
            assert figures.keys() == {"precision", "recall", "f1", "support"}
        low, high = row["confidence_intervals"]["clinical_micro_f1"]
        assert low <= row["metrics"]["clinical_micro_f1"] <= high
    for key in ("protocol", "signature", "labeler", "seeds", "versions"):
        assert values[key]
    assert "side file" in values["protocol"]["findings"]
    assert read_results(out / "results.json") == results


def test_tables_and_pages_lie_beside(finished: tuple[Results, Path]) -> None:
    _, out = finished
    for name in ("results.csv", "results.md", "index.html", "gallery.json"):
        assert "truthful" in (out / name).read_text(encoding="utf-8"), name
    assert 'href="ped_xray/index.html"' in (out.parent / "index.html").read_text(encoding="utf-8")


def test_again_gives_the_same_bytes(finished: tuple[Results, Path], ped_xray: DataConfig) -> None:
    _, out = finished
    before = {name: (out / name).read_bytes() for name in ("results.json", "index.html")}
    config = BenchmarkConfig(
        data=ped_xray,
        out=out,
        systems=(SystemEntry(name="truthful", predictions=out / "predictions.jsonl"),),
        resamples=50,
        trials=50,
        gallery=GallerySettings(studies=6),
    )
    run_benchmark(config)
    assert {name: (out / name).read_bytes() for name in before} == before


def test_a_run_without_predictions_generates_them_below_the_results(
    ped_xray: DataConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[tuple[Path, str]] = []

    def generate_dataset(run: Path, data: DataConfig, split: str, out: Path, *, evidence: Path, maps: bool) -> None:
        called.append((run, split))
        assert evidence.is_relative_to(out.parent), "pictures outside the predictions' folder are not shown"
        assert maps, "drawn films have boxes, which maps are held against"
        predict(data, out)

    module = types.ModuleType("llmrg.generation.dataset")
    module.generate_dataset = generate_dataset  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "llmrg.generation.dataset", module)
    out = tmp_path / "runs" / "out"
    systems = (SystemEntry(name="../ours", run=tmp_path / "run"),)
    config = BenchmarkConfig(
        data=ped_xray, out=out, systems=systems, resamples=0, trials=0, gallery=GallerySettings(studies=1)
    )
    assert run_benchmark(config).rows[0].system == "../ours"
    assert called == [(tmp_path / "run", "test")]
    assert [path.relative_to(out).as_posix() for path in out.rglob("*.jsonl")] == ["predictions/.._ours/test.jsonl"]


def test_incomplete_predictions_stop_the_benchmark(ped_xray: DataConfig, tmp_path: Path) -> None:
    path = predict(ped_xray, tmp_path / "p.jsonl")
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(lines[1:]), encoding="utf-8")
    config = BenchmarkConfig(
        data=ped_xray, out=tmp_path / "runs" / "out", systems=(SystemEntry(name="x", predictions=path),)
    )
    with pytest.raises(UserError, match="1 missing"):
        run_benchmark(config)
    assert not (tmp_path / "runs").exists()


def test_without_a_side_file_the_reference_is_labelled(ped_xray: DataConfig, tmp_path: Path) -> None:
    """And reports of validation and test studies reach no baseline row."""
    root = tmp_path / "data"
    shutil.copytree(ped_xray.root, root)
    shutil.rmtree(root / "truth")
    annotation = json.loads((root / "annotation.json").read_text(encoding="utf-8-sig"))
    for split, records in annotation.items():
        if split != "train":
            for record in records:
                record["report"] = plant(record["report"])
    (root / "annotation.json").write_text(json.dumps(annotation, ensure_ascii=False), encoding="utf-8")
    data = DataConfig(format="ped-xray", root=root, language="zh", vocabulary="ped_xray", image_size=48)
    table = read_studies(data)
    for split in ("val", "test"):
        assert all(MARKER in study.report() for study in table.split(split)), "the marker is planted"
    out = tmp_path / "runs" / "made"
    predictions = out / "predictions.jsonl"
    out.mkdir(parents=True)
    lines = [
        json.dumps({"id": study.id, "report": study.report().replace(MARKER, "")}) for study in table.split("test")
    ]
    predictions.write_text("\n".join(lines), encoding="utf-8")
    config = BenchmarkConfig(
        data=data,
        out=out,
        systems=(SystemEntry(name="copy", predictions=predictions),),
        resamples=0,
        trials=0,
        gallery=GallerySettings(studies=100),
    )
    results = run_benchmark(config)
    assert results.row("oracle") is None
    copy = results.row("copy")
    assert copy is not None
    assert copy.value("clinical_micro_f1") == pytest.approx(1.0)
    assert "labeler reads in the reference" in results.protocol["findings"]
    gallery = json.loads((out / "gallery.json").read_text(encoding="utf-8"))
    assert len(gallery["studies"]) == results.n
    for study in gallery["studies"]:
        assert MARKER in text_of(study["reference"])
        for report in study["reports"]:
            assert MARKER not in text_of(report)


def plant(report: Any) -> Any:
    if isinstance(report, dict):
        return {name: plant(text) for name, text in report.items()}
    return f"{report}{MARKER}。" if isinstance(report, str) else report


def text_of(part: dict[str, Any]) -> str:
    return "".join(segment["text"] for segment in part["segments"])


def test_english_layout_with_another_training_set(tmp_path: Path) -> None:
    data = dataset(tmp_path / "chexpert", "chexpert-plus")
    path = predict(data, tmp_path / "p.jsonl", context=False)
    config = BenchmarkConfig(
        data=data,
        training=data,
        out=tmp_path / "runs" / "chexpert_plus",
        systems=(SystemEntry(name="truthful", predictions=path),),
        resamples=0,
        trials=0,
        gallery=GallerySettings(studies=0),
    )
    results = run_benchmark(config)
    assert results.row("nearest_encoder") is None
    assert (results.row("truthful") or results.rows[-1]).value("clinical_micro_f1") == pytest.approx(1.0, abs=0.03)
