"""Paired tests on the page: the difference of two rows on the same studies, with its interval and p values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llmrg.benchmark.axis import Axis, round_axis
from llmrg.benchmark.charts import headline_metrics
from llmrg.benchmark.metric_words import metric_column, name_of, signed
from llmrg.benchmark.result_parts import PairedResult
from llmrg.benchmark.results import Results

__all__ = ["p_text", "paired_view"]

_BLOCKS = (
    ("baseline", "Against the strongest trivial baseline"),
    ("encoder", "Against copying what the system's own encoder finds nearest"),
    ("systems", "Systems pairwise"),
)


def paired_view(results: Results) -> list[dict[str, Any]]:
    """One table a metric, headline metrics first: systems against the strongest baseline, copying, and each other.

    Where every metric has one test only, all stand in one table.
    """
    leading = headline_metrics(results)
    order = dict.fromkeys([*leading, *(test["metric"] for test in results.tests)])
    groups = {metric: [test for test in results.tests if test["metric"] == metric] for metric in order}
    groups = {metric: tests for metric, tests in groups.items() if tests}
    alone = len(groups) > 1 and all(len(tests) == 1 for tests in groups.values())
    if alone and all(metric_column(metric).percent for metric in groups):
        every = [test for tests in groups.values() for test in tests]
        return [_table("All headline metrics", every, told=True)]
    return [_table(name_of(metric), tests) for metric, tests in groups.items()]


def _table(name: str, tests: Sequence[PairedResult], *, told: bool = False) -> dict[str, Any]:
    """A table of tests on one axis; with ``told``, each row says its metric and the order stays."""
    percent = metric_column(tests[0]["metric"]).percent
    ends = [end for test in tests for end in (test["low"], test["high"], test["difference"]) if end is not None]
    axis = round_axis(ends, scale=100 if percent else 1)
    blocks = []
    for purpose, title in _BLOCKS:
        rows = [_row(test, axis, told=told) for test in tests if test["purpose"] == purpose]
        if not told:
            rows.sort(key=lambda row: -abs(row["difference"]))
        if rows:
            blocks.append({"title": title, "rows": rows})
    return {
        "name": name,
        "unit": "points of percent" if percent else "",
        "axis": {**axis.to_mapping(), "zero": axis.at(0.0)},
        "blocks": blocks,
        "count": len(tests),
        "decided": sum(test["better"] is not None for test in tests),
        "trials": max(test["trials"] for test in tests),
    }


def _row(test: PairedResult, axis: Axis, *, told: bool) -> dict[str, Any]:
    metric = test["metric"]
    low, high = test["low"], test["high"]
    return {
        "metric": name_of(metric) if told else "",
        "first": test["first"],
        "second": test["second"],
        "difference": test["difference"],
        "at": axis.at(test["difference"]),
        "low": None if low is None else axis.at(low),
        "high": None if high is None else axis.at(high),
        "text": signed(test["difference"], metric),
        "interval": "" if low is None or high is None else f"{signed(low, metric)} to {signed(high, metric)}",
        "p": p_text(test["p"]),
        "p_holm": p_text(test["p_holm"]),
        "better": test["better"],
    }


def p_text(p: float) -> str:
    """Write a p value: never 0, as many digits as tell something."""
    if p >= 0.0995:
        return f"{p:.2f}"
    return f"{p:.3f}" if p >= 0.001 else f"{p:.1g}" if p >= 0.0001 else "< 0.0001"
