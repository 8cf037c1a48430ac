"""The disease-classifier stage on films that a child could read."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import TrainerCallback

from llmrg.artefacts import file_hash, read_manifest
from llmrg.errors import StoppedBySignalError
from llmrg.evidence.encoder import EncoderConfig, build_encoder, load_encoder
from llmrg.evidence.settings import DiseaseQueriesConfig
from llmrg.findings.vocabulary import get_vocabulary
from llmrg.pretraining.checkpoints import last_checkpoint
from llmrg.pretraining.disease_classifier import classifier_scores, pretrain_disease_classifier
from llmrg.pretraining.settings import DiseaseClassifierConfig
from llmrg.pretraining.signals import catch_signals
from llmrg.studies.augmentation import AugmentationConfig
from llmrg.studies.dataset import StudyDataset, collate_studies
from llmrg.studies.settings import DataConfig
from llmrg.studies.study import Image, Study
from llmrg.vision.settings import BackboneConfig

FINDINGS = get_vocabulary("ped_xray").abnormal
EASY = [finding.name for finding in FINDINGS].index("pleural_effusion")
SIZE = 32
ENCODER = EncoderConfig(
    vision=BackboneConfig(
        architecture="resnet10t",
        options={"channels": [8, 16, 16, 16], "stem_width": 8, "output_stride": 8},
        channels=1,
        mean=0.45,
        std=0.25,
    ),
    queries=DiseaseQueriesConfig(heads=2, dropout=0.0),
    vocabulary="ped_xray",
    image_size=SIZE,
)
CONFIG = DiseaseClassifierConfig(epochs=12, batch_size=16, learning_rate=5e-3, precision="fp32")


@pytest.fixture(scope="module")
def easy_data(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., StudyDataset]:
    """Noise with, for every other study, a bright corner at the left or right: one finding with its side."""
    config = DataConfig(
        format="table", root=tmp_path_factory.mktemp("easy"), language="zh", vocabulary="ped_xray", image_size=SIZE
    )

    def make(count: int, seed: int, *, augmentation: AugmentationConfig | None = None) -> StudyDataset:
        rng = np.random.default_rng(seed)
        studies, films, extras = [], {}, {}
        for number in range(count):
            name = f"{seed}-{number}"
            film = rng.integers(60, 140, (SIZE, SIZE), dtype=np.uint8)
            present, sides = torch.zeros(len(FINDINGS)), torch.zeros(len(FINDINGS), 2)
            known = torch.zeros(len(FINDINGS), dtype=torch.bool)
            if number % 2:
                on_left = bool(rng.random() < 0.5)
                film[20:30, 20:30] = 250 if on_left else film[20:30, 20:30]
                film[20:30, 2:12] = film[20:30, 2:12] if on_left else 250
                present[EASY], known[EASY] = 1, True
                sides[EASY] = torch.tensor([1.0, 0.0] if on_left else [0.0, 1.0])
            images = (Image(path=Path("in memory"), view="frontal"),)
            studies.append(Study(id=name, patient_id=name, images=images, split="train", language="zh"))
            films[name] = [film]
            extras[name] = {"present": present, "sides": sides, "side_known": known}
        return StudyDataset(studies, config, extras=extras, films=films, augmentation=augmentation)

    return make


def train(
    data: Callable[..., StudyDataset], out: Path, config: DiseaseClassifierConfig = CONFIG, **options: object
) -> Path:
    training = options.pop("training", None) or data(64, 1)
    return pretrain_disease_classifier(
        training,  # type: ignore[arg-type]
        data(32, 2),
        out,
        **{
            "encoder": ENCODER,
            "config": config,
            "configuration": {"epochs": config.epochs},
            "seed": 3,
            "producer": "test",
            "split_hash": "abc",
            "languages": ("zh",),
            **options,
        },  # type: ignore[arg-type]
    )


@pytest.fixture(scope="module")
def trained(easy_data: Callable[..., StudyDataset], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(easy_data, tmp_path_factory.mktemp("classifier") / "disease_classifier")


def test_it_learns_a_finding_that_is_easy_to_see(trained: Path, easy_data: Callable[..., StudyDataset]) -> None:
    losses = [entry["loss"] for entry in json.loads((trained / "log.json").read_text()) if "loss" in entry]
    assert losses[-1] < losses[0] / 3
    fresh = easy_data(60, 9)  # films that neither training nor validation saw
    encoder, _ = load_encoder(trained)
    scores = classifier_scores(encoder, fresh, batch_size=16)
    torch.manual_seed(3)
    before = classifier_scores(build_encoder(ENCODER).eval(), fresh, batch_size=16)
    assert before["per_class"]["pleural_effusion"] < 0.7
    assert scores["per_class"]["pleural_effusion"] > 0.95
    assert scores["micro_f1"] > 0.95


def test_it_learns_the_side(trained: Path, easy_data: Callable[..., StudyDataset]) -> None:
    encoder, _ = load_encoder(trained)
    fresh = easy_data(60, 9)
    samples = [fresh[index] for index in range(1, 60, 2)]
    sides = encoder.encode([collate_studies(samples)])["probabilities"][:, EASY, 1:]
    truth = torch.stack([sample[2]["sides"][EASY] for sample in samples])
    assert ((sides >= 0.5) == truth.bool()).float().mean() > 0.9


def test_it_looks_where_the_finding_lies(trained: Path, easy_data: Callable[..., StudyDataset]) -> None:
    encoder, _ = load_encoder(trained)
    fresh = easy_data(60, 9)
    samples = [fresh[index] for index in range(1, 60, 2)]
    with torch.no_grad():
        features, answers = encoder(collate_studies(samples))
    side = features.grid[1]
    attention = answers.attention[:, EASY].view(-1, side, side)
    halves = torch.stack([attention[:, :, side // 2 :].sum((1, 2)), attention[:, :, : side // 2].sum((1, 2))], dim=1)
    truth = torch.stack([sample[2]["sides"][EASY] for sample in samples])
    assert (halves.argmax(1) == truth.argmax(1)).float().mean() > 0.8


def test_the_manifest_says_what_it_is(trained: Path) -> None:
    manifest = read_manifest(trained)
    assert manifest.kind == "disease_classifier"
    assert manifest.encoder_hash == file_hash(trained / "encoder.safetensors")
    assert (manifest.split_hash, manifest.languages, manifest.producer) == ("abc", ("zh",), "test")
    assert manifest.configuration == {"epochs": CONFIG.epochs}
    assert manifest.details["studies"] == 64
    assert (manifest.details["vocabulary"], manifest.details["image_size"]) == ("ped_xray", SIZE)
    assert manifest.details["validation"]["micro_f1"] > 0.95
    assert not manifest.contains_patient_text
    assert sorted(path.name for path in trained.iterdir()) == [
        "COMPLETE",
        "encoder.json",
        "encoder.safetensors",
        "log.json",
        "manifest.json",
    ]


def test_the_seed_decides_everything(easy_data: Callable[..., StudyDataset], tmp_path: Path) -> None:
    short = dataclasses.replace(CONFIG, epochs=1)
    hashes = [
        read_manifest(
            train(
                easy_data,
                tmp_path / str(number),
                short,
                seed=seed,
                training=easy_data(32, 1, augmentation=AugmentationConfig()),
            )
        ).encoder_hash
        for number, seed in enumerate((5, 5, 6))
    ]
    assert hashes[0] == hashes[1] != hashes[2]


def test_validation_films_teach_nothing(easy_data: Callable[..., StudyDataset], tmp_path: Path) -> None:
    short = dataclasses.replace(CONFIG, epochs=1)
    hashes = []
    for number, validation in enumerate((easy_data(8, 2), easy_data(16, 7))):
        out = pretrain_disease_classifier(
            easy_data(32, 1),
            validation,
            tmp_path / str(number),
            encoder=ENCODER,
            config=short,
            configuration={},
            seed=3,
            producer="test",
            split_hash="abc",
            languages=("zh",),
        )
        hashes.append(read_manifest(out).encoder_hash)
    assert hashes[0] == hashes[1]


def test_every_epoch_draws_its_augmentation(easy_data: Callable[..., StudyDataset], tmp_path: Path) -> None:
    training = easy_data(16, 1, augmentation=AugmentationConfig())
    epochs = []

    class Watch(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            epochs.append(training.epoch)

    train(easy_data, tmp_path / "out", dataclasses.replace(CONFIG, epochs=3), training=training, callbacks=[Watch()])
    assert epochs == [0, 1, 2]


def test_a_dry_run_takes_two_steps_and_leaves_nothing(easy_data: Callable[..., StudyDataset], tmp_path: Path) -> None:
    steps = []

    class Count(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            steps.append(state.global_step)

    assert train(easy_data, tmp_path / "out", dry_run=True, callbacks=[Count()]) == tmp_path / "out"
    assert steps == [1, 2]
    assert list(tmp_path.iterdir()) == []


def test_the_time_limit_holds_and_the_encoder_is_saved(
    easy_data: Callable[..., StudyDataset], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = dataclasses.replace(CONFIG, epochs=500, max_minutes=1 / 600)
    with caplog.at_level(logging.WARNING, logger="llmrg"):
        out = train(easy_data, tmp_path / "out", config)
    assert "max_minutes" in caplog.text
    load_encoder(out)


def test_scores_of_no_study_and_of_findings_that_no_study_has(easy_data: Callable[..., StudyDataset]) -> None:
    encoder = build_encoder(ENCODER).eval()
    assert classifier_scores(encoder, easy_data(0, 1), batch_size=4)["micro_f1"] == 0
    with torch.no_grad():
        encoder.queries.bias.fill_(-100)  # nothing is ever found
    scores = classifier_scores(encoder, easy_data(4, 1), batch_size=3)
    assert scores["micro_f1"] == 0
    assert scores["per_class"] == dict.fromkeys((finding.name for finding in FINDINGS), 0.0)
    with torch.no_grad():
        encoder.queries.bias.fill_(100)  # everything is always found: 2 of 4 studies x 1 of 12 findings are right
    scores = classifier_scores(encoder, easy_data(4, 1), batch_size=3)
    assert scores["micro_f1"] == pytest.approx(2 * 2 / (48 + 2))
    assert scores["per_class"]["pleural_effusion"] == pytest.approx(2 / 3, abs=1e-4)
    assert scores["macro_f1"] == pytest.approx(2 / 3 / 12)


class _Stop(TrainerCallback):
    def __init__(self, at: int, act: Callable[[], None]) -> None:
        self.at, self.act, self.steps = at, act, []

    def on_step_end(self, args, state, control, **kwargs):
        self.steps.append(state.global_step)
        if state.global_step == self.at:
            self.act()


def test_a_stopped_stage_goes_on_as_if_it_had_never_been_stopped(
    easy_data: Callable[..., StudyDataset], tmp_path: Path
) -> None:
    """Killed in its third epoch, then stopped by SIGTERM in the same; with augmentation."""
    config = dataclasses.replace(CONFIG, epochs=3, batch_size=16)
    folder = tmp_path / ".disease_classifier-training"

    def make(out: str, **options: object) -> Path:
        training = easy_data(64, 1, augmentation=AugmentationConfig())
        return train(easy_data, tmp_path / out, config, training=training, **options)

    class KilledError(BaseException):
        pass

    def kill() -> None:
        raise KilledError

    whole = make("whole")
    with pytest.raises(KilledError):
        make("out", checkpoints=folder, callbacks=[_Stop(10, kill)])
    assert last_checkpoint(folder) == folder / "checkpoint-8"
    stop = _Stop(11, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(StoppedBySignalError, match="step 11 of 12 finished and saved"), catch_signals():
        make("out", checkpoints=folder, resume=True, callbacks=[stop])
    assert stop.steps == [9, 10, 11]
    assert not (tmp_path / "out").exists()
    rest = _Stop(0, kill)
    out = make("out", checkpoints=folder, resume=True, callbacks=[rest])
    assert rest.steps == [12]
    assert read_manifest(out).encoder_hash == read_manifest(whole).encoder_hash
    assert not folder.exists()


def test_checkpoints_of_another_configuration_or_without_resume_are_not_used(
    easy_data: Callable[..., StudyDataset], tmp_path: Path
) -> None:
    config = dataclasses.replace(CONFIG, epochs=2, batch_size=32)
    folder = tmp_path / "training"
    for changes in ({"split_hash": "other", "resume": True}, {"resume": False}):
        with pytest.raises(ZeroDivisionError):
            train(easy_data, tmp_path / "out", config, checkpoints=folder, callbacks=[_Stop(3, lambda: 1 / 0)])
        steps = _Stop(0, lambda: None)
        train(easy_data, tmp_path / "out", config, checkpoints=folder, callbacks=[steps], **changes)
        assert steps.steps == [1, 2, 3, 4]
