"""A mixture states what its members share, and refuses what one model cannot learn together."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from llmrg.config import dump_config, load_config
from llmrg.errors import UserError
from llmrg.studies.mixture import Data, MixtureConfig, MixtureMember
from llmrg.studies.settings import DataConfig
from llmrg.studies.study import Study

ZH = DataConfig(format="ped-xray", root=Path("a"), language="zh", vocabulary="ped_xray", views=1)
EN = DataConfig(format="chexpert-plus", root=Path("b"), language="en", vocabulary="ped_xray", views=3)


def mixture(*data: DataConfig, weights: tuple[float | None, ...] = (None, None), **options: float) -> MixtureConfig:
    members = {
        name: MixtureMember(data=own, weight=weight)
        for name, own, weight in zip(("one", "two", "three"), data, weights, strict=False)
    }
    return MixtureConfig(members=members, **options)  # type: ignore[arg-type]


def test_what_members_share_is_the_mixtures() -> None:
    found = mixture(ZH, EN)
    assert (found.vocabulary, found.image_size, found.fit, found.target) == ("ped_xray", 224, "pad", ("findings",))
    assert found.languages == ("zh", "en")
    assert found.views == 3
    assert found.place == "a, b"
    study = Study(id="s", patient_id="p", images=(), split="train", language="en", dataset="two")
    assert found.config_of(study) is EN
    assert found.config_of(replace(study, dataset=None)) is ZH
    assert EN.config_of(study) is EN
    assert EN.languages == ("en",)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("vocabulary", "chexpert14", "share vocabulary, but it is ped_xray in one; chexpert14 in two"),
        ("image_size", 128, "share image_size, but it is 224 in one; 128 in two"),
        ("fit", "crop", "share fit"),
        ("target", ("findings", "impression"), "share target, but it is findings in one; findings, impression in two"),
    ],
)
def test_members_must_agree(key: str, value: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        mixture(ZH, replace(EN, **{key: value}))


def test_what_cannot_be_meant() -> None:
    with pytest.raises(UserError, match="at least two"):
        mixture(ZH)
    with pytest.raises(UserError, match="'two' has no weight"):
        mixture(ZH, EN, weights=(1.0, None))
    with pytest.raises(UserError, match="temperature counts only"):
        mixture(ZH, EN, weights=(1.0, 2.0), temperature=2.0)
    with pytest.raises(ValueError, match="weight must be positive"):
        MixtureMember(data=ZH, weight=0)
    with pytest.raises(ValueError, match="temperature must be at least 1"):
        mixture(ZH, EN, temperature=0.5)
    with pytest.raises(ValueError, match="epoch_studies"):
        mixture(ZH, EN, epoch_studies=1)
    for name in ("", "a:b", "a/b", "a b"):
        with pytest.raises(UserError, match="cannot be called"):
            MixtureConfig(members={name: MixtureMember(data=ZH), "two": MixtureMember(data=EN)})


def test_shares_of_an_epoch() -> None:
    sizes = {"one": 900, "two": 100}
    assert mixture(ZH, EN).weights(sizes) == pytest.approx({"one": 0.9, "two": 0.1})
    assert mixture(ZH, EN, temperature=2.0).weights(sizes) == pytest.approx({"one": 30 / 40, "two": 10 / 40})
    hot = mixture(ZH, EN, temperature=1e9).weights(sizes)
    assert math.isclose(hot["one"], 0.5, abs_tol=1e-6)
    assert mixture(ZH, EN, weights=(1.0, 3.0)).weights(sizes) == pytest.approx({"one": 0.25, "two": 0.75})


def test_written_and_read_back(tmp_path: Path) -> None:
    from llmrg.systems.run import RunConfig

    (tmp_path / "en.yaml").write_text("{format: chexpert-plus, root: b, language: en, vocabulary: ped_xray, views: 3}")
    (tmp_path / "run.yaml").write_text(
        """
system: {language_model: {path: x}}
data:
  members:
    one: {weight: 1, data: {format: ped-xray, root: a, language: zh, vocabulary: ped_xray, views: 1}}
    two: {weight: 2, data: {extends: en.yaml}}
"""
    )
    config = load_config(RunConfig, tmp_path / "run.yaml")
    assert config.data == mixture(ZH, EN, weights=(1.0, 2.0))
    (tmp_path / "again.yaml").write_text(dump_config(config))
    assert load_config(RunConfig, tmp_path / "again.yaml") == config
    moved = load_config(RunConfig, tmp_path / "run.yaml", ["data.members.two.data.root=/elsewhere"])
    data: Data = moved.data
    assert data == mixture(ZH, replace(EN, root=Path("/elsewhere")), weights=(1.0, 2.0))


def test_mistakes_are_told_as_those_of_the_kind_that_was_meant(tmp_path: Path) -> None:
    from llmrg.systems.run import RunConfig

    one = "{format: ped-xray, root: a, language: zh, vocabulary: ped_xray"
    for text, message in (
        (one + ", imagesize: 5}", "Unknown key 'data.imagesize'.*image_size"),
        ("{members: {one: {weigth: 1, data: " + one + "}}}}", "Unknown key 'data.members.one.weigth'.*weight"),
        ("{format: ped-xray, root: a, language: zh}", "Missing key.*data.vocabulary"),
    ):
        (tmp_path / "run.yaml").write_text(f"system: {{language_model: {{path: x}}}}\ndata: {text}\n")
        with pytest.raises(UserError, match=message):
            load_config(RunConfig, tmp_path / "run.yaml")
