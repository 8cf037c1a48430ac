"""A whole training from prepared films gives the very weights of one from the files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from llmrg.config import load_config
from llmrg.studies.prepare import prepare_films
from llmrg.training.run import train
from llmrg.training.settings import TrainConfig


@pytest.mark.slow
def test_weights_are_equal_bit_for_bit(tiny_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = load_config(TrainConfig, tiny_run.config).data
    prepare_films(data, tmp_path / "films", workers=1)

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a film was decoded")

    monkeypatch.setattr("llmrg.studies.film.load_image", refuse)
    # An own folder of artefacts: the classifier, too, is trained from prepared films.
    overrides = [f"out={tmp_path / 'runs' / 'run'}", f"artefacts={tmp_path / 'made'}"]
    run = train(tiny_run.config, [*overrides, f"data.prepared={tmp_path / 'films'}"])
    for before, after in ((tiny_run.run, run), (tiny_run.artefacts, tmp_path / "made")):
        files = sorted(path.relative_to(before) for path in before.rglob("*.safetensors"))
        assert files
        for name in files:
            one, other = load_file(before / name), load_file(after / name)
            assert one.keys() == other.keys()
            assert all(one[key].equal(other[key]) for key in one), name
