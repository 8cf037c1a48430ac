"""What a run holds of patients stands in its manifest and on its card, counted from its own files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from llmrg.artefacts import read_manifest
from llmrg.systems.privacy import (
    PatientData,
    identifiers,
    privacy_section,
    replace_section,
    survey_patient_data,
)


def test_the_manifest_of_a_run_tells_what_where_and_of_how_many(tiny_run: Any) -> None:
    manifest = read_manifest(tiny_run.run)
    parts = {part["where"]: part for part in manifest.details["patient_data"]}
    assert parts.keys() == {
        "model.safetensors",
        "artefacts/language_model",
        "tokenizer",
        "artefacts/disease_classifier",
        "artefacts/memory",
        "artefacts/index",
    }
    assert manifest.contains_patient_text
    assert [where for where, part in parts.items() if part["text"]] == ["artefacts/language_model", "tokenizer"]
    assert [where for where, part in parts.items() if part["identifiers"]] == ["artefacts/memory", "artefacts/index"]
    assert not any(part["images"] for part in parts.values())
    rows = (tiny_run.run / "artefacts" / "memory" / "visual_memory.jsonl").read_text().splitlines()
    rows += (tiny_run.run / "artefacts" / "memory" / "report_memory.jsonl").read_text().splitlines()
    assert parts["artefacts/memory"]["patients"] == len({json.loads(row)["patient_id"] for row in rows})
    assert parts["artefacts/index"]["patients"] == 21
    assert parts["model.safetensors"]["patients"] == 21
    assert manifest.details["training"] == {"studies": 42, "patients": 21}


def test_the_card_tells_the_same(tiny_run: Any) -> None:
    card = (tiny_run.run / "README.md").read_text(encoding="utf-8")
    section = card.split("## Privacy")[1].split("## ")[0]
    assert "**Holds patient text**: artefacts/language_model, tokenizer." in section
    assert "**Holds study and patient identifiers**: artefacts/memory, artefacts/index." in section
    assert "No file holds a film." in section
    for part in read_manifest(tiny_run.run).details["patient_data"]:
        assert f"| `{part['where']}` | {part['holds']} | {part['patients']} |" in section
    assert str(tiny_run.folder) not in card


def test_pictures_are_noticed(tiny_run: Any, tmp_path: Path) -> None:
    run = shutil.copytree(tiny_run.run, tmp_path / "run")
    (run / "thumbnails").mkdir()
    (run / "thumbnails" / "a.PNG").write_bytes(b"x")
    names = ("language_model", "memory", "index")
    survey = survey_patient_data({name: run / "artefacts" / name for name in names}, patients=None, directory=run)
    assert [part.where for part in survey if part.images] == ["thumbnails"]
    assert "**Holds pictures of films**: thumbnails." in privacy_section(survey)


def test_identifiers_are_those_of_memory_and_index(tiny_run: Any) -> None:
    studies, patients = identifiers({name: tiny_run.artefacts / name for name in ("memory", "index")})
    assert studies == {f"trainstudy-{number:03}" for number in range(42)}
    assert patients == {f"trainpatient-{number:03}" for number in range(21)}


def test_sections_are_replaced_whole() -> None:
    section = privacy_section([PatientData(where="x", holds="y", patients=3)])
    card = "---\na: b\n---\n# t\n\n## Privacy\nold\n\nolder\n\n## Use\n```\n# no heading\n```\n"
    new = replace_section(card, section)
    assert "old" not in new.replace("holds", "").replace("Holds", "")
    assert new.index("## Privacy") < new.index("| `x` | y | 3 |") < new.index("## Use") < new.index("# no heading")
    assert replace_section(new, section) == new
    assert replace_section("# bare\n", section).count("## Privacy") == 1
