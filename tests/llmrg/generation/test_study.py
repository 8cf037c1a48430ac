"""One study from its films."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llmrg.errors import LlmrgError, UserError
from llmrg.generation.maps import decode_maps
from llmrg.generation.study import generate_from_files
from llmrg.language.settings import DecodingConfig
from llmrg.studies.reading import read_studies
from llmrg.studies.study import Context


@pytest.fixture
def films(tiny_loaded: Any) -> list[Path]:
    study = next(iter(read_studies(tiny_loaded.config.data).split("test")))
    return [image.path for image in study.images]


def test_one_study_with_pictures(tiny_loaded: Any, films: list[Path], tmp_path: Path) -> None:
    record = generate_from_files(tiny_loaded, films, evidence=tmp_path / "out" / "evidence")
    assert record["report"]
    pictures = [i["picture"] for e in record["evidence"] if e["kind"] == "disease_queries" for i in e["items"]]
    drawn = [picture for picture in pictures if picture is not None]
    assert all((tmp_path / "out" / picture).is_file() for picture in drawn)
    elsewhere = generate_from_files(tiny_loaded, films, evidence=tmp_path / "out" / "evidence", relative_to=tmp_path)
    pictures = [i["picture"] for e in elsewhere["evidence"] if e["kind"] == "disease_queries" for i in e["items"]]
    assert all((tmp_path / picture).is_file() for picture in pictures if picture is not None)
    assert elsewhere["report"] == record["report"]


def test_text_streams_as_it_is_written(tiny_loaded: Any, films: list[Path]) -> None:
    heard: list[str] = []
    eight = DecodingConfig(min_new_tokens=8, max_new_tokens=8)
    record = generate_from_files(tiny_loaded, films, decoding=eight, on_text=heard.append)
    assert "".join(heard).strip().startswith(record["report"][:-1])
    assert len(heard) == 8  # a piece a token, perhaps empty where a character is not complete
    beam = DecodingConfig(strategy="beam", beams=2, max_new_tokens=5)
    silent: list[str] = []
    assert generate_from_files(tiny_loaded, films, decoding=beam, on_text=silent.append)["id"] == record["id"]
    assert silent == []


def test_context_views_and_instruction_are_used(tiny_loaded: Any, films: list[Path]) -> None:
    usual = generate_from_files(tiny_loaded, films)
    assert generate_from_files(tiny_loaded, films)["confidence"] == usual["confidence"]
    for options in (
        {"context": Context(age=3, sex="female", indication="发热咳嗽三天")},
        {"views": ["lateral", "frontal"]},
        {"instruction": "是否有气胸？" * 8},
    ):
        assert generate_from_files(tiny_loaded, films, **options)["evidence"] is not None
        changed = generate_from_files(tiny_loaded, films, **options)
        assert (changed["confidence"], changed["report"]) != (usual["confidence"], usual["report"]), options
    assert generate_from_files(tiny_loaded, films[:1])["report"]


def test_mistakes(tiny_loaded: Any, films: list[Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="writes 'zh', not 'en'"):
        generate_from_files(tiny_loaded, films, language="en")
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    with pytest.raises(LlmrgError, match="broken"):
        generate_from_files(tiny_loaded, [broken])


def test_maps_and_removed_sources(tiny_loaded: Any, films: list[Path]) -> None:
    usual = generate_from_files(tiny_loaded, films)
    record = generate_from_files(tiny_loaded, films, maps=True, without=["retrieved_context"])
    assert record["without"] == ["retrieved_context"]
    assert "without" not in usual
    assert record["confidence"] != usual["confidence"]
    kinds = {part["kind"]: part for part in record["evidence"]}
    assert "retrieved_context" not in kinds
    maps = decode_maps(kinds["disease_queries"]["maps"])
    assert maps is not None
    assert maps.shape[:2] == (len(kinds["disease_queries"]["items"]), len(films))
    with pytest.raises(UserError, match="no evidence source"):
        generate_from_files(tiny_loaded, films, without=["retrieval"])
