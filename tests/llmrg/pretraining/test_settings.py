from __future__ import annotations

import pytest

from llmrg.pretraining.settings import DiseaseClassifierConfig


@pytest.mark.parametrize(
    "values",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"learning_rate": -1e-3},
        {"warmup": 1.0},
        {"smoothing": 1.0},
        {"weight_decay": -0.1},
        {"side_weight": -1.0},
        {"workers": -1},
        {"max_minutes": 0.0},
    ],
)
def test_values_that_cannot_be_meant_are_refused(values: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        DiseaseClassifierConfig(**values)
