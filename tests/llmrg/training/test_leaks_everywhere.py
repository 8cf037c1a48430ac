"""No system and no stage leaves anything of validation or test: planted markers, identifiers, and the films opened.

The systems stand in ``conftest.py``; a system, variant, setting, evidence source or stage that is missing there fails
the first test. Reports of all splits hold markers, so that it is seen that the search finds those of training.
"""

from __future__ import annotations

import functools
import json
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import torch
from transformers.convert_slow_tokenizer import bytes_to_unicode

from llmrg.commands.training import Kind as Pretraining
from llmrg.evidence.context_settings import ContextMode
from llmrg.evidence.settings import SOURCES
from llmrg.pretraining.graph_annotations import read_annotations
from llmrg.pretraining.graph_extractor import split_reports
from llmrg.studies.dataset import collate_studies
from llmrg.studies.reading import read_studies
from llmrg.systems.export import export_run
from llmrg.systems.published import DIFFERENCES, Setting
from llmrg.systems.run import open_run
from llmrg.systems.variants import VARIANTS, Kind
from llmrg.training.context_stage import draw_studies
from llmrg.training.hint_fit import calibrate_hints
from llmrg.training.material import read_material
from llmrg.training.memory_settings import MemoryStageConfig
from llmrg.training.oversampling import oversampled_draw
from llmrg.training.run import build_stage, train
from llmrg.training.settings import STAGES

IDENTIFIER = re.compile(rb"(?:train|val|test)(?:study|patient)[-/]\d{3}")
CHOOSING = {"reading", "classifier_scores", "validation"}
"""What may open validation films: the search for unreadable ones, and what a checkpoint is chosen or described by."""
WRITTEN = (".json", ".jsonl", ".yaml", ".md", ".txt", "")
REMEMBERING = ("visual_memory", "report_memory", "retrieved_context", "context_residuals")


@functools.cache
def spellings(text: str) -> frozenset[bytes]:
    """A text in UTF-8 and UTF-16, escaped in JSON, and as byte-level vocabularies write it."""
    letters = bytes_to_unicode()
    spelt = "".join(letters[byte] for byte in text.encode())
    forms = {text.encode(), text.encode("utf-16-le"), json.dumps(text)[1:-1].encode(), spelt.encode()}
    return frozenset({*forms, json.dumps(spelt)[1:-1].encode()})


def files_below(*folders: Path) -> dict[Path, bytes]:
    found = {path: path.read_bytes() for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()}
    assert found
    return found


def holding(files: Mapping[Path, bytes], needles: Iterable[str]) -> set[str]:
    """Names of the files that a text is in; three bytes do turn up in numbers and pictures."""
    return {
        path.name
        for path, content in files.items()
        for needle in needles
        for form in spellings(needle)
        if form in content and (len(form) > 4 or path.suffix in WRITTEN)
    }


def named(files: Mapping[Path, bytes]) -> set[str]:
    """Identifiers of studies and patients in all files."""
    return {match.decode() for content in files.values() for match in IDENTIFIER.findall(content)}


def assert_clean(files: Mapping[Path, bytes], planted: Any) -> None:
    assert (
        holding(files, (planted.foreign, *(planted.foreign[place] for place in range(4)), planted.foreign[-3:]))
        == set()
    )
    assert named(files) <= planted.names("train")


def assert_films(opened: Mapping[str, Iterable[str]], planted: Any) -> None:
    assert set(opened) <= {*CHOOSING, *STAGES, "calibration", "context_encoding", "loop"}
    for phase, names in opened.items():
        assert not planted.films("test") & set(names), phase
        if phase not in CHOOSING:
            assert not planted.films("val") & set(names), phase
        assert set(names) <= {"annotation.json"} | planted.films("train", "val")


def test_every_system_and_stage_is_looked_at(planted_configs: Mapping[str, Any]) -> None:
    configs = list(planted_configs.values())
    systems = [config.system for config in configs]
    assert {system.kind for system in systems} == set(get_args(Kind))
    assert {(s.kind, s.variant) for s in systems} >= {(kind, name) for kind in VARIANTS for name in VARIANTS[kind]}
    assert {(s.kind, s.setting) for s in systems} >= {
        (k, setting) for k in DIFFERENCES for setting in get_args(Setting)
    }
    assert {source for system in systems for source in system.evidence.sources} == set(SOURCES)
    contexts = [s.evidence.context_residuals for s in systems if "context_residuals" in s.evidence.sources]
    assert {context.mode for context in contexts} == set(get_args(ContextMode))
    assert {name for config in configs for name in config.stage_names} == set(STAGES)
    assert {tuning for s in systems for tuning in (s.vision_tuning,)} == {"frozen", "lora", "full"}
    for part in ("visual", "report"):
        chosen = {getattr(config.stages.memory, part) for config in configs}
        assert chosen == set(get_args(get_type_hints(MemoryStageConfig)[part]))
    assert any(system.evidence.gates for system in systems)
    assert any(system.evidence.diagnosis_hints.calibrate for system in systems)
    assert any(system.evidence.retrieved_context.sentences for system in systems)
    assert any(config.training.oversampling for config in configs)
    assert any(config.training.source_dropout for config in configs)


def test_no_file_holds_anything_of_validation_or_test(trained_system: Any, planted: Any) -> None:
    files = files_below(trained_system.folder / "runs")
    printed = trained_system.folder / "printed.txt"
    names = {path.name for path in files}
    assert names >= {"model.safetensors", "tokenizer.json", "train.yaml", "run.yaml", "log.json", "manifest.json"}
    assert [name for name in names if name.startswith("events.out.tfevents")]
    assert_clean({**files, printed: printed.read_bytes()}, planted)
    assert not named({printed: printed.read_bytes()})


def test_the_search_finds_what_is_planted_in_training(trained_system: Any, planted: Any) -> None:
    """In the vocabulary of the embedded language model, in told sentences, and nowhere else."""
    annotation = {planted.root: (planted.root / "annotation.json").read_bytes()}
    assert holding(annotation, [planted.foreign])
    assert named(annotation) == planted.names("train", "val", "test")
    files = files_below(trained_system.run)
    evidence = trained_system.config.system.evidence
    telling = "retrieved_context" in evidence.sources and evidence.retrieved_context.sentences > 0
    assert holding(files, [planted.told]) <= {"tokenizer.json", "sentences.jsonl"}
    assert holding(files, [planted.told[:2]]) == {"tokenizer.json", *(["sentences.jsonl"] if telling else [])}
    remembered = named(files)
    assert bool(remembered) is any(source in evidence.sources for source in REMEMBERING)
    if trained_system.config.system.searches:
        assert remembered == planted.names("train")


def test_films_are_opened_by_those_who_may(trained_system: Any, planted: Any) -> None:
    opened = trained_system.opened
    assert_films(opened, planted)
    assert opened["validation"] & planted.films("val"), "validation is watched"
    assert opened["loop"] & planted.films("train"), "training is watched"
    assert opened.get("calibration", planted.films("train")) == planted.films("train")


def test_no_export_without_data_names_anybody(trained_system: Any, planted: Any, tmp_path: Path) -> None:
    merge = trained_system.config.system.language_model.quantisation != "8bit"  # those cannot be merged
    export_run(trained_system.run, tmp_path / "out", merge=merge, without_data=True)
    files = files_below(tmp_path)
    assert_clean(files, planted)
    assert not named(files)
    assert holding(files, [planted.told[:2]]) == {"tokenizer.json"}


def test_nobody_is_told_of_an_own_study(trained_system: Any, planted: Any) -> None:
    """Neither when it writes nor when it learns; patients of the training split have four studies.

    Where it learns, every finding is predicted, so that every memory names what it was reminded of.
    """
    owners = {record["id"]: record["patient_id"] for record in planted.annotation()["train"]}
    loaded = open_run(trained_system.run, device="cpu")
    studies = read_studies(loaded.config.data)
    asked = [*list(studies.split("test"))[:3], *list(studies.split("train"))[:6:2]]
    told = [(study, records) for study, (_, _, records) in zip(asked, trained_system.written, strict=True)]
    material = read_material(loaded.config.data)
    dataset = material.dataset(material.training)
    batch = collate_studies([dataset[row] for row in range(len(dataset))])
    loaded.system.train()
    if "disease_queries" in loaded.system.sources:
        loaded.system.sources["disease_queries"].register_forward_hook(_everything_predicted)
    with torch.no_grad():
        evidence = loaded.system.gather(batch, with_records=True)
    for place, study in enumerate(batch.studies):
        told.append((study, [own.records[place] for own in evidence.values() if own.records]))
    seen = 0
    for study, records in told:
        names = {match.decode() for match in IDENTIFIER.findall(json.dumps(records).encode())}
        seen += len(names)
        assert names <= set(owners)
        assert study.patient_id not in {owners[name] for name in names}
    assert bool(seen) is any(source in loaded.config.system.evidence.sources for source in REMEMBERING)


def _everything_predicted(source: Any, given: Any, evidence: Any) -> Any:
    probabilities = evidence.state["probabilities"].clone()
    probabilities[..., 0] = 0.9
    return replace(evidence, state={**evidence.state, "probabilities": probabilities})


REGIONS = ("stages.memory={visual: regions, report: reports}", "stages.activation_maps.grid=6")
COMMANDS: Mapping[str, tuple[str, ...]] = {
    # Stage to command, in the order in which they are built; the context studies have none of their own.
    "language_model": ("pretrain", "language-model"),
    "disease_classifier": ("pretrain", "disease-classifier"),
    "activation_maps": ("mine-maps",),
    "memory": ("build-memory",),
    "index": ("index", "build"),
}


@pytest.fixture(scope="module")
def staged(
    planted: Any,
    planted_overrides: Callable[..., list[str]],
    watch: Any,
    call: Callable[..., str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Any:
    """Every stage, built by its command: folder, what was opened, what was printed."""
    folder = tmp_path_factory.mktemp("staged")
    opened: dict[str, Any] = {}
    printed = ""

    def build(stage: str, source: str, overrides: list[str], *options: str) -> None:
        nonlocal printed
        with watch(planted.root) as opened[stage]:
            printed += call(*COMMANDS[stage.split("-")[0]], source, *overrides, *options)

    source, *overrides = planted_overrides("llmrg-everything", folder)
    for stage in COMMANDS:
        pictures = ("--pictures", str(folder / "pictures")) if stage == "activation_maps" else ()
        build(stage, source, [*overrides, *REGIONS], *pictures)
    teacher = shutil.copytree(folder / "runs" / "artefacts" / "disease_classifier", folder / "teacher")
    taught = [*overrides, f"artefacts={folder}/taught", f"stages.disease_classifier.teacher={teacher}"]
    build("disease_classifier-taught", source, taught)
    source, *overrides = planted_overrides("r2gencsr-labels", folder)
    with watch(planted.root) as opened["context"]:
        build_stage("context", source, overrides)
    return folder, opened, printed


def test_no_stage_leaves_anything_of_validation_or_test(staged: Any, planted: Any) -> None:
    folder, opened, printed = staged
    assert set(opened) == {*STAGES, "disease_classifier-taught"}
    assert {path.name for path in (folder / "runs" / "artefacts").iterdir()} >= set(STAGES)
    files = files_below(folder)
    assert_clean({**files, Path("printed"): printed.encode()}, planted)
    assert named(files_below(folder / "runs" / "artefacts" / "index")) == planted.names("train")
    for stage in ("activation_maps", "memory", "context"):
        assert named(files_below(folder / "runs" / "artefacts" / stage)), stage
    for stage in ("language_model", "disease_classifier"):
        assert not named(files_below(folder / "runs" / "artefacts" / stage)), stage
    assert [path for path in files if path.suffix == ".png"]
    taught, plain = (files_below(folder / place) for place in ("taught", "teacher"))
    assert sorted(path.name for path in taught) == sorted(path.name for path in plain)


def test_stages_open_training_films_alone(staged: Any, planted: Any) -> None:
    _, opened, _ = staged
    for stage, phases in opened.items():
        assert_films(phases, planted)
        own = set().union(*(names for phase, names in phases.items() if phase != "reading")) - {"annotation.json"}
        if stage in ("language_model", "memory", "context"):  # the memory is made of the mined regions
            assert not own
        else:
            assert own & planted.films("train")
        assert bool(own & planted.films("val")) is stage.startswith("disease_classifier"), stage


def test_every_command_that_trains_is_looked_at() -> None:
    trained = {arguments[1] for arguments in COMMANDS.values() if arguments[0] == "pretrain"}
    assert {*trained, "graph-extractor"} == {kind.value for kind in Pretraining}
    assert {*COMMANDS, "context"} == set(STAGES)


@pytest.mark.parametrize("given", ["files", "share"])
def test_a_graph_extractor_knows_no_word_that_only_validation_or_test_reports_have(
    given: str, call: Callable[..., str], tmp_path: Path
) -> None:
    rare = "骐骥骅骝驰骋骖骙骒骕"

    def write(name: str, words: str) -> Path:
        rows = [
            {
                "text": f"左肺{word}见片状影。",
                "entities": [
                    {"text": "左肺", "start": 0, "end": 2, "kind": "Anatomy"},
                    {"text": "片状影", "start": 4, "end": 7, "kind": "DPO"},
                ],
                "relations": [{"kind": "located_at", "source": 1, "target": 0}],
            }
            for word in words
        ]
        path = tmp_path / name
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        return path

    options = [f"annotations=[{write('known.jsonl', rare)}]", f"test=[{write('test.jsonl', '魑魅')}]"]
    hidden = set("魑魅")
    if given == "files":
        options.append(f"validation=[{write('val.jsonl', '魍魉')}]")
        hidden |= set("魍魉")
    else:
        known, chosen = split_reports(
            read_annotations((tmp_path / "known.jsonl",), format="llmrg").reports, share=0.3, seed=0
        )
        assert len(known) == 7
        hidden |= {report.text[2] for report in chosen}
        options.append("validation_share=0.3")
    (tmp_path / "empty.yaml").write_text("{}\n")
    small = ["encoder.hidden_size=16", "encoder.layers=1", "encoder.intermediate_size=16", "precision=fp32", "epochs=1"]
    out = [f"out={tmp_path / 'extractor'}", "language=zh", *options, *small]
    printed = call("pretrain", "graph-extractor", str(tmp_path / "empty.yaml"), *out).replace(str(tmp_path), "")
    files = files_below(tmp_path / "extractor")
    assert not holding(files, hidden)
    assert not holding({Path("printed"): printed.encode()}, {*hidden, *rare})
    for letter in set(rare) - hidden:
        assert holding(files, [letter]), "the search finds the words of training reports"


ALTERED = ("llmrg-everything", "r2gencsr-labels", "ammrg")


@pytest.fixture(scope="module")
def altered(planted: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data with the training reports, views and films in the place of all validation and test studies."""
    root = tmp_path_factory.mktemp("altered") / "data"
    shutil.copytree(planted.root, root)
    annotation = planted.annotation()
    for split in ("val", "test"):
        for record, other in zip(annotation[split], annotation["train"][6:], strict=False):
            record["report"] = other["report"]
            for name, source in zip(record["image_path"], other["image_path"], strict=True):
                shutil.copyfile(planted.root / "images" / source, root / "images" / name)
    (root / "annotation.json").write_text(json.dumps(annotation, ensure_ascii=False), encoding="utf-8")
    return root


@pytest.mark.parametrize("name", ALTERED)
def test_other_validation_and_test_studies_train_the_same(
    name: str, altered: Path, train_planted: Any, planted_overrides: Any, tmp_path: Path
) -> None:
    """Weights, calibration, threshold, draws, banks and index bit for bit: one evaluation, so that none is chosen."""
    one = train_planted(name)
    source, *overrides = planted_overrides(name, tmp_path)
    run = train(source, [*overrides, f"data.root={altered}"])
    figures = [json.loads((place / "manifest.json").read_text())["details"]["validation"] for place in (one.run, run)]
    assert figures[0] != figures[1], "validation differs"
    for path, content in files_below(one.run).items():
        if path.suffix in (".safetensors", ".faiss", ".jsonl") or path.name == "tokenizer.json":
            assert content == (run / path.relative_to(one.run)).read_bytes(), path.name


def test_what_is_drawn_and_fitted_follows_the_training_split(
    planted: Any, altered: Path, planted_configs: Mapping[str, Any], train_planted: Any
) -> None:
    """And nothing else: other validation and test studies change nothing, other training reports do."""
    everything = planted_configs["llmrg-everything"]
    material = read_material(everything.data)
    elsewhere = read_material(replace(everything.data, root=altered))
    fewer = replace(material, training=[study for study in material.training if not material.positive(study.id)[2:]])
    assert 4 < len(fewer.training) < len(material.training)
    systems = [own.system for own in planted_configs.values() if "context" in own.stage_names]
    assert {system.evidence.context_residuals.mode for system in systems} == set(get_args(ContextMode)) - {"similarity"}
    loaded: Any = open_run(train_planted("llmrg-everything").run, device="cpu").system

    def drawn(studies: Any) -> list[Any]:
        found: list[Any] = [draw_studies(system, studies).patterns for system in systems]
        rows = oversampled_draw(studies, None, everything.training.oversampling, seed=3).rows
        calibrate_hints(loaded, studies, batch_size=8, seed=3)
        hints = loaded.sources["diagnosis_hints"]
        fit = {name: value.tolist() for name, value in hints.calibration.state_dict().items()}
        return [found, [own.tolist() for own in rows], fit, hints.threshold]

    first, second, third = drawn(material), drawn(elsewhere), drawn(fewer)
    assert first == second
    assert first[0] != third[0]
    assert first[1] != third[1]
    assert first[2] != third[2]
