from __future__ import annotations

from pathlib import Path

import pytest

from llmrg.config import load_config
from llmrg.errors import UserError
from llmrg.vision.settings import BackboneConfig


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"channels": 2}, "channels"),
        ({"std": 0.0}, "std"),
        ({"pretrained": True, "checkpoint": Path("a.safetensors")}, "checkpoint"),
    ],
)
def test_values_that_cannot_be_meant_are_refused(values: dict, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        BackboneConfig(**values)


def test_it_is_read_from_a_command_line() -> None:
    config = load_config(BackboneConfig, None, ["architecture=resnet18", "options={drop_rate: 0.1}", "freeze=true"])
    assert config == BackboneConfig(architecture="resnet18", options={"drop_rate": 0.1}, freeze=True)
    with pytest.raises(UserError, match="architecture"):
        load_config(BackboneConfig, None, ["architectur=resnet18"])
