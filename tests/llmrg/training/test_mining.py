"""Mined regions and the memory made of them: what is kept, where it comes from, and that only training is looked at."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from llmrg.artefacts import read_manifest
from llmrg.config import load_config
from llmrg.errors import UserError
from llmrg.evidence.memory_bank import NOBODY
from llmrg.evidence.region_projection import RegionProjection
from llmrg.studies.dataset import collate_studies, read_films
from llmrg.studies.study import Study
from llmrg.systems.build import build_system
from llmrg.systems.privacy import identifiers
from llmrg.systems.removal import remove_patients
from llmrg.training.material import TrainingMaterial, read_material
from llmrg.training.memory_banks import save_regions
from llmrg.training.memory_settings import ActivationMapsConfig, MemoryStageConfig
from llmrg.training.mining import maps_of, mine_regions
from llmrg.training.mining_command import mine_maps
from llmrg.training.settings import TrainConfig
from llmrg.training.stages import StageBuilder

GRID = 6
"""Cells of 8 pixels on films of 48."""
OVERRIDES = (
    "stages.memory.visual=regions",
    f"stages.activation_maps.grid={GRID}",
    "stages.activation_maps.threshold=0.6",
    "stages.activation_maps.cells=3",
    "stages.activation_maps.regions=9",
)


@pytest.fixture(scope="module")
def builder(tiny_run: Any, tmp_path_factory: pytest.TempPathFactory) -> StageBuilder:
    """Over a copy of the tiny run's artefacts, with regions mined and the memory made of them."""
    artefacts = shutil.copytree(tiny_run.artefacts, tmp_path_factory.mktemp("mining") / "artefacts")
    config = load_config(TrainConfig, tiny_run.config, [f"artefacts={artefacts}", *OVERRIDES])
    builder = StageBuilder(config=config, material=read_material(config.data), producer="test")
    assert builder.open_stages() == ("activation_maps", "memory")
    builder.build_needed()
    return builder


@pytest.fixture(scope="module")
def mined(builder: StageBuilder) -> Path:
    return builder.path("activation_maps")


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def mine(
    builder: StageBuilder, *, material: TrainingMaterial | None = None, batch_size: int = 32, **changes: Any
) -> Any:
    encoder = builder.encoder()
    width = encoder.backbone.width
    return mine_regions(
        encoder,
        material or builder.material,
        RegionProjection("auto", width=width, out_width=width),
        config=replace(builder.config.stages.activation_maps, **changes),
        batch_size=batch_size,
        seed=3,
    )


def test_regions_are_strong_cells_of_findings_that_training_reports_state(builder: StageBuilder, mined: Path) -> None:
    patterns, places = lines(mined / "regions.jsonl"), lines(mined / "places.jsonl")
    assert len(patterns) == len(places) == len(load_file(mined / "regions.safetensors")["vectors"])
    studies = {study.id: study for study in builder.material.training}
    names = [finding.name for finding in builder.material.vocabulary.abnormal]
    encoder = builder.encoder()
    for pattern, place in zip(patterns, places, strict=True):
        study = studies[pattern["study_id"]]
        assert pattern["patient_id"] == study.patient_id
        assert pattern["finding"] in builder.material.positive(study.id)
        row, column = place["cell"]
        assert place["box"] == [8 * column, 8 * row, 8 * column + 8, 8 * row + 8]
        assert place["film"] in range(len(study.images))
    # One of them against the map of its study alone.
    pattern, place = patterns[len(patterns) // 2], places[len(patterns) // 2]
    study = studies[pattern["study_id"]]
    batch = collate_studies([(study, read_films(study, builder.config.data), {})])
    maps = maps_of(encoder, batch, builder.material, builder.config.stages.activation_maps)
    number = maps.finding.index(names.index(pattern["finding"]))
    means = maps.maps[number, place["film"]].numpy().reshape(GRID, 8, GRID, 8).mean(axis=(1, 3))
    row, column = place["cell"]
    assert means[row, column] == pytest.approx(place["strength"], abs=1e-3)
    assert place["strength"] > 0.6
    assert (means > means[row, column]).sum() < 3


def test_vectors_are_enlarged_regions_read_anew_by_the_trunk(builder: StageBuilder, mined: Path) -> None:
    patterns, places = lines(mined / "regions.jsonl"), lines(mined / "places.jsonl")
    vectors = load_file(mined / "regions.safetensors")["vectors"]
    studies = {study.id: study for study in builder.material.training}
    encoder = builder.encoder()
    for number in range(0, len(patterns), 5):
        study, place = studies[patterns[number]["study_id"]], places[number]
        film = read_films(study, builder.config.data)[place["film"]]
        x0, y0, x1, y1 = place["box"]
        piece = torch.from_numpy(film[y0:y1, x0:x1].astype(np.float32))[None, None]
        large = torch.nn.functional.interpolate(piece, scale_factor=6, mode="bicubic").round().clamp(0, 255)
        code = {"unknown": 0, "frontal": 1, "lateral": 2}[study.images[place["film"]].view]
        with torch.no_grad():
            seen = encoder.backbone.feature_map(large.to(torch.uint8))
            if encoder.backbone.positions is not None:
                seen = encoder.backbone.positions(seen, torch.tensor([code]))
        np.testing.assert_allclose(vectors[number], seen.mean(dim=(1, 2))[0].numpy(), atol=1e-5)


def test_counts(builder: StageBuilder, mined: Path) -> None:
    details = read_manifest(mined).details
    stated = Counter(name for study in builder.material.training for name in builder.material.positive(study.id))
    films = Counter(
        name
        for study in builder.material.training
        for name in builder.material.positive(study.id)
        for _ in study.images
    )
    kept = Counter(pattern["finding"] for pattern in lines(mined / "regions.jsonl"))
    for name, counts in details["counts"].items():
        assert counts["studies"] == stated[name]
        assert counts["films"] == films[name]
        assert counts["kept"] == kept[name] == min(counts["cells"], 9)
        assert counts["films_with_cells"] <= counts["cells"] <= 3 * counts["films_with_cells"]
        assert counts["films_with_cells"] <= counts["films"]
    assert sum(counts["kept"] == 9 < counts["cells"] for counts in details["counts"].values()) >= 2
    assert sum(kept.values()) == details["regions"]
    assert details["unreadable_studies"] == 0


def test_manifest(builder: StageBuilder, mined: Path) -> None:
    manifest = read_manifest(mined)
    assert manifest.kind == "activation_maps"
    assert manifest.producer == "test"
    assert manifest.encoder_hash == read_manifest(builder.path("disease_classifier")).encoder_hash
    assert manifest.split_hash == builder.material.split_hash
    assert "identifiers" in manifest.details["contains_patient_data"]
    assert manifest.configuration["mining"]["threshold"] == 0.6


def test_the_choice_depends_on_the_seed_alone(builder: StageBuilder) -> None:
    def chosen(**changes: Any) -> list[tuple[Any, ...]]:
        regions = mine(builder, **changes).regions
        return [(region.pattern, region.film, region.cell.box) for region in regions]

    first = chosen()
    backwards = replace(builder.material, training=list(builder.material.training)[::-1])
    assert chosen(batch_size=5) == first
    assert chosen(material=backwards) == first
    more = chosen(regions=1000)
    assert set(first) < set(more)
    torch.testing.assert_close(mine(builder, batch_size=5).vectors, mine(builder).vectors)


def test_bad_films_never_stop_it(builder: StageBuilder, tmp_path: Path) -> None:
    """However many, and whatever share the data's settings tolerate."""
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG nothing")
    studies = list(builder.material.training)
    harmed = [number for number, study in enumerate(studies) if builder.material.positive(study.id)][::3]
    for number in harmed:
        image = replace(studies[number].images[0], path=broken)
        studies[number] = replace(studies[number], images=(image, *studies[number].images[1:]))
    data = replace(builder.material.data, max_bad_fraction=0.0)
    found = mine(builder, material=replace(builder.material, data=data, training=studies, films={}), regions=1000)
    whole = mine(builder, regions=1000)
    gone = {studies[number].id for number in harmed}
    assert found.unreadable == len(harmed) > 1
    assert [region.pattern for region in found.regions] == [
        region.pattern for region in whole.regions if region.pattern.study_id not in gone
    ]


def test_without_a_strong_cell_the_memory_holds_the_query_tokens(builder: StageBuilder, tmp_path: Path) -> None:
    config = replace(
        builder.config,
        artefacts=shutil.copytree(builder.config.artefacts_folder, tmp_path / "artefacts"),
        stages=replace(builder.config.stages, activation_maps=ActivationMapsConfig(grid=1, threshold=0.999, width=5)),
    )
    bare = replace(builder, config=config)
    assert bare.open_stages() == ("activation_maps", "memory")
    bare.build_needed()
    assert read_manifest(bare.path("activation_maps")).details["regions"] == 0
    rows = lines(bare.path("memory") / "visual_memory.jsonl")
    assert [row["finding"] for row in rows] == [finding.name for finding in builder.material.vocabulary.abnormal]
    tokens = builder.encoder().queries.queries.detach().numpy()  # type: ignore[union-attr]
    projection = load_file(bare.path("activation_maps") / "projection.safetensors")
    vectors = load_file(bare.path("memory") / "visual_memory.safetensors")["vectors"]
    np.testing.assert_allclose(vectors, tokens @ projection["weight"].T, atol=1e-5)
    assert vectors.shape == (len(rows), 5)
    system = build_system(config.system, config.data, bare.paths())  # a bank of another width than the queries
    assert system is not None


def test_memory_of_query_tokens_and_regions(builder: StageBuilder, mined: Path) -> None:
    rows = lines(builder.path("memory") / "visual_memory.jsonl")
    vectors = load_file(builder.path("memory") / "visual_memory.safetensors")["vectors"]
    names = [finding.name for finding in builder.material.vocabulary.abnormal]
    first, others = rows[: len(names)], rows[len(names) :]
    assert [row["finding"] for row in first] == names
    assert {row["study_id"] for row in first} == {NOBODY}
    tokens = builder.encoder().queries.queries.detach().numpy()  # type: ignore[union-attr]
    np.testing.assert_allclose(vectors[: len(names)], tokens, atol=1e-6)
    counts = Counter(row["finding"] for row in others)
    most = builder.config.system.evidence.visual_memory.per_finding
    kept = read_manifest(mined).details["counts"]
    assert counts == {name: min(most, value["kept"]) for name, value in kept.items() if value["kept"]}
    known = load_file(mined / "regions.safetensors")["vectors"]
    assert all((np.abs(known - vector).max(axis=1) < 1e-6).any() for vector in vectors[len(names) :])
    studies, patients = identifiers({"memory": builder.path("memory")})
    assert NOBODY not in studies | patients
    assert all(study.startswith("trainstudy") for study in studies)


def test_a_system_answers_from_it(builder: StageBuilder) -> None:
    config = builder.config
    system = build_system(config.system, config.data, builder.paths()).eval()
    study = builder.material.validation[0]
    batch = collate_studies([(study, read_films(study, config.data), {})])
    (report,) = system.generate(batch, replace(config.decoding, max_new_tokens=4), with_records=True)
    assert any(record["kind"] == "visual_memory" for record in report.records)


def test_stages_that_follow_from_it(builder: StageBuilder, tiny_run: Any) -> None:
    def after(*overrides: str) -> tuple[str, ...]:
        config = load_config(
            TrainConfig, tiny_run.config, [f"artefacts={builder.config.artefacts}", *OVERRIDES, *overrides]
        )
        return replace(builder, config=config).open_stages()

    assert after() == ()
    assert after("stages.activation_maps.threshold=0.5") == ("activation_maps", "memory")
    assert after("stages.memory.report=reports") == ("memory",)
    assert after("stages.memory.visual=studies") == ("memory",)
    assert after("stages.text_encoder.pooling=cls") == ("memory", "index")
    usual = load_config(TrainConfig, tiny_run.config)
    assert "activation_maps" not in usual.stage_names
    assert usual.stages.memory == MemoryStageConfig()


def test_reports_allotted_in_proportion(builder: StageBuilder, tiny_run: Any, tmp_path: Path) -> None:
    """Whole reports under every finding that they state, so many in all."""
    artefacts = shutil.copytree(builder.config.artefacts_folder, tmp_path / "artefacts")
    chosen = ("stages.memory.report=reports", "stages.memory.report_samples=20")
    config = load_config(TrainConfig, tiny_run.config, [f"artefacts={artefacts}", *OVERRIDES, *chosen])
    other = replace(builder, config=config)
    other.build("memory")
    rows = lines(artefacts / "memory" / "report_memory.jsonl")
    stated: Counter[str] = Counter()
    for study in builder.material.training:
        stated.update(builder.material.positive(study.id) or ["normal"])
    counts = Counter(row["finding"] for row in rows)
    assert sum(counts.values()) == 20
    for name, count in stated.items():
        assert abs(counts[name] - 20 * count / sum(stated.values())) < 1


def test_nothing_of_validation_or_test_enters_it(
    builder: StageBuilder,
    mined: Path,
    tiny_run: Any,
    write_tiny_data: Callable[[Path, str], tuple[str, ...]],
    tmp_path: Path,
) -> None:
    needles = [*tiny_run.foreign, tiny_run.marker, tiny_run.marker[:2]]
    for folder in (mined, builder.path("memory")):
        for path in folder.iterdir():
            content = path.read_bytes()
            assert not [needle for needle in needles if len(needle) > 3 and needle.encode() in content], path
    data = tmp_path / "data"
    write_tiny_data(data, "饕餮饕餮WVK别样")  # other words and other pixels in all but the training studies
    material = read_material(replace(builder.material.data, root=data))
    again = tmp_path / "again"
    again.mkdir()
    config = builder.config
    save_regions(
        builder.encoder(),
        material,
        again,
        config=config.stages.activation_maps,
        batch_size=config.training.validation_batch_size,
        seed=config.seed,
    )
    for path in again.iterdir():
        assert path.read_bytes() == (mined / path.name).read_bytes(), path.name


def test_films_of_other_splits_are_never_read(builder: StageBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    read: set[str] = set()

    def noted(study: Study, config: Any) -> list[np.ndarray]:
        read.add(study.id)
        return read_films(study, config)

    monkeypatch.setattr("llmrg.studies.dataset.read_films", noted)
    mine(builder, material=replace(builder.material, films={}))
    assert read == {study.id for study in builder.material.training if builder.material.positive(study.id)}


def test_the_command_draws_pictures(tiny_run: Any, tmp_path: Path) -> None:
    artefacts = shutil.copytree(tiny_run.artefacts, tmp_path / "artefacts")
    found = mine_maps(tiny_run.config, [f"artefacts={artefacts}", *OVERRIDES], pictures=tmp_path / "pictures")
    assert found.path == artefacts / "activation_maps"
    assert found.regions == sum(counts["kept"] for counts in found.counts.values()) > 0
    assert len(found.pictures) == 12
    assert all(path.is_file() for path in found.pictures)
    assert found.to_json()["counts"] == read_manifest(found.path).details["counts"]
    assert read_manifest(found.path).producer == "llmrg mine-maps"


def test_without_a_classifier(tiny_run: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="llmrg pretrain disease-classifier"):
        mine_maps(tiny_run.config, [f"artefacts={tmp_path}", *OVERRIDES])


def test_a_patient_is_removed(builder: StageBuilder, tmp_path: Path) -> None:
    """From regions and memory alike, and nothing is built anew because of it."""
    folder = shutil.copytree(builder.config.artefacts_folder, tmp_path / "artefacts")
    mined = folder / "activation_maps"
    before = lines(mined / "regions.jsonl")
    vectors, places = load_file(mined / "regions.safetensors")["vectors"], lines(mined / "places.jsonl")
    patient = before[0]["patient_id"]
    removal = remove_patients(folder, [patient])
    kept = [row for row, pattern in enumerate(before) if pattern["patient_id"] != patient]
    assert removal.patterns >= len(before) - len(kept) > 0
    for path in folder.rglob("*"):
        if path.is_file() and path.parent.name in ("activation_maps", "memory", "index"):
            assert patient.encode() not in path.read_bytes(), path
    after = lines(mined / "regions.jsonl")
    assert [row["study_id"] for row in after] == [before[row]["study_id"] for row in kept]
    np.testing.assert_array_equal(load_file(mined / "regions.safetensors")["vectors"], vectors[kept])
    assert [row["box"] for row in lines(mined / "places.jsonl")] == [places[row]["box"] for row in kept]
    details = read_manifest(mined).details
    assert details["regions"] == len(kept) == sum(counts["kept"] for counts in details["counts"].values())
    config = replace(builder.config, artefacts=folder)
    assert replace(builder, config=config).open_stages() == ()
    assert remove_patients(folder, [patient]).before == 1
