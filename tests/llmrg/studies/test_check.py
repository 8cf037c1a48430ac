"""The check of a dataset: what was planted is found and counted, and no report is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from llmrg.errors import UserError
from llmrg.studies.check import PROBLEMS, check_data
from llmrg.studies.data_tables import check_tables
from llmrg.studies.prepare import prepare_films
from llmrg.studies.settings import DataConfig

CLEAR = "The lungs are clear."
EDEMA = "There is mild pulmonary edema. No pneumothorax."


@pytest.fixture
def write_table(tmp_path: Path) -> Callable[..., DataConfig]:
    """Write a table of (study, patient, split, film, report); a film that is a number is drawn from that seed."""

    def write(rows: list[tuple[str, str, str, int | str, str]], **changes: Any) -> DataConfig:
        root = tmp_path / "data"
        (root / "images").mkdir(parents=True, exist_ok=True)
        lines = ["study_id,patient_id,split,image,view,findings"]
        for number, (study, patient, split, film, report) in enumerate(rows):
            name = film if isinstance(film, str) else f"{number}.png"
            if isinstance(film, int):
                pixels = np.random.default_rng(film).integers(0, 256, (40, 32)).astype(np.uint8)
                Image.fromarray(pixels).save(root / "images" / name, compress_level=number % 9)
            lines.append(f'{study},{patient},{split},{name},{"PA" if number % 2 else "lateral"},"{report}"')
        (root / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        base: dict[str, Any] = {"format": "table", "root": root, "language": "en", "vocabulary": "chexpert14"}
        return DataConfig(**{**base, **changes})

    return write


def test_a_sound_dataset(write_table: Callable[..., DataConfig]) -> None:
    config = write_table(
        [
            ("a", "p1", "train", 1, CLEAR),
            ("a", "p1", "train", 2, CLEAR),
            ("b", "p2", "train", 3, EDEMA),
            ("c", "p3", "train", 4, CLEAR),
            ("d", "p4", "test", 5, CLEAR.upper()),
            ("e", "p5", "test", 6, ""),
        ]
    )
    seen: list[tuple[int, int]] = []
    found = check_data(config, workers=1, progress=lambda *at: seen.append(at))
    assert found.sound
    assert found.problems == {}
    details = found.details
    assert details["splits"] == {"train": 3, "test": 1}
    assert details["patients"] == {"train": 3, "test": 1}
    assert details["set_aside"] == {"no findings section": 1}
    assert details["views"]["train"] == {"frontal": 2, "lateral": 2, "unknown": 0}
    assert details["films_per_study"] == {"train": {"1": 2, "2": 1}, "test": {"1": 1}}
    reports = details["reports"]
    assert reports["lengths"]["train"]["characters"]["min"] == len(CLEAR)
    assert reports["lengths"]["train"]["characters"]["max"] == len(EDEMA)
    assert reports["lengths"]["train"]["tokens"]["max"] == 9  # seven words, two stops
    train = reports["labels"]["by_split"]["train"]
    assert train["Edema"] == {"positive": 1, "negative": 0, "uncertain": 0}
    assert train["Pneumothorax"] == {"positive": 0, "negative": 1, "uncertain": 0}
    assert reports["languages"] == {"train": {"en": 3}, "test": {"en": 1}}
    # of three training reports one was seen before; the test report is in training but for its case
    assert reports["identical"]["within"]["train"] == {"count": 1, "share": pytest.approx(1 / 3)}
    assert reports["identical"]["across"]["test in train"] == {"count": 1, "share": 1.0}
    assert reports["identical"]["across"]["train in test"] == {"count": 2, "share": pytest.approx(2 / 3)}
    films = details["film_check"]
    assert (films["films"], films["opened"], films["width"]["50%"], films["height"]["50%"]) == (5, 5, 32, 40)
    assert seen[-1] == (5, 5)


def test_what_is_planted_is_found(write_table: Callable[..., DataConfig], tmp_path: Path) -> None:
    config = write_table(
        [
            ("a", "p1", "train", 1, CLEAR),
            ("b", "p1", "test", 2, CLEAR),  # its patient is in train
            ("c", "p3", "train", 3, EDEMA),
            ("d", "p4", "test", 3, CLEAR),  # its film is that of c, saved in another way
            ("e", "p5", "train", 5, CLEAR),
            ("f", "p6", "train", 5, CLEAR),  # the film of e again, in the same split
            ("g", "p7", "train", "missing.png", CLEAR),
            ("h", "p8", "train", "broken.png", CLEAR),
            ("i", "p9", "val", "blank.png", CLEAR),
            ("j", "p10", "test", "blank.png", CLEAR),
            ("k", "p11", "test", 11, "双肺清晰。"),
        ]
    )
    (config.root / "images" / "broken.png").write_bytes((config.root / "images" / "0.png").read_bytes()[:200])
    Image.fromarray(np.full((9, 9), 7, dtype=np.uint8)).save(config.root / "images" / "blank.png")
    found = check_data(config, workers=2)
    assert not found.sound
    assert found.problems == {
        "bad_studies": 1,
        "broken_films": 1,
        "blank_films": 2,
        "patients_across_splits": 1,
        "films_across_splits": 1,
    }
    assert set(found.problems) < set(PROBLEMS)
    details = found.details
    assert details["patients_across_splits"] == {"train/test": {"count": 1, "examples": ["p1"]}}
    assert details["bad_studies"]["examples"][0]["study"] == "g"
    assert details["film_check"]["broken"]["examples"][0]["study"] == "h"
    assert details["film_check"]["identical"]["across"] == {
        "train/test": {"count": 1, "examples": [{"train": "c", "test": "d"}]}
    }
    assert details["film_check"]["identical"]["within"]["examples"] == [{"studies": ["e", "f"], "split": "train"}]
    assert details["reports"]["other_script"] == 1
    text = StringIO()
    Console(file=text, width=140).print(check_tables(found))
    told = text.getvalue() + json.dumps(found.as_json(), ensure_ascii=False)
    assert "such as p1" in told
    for report in (CLEAR, EDEMA, "双肺"):
        assert report not in told
    without = check_data(config, films=False)
    assert without.problems == {"bad_studies": 1, "patients_across_splits": 1}
    Console(file=text).print(check_tables(without))


def test_prepared_films_are_checked_too(write_table: Callable[..., DataConfig], tmp_path: Path) -> None:
    config = write_table([(name, name, "train", number, CLEAR) for number, name in enumerate("abc")], image_size=16)
    prepare_films(config, tmp_path / "out", workers=1)
    config = replace(config, prepared=tmp_path / "out")
    assert check_data(config, workers=1).sound
    shard = tmp_path / "out" / "shard-00000.u8"
    content = bytearray(shard.read_bytes())
    content[300] ^= 1
    shard.write_bytes(content)
    found = check_data(config, workers=1)
    assert found.problems == {"prepared_films": 1}
    assert "1.png" in found.details["prepared"]["wrong"]["examples"][0]["film"]


def test_a_dataset_without_any_study(write_table: Callable[..., DataConfig]) -> None:
    config = write_table([("a", "p", "train", "missing.png", CLEAR)])
    with pytest.raises(UserError, match=r"no study that can be used \(1 bad, first: study 'a'"):
        check_data(config)
