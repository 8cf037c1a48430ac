"""Names of metrics on the page, outside tables too, and their figures with unit, interval and sign."""

from __future__ import annotations

from collections.abc import Sequence

from llmrg.benchmark.columns import Column, column_of, format_value

__all__ = ["figure", "interval", "metric_column", "name_of", "share", "signed"]

_NAMES = {
    "clinical_micro_f1": "Finding F1",
    "clinical_micro_precision": "Finding precision",
    "clinical_micro_recall": "Finding recall",
    "clinical_macro_f1": "Finding F1, mean of all classes",
    "clinical_macro_f1_supported": "Finding F1, mean of classes",
    "clinical_strict_f1": "Finding F1 with side",
    "side_accuracy": "Side accuracy",
    "rouge_l": "ROUGE-L",
    "bertscore_f1": "BERTScore F1",
    "distinct_ratio": "Distinct reports",
    "copied_ratio": "Verbatim copies",
    "invented_priors": "Invented priors",
    "kept_comparisons": "Kept comparisons",
    "reports_comparing": "Reports that compare",
    "empty_ratio": "Empty reports",
    "mean_length": "Length",
}
_MORE: dict[str, Column] = {
    column.metric: column
    for column in (
        Column(metric="graph_entity_f1", label="Entity F1", group="Findings", digits=1,
               title="Entities that the report graphs of both texts share"),
        Column(metric="graph_relation_f1", label="Relation F1", group="Findings", digits=1,
               title="Relations that the report graphs of both texts share"),
        Column(metric="minutes", label="Minutes", group="Further", digits=1, title="Minutes", percent=False),
    )
}  # fmt: skip


def metric_column(metric: str) -> Column:
    """Return how a metric is shown."""
    return _MORE[metric] if metric in _MORE else column_of(metric)


def name_of(metric: str) -> str:
    """Return the whole name of a metric, as it stands outside the table."""
    if metric in _NAMES:
        return _NAMES[metric]
    return f"Finding F1 {metric}" if metric.count("/") == 2 else metric_column(metric).label


def figure(value: float | None, metric: str, *, unit: bool = False) -> str:
    """Write one figure of a metric; with ``unit``, a part of one has its percent sign."""
    column = metric_column(metric)
    text = format_value(value, column)
    return f"{text}\u00a0%" if unit and column.percent and value is not None else text


def interval(bounds: Sequence[float] | None, metric: str) -> str:
    """Write an interval, ``77.3–85.1``; empty where there is none."""
    if bounds is None:
        return ""
    column = metric_column(metric)
    return "–".join(format_value(bound, column) for bound in bounds)


def signed(value: float, metric: str) -> str:
    """Write a difference with its sign; a true minus, so that columns of figures stand in line."""
    column = metric_column(metric)
    number = f"{100 * value if column.percent else value:+.{column.digits}f}"
    return number.replace("-", "\u2212")


def share(value: float | None) -> str:
    """Write a part of one in percent with one decimal; a dash where it is not defined."""
    return "–" if value is None else f"{100 * value:.1f}".replace("-", "\u2212")
