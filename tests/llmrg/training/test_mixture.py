"""One training over Chinese and English phantoms, from configuration to reports in each study's language."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from accelerate.data_loader import prepare_data_loader
from safetensors.numpy import load_file
from torch.utils.data import DataLoader, Dataset
from transformers import AutoTokenizer, TrainerCallback

from llmrg.artefacts import read_manifest
from llmrg.benchmark.run import run_benchmark
from llmrg.benchmark.settings import BenchmarkConfig, GallerySettings, SystemEntry
from llmrg.config import dump_config, load_config, load_mapping
from llmrg.errors import UserError
from llmrg.findings.labeler import get_labeler
from llmrg.generation.command import generate_command, load_data_config
from llmrg.generation.dataset import generate_dataset
from llmrg.generation.study import generate_from_files
from llmrg.language.context import render_context
from llmrg.language.prompt import default_prompt
from llmrg.studies.augmentation import AugmentationConfig
from llmrg.studies.dataset import StudyDataset, collate_studies
from llmrg.studies.mixture import MixtureConfig
from llmrg.studies.phantoms.dataset import draw_dataset
from llmrg.studies.reading import read_studies
from llmrg.studies.settings import DataConfig
from llmrg.systems.build import ArtefactPaths, build_system
from llmrg.systems.run import Run, open_run
from llmrg.training import run as run_module
from llmrg.training.material import TrainingMaterial, read_material, training_hash
from llmrg.training.run import train
from llmrg.training.settings import TrainConfig
from llmrg.training.stages import StageBuilder

CHINESE = re.compile(r"[\u4e00-\u9fff]")
LATIN = re.compile(r"[A-Za-z]{2}")


@pytest.fixture(scope="module")
def mixture_file(tiny_run: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny training on the Chinese phantoms of the tiny run, weighted three to one, and English ones."""
    folder = tmp_path_factory.mktemp("mixture")
    draw_dataset(folder / "en", format="chexpert-plus", studies=32, seed=5, size=48, preset="easy", workers=1)
    values = load_mapping(tiny_run.config)
    shared = {"vocabulary": "ped_xray", "image_size": 48}
    values["data"] = {
        "members": {
            "children": {
                "weight": 3,
                "data": {"format": "ped-xray", "root": str(tiny_run.data), "language": "zh", **shared},
            },
            "adults": {
                "weight": 1,
                "data": {"format": "chexpert-plus", "root": str(folder / "en"), "language": "en", **shared},
            },
        }
    }
    values["out"] = str(folder / "runs" / "bilingual")
    values["stages"]["language_model"] |= {
        "max_steps": 300,
        "batch_size": 16,
        "learning_rate": 5e-3,
        "prompt_share": 0.4,
    }
    values["stages"]["language_model"]["model"]["vocabulary_size"] = 600
    values["decoding"]["max_new_tokens"] = 16
    values["training"]["validation_studies"] = 8
    path = folder / "mixture.yaml"
    path.write_text(yaml.safe_dump(values, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def mixture_run(mixture_file: Path) -> Run:
    return open_run(train(mixture_file))


@pytest.fixture(scope="module")
def mixture_material(mixture_file: Path) -> TrainingMaterial:
    return read_material(load_config(TrainConfig, mixture_file).data)


def test_reports_are_written_in_the_language_of_the_study(mixture_run: Run, tmp_path: Path) -> None:
    done = generate_dataset(mixture_run, None, "test", tmp_path / "p.jsonl")
    rows = [json.loads(line) for line in done.path.read_text(encoding="utf-8").splitlines()]
    language = {study.id: study.language for study in read_studies(mixture_run.config.data).split("test")}
    assert {row["id"]: row["language"] for row in rows} == language
    assert set(language.values()) == {"zh", "en"}
    for row in rows:
        wanted, other = (CHINESE, LATIN) if row["language"] == "zh" else (LATIN, CHINESE)
        assert len(wanted.findall(row["report"])) > 4 * len(other.findall(row["report"])), row


def test_prompts_hints_and_labels_follow_the_study(mixture_run: Run, mixture_material: TrainingMaterial) -> None:
    """One batch of both languages: what stands before each report is in the report's language."""
    system = mixture_run.system
    dataset = mixture_material.dataset(mixture_material.validation)
    rows = [next(r for r, s in enumerate(dataset.studies) if s.language == code) for code in ("en", "zh", "en")]
    batch = collate_studies([dataset[row] for row in rows])
    seen: list[tuple[list[str], list[dict[str, str]]]] = []
    assemble = system.assembler.assemble

    def watch(sources: Any, texts: Any, *rest: Any, languages: Any, **more: Any) -> Any:
        seen.append((list(languages), [dict(text) for text in texts]))
        return assemble(sources, texts, *rest, languages=languages, **more)

    system.assembler.assemble = watch  # type: ignore[method-assign]
    try:
        reports = system.generate(batch, mixture_run.config.decoding)
    finally:
        system.assembler.assemble = assemble  # type: ignore[method-assign]
    ((languages, texts),) = seen
    assert languages == ["en", "zh", "en"]
    for study, text in zip(batch.studies, texts, strict=True):
        words = system.assembler.words(text, study.language)
        prompt = default_prompt(study.language, tuple(system.sources))
        assert prompt.instruction in words
        assert text["diagnosis_hints"] in words
        assert text["context"] == render_context(study.context, study.language)
        own = words.replace("Human:", "").replace("Assistant:", "").replace("<Img>", "").replace("</Img>", "")
        own = re.sub(r"<[a-z_]+>", "", own)
        assert bool(CHINESE.search(own)) == (study.language == "zh")
        assert bool(LATIN.search(own)) == (study.language == "en")
        assert bool(CHINESE.search(text["diagnosis_hints"])) == (study.language == "zh")
    vocabulary = mixture_material.vocabulary
    for study, report in zip(batch.studies, reports, strict=True):
        assert report.findings == get_labeler(vocabulary, study.language).label(report.text)


def test_a_mixed_batch_gives_each_study_what_it_gets_alone(
    mixture_run: Run, mixture_material: TrainingMaterial
) -> None:
    system, dataset = mixture_run.system, mixture_material.dataset(mixture_material.validation)
    rows = [0, len(dataset) - 1]
    assert [dataset.studies[row].language for row in rows] == ["zh", "en"]
    together = system.generate(collate_studies([dataset[row] for row in rows]), mixture_run.config.decoding)
    for row, report in zip(rows, together, strict=True):
        alone = system.generate(collate_studies([dataset[row]]), mixture_run.config.decoding)[0]
        assert alone.text == report.text
        assert alone.log_probabilities == pytest.approx(report.log_probabilities, abs=1e-4)


def test_targets_are_read_in_the_language_of_the_study(mixture_material: TrainingMaterial) -> None:
    material = mixture_material
    assert material.languages == ("zh", "en")
    assert "ped_xray-zh" in material.labeler_version
    assert "ped_xray-en" in material.labeler_version
    for code in ("zh", "en"):
        studies = [study for study in material.training if study.language == code]
        labeler = get_labeler(material.vocabulary, code)  # type: ignore[arg-type]
        assert [material.mentions[study.id] for study in studies] == labeler.label_many(s.report() for s in studies)
        assert any(material.positive(study.id) for study in studies)


def test_epochs_hold_members_by_weight_without_touching_others(mixture_material: TrainingMaterial) -> None:
    counts = Counter(study.dataset for study in mixture_material.training)
    total = sum(counts.values())
    training = mixture_material.training_set(augmentation=AugmentationConfig(), seed=0)
    assert len(training) == total
    for epoch in (0, 1, 5):
        training.set_epoch(epoch)
        shown = Counter(training[row][0].dataset for row in range(len(training)))
        assert abs(shown["children"] - 0.75 * total) < 1
        assert sum(shown.values()) == total
    plain = mixture_material.dataset(mixture_material.training)
    assert [plain[row][0].id for row in range(len(plain))] == [study.id for study in mixture_material.training]
    patients = {name: {s.patient_id for s in mixture_material.training if s.dataset == name} for name in counts}
    assert not patients["children"] & patients["adults"]
    assert not {s.patient_id for s in mixture_material.validation} & set().union(*patients.values())


def test_processes_share_the_epoch(mixture_material: TrainingMaterial) -> None:
    """Each of two processes draws the epoch for itself; their batches are disjoint parts of the same one."""
    shown: Counter[int] = Counter()
    for process in (0, 1):
        training = mixture_material.training_set(augmentation=AugmentationConfig(), seed=0)
        rows: list[int] = []
        loader = DataLoader(
            _Rows(training, rows),
            batch_size=4,
            shuffle=True,
            generator=torch.Generator().manual_seed(0),
            collate_fn=len,
            drop_last=True,
        )
        sharded = prepare_data_loader(
            loader, num_processes=2, process_index=process, put_on_device=False, rng_types=[], even_batches=False
        )
        sharded.set_epoch(3)
        assert sum(1 for _ in sharded.base_dataloader) == len(loader) // 2
        shown.update(rows)
    assert training.draw is not None
    drawn = Counter(training.draw.epoch(3).tolist())
    assert not shown - drawn
    assert sum((drawn - shown).values()) == len(training) - (len(loader) // 2) * 8


class _Rows(Dataset[Any]):
    """Notes which studies a loader asks for."""

    def __init__(self, training: StudyDataset, rows: list[int]) -> None:
        self.training, self.rows = training, rows
        self.place = {study.id: row for row, study in enumerate(training.studies)}

    def set_epoch(self, epoch: int) -> None:
        self.training.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self.training)

    def __getitem__(self, index: int) -> Any:
        study = self.training[index][0]
        self.rows.append(self.place[study.id])
        return study


def test_validation_is_figured_over_all_and_by_member(mixture_run: Run, mixture_material: TrainingMaterial) -> None:
    log = json.loads((mixture_run.directory / "log.json").read_text())
    rows = [row for row in log if "eval_clinical_micro_f1" in row]
    assert len(rows) == 2
    for name in ("eval_bleu_4", "eval_children/bleu_4", "eval_adults/bleu_4", "eval_adults/distinct_ratio"):
        assert all(name in row for row in rows), name
    chosen = mixture_material.validation_sample(8, 3)
    assert Counter(study.dataset for study in chosen)["children"] >= 5
    assert {study.dataset for study in chosen} == {"children", "adults"}


def test_the_card_and_the_manifests_tell_the_members(mixture_run: Run, mixture_material: TrainingMaterial) -> None:
    card = (mixture_run.directory / "README.md").read_text(encoding="utf-8")
    assert yaml.safe_load(card.split("---")[1])["language"] == ["zh", "en"]
    assert "findings in Chinese and English" in card
    assert "| member children | ped-xray, Chinese: 42 training studies of 21 patients, weight 3, 75.0% of an ep" in card
    assert "| member adults | chexpert-plus, English" in card
    assert "on children + adults" in card
    for path in (mixture_run.directory, *(mixture_run.directory / "artefacts").iterdir()):
        manifest = read_manifest(path)
        assert manifest.languages == ("zh", "en")
        assert manifest.split_hash == mixture_material.split_hash
    records = (mixture_run.directory / "artefacts" / "index" / "faiss" / "records.jsonl").read_text()
    assert {json.loads(line)["id"] for line in records.splitlines() if line} >= {
        study.id for study in mixture_material.training
    }


def test_the_split_hash_covers_every_member(mixture_material: TrainingMaterial, mixture_file: Path) -> None:
    data = mixture_material.data
    assert isinstance(data, MixtureConfig)
    adults = [study for study in mixture_material.training if study.dataset == "adults"]
    for part in (adults, [s for s in mixture_material.training if s.dataset == "children"]):
        assert training_hash(part, data) != mixture_material.split_hash
    changed = [
        replace(s, sections={"findings": "other"}) if s.id == adults[0].id else s for s in mixture_material.training
    ]
    assert training_hash(changed, data) != mixture_material.split_hash


def test_other_weights_make_other_networks_of_the_same_index(mixture_file: Path) -> None:
    config = load_config(TrainConfig, mixture_file, ["data.members.adults.weight=3"])
    builder = StageBuilder(config=config, material=read_material(config.data), producer="test")
    assert builder.open_stages() == ("language_model", "disease_classifier", "memory", "index")
    same = load_config(TrainConfig, mixture_file)
    assert replace(builder, config=same, material=read_material(same.data)).open_stages() == ()


@pytest.mark.parametrize(("member", "language"), [("children", "zh"), ("adults", "en")])
def test_one_member_is_generated_for_alone(
    mixture_run: Run, tmp_path: Path, member: str, language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data = mixture_run.config.data
    assert isinstance(data, MixtureConfig)
    own = tmp_path / "data.yaml"
    own.write_text(dump_config(data.members[member].data), encoding="utf-8")
    out = tmp_path / "p.jsonl"
    generate_command(mixture_run.directory, data=own, out=out, limit=2, language=language)
    assert {json.loads(line)["language"] for line in out.read_text(encoding="utf-8").splitlines()} == {language}
    with pytest.raises(UserError, match=r"trained with .*vocabulary=ped_xray"):
        generate_command(mixture_run.directory, data=own, overrides=["vocabulary=chexpert14"], out=out)
    other = "en" if language == "zh" else "zh"
    with pytest.raises(UserError, match=f"The dataset is '{language}', not '{other}'"):
        generate_command(mixture_run.directory, data=own, out=out, language=other)
    assert isinstance(load_data_config(own), DataConfig)


def test_a_run_of_one_language_refuses_a_mixture(tiny_run: Any, mixture_file: Path, tmp_path: Path) -> None:
    assert isinstance(load_data_config(mixture_file), MixtureConfig)
    with pytest.raises(UserError, match=r"trained with data\.language=zh, but the data have en"):
        generate_command(tiny_run.run, data=mixture_file, out=tmp_path / "p.jsonl")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_single_study_names_its_language(mixture_run: Run, tiny_run: Any, language: str) -> None:
    film = next((tiny_run.data / "images").rglob("*.jpg"), None) or next((tiny_run.data / "images").rglob("*.png"))
    record = generate_from_files(mixture_run, [film], language=language)
    assert record["language"] == language
    assert (CHINESE if language == "zh" else LATIN).search(record["report"])
    with pytest.raises(UserError, match=r"writes 'zh' and 'en'.*--language"):
        generate_from_files(mixture_run, [film])
    with pytest.raises(UserError, match="not 'fr'"):
        generate_from_files(mixture_run, [film], language="fr")


def test_a_benchmark_of_one_member(mixture_run: Run, tmp_path: Path) -> None:
    data = mixture_run.config.data
    assert isinstance(data, MixtureConfig)
    config = BenchmarkConfig(
        data=data.members["adults"].data,
        out=tmp_path / "all" / "adults",
        systems=(SystemEntry(name="bilingual", run=mixture_run.directory),),
        resamples=0,
        gallery=GallerySettings(studies=2),
    )
    results = run_benchmark(config)
    assert results.language == "en"
    assert "bilingual" in {row.system for row in results.rows}


def test_one_prompt_cannot_serve_two_languages(mixture_file: Path, mixture_run: Run) -> None:
    config = mixture_run.config
    artefacts = ArtefactPaths.below(mixture_run.directory / "artefacts")
    zh, en = (default_prompt(code, ("patches",)) for code in ("zh", "en"))
    with pytest.raises(UserError, match="in zh and en, but the system has one prompt"):
        build_system(replace(config.system, prompt=zh), config.data, artefacts)
    with pytest.raises(UserError, match="has no prompt"):
        build_system(replace(config.system, prompt={"zh": zh}), config.data, artefacts)
    with pytest.raises(UserError, match="No such language"):
        replace(config.system, prompt={"zh": zh, "fr": en})
    system = build_system(replace(config.system, prompt={"zh": zh, "en": en}), config.data, artefacts)
    assert system.assembler.prompt_of("en") == en
    assert system.assembler.prompt_of("zh") == zh


def test_a_stopped_training_goes_on_with_the_same_studies(
    mixture_file: Path, mixture_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of an epoch: the weights are those of the training that was never stopped, bit by bit."""
    overrides = [
        f"out={tmp_path / 'runs' / 'bilingual'}",
        f"artefacts={mixture_file.parent / 'runs' / 'artefacts'}",
    ]

    class Stopped(TrainerCallback):
        def __init__(self, name: str) -> None:
            self.name = name

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == saved[0] + 2:
                raise RuntimeError("stopped")

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            saved[0] = state.global_step

    saved = [10_000]
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "ProgressReport", Stopped)
        with pytest.raises(RuntimeError, match="stopped"):
            train(mixture_file, overrides)
    run = train(mixture_file, overrides, resume=True)
    found, expected = (load_file(path / "model.safetensors") for path in (run, mixture_run.directory))
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[name], expected[name]) for name in found)


def test_every_member_needs_both_splits(mixture_file: Path, tmp_path: Path) -> None:
    data = load_config(TrainConfig, mixture_file, ["data.members.adults.data.single_split=train"]).data
    with pytest.raises(UserError, match="split 'val' of adults has no study with a report"):
        read_material(data)


def test_tokens_of_both_languages(mixture_run: Run) -> None:
    tokenizer = AutoTokenizer.from_pretrained(mixture_run.directory / "tokenizer")
    for text in ("双肺纹理", "pleural effusion"):
        assert len(tokenizer(text, add_special_tokens=False).input_ids) < len(text.encode()) / 2
