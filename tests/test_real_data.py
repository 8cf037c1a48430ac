"""Real films through the same commands: what is read of them, a training in miniature, and reports for unseen films."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from llmrg.benchmark.run import run_benchmark
from llmrg.benchmark.settings import BenchmarkConfig
from llmrg.config import load_config
from llmrg.generation.command import generate_command
from llmrg.studies.images import load_image
from llmrg.studies.reading import read_studies
from llmrg.systems.run import open_run
from llmrg.training.run import train
from llmrg.training.settings import TrainConfig

TRAINING = "configs/quickstart/covid_cxr.yaml"
BENCHMARK = "configs/benchmark/covid_cxr.yaml"
# Two batches or so of everything, on films of 64 px.
MINIATURE = (
    "data.image_size=64",
    "stages.language_model.max_steps=6",
    "stages.language_model.model.vocabulary_size=400",
    "stages.language_model.model.hidden_size=32",
    "stages.language_model.model.layers=2",
    "stages.language_model.model.heads=2",
    "stages.language_model.model.intermediate_size=64",
    "stages.disease_classifier.epochs=1",
    "training.epochs=1",
    "training.evaluations=1",
    "training.validation_studies=4",
    "training.tensorboard=false",
    "decoding.max_new_tokens=12",
)


@pytest.fixture(scope="module")
def films(test_data: Path) -> dict[str, list[Path]]:
    """Studies by what they are; each is a list of films."""
    children = sorted((test_data / "pediatric_cxr").glob("*.jpeg"))
    dicom = sorted((test_data / "dicom").glob("*.dcm"))
    assert len(children) == 9
    assert len(dicom) == 2
    views = [test_data / "iu_xray" / "images" / name for name in ("2_1.png", "2_2.png")]
    return {"child": children[:1], "two views": views, "dicom": dicom[:1], "MONOCHROME1": dicom[1:]}


@pytest.fixture(scope="module")
def real_run(test_data: Path, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on the real films with notes, trained far too little to say anything."""
    out = tmp_path_factory.mktemp("real") / "llmrg"
    return train(
        repository / TRAINING, [f"data.root={test_data / 'covid_cxr'}", f"out={out}", *MINIATURE], producer="pytest"
    )


def test_films_with_notes_are_read_and_no_patient_is_in_two_splits(test_data: Path, repository: Path) -> None:
    config = load_config(TrainConfig, repository / TRAINING, [f"data.root={test_data / 'covid_cxr'}"])
    table = read_studies(config.data)
    assert {split: len(table.split(split)) for split in table.splits} == {"train": 71, "val": 19, "test": 51}
    patients = [{study.patient_id for study in table.split(split)} for split in table.splits]
    assert sum(map(len, patients)) == len(set.union(*patients))
    assert table.bad == ()
    assert {image.view for study in table for image in study.images} == {"frontal", "lateral"}


def test_dicom_grey_scale_is_obeyed(films: dict[str, list[Path]]) -> None:
    """The second file has the pixels of the first under a changed tag, so it must come out as the negative."""
    film, negative = (load_image(films[name][0]).astype(int) for name in ("dicom", "MONOCHROME1"))
    height, width = film.shape
    corner, spine = (
        film[: height // 12, : width // 12],
        film[height // 4 : -height // 4, 4 * width // 9 : 5 * width // 9],
    )
    assert corner.mean() < spine.mean()  # air is dark
    assert film.shape == negative.shape
    assert np.abs(film + negative - 255).max() <= 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["child", "two views", "dicom", "MONOCHROME1"])
def test_reports_for_films_of_other_sources(
    name: str, films: dict[str, list[Path]], real_run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "report.jsonl"
    views = ["frontal", "lateral"] if name == "two views" else None
    generate_command(real_run, films[name], out=out, evidence=tmp_path / "evidence", views=views)
    record = json.loads(out.read_text(encoding="utf-8"))
    assert record["id"] == films[name][0].stem
    assert record["language"] == "en"
    assert 0 < record["confidence"] <= 1
    kinds = {part["kind"]: part["items"] for part in record["evidence"]}
    assert {"disease_queries", "visual_memory", "report_memory", "retrieved_context"} <= kinds.keys()
    known = {study.id for study in read_studies(open_run(real_run).config.data).split("train")}
    assert kinds["retrieved_context"]
    assert {hit["study_id"] for hit in kinds["retrieved_context"]} <= known
    for query in kinds["disease_queries"]:
        assert (query["picture"] is not None) == (query["probability"] >= 0.5)
        assert query["picture"] is None or (tmp_path / query["picture"]).is_file()


@pytest.mark.slow
def test_run_stands_beside_the_baselines(real_run: Path, test_data: Path, repository: Path, tmp_path: Path) -> None:
    config = load_config(
        BenchmarkConfig,
        repository / BENCHMARK,
        [
            f"data.root={test_data / 'covid_cxr'}",
            "data.image_size=64",
            f"out={tmp_path / 'results'}",
            "resamples=20",
            "gallery.studies=1",
            f"systems=[{{name: llmrg, run: {real_run}}}]",
        ],
    )
    results = run_benchmark(config)
    assert (results.n, results.patients) == (51, 22)
    rows = ["llmrg", "constant", "random", "nearest", "nearest_encoder", "oracle_nearest"]
    assert [row.system for row in results.rows] == rows
    assert (tmp_path / "results" / "index.html").is_file()


def test_documented_commands_name_configurations_that_fit(repository: Path) -> None:
    text = (repository / "docs" / "real_data.md").read_text(encoding="utf-8")
    commands = re.findall(r"(?:llmrg|-m llmrg\.)\s?(train|benchmark) (configs/\S+\.yaml)(.*)", text)
    assert {name for name, _, _ in commands} == {"train", "benchmark"}
    for name, path, rest in commands:
        overrides = [word for word in rest.split() if "=" in word]
        load_config(TrainConfig if name == "train" else BenchmarkConfig, repository / path, overrides)
