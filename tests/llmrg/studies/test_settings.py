from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llmrg.config import dump_config, load_config
from llmrg.errors import UserError
from llmrg.studies.reading import READERS
from llmrg.studies.settings import FORMATS, DataConfig

BASE: dict[str, Any] = {"format": "ped-xray", "root": Path("x"), "language": "zh", "vocabulary": "ped_xray"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "ped_xray"}, "Did you mean 'ped-xray'"),
        ({"language": "cn"}, "Allowed: zh, en"),
        ({"vocabulary": "chexpert"}, "Did you mean 'chexpert14'"),
        ({"target": ()}, "no report section"),
        ({"target": ("findings", "findings")}, "twice"),
        ({"image_size": 4}, "image_size is 4"),
        ({"fit": "cut"}, "Allowed: pad, crop, stretch"),
        ({"views": 0}, "views is 0"),
        ({"max_bad_fraction": 1.5}, "between 0 and 1"),
        ({"split_fractions": (0.7, 0.1, 0.1)}, "sum to 1"),
        ({"comparison_split": Path("a.json")}, "chexpert-plus"),
        ({"missing_images": "ignore"}, "Allowed: bad, skip"),
        ({"labels": Path("a.json")}, "labels belongs to the formats chexpert-plus and mimic-cxr"),
        ({"reports": Path("files")}, "reports belongs to the formats mimic-cxr and iu-xray"),
    ],
)
def test_values_that_cannot_be_meant(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        DataConfig(**{**BASE, **changes})


def test_every_format_has_a_reader() -> None:
    assert tuple(READERS) == FORMATS


@pytest.mark.parametrize(("fraction", "total", "tolerated"), [(0.05, 10, 1), (0.05, 100, 5), (0.0, 100, 0)])
def test_one_bad_study_is_tolerated_unless_none_is(fraction: float, total: int, tolerated: int) -> None:
    assert DataConfig(**{**BASE, "max_bad_fraction": fraction}).tolerated_bad(total) == tolerated


def test_shipped_configurations_load_and_survive_a_round_trip(repository: Path, tmp_path: Path) -> None:
    paths = sorted((repository / "configs" / "data").glob("*.yaml"))
    assert len(paths) >= 4
    for path in paths:
        config = load_config(DataConfig, path)
        assert not config.root.is_absolute()
        (tmp_path / path.name).write_text(dump_config(config), encoding="utf-8")
        assert load_config(DataConfig, tmp_path / path.name) == config


def test_a_misspelt_column_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("{format: table, root: x, language: en, vocabulary: chexpert14, columns: {pateint_id: p}}")
    with pytest.raises(UserError, match="Did you mean 'patient_id'"):
        load_config(DataConfig, path)
