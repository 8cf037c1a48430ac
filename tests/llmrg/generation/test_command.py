"""What ``llmrg generate`` does with its arguments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llmrg.errors import LlmrgError
from llmrg.generation.command import generate_command, load_data_config
from llmrg.studies.reading import read_studies


@pytest.fixture
def films(tiny_loaded: Any) -> list[Path]:
    study = next(iter(read_studies(tiny_loaded.config.data).split("test")))
    return [image.path for image in study.images]


def test_one_study_as_json_and_into_a_file(
    tiny_run: Any, films: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "one.jsonl"
    generate_command(tiny_run.run, films, as_json=True, out=out, evidence=tmp_path / "pictures", age=4, sex="F")
    shown = json.loads(capsys.readouterr().out)
    lines = out.read_text(encoding="utf-8").split("\n")
    assert json.loads(lines[0]) == shown
    assert lines[1:] == [""]
    items = [item for e in shown["evidence"] if e["kind"] == "disease_queries" for item in e["items"]]
    assert all((out.parent / item["picture"]).is_file() for item in items if item["picture"])


def test_one_study_in_words(tiny_run: Any, films: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    generate_command(tiny_run.run, films, max_new_tokens=6)
    words = capsys.readouterr().out
    assert "findings: " in words
    assert "mean token probability 0." in words


def test_a_split_with_preset_seed_and_prompt(tiny_run: Any, tmp_path: Path) -> None:
    texts = []
    for number, seed in enumerate((1, 1, 2)):
        out = tmp_path / str(number) / "p.jsonl"
        generate_command(
            tiny_run.run,
            data=tiny_run.config,
            split="val",
            out=out,
            preset="sampling",
            seed=seed,
            max_new_tokens=6,
            limit=3,
            prompt="请写影像所见。",
        )
        texts.append([json.loads(line)["report"] for line in out.read_text(encoding="utf-8").split("\n")[:-1]])
        settings = json.loads((out.parent / "p.jsonl.info.json").read_text())["settings"]
        assert settings["instruction"] == "请写影像所见。"
        assert settings["evidence"] == "evidence"
        assert (settings["decoding"]["temperature"], settings["decoding"]["max_new_tokens"]) == (0.7, 6)
    assert texts[0] == texts[1] != texts[2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "No film is named"),
        ({"images": "films", "data": Path("x.yaml")}, "named together"),
        ({"images": "films", "language": "en"}, "writes 'zh', not 'en'"),
        ({"out": Path("p.jsonl"), "language": "en"}, "is 'zh', not 'en'"),
        ({"images": "films", "preset": "best"}, "Unknown decoding preset"),
        ({"images": [Path("none.png")]}, "none.png"),
        ({"out": Path("p.jsonl"), "data": Path("none.yaml")}, "does not exist"),
    ],
)
def test_mistakes(
    tiny_run: Any,
    films: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    given = {name: films if value == "films" else value for name, value in options.items()}
    with pytest.raises(LlmrgError, match=message):
        generate_command(tiny_run.run, given.pop("images", ()), **given)


def test_data_of_a_training_configuration_and_of_its_own_file(tiny_run: Any, tmp_path: Path) -> None:
    first = load_data_config(tiny_run.config)
    (tmp_path / "data.yaml").write_text(
        f"format: ped-xray\nroot: {tiny_run.data}\nlanguage: zh\nvocabulary: ped_xray\nimage_size: 48\n"
    )
    assert load_data_config(tmp_path / "data.yaml") == first
    assert load_data_config(tiny_run.config, ["views=1"]).views == 1
    assert load_data_config(tmp_path / "data.yaml", ["views=1"]).views == 1


def test_maps_and_removed_sources_reach_film_and_split(
    tiny_run: Any, films: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    removed = ("patches", "diagnosis_hints")
    out = tmp_path / "p.jsonl"
    generate_command(tiny_run.run, split="val", out=out, limit=2, max_new_tokens=4, maps=True, without=removed)
    generate_command(tiny_run.run, films, as_json=True, max_new_tokens=4, maps=True, without=removed)
    records = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    for record in (*records, json.loads(capsys.readouterr().out)):
        assert record["without"] == list(removed)
        assert [part["kind"] for part in record["evidence"] if "maps" in part] == ["disease_queries"]
    settings = json.loads((tmp_path / "p.jsonl.info.json").read_text())["settings"]
    assert (settings["maps"], settings["without"]) == (True, list(removed))
