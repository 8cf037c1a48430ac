"""What a run's own study encoder finds nearest: the same as its index, found by another way."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llmrg.benchmark import encoder_neighbours
from llmrg.benchmark.baselines import TrainingPool
from llmrg.benchmark.encoder_neighbours import nearest_by_classifier
from llmrg.benchmark.references import build_references
from llmrg.benchmark.rows import baseline_rows, system_row
from llmrg.benchmark.settings import BenchmarkConfig, SystemEntry
from llmrg.findings.labeler import get_labeler
from llmrg.findings.vocabulary import get_vocabulary
from llmrg.generation.similar_studies import encode_films, search_index
from llmrg.studies.reading import read_studies
from llmrg.studies.settings import DataConfig


@pytest.fixture(scope="module")
def data(tiny_run: Any) -> DataConfig:
    return DataConfig(format="ped-xray", root=tiny_run.data, language="zh", vocabulary="ped_xray", image_size=48)


def test_it_finds_what_the_index_of_the_run_finds(tiny_run: Any, data: DataConfig) -> None:
    table = read_studies(data)
    training, scored = table.split("train"), table.split("test")
    pool = TrainingPool.build(training, scored, target=data.target)
    reports = dict(zip(pool.ids, pool.reports, strict=True))
    expected = []
    for study in scored:
        vectors = encode_films(tiny_run.run, [image.path for image in study.images])
        hits = search_index(tiny_run.run, vectors, k=len(training))[0]
        expected.append(next(reports[hit["id"]] for hit in hits if hit["id"] in reports))
    other_size = replace(data, image_size=32)  # films are read as the run reads them
    how: dict[str, Any] = {"training_data": data, "scored_data": other_size, "limit": 1000, "seed": 0}
    assert nearest_by_classifier(tiny_run.run, pool, training, scored, **how) == expected


def test_systems_with_one_encoder_share_a_row_that_is_kept(
    tiny_run: Any, data: DataConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = read_studies(data)
    training, scored = table.split("train"), table.split("test")
    vocabulary = get_vocabulary("ped_xray")
    references = build_references(
        scored, target=data.target, labeler=get_labeler(vocabulary, "zh"), vocabulary=vocabulary, truth_root=None
    )
    path = tmp_path / "predictions.jsonl"
    path.write_text("\n".join(json.dumps({"id": id_, "report": "x"}) for id_ in references.ids), encoding="utf-8")
    config = BenchmarkConfig(
        data=data,
        out=tmp_path / "out",
        systems=tuple(SystemEntry(name=name, predictions=path, run=tiny_run.run) for name in ("a", "b")),
    )
    pool = TrainingPool.build(training, scored, target=data.target)
    systems = [system_row(one, config, required=references.ids, known=set(references.ids)) for one in config.systems]

    def rows() -> list[Any]:
        made = baseline_rows(
            config,
            pool=pool,
            training=training,
            validation=[],
            references=references,
            systems=systems,
            tokens=lambda text: " ".join(text),
        )
        return [row for row in made if row.system.startswith("nearest_encoder")]

    first = rows()
    assert [(row.system, row.kind, row.copies) for row in first] == [("nearest_encoder", "baseline", ("a", "b"))]
    assert set(first[0].reports) <= set(pool.reports)
    monkeypatch.setattr(encoder_neighbours, "_encode", None)  # a second call reads what the first one kept
    assert rows() == first


def test_a_run_without_a_classifier_has_none(data: DataConfig, tmp_path: Path) -> None:
    table = read_studies(data)
    pool = TrainingPool.build(table.split("train"), [], target=data.target)
    how: dict[str, Any] = {"training_data": data, "scored_data": data, "limit": 9, "seed": 0}
    assert nearest_by_classifier(tmp_path, pool, table.split("train"), table.split("test"), **how) is None
