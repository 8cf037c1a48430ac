"""The loop: learning rates by part, tokens counted over micro-batches, parts of the loss in the log."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from llmrg.config import load_config
from llmrg.language.settings import DecodingConfig
from llmrg.systems.build import ArtefactPaths, build_system
from llmrg.training.material import TrainingMaterial, read_material
from llmrg.training.settings import TrainConfig
from llmrg.training.trainer import GeneratorTrainer, build_trainer, parameter_groups
from llmrg.training.validation import ReportValidation


@pytest.fixture(scope="module")
def config(tiny_run: Any) -> TrainConfig:
    return load_config(TrainConfig, tiny_run.config)


@pytest.fixture(scope="module")
def material(config: TrainConfig) -> TrainingMaterial:
    return read_material(config.data)


def build(config: TrainConfig, tiny_run: Any, **changes: Any) -> Any:
    torch.manual_seed(0)
    return build_system(replace(config.system, **changes), config.data, ArtefactPaths.below(tiny_run.artefacts))


def trainer_of(
    system: Any, config: TrainConfig, material: TrainingMaterial, folder: Path, **loop: Any
) -> GeneratorTrainer:
    return build_trainer(
        system,
        material.dataset(material.training),
        config=replace(config.training, **loop),
        validation=ReportValidation(
            material=material, studies=material.validation, decoding=DecodingConfig(max_new_tokens=2), batch_size=4
        ),
        folder=folder,
        seed=0,
    )


def test_each_part_has_its_rate_and_vectors_do_not_decay(config: TrainConfig, tiny_run: Any) -> None:
    system = build(config, tiny_run, tune_vision=True)
    loop = replace(
        config.training, learning_rate=1.0, vision_learning_rate=2.0, language_learning_rate=3.0, weight_decay=0.5
    )
    groups = parameter_groups(system, loop)
    found = {id(p): (group["lr"], group["weight_decay"]) for group in groups for p in group["params"]}
    assert sum(len(group["params"]) for group in groups) == len(found)
    trainable = {name: p for name, p in system.named_parameters() if p.requires_grad}
    assert found.keys() == {id(parameter) for parameter in trainable.values()}
    for name, parameter in trainable.items():
        rate = 2.0 if name.startswith("encoder.") else 3.0 if "lora" in name else 1.0
        assert found[id(parameter)] == (rate, 0.5 if parameter.dim() > 1 else 0.0), name
    same = parameter_groups(system, replace(config.training, learning_rate=1.0))
    assert {group["lr"] for group in same} == {1.0}


def test_accumulated_micro_batches_take_the_step_of_one_batch(
    config: TrainConfig, material: TrainingMaterial, tiny_run: Any, tmp_path: Path
) -> None:
    """Through the Trainer itself, with reports of different lengths, so that its counting of tokens is seen too."""
    taken = []
    language = replace(config.system.language_model, lora_dropout=0.0)
    for size, accumulation in ((8, 1), (2, 4)):
        system = build(config, tiny_run, language_model=language)
        trainer = trainer_of(
            system,
            config,
            material,
            tmp_path / str(size),
            batch_size=size,
            accumulation=accumulation,
            epochs=0.1,
            warmup=0.0,
            logging_steps=1,
        )
        assert [type(o).__name__ for o in (trainer.create_optimizer(),)] == ["AdamW"]
        trainer.args.max_steps = 1
        trainer.args.eval_strategy = trainer.args.save_strategy = "no"
        trainer.args.load_best_model_at_end = False
        trainer.train()
        row = next(row for row in trainer.state.log_history if "loss" in row)
        taken.append((row["grad_norm"], row["loss"], row["loss_language"]))
    (norm, loss, language_loss), other = taken
    assert other == pytest.approx((norm, loss, language_loss), rel=1e-3)
    assert loss == pytest.approx(language_loss, abs=1e-3)


def test_the_logged_loss_is_the_mean_over_tokens(
    config: TrainConfig, material: TrainingMaterial, tiny_run: Any, tmp_path: Path
) -> None:
    system = build(config, tiny_run)
    trainer = trainer_of(system, config, material, tmp_path)
    given = system.collate([material.dataset(material.training)[row] for row in range(4)])
    assert trainer._get_num_items_in_batch([given], torch.device("cpu")) == (given["labels"] != -100).sum()
    system.eval()
    loss = trainer.compute_loss(system, given, num_items_in_batch=(given["labels"] != -100).sum())
    logits = system(**given)["output"].logits
    targets = given["labels"][given["labels"] != -100]
    assert loss.item() == pytest.approx(functional.cross_entropy(logits, targets).item(), rel=1e-5)


def test_every_named_loss_is_logged(
    config: TrainConfig, material: TrainingMaterial, tiny_run: Any, tmp_path: Path
) -> None:
    trainer = trainer_of(
        build(config, tiny_run, tune_vision=True), config, material, tmp_path, epochs=1, logging_steps=2
    )
    trainer.train()
    rows = [row for row in trainer.state.log_history if "loss" in row]
    assert len(rows) == 3
    for row in rows:
        parts = [row[f"loss_{name}"] for name in ("language", "diagnosis_presence", "diagnosis_side")]
        assert row["loss"] == pytest.approx(sum(parts), abs=2e-3)
    assert rows[-1]["loss"] < rows[0]["loss"]


def test_evaluations_are_spread_and_the_last_step_is_one(
    config: TrainConfig, material: TrainingMaterial, tiny_run: Any, tmp_path: Path
) -> None:
    trainer = trainer_of(build(config, tiny_run), config, material, tmp_path, epochs=7 / 6, evaluations=3)
    trainer.train()
    assert [row["step"] for row in trainer.state.log_history if "eval_bleu_4" in row] == [3, 6, 7]
    assert trainer.state.best_model_checkpoint is not None
