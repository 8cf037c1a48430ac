"""Values that cannot be meant are refused before anything is read."""

from __future__ import annotations

from typing import Any

import pytest

from llmrg.config import load_config
from llmrg.errors import UserError
from llmrg.training.settings import COMBINED_METRICS, VALIDATION_METRICS, TrainConfig
from llmrg.training.validation import FIGURES


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.epochs=0", "epochs must be positive"),
        ("training.batch_size=-1", "batch_size must be positive"),
        ("training.accumulation=0", "accumulation must be positive"),
        ("training.evaluations=0", "evaluations must be at least 1"),
        ("training.validation_studies=0", "validation_studies must be positive"),
        ("training.warmup=1.5", "warmup must lie"),
        ("training.weight_decay=-0.1", "weight_decay must not be negative"),
        ("training.workers=-1", "workers must not be negative"),
        ("training.max_minutes=0", "max_minutes must be positive"),
        ("training.metric=loss", "metric 'loss' is unknown"),
        ("training.epochs=many", "training.epochs must be of type float"),
        ("training.epoch=3", "Did you mean 'epochs'"),
        ("training.precision=half", "training.precision cannot be 'half'"),
        ("system.evidence.sources=[visual_memory]", "needs disease_queries before it"),
    ],
)
def test_mistakes(tiny_run: Any, override: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_config(TrainConfig, tiny_run.config, [override])


def test_every_metric_of_choice_is_computed() -> None:
    assert set(VALIDATION_METRICS) <= set(FIGURES)
    for weights in COMBINED_METRICS.values():
        assert weights.keys() <= set(FIGURES)
        assert sum(weights.values()) == pytest.approx(1)


def test_artefacts_lie_beside_the_run_unless_named(tiny_run: Any) -> None:
    config = load_config(TrainConfig, tiny_run.config, ["out=runs/a/llmrg"])
    assert config.artefacts_folder.as_posix() == "runs/a/artefacts"
    config = load_config(TrainConfig, tiny_run.config, ["out=runs/a/llmrg", "artefacts=/else/where"])
    assert config.artefacts_folder.as_posix() == "/else/where"
