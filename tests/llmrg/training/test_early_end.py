"""A training that is stopped early is evaluated and saved."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from llmrg.training.early_end import EarlyEnd


@pytest.mark.parametrize(
    ("stops", "strategy", "asked"), [(True, "steps", True), (False, "steps", False), (True, "no", False)]
)
def test_a_training_that_is_stopped_is_evaluated_and_saved(stops: bool, strategy: str, asked: bool) -> None:
    control = SimpleNamespace(should_training_stop=stops, should_evaluate=False, should_save=False)
    EarlyEnd().on_step_end(SimpleNamespace(eval_strategy=strategy), SimpleNamespace(), control)  # type: ignore[arg-type]
    assert (control.should_evaluate, control.should_save) == (asked, asked)
