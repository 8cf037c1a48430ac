"""Every shipped configuration is read by the schema of its folder, and what it describes is built."""

from __future__ import annotations

import csv
import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from llmrg.benchmark.settings import BenchmarkConfig
from llmrg.config import load_config, to_mapping
from llmrg.errors import UserError
from llmrg.evidence.encoder import build_encoder
from llmrg.findings.vocabulary import get_vocabulary
from llmrg.pretraining.graph_settings import GraphExtractorConfig
from llmrg.studies.mixture import MixtureConfig
from llmrg.studies.phantoms.dataset import draw_dataset
from llmrg.studies.reading import read_studies
from llmrg.studies.settings import DataConfig
from llmrg.systems.build import EMBEDDED, encoder_config
from llmrg.systems.plan import LanguageDimensions, embedded_dimensions, find_dimensions, plan_system
from llmrg.training.run import train
from llmrg.training.settings import TrainConfig

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = ROOT / "configs"

# What the files of a folder describe; launch files are the matter of tests/test_launch.py.
SCHEMAS: dict[str, Any] = {
    "data": DataConfig,
    "quickstart": TrainConfig,
    "bench": TrainConfig,
    "comparison": TrainConfig,
    "systems": TrainConfig,
    "benchmark": BenchmarkConfig,
    "language": LanguageDimensions,
    "pretraining": GraphExtractorConfig,
}
FILES = sorted(path for path in CONFIGS.rglob("*.y*ml") if path.parent.name != "launch")


def relative(path: Path) -> str:
    return path.relative_to(CONFIGS).as_posix()


def is_base(path: Path) -> bool:
    """Whether other files extend this one: it may then leave keys to them."""
    for other in FILES:
        bases = yaml.safe_load(other.read_text(encoding="utf-8")).get("extends", [])
        for base in [bases] if isinstance(bases, str) else bases:
            if (other.parent / base).resolve() == path.resolve():
                return True
    return False


def load(path: Path) -> Any:
    return load_config(SCHEMAS[path.relative_to(CONFIGS).parts[0]], path)


def is_partial(path: Path) -> bool:
    """Whether this is only the base of others, which are tested, and lacks keys that they add."""
    try:
        load(path)
    except UserError as error:
        return is_base(path) and "Missing key" in str(error)
    return False


COMPLETE = [path for path in FILES if path.relative_to(CONFIGS).parts[0] in SCHEMAS and not is_partial(path)]


def of(schema: Any) -> list[Path]:
    return [path for path in COMPLETE if SCHEMAS[path.relative_to(CONFIGS).parts[0]] is schema]


def test_every_folder_has_a_schema_and_every_file_a_comment() -> None:
    assert {path.relative_to(CONFIGS).parts[0] for path in FILES} <= SCHEMAS.keys()
    unexplained = [path for path in CONFIGS.rglob("*.yaml") if not path.read_text(encoding="utf-8").startswith("#")]
    assert unexplained == []
    for path in CONFIGS.rglob("*.json"):
        json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", COMPLETE, ids=relative)
def test_configuration_is_read(path: Path) -> None:
    config = load(path)
    again = load_config(type(config), path, [])
    assert to_mapping(again) == to_mapping(config)


@pytest.mark.parametrize("path", COMPLETE, ids=relative)
def test_paths_are_relative(path: Path) -> None:
    def walk(value: Any) -> list[Path]:
        if isinstance(value, Path):
            return [value]
        if dataclasses.is_dataclass(value):
            return [found for field in dataclasses.fields(value) for found in walk(getattr(value, field.name))]
        if isinstance(value, (tuple, list)):
            return [found for item in value for found in walk(item)]
        return []

    assert [found for found in walk(load(path)) if found.is_absolute()] == []


@pytest.mark.parametrize("path", of(TrainConfig), ids=relative)
def test_encoder_is_built(path: Path) -> None:
    """The trunk with its queries, on the meta device: its dimensions hold together, and no memory is taken."""
    config: TrainConfig = load(path)
    vision = dataclasses.replace(config.system.vision, pretrained=False, checkpoint=None)
    system = dataclasses.replace(config.system, vision=vision)
    with torch.device("meta"):
        encoder = build_encoder(encoder_config(system, config.data))
    assert sum(parameter.numel() for parameter in encoder.parameters()) > 10_000
    assert encoder.backbone.width > 0


@pytest.mark.parametrize("path", of(TrainConfig), ids=relative)
def test_whole_system_is_planned(path: Path) -> None:
    """Language model, memories and all, on the meta device, whatever its size."""
    config: TrainConfig = load(path)
    model, embedded = config.system.language_model.path, embedded_dimensions(config.stages.language_model.model)
    dimensions = embedded if model == EMBEDDED else find_dimensions(model, CONFIGS / "language")
    plan = plan_system(
        config.system, config.data, dimensions, report_width=config.stages.language_model.model.hidden_size
    )
    with_weights = set(config.system.evidence.sources) - {"diagnosis_hints"}
    assert {"vision", "language_model"} | with_weights <= plan.parts.keys()
    assert 0 < plan.trainable < plan.total
    assert (plan.parts["language_model"].trainable > 0) == (config.system.language_model.tuning != "frozen")
    assert (plan.parts["vision"].trainable > 0) == config.system.tune_vision


@pytest.mark.parametrize("path", [path for path in of(TrainConfig) if path.parent.name == "quickstart"], ids=relative)
def test_small_training_is_built_for_real(path: Path, tmp_path: Path) -> None:
    """Every stage and one step of the system at its full size, on a handful of phantoms; nothing is left behind."""
    config: TrainConfig = load(path)
    roots = []
    for key, member in datasets(config.data).items():
        data, layout = tmp_path / key, member.format
        if layout == "table":
            layout = "ped-xray" if member.language == "zh" else "chexpert-plus"
        draw_dataset(data, format=layout, studies=24, seed=1, size=member.image_size, preset="easy", workers=1)
        if layout != member.format:
            write_table(data, layout, member)
        roots.append(f"{key}.root={data}")
    out = tmp_path / "out"
    train(path, [*roots, f"out={out / 'run'}", "decoding.max_new_tokens=4"], dry_run=True)
    assert not out.exists()


def datasets(data: DataConfig | MixtureConfig) -> dict[str, DataConfig]:
    """The datasets of a training by the key of their configuration."""
    if isinstance(data, MixtureConfig):
        return {f"data.members.{name}.data": member.data for name, member in data.members.items()}
    return {"data": data}


def write_table(root: Path, layout: str, config: DataConfig) -> None:
    """Write phantoms of another layout as the plain table that a configuration describes, one film a row."""
    drawn = DataConfig(format=layout, root=root, language=config.language, vocabulary=config.vocabulary)
    columns = config.columns
    with (root / (config.annotation or "metadata.csv")).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        keys = [columns.image, columns.study_id, columns.patient_id, columns.split]
        writer.writerow([key or "unused" for key in keys] + list(columns.sections.values()))
        for study in read_studies(drawn):
            image = study.images[0].path.relative_to(root)
            for folder in config.image_roots:
                (root / folder / image).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(root / image, root / folder / image)
            reports = [study.report()] * len(columns.sections)
            writer.writerow([image, study.id, study.patient_id, study.split, *reports])


@pytest.mark.parametrize("path", of(TrainConfig), ids=relative)
def test_training_knows_its_stages(path: Path) -> None:
    config: TrainConfig = load(path)
    sources = config.system.evidence.sources
    searched = {"retrieved_context", "context_residuals"} & set(sources)
    assert ("index" in config.stage_names) == bool(searched)
    assert ("memory" in config.stage_names) == any(source.endswith("_memory") for source in sources)
    assert get_vocabulary(config.data.vocabulary).abnormal


@pytest.mark.parametrize("path", of(BenchmarkConfig), ids=relative)
def test_a_benchmark_fits_the_trainings_of_its_runs(path: Path) -> None:
    """A run that a shipped training makes is scored on the same films and sections, or on a shifted set of them."""
    trained = {config.out: config for config in map(load, of(TrainConfig))}
    benchmark: BenchmarkConfig = load(path)
    for entry in benchmark.systems:
        assert entry.run is None or entry.run in trained, f"no shipped training writes {entry.run}"
        if entry.run is not None:
            own = list(datasets(trained[entry.run].data).values())
            if path.stem.endswith("_shifted"):
                own = [dataclasses.replace(data, root=benchmark.data.root) for data in own]
            assert benchmark.data in own
