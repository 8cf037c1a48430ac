from __future__ import annotations

from llmrg.benchmark.comparison import FindingOutcome, Outcome
from llmrg.benchmark.gallery import choose_gallery


def one(outcome: Outcome) -> tuple[FindingOutcome, ...]:
    return (FindingOutcome(finding="nodule", outcome=outcome),)


STUDIES = [one("wrong_side")] * 2 + [one("invented")] * 20 + [one("missed")] * 20 + [one("right")] * 20 + [()] * 20


def test_errors_come_first_and_small_groups_leave_their_places() -> None:
    choice = choose_gallery(STUDIES, count=12, seed=0)
    groups = [group for _, group in choice.picks]
    assert groups == sorted(groups, key=["wrong_side", "invented", "missed", "right"].index)
    assert {name: groups.count(name) for name in set(groups)} == {
        "wrong_side": 2,
        "invented": 4,
        "missed": 3,
        "right": 3,
    }
    assert choice.totals == {"wrong_side": 2, "invented": 20, "missed": 20, "right": 40}
    assert len({position for position, _ in choice.picks}) == 12


def test_right_studies_have_findings_where_there_are_such() -> None:
    choice = choose_gallery(STUDIES[42:], count=8, seed=0)
    assert sum(not STUDIES[42:][position] for position, _ in choice.picks) == 2


def test_the_seed_decides() -> None:
    assert choose_gallery(STUDIES, count=12, seed=0) == choose_gallery(STUDIES, count=12, seed=0)
    assert choose_gallery(STUDIES, count=12, seed=0) != choose_gallery(STUDIES, count=12, seed=1)


def test_few_studies_are_all_shown() -> None:
    assert len(choose_gallery([one("right"), ()], count=12, seed=0).picks) == 2
