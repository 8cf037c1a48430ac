"""Who serves as context: roles by keyword, labeler or chance, drawn by a seed."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmrg.evidence.context_choice import draw_context, is_positive_by_keyword
from llmrg.evidence.context_settings import ContextResidualsConfig
from llmrg.studies.study import Image, Study

ABNORMAL = {f"s{number:02}" for number in range(0, 40, 3)}


def studies(language: str = "en") -> list[Study]:
    words = {
        ("en", True): "opacity is noted.",
        ("en", False): "the lungs are clear.",
        ("zh", True): "右肺可见斑片影。",
        ("zh", False): "心肺未见异常。",
    }
    return [
        Study(
            id=f"s{number:02}",
            patient_id=f"p{number // 2}",
            images=(Image(path=Path("film.png")),),
            split="train",
            language=language,  # type: ignore[arg-type]
            sections={"findings": words[language, f"s{number:02}" in ABNORMAL]},
        )
        for number in range(40)
    ]


def drawn(given: list[Study], setting: str = "fixed", **changes: object) -> list[tuple[str, str]]:
    context = ContextResidualsConfig(**changes).resolved(setting)  # type: ignore[arg-type]
    found = draw_context(given, context, target=("findings",), has_finding=lambda id_: id_ in ABNORMAL)
    return [(given[place].id, role) for place, role in found]


@pytest.mark.parametrize(
    ("report", "language", "positive"),
    [
        ("Opacity is noted.", "en", True),
        ("Please note the tube.", "en", True),
        ("Noted.", "en", False),  # as released: letter by letter
        ("Clear lungs.", "en", False),
        ("双肺未见异常", "zh", False),
        ("右肺斑片影", "zh", True),
        ("note", "zh", True),
    ],
)
def test_the_keyword(report: str, language: str, positive: bool) -> None:
    assert is_positive_by_keyword(report, language) is positive


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("mode", ["keyword", "labels"])
def test_roles_follow_the_reports(language: str, mode: str) -> None:
    found = drawn(studies(language), mode=mode, reserve=5)
    assert [role for _, role in found] == ["positive"] * 5 + ["negative"] * 5
    assert all((id_ in ABNORMAL) == (role == "positive") for id_, role in found)
    assert len(set(found)) == 10


@pytest.mark.parametrize("mode", ["keyword", "labels", "random"])
def test_the_draw_depends_on_seed_and_ids_alone(mode: str) -> None:
    given = studies()
    first = drawn(given, mode=mode, reserve=4)
    assert drawn(given[::-1], mode=mode, reserve=4) == first
    assert drawn(given, mode=mode, reserve=4, seed=43) != first


def test_random_has_the_same_studies_in_both_roles_as_released_alone() -> None:
    for setting, same in (("faithful", True), ("fixed", False)):
        found = drawn(studies(), setting, mode="random", reserve=6)
        positive, negative = ([id_ for id_, role in found if role == wanted] for wanted in ("positive", "negative"))
        assert len(positive) == len(negative) == 6
        assert (positive == negative) is same
        assert same or not set(positive) & set(negative)


def test_a_role_without_enough_studies_takes_all_there_are() -> None:
    found = drawn([study for study in studies() if study.id not in ABNORMAL or study.id == "s03"], mode="keyword")
    assert [id_ for id_, role in found if role == "positive"] == ["s03"]
    assert sum(role == "negative" for _, role in found) == 40 - len(ABNORMAL)


def test_reports_are_read_only_until_both_roles_are_full() -> None:
    asked: list[str] = []

    def has_finding(study_id: str) -> bool:
        asked.append(study_id)
        return study_id in ABNORMAL

    context = ContextResidualsConfig(mode="labels", pairs=1, reserve=2).resolved("fixed")
    draw_context(studies() * 1, context, target=("findings",), has_finding=has_finding)
    assert 4 <= len(asked) < 40


def test_the_setting_decides_the_mode() -> None:
    assert ContextResidualsConfig().resolved("fixed").mode == "similarity"
    assert ContextResidualsConfig().resolved("faithful").mode == "keyword"
    assert ContextResidualsConfig(mode="labels").resolved("faithful").mode == "labels"
    with pytest.raises(ValueError, match="draws no"):
        drawn(studies())


@pytest.mark.parametrize(
    "wrong",
    [
        {"mode": "nearest"},
        {"residual": "between"},
        {"pairs": 0},
        {"reserve": 3},
        {"candidates": 5},
        {"threshold": 1.0},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        ContextResidualsConfig(**wrong)  # type: ignore[arg-type]
