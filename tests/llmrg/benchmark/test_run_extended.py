"""Whole benchmarks of hand-written tables: seeds, protocols, leaks, labels, and odd input."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from llmrg.benchmark.results import Results, read_results
from llmrg.benchmark.run import run_benchmark
from llmrg.benchmark.settings import BenchmarkConfig, GallerySettings, SystemEntry
from llmrg.errors import UserError
from llmrg.studies.phantoms.dataset import draw_dataset
from llmrg.studies.reading import read_studies
from llmrg.studies.settings import DataConfig

TRAIN = [
    "The heart is normal in size. The lungs are clear.",
    "There is a small left pleural effusion.",
    "The heart is mildly enlarged. No pneumothorax.",
    "There is a moderate right pneumothorax.",
]
VALIDATION = ["The heart is normal in size. The lungs are clear. No effusion."]
TEST = [
    "the heart is normal in size.  The lungs are clear.",
    "There is a small left pleural effusion. The heart is enlarged.",
    "Compared with the prior study there is a new right pneumothorax.",
]


def table(root: Path, test: list[str], *, train: list[str] = TRAIN, patient: str = "p{split}{number}") -> DataConfig:
    root.mkdir(parents=True)
    rows = [("train", report) for report in train]
    rows += [("val", report) for report in VALIDATION] + [("test", report) for report in test]
    with (root / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "study_id", "patient_id", "split", "findings"])
        for number, (split, report) in enumerate(rows):
            film = root / f"{number}.png"
            film.write_bytes(b"no film")
            writer.writerow([film.name, f"s{number}", patient.format(split=split, number=number), split, report])
    return DataConfig(format="table", root=root, language="en", vocabulary="chexpert14", image_size=32)


def answers(path: Path, reports: list[str], *, first: int = len(TRAIN) + len(VALIDATION)) -> Path:
    lines = [
        json.dumps({"id": f"s{number}", "report": report}, ensure_ascii=False)
        for number, report in enumerate(reports, start=first)
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def benchmark(data: DataConfig, out: Path, systems: dict[str, Any], **more: Any) -> Results:
    entries = tuple(SystemEntry(name=name, predictions=paths) for name, paths in systems.items())
    settings = {"resamples": 30, "trials": 100, "nearest": False, "gallery": GallerySettings(studies=0)}
    return run_benchmark(BenchmarkConfig(data=data, out=out, systems=entries, **{**settings, **more}))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, Path]:
    folder = tmp_path_factory.mktemp("extended")
    data = table(folder / "data", TEST)
    seeds = (answers(folder / "1.jsonl", TEST), answers(folder / "2.jsonl", [TEST[0], "", TEST[0]]))
    copies = answers(folder / "c.jsonl", [TRAIN[1], TRAIN[1].upper(), "No change compared with the prior study."])
    out = folder / "runs" / "made"
    systems = {"seeds": seeds, "copies": copies}
    wording = ("bleu", "rouge_l", "cider", "chrf")
    return benchmark(data, out, systems, protocols=("words60",), published="chexpert_plus", wording=wording), out


def test_seeds_are_averaged_and_told(finished: tuple[Results, Path]) -> None:
    row = finished[0].row("seeds")
    assert row is not None
    assert row.seeds is not None
    spread = row.seeds["figures"]["rouge_l"]
    assert spread["values"][0] == pytest.approx(1.0)
    assert row.value("rouge_l") == pytest.approx(sum(spread["values"]) / 2) == pytest.approx(spread["mean"])
    assert spread["sd"] == pytest.approx(abs(spread["values"][0] - spread["values"][1]) / 2**0.5)
    low, high = row.confidence_intervals["rouge_l"]
    assert low <= (row.value("rouge_l") or 0) <= high
    assert row.value("empty_ratio") == pytest.approx(1 / 6)
    assert row.lengths is not None
    assert (row.lengths["empty"], sum(row.lengths["counts"])) == (1, 6)
    assert any("empty" in note for note in row.notes)
    assert row.clinical is not None
    assert len(row.seeds["names"]) == 2


def test_more_metrics_of_wording_have_intervals_too(finished: tuple[Results, Path]) -> None:
    row = finished[0].rows[0]
    assert "chrf" in row.confidence_intervals
    assert 1 < (row.value("chrf") or 0) <= 100
    assert f"| {row.value('chrf'):.1f} |" in (finished[1] / "results.md").read_text(encoding="utf-8")


def test_copies_and_invented_priors_are_counted(finished: tuple[Results, Path]) -> None:
    results, _ = finished
    row = results.row("copies")
    assert row is not None
    assert row.value("copied_ratio") == pytest.approx(2 / 3)
    assert row.value("invented_priors") == pytest.approx(0), "the third study's reference compares too"
    for name in ("constant", "random", "oracle_nearest"):
        baseline = results.row(name)
        assert baseline is not None
        assert baseline.value("copied_ratio") == pytest.approx(1.0)
    leak = results.leakage
    assert leak is not None
    assert (leak["references_in_training"], leak["share"]) == (1, pytest.approx(1 / 3))
    assert leak["patients"] == {"train and val": 0, "train and test": 0, "val and test": 0}


def test_the_constant_report_fails_its_own_gate(finished: tuple[Results, Path]) -> None:
    gates = {row.system: row.gate for row in finished[0].rows}
    assert gates["constant"] is None
    assert gates["seeds"] is not None
    assert gates["seeds"]["passed"]
    assert gates["copies"] is not None
    assert not gates["copies"]["passed"]


def test_further_protocols_stand_apart(finished: tuple[Results, Path]) -> None:
    results, _ = finished
    assert list(results.protocols) == ["words60"]
    row = results.rows[0]
    assert row.protocols["words60"]["metrics"]["bleu_4"] != row.value("bleu_4")
    assert "words60(r2gen-iu" in row.protocols["words60"]["signature"]
    assert "ref:full" in results.signature


def test_files_hold_it_all(finished: tuple[Results, Path]) -> None:
    results, out = finished
    assert read_results(out / "results.json") == results
    assert results.headline == ("r2gen/14/macro", "rrg/14/micro", "bleu_4", "rouge_l")
    assert len(results.reference_hash) == 64
    text = (out / "results.md").read_text(encoding="utf-8")
    for words in ("MambaXray-VL-L", "not ranked", "words60", "Seeds", "Paired tests"):
        assert words in text
    assert r"\toprule" in (out / "results.tex").read_text(encoding="utf-8")
    pairs = {(test["first"], test["second"]) for test in results.tests}
    assert ("seeds", "copies") in pairs
    assert all(0 < test["p"] <= test["p_holm"] <= 1 for test in results.tests)


def test_training_patients_that_are_scored_are_counted_and_kept_out(tmp_path: Path) -> None:
    """Another training set may share patients; its reports then reach no row."""
    data = table(tmp_path / "data", TEST, patient="p{number}")
    other = table(
        tmp_path / "other", ["x"], train=[*TRAIN, "a", "The secret of a scored patient."], patient="p{number}"
    )
    results = benchmark(data, tmp_path / "runs" / "out", {}, training=other)
    assert results.leakage is not None
    assert results.leakage["patients"]["train and test"] == 1
    assert results.leakage["kept_from_baselines"] == 1
    assert results.leakage["duplicate_ids"] == 1
    assert results.training_studies == 5


ODD = {
    "empty": [""],
    "nul": ["The heart\x00 is normal \U0001f600 \ud83d."],
    "mixed": ["心影增大。There is a left pleural effusion 左侧胸腔积液"],
    "long": ["effusion " * 400],
}


@pytest.mark.parametrize("reports", ODD.values(), ids=ODD)
def test_one_study_and_odd_reports(tmp_path: Path, reports: list[str]) -> None:
    data = table(tmp_path / "data", TEST[1:2])
    path = tmp_path / "p.jsonl"
    path.write_text(json.dumps({"id": f"s{len(TRAIN) + 1}", "report": reports[0]}), encoding="utf-8")
    results = benchmark(data, tmp_path / "runs" / "out", {"odd": path}, gallery=GallerySettings(studies=2))
    row = results.row("odd")
    assert row is not None
    assert row.gate is not None
    assert not row.gate["passed"]
    assert row.value("cider") == pytest.approx(0.0), "one study has no idf"
    if reports == [""]:
        assert row.value("bleu_4") == pytest.approx(0.0, abs=1e-6)
        assert row.value("r2gen/14/macro") == 0.0
    assert read_results(tmp_path / "runs" / "out" / "results.json").n == 1


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("headline", ("r2gen/14/marco",), "No metric is called 'r2gen/14/marco'"),
        ("protocols", ("words",), "reference protocol"),
        ("published", "chexpert", "published"),
    ],
)
def test_unknown_names_stop_it_before_anything_is_written(tmp_path: Path, key: str, value: Any, message: str) -> None:
    data = table(tmp_path / "data", TEST)
    with pytest.raises(UserError, match=message):
        benchmark(data, tmp_path / "runs" / "out", {}, **{key: value})
    assert not (tmp_path / "runs").exists()


def test_shipped_labels_judge_the_labeler(tmp_path: Path) -> None:
    draw_dataset(tmp_path / "data", format="chexpert-plus", studies=60, seed=3, size=32, preset="easy", workers=1)
    data = DataConfig(
        format="chexpert-plus", root=tmp_path / "data", language="en", vocabulary="chexpert14", image_size=32
    )
    assert any(study.labels for study in read_studies(data).split("test"))
    results = benchmark(data, tmp_path / "runs" / "out", {})
    assert results.agreement is not None
    assert results.agreement["n"] == results.n
    assert len(results.agreement["classes"]) == 14
    assert (results.agreement["mean_kappa_positive"] or 0) > 0.8
    assert results.agreement["first"] == results.labeler
