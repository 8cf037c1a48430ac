"""Where a data command finds its dataset."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmrg.errors import UserError
from llmrg.studies.configuration import read_data_config

DATA = "format: table\nroot: some/where\nlanguage: en\nvocabulary: chexpert14\n"


def indented(text: str, spaces: int) -> str:
    return "".join(" " * spaces + line + "\n" for line in text.splitlines())


def test_a_file_of_a_dataset_of_a_training_or_keys_alone(tmp_path: Path) -> None:
    (tmp_path / "data.yaml").write_text(DATA, encoding="utf-8")
    (tmp_path / "training.yaml").write_text("out: x\ndata:\n" + indented(DATA, 2), encoding="utf-8")
    given = ["image_size=64", "data.split_file=a/b.csv"]
    own = read_data_config(tmp_path / "data.yaml", given)
    assert (own.root, own.image_size, own.split_file) == (Path("some/where"), 64, Path("a/b.csv"))
    assert read_data_config(tmp_path / "training.yaml", given) == own
    keys = ["root=some/where", "language=en", "data.vocabulary=chexpert14", *given]
    assert read_data_config("format=table", keys) == own


def test_a_member_of_a_mixture(tmp_path: Path) -> None:
    path = tmp_path / "mixture.yaml"
    text = "data:\n  members:\n    one:\n      data:\n" + indented(DATA, 8)
    text += "    two:\n      data:\n" + indented(DATA.replace("en", "zh"), 8)
    path.write_text(text, encoding="utf-8")
    assert read_data_config(path, member="two").language == "zh"
    with pytest.raises(UserError, match=r"must be named.*Allowed: one, two.*--member"):
        read_data_config(path)
    with pytest.raises(UserError, match=r"No member 'tow'.*Did you mean 'two'"):
        read_data_config(path, member="tow")


def test_mistakes_are_named(tmp_path: Path) -> None:
    path = tmp_path / "data.yaml"
    path.write_text(DATA + "image_sise: 3\n", encoding="utf-8")
    with pytest.raises(UserError, match="image_size"):
        read_data_config(path)
    path.write_text("data: 3\n", encoding="utf-8")
    with pytest.raises(UserError, match="must be a mapping"):
        read_data_config(path)
    path.write_text(DATA, encoding="utf-8")
    with pytest.raises(UserError, match="not a mixture"):
        read_data_config(path, member="one")
    with pytest.raises(UserError, match="does not exist"):
        read_data_config(tmp_path / "nothing.yaml")
