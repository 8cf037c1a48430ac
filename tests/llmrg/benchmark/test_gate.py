from __future__ import annotations

import pytest

from llmrg.benchmark.gate import judge, judged_finding_metric
from llmrg.benchmark.results import Row


def row(f1: float | None, bleu: float, distinct: float) -> Row:
    metrics = {"rrg/14/micro": f1, "bleu_4": bleu, "distinct_ratio": distinct}
    return Row(system="x", kind="system", metrics=metrics)


@pytest.mark.parametrize(
    ("f1", "bleu", "distinct", "passed"),
    [
        (0.4, 0.10, 0.5, True),
        (0.4, 0.12, 0.5, True),
        (0.3, 0.12, 0.5, False),
        (0.4, 0.09, 0.5, False),
        (0.4, 0.12, 0.05, False),
        (0.4, 0.12, 0.06, True),
        (None, 0.12, 0.5, False),
    ],
)
def test_every_demand_has_to_be_met(f1: float | None, bleu: float, distinct: float, passed: bool) -> None:
    gate = judge(
        row(f1, bleu, distinct),
        row(0.3, 0.10, 0.01),
        headline=("bleu_4", "rrg/14/micro"),
        studies=100,
        distinct_references=50,
    )
    assert gate["passed"] is passed
    assert gate["note"].startswith("Works" if passed else "Does not work")
    if not passed:
        assert sum(not check["passed"] for check in gate["checks"]) == 1
        assert gate["note"].count("is not") == 1


def test_one_report_for_everybody_never_works() -> None:
    gate = judge(row(0.9, 0.9, 0.5), row(0, 0, 0.5), headline=(), studies=2, distinct_references=2)
    assert not gate["passed"]


def test_the_judged_figure_is_the_first_over_findings() -> None:
    assert judged_finding_metric(("bleu_4", "rrg/14/micro", "clinical_micro_f1")) == "rrg/14/micro"
    assert judged_finding_metric(("bleu_4", "rouge_l")) == "clinical_micro_f1"
