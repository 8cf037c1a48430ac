"""Systems around a language model of every family: saved, loaded beside a base model elsewhere, and merged."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from llmrg.errors import UserError
from llmrg.language.settings import DecodingConfig, LanguageModelConfig
from llmrg.studies.dataset import collate_studies, read_films
from llmrg.studies.reading import read_studies
from llmrg.systems.build import ArtefactPaths, build_system
from llmrg.systems.export import export_run
from llmrg.systems.run import RunConfig, open_run, save_run

pytestmark = pytest.mark.usefixtures("own_random_state")


@pytest.fixture(scope="module")
def films(tiny_loaded: Any) -> Any:
    data = tiny_loaded.config.data
    studies = list(read_studies(data).split("test"))[:3]
    return collate_studies([(study, read_films(study, data), {}) for study in studies])


@pytest.fixture(scope="module")
def make_run(tiny_run: Any, tiny_loaded: Any) -> Callable[[Path, Path], tuple[Any, RunConfig]]:
    """Save a run of a tiny system around a base model, with adapters that matter."""

    def make(base: Path, run: Path) -> tuple[Any, RunConfig]:
        given = tiny_loaded.config
        decoding = DecodingConfig(max_new_tokens=8, min_new_tokens=4)
        settings = replace(
            given.system,
            evidence=replace(given.system.evidence, sources=("patches",)),
            language_model=LanguageModelConfig(path=str(base), lora_rank=2),
        )
        config = RunConfig(system=settings, data=given.data, decoding=decoding)
        artefacts = ArtefactPaths.below(tiny_run.artefacts)
        system = build_system(settings, given.data, artefacts).eval()
        stream = torch.Generator().manual_seed(3)
        with torch.no_grad():
            for name, parameter in system.named_parameters():
                if parameter.requires_grad:
                    parameter.add_(torch.randn(parameter.shape, generator=stream) * (0.2 if "lora" in name else 0.02))
        save_run(system, run, config=config, artefacts=artefacts, producer="test", split_hash="x", card="# card\n")
        return system, config

    return make


def reports(system: Any, films: Any, config: RunConfig) -> list[tuple[str, list[float]]]:
    return [(report.text, report.log_probabilities) for report in system.generate(films, config.decoding)]


def test_reports_survive_saving_moving_and_merging(
    family_checkpoint: Callable[[str], Any],
    family_name: str,
    make_run: Callable[[Path, Path], Any],
    films: Any,
    tmp_path: Path,
) -> None:
    place = Path(shutil.copytree(family_checkpoint(family_name).path, tmp_path / "base"))
    system, config = make_run(place, tmp_path / "run")
    expected = reports(system, films, config)
    assert all(len(scores) >= 4 for _, scores in expected)
    moved = place.rename(tmp_path / "moved")
    shutil.move(tmp_path / "run", tmp_path / "elsewhere" / "run")
    loaded = open_run(tmp_path / "elsewhere" / "run", language_model=str(moved), device="cpu").system
    assert reports(loaded, films, config) == expected
    export_run(tmp_path / "elsewhere" / "run", tmp_path / "merged", merge=True, language_model=str(moved))
    shutil.rmtree(moved)
    found = reports(open_run(tmp_path / "merged", device="cpu").system, films, config)
    assert [text for text, _ in found] == [text for text, _ in expected]
    for (_, scores), (_, wanted) in zip(found, expected, strict=True):
        assert scores == pytest.approx(wanted, abs=2e-3)


def test_another_base_model_is_refused(
    family_checkpoint: Callable[[str], Any], make_run: Callable[[Path, Path], Any], tmp_path: Path
) -> None:
    base = family_checkpoint("llama3").path
    make_run(base, tmp_path / "run")

    def refused(change: Callable[[Path], None], part: str) -> None:
        other = Path(shutil.copytree(base, tmp_path / part))
        change(other)
        with pytest.raises(UserError, match=f"not the one the run was trained with: {part} differ"):
            open_run(tmp_path / "run", language_model=str(other))

    def edit(name: str, key: str, value: Any) -> Callable[[Path], None]:
        def change(folder: Path) -> None:
            values = json.loads((folder / name).read_text(encoding="utf-8"))
            (folder / name).write_text(json.dumps({**values, key: value}), encoding="utf-8")

        return change

    def flip(folder: Path) -> None:
        content = bytearray((folder / "model.safetensors").read_bytes())
        content[-1] ^= 1
        (folder / "model.safetensors").write_bytes(bytes(content))

    refused(flip, "weights")
    refused(edit("config.json", "rms_norm_eps", 1e-3), "config")
    refused(lambda folder: (folder / "tokenizer.json").open("a").write("\n") and None, "tokenizer")
    refused(edit("generation_config.json", "eos_token_id", 3), "conventions")
