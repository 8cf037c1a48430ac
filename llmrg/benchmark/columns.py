"""The columns of result tables: which metrics they show, under which names, and how figures are written."""

from __future__ import annotations

from dataclasses import dataclass

from llmrg.benchmark.results import Results

__all__ = ["COLUMNS", "Column", "column_of", "format_value", "table_columns"]


@dataclass(frozen=True, kw_only=True)
class Column:
    """One metric of the table.

    Args:
        metric: its key in ``results.json``.
        label: its heading.
        group: heading above it.
        digits: decimals shown.
        percent: whether it is a part of one, shown in percent.
        title: what it means, in one sentence.
        ranked: whether the best system is marked.
        short: heading on the console, where 80 characters have to hold the whole table; None takes ``label``.
    """

    metric: str
    label: str
    group: str
    digits: int
    title: str
    percent: bool = True
    ranked: bool = True
    short: str | None = None


COLUMNS: tuple[Column, ...] = (
    Column(metric="clinical_micro_f1", label="F1", group="Findings", digits=1,
           title="Harmonic mean of precision and recall over all findings of all studies"),
    Column(metric="clinical_micro_precision", label="Precision", group="Findings", digits=1, short="Prec",
           title="Part of the stated findings that are true"),
    Column(metric="clinical_micro_recall", label="Recall", group="Findings", digits=1, short="Rec",
           title="Part of the true findings that are stated"),
    Column(metric="clinical_macro_f1_supported", label="Macro F1", group="Findings", digits=1, short="Macro",
           title="Mean F1 of the findings that occur here: rare ones count as much as common ones"),
    Column(metric="side_accuracy", label="Side", group="Findings", digits=1, ranked=False,
           title="Of the sided findings stated rightly, the part with the right side"),
    Column(metric="bleu_4", label="BLEU-4", group="Wording", digits=1, short="BLEU",
           title="Overlap of word sequences of up to four words with the full reference"),
    Column(metric="rouge_l", label="ROUGE-L", group="Wording", digits=1, short="ROUGE",
           title="Longest common word sequence with the full reference"),
    Column(metric="cider", label="CIDEr", group="Wording", digits=2, percent=False,
           title="Overlap of telling word sequences; comparable within this test split only"),
    Column(metric="distinct_ratio", label="Distinct", group="Output", digits=1, ranked=False, short="Dist",
           title="Different reports per study: low means that one text is given to many"),
    Column(metric="mean_length", label="Length", group="Output", digits=1, percent=False, ranked=False, short="Len",
           title="Mean length of a report, in words (Chinese: characters)"),
)  # fmt: skip

_MORE: tuple[Column, ...] = (
    Column(metric="graph_f1", label="Graph F1", group="Findings", digits=1, short="Graph",
           title="Pairs of place and lesion in the report's graph that are in the reference's, and the reverse"),
    Column(metric="meteor", label="METEOR", group="Wording", digits=1, short="MET",
           title="Words in common with the full reference, with stems and synonyms, and their order"),
    Column(metric="chrf", label="chrF", group="Wording", digits=1, percent=False,
           title="Character sequences in common with the full reference, from 0 to 100"),
    Column(metric="copied_ratio", label="Copied", group="Output", digits=1, ranked=False, short="Copy",
           title="Part of the reports that stand word for word in training"),
    Column(metric="invented_priors", label="Priors", group="Output", digits=1, ranked=False, short="Prior",
           title="Part of the reports that compare with an earlier examination where there was none"),
    Column(metric="empty_ratio", label="Empty", group="Output", digits=1, ranked=False,
           title="Part of the reports without a word"),
)  # fmt: skip
_ORDER = (
    "clinical_micro_f1", "clinical_micro_precision", "clinical_micro_recall", "clinical_macro_f1_supported",
    "side_accuracy", "graph_f1", "bleu_4", "rouge_l", "meteor", "cider", "chrf", "distinct_ratio", "copied_ratio",
    "invented_priors", "mean_length",
)  # fmt: skip


def table_columns(results: Results) -> tuple[Column, ...]:
    """The headline metrics, then the others that any row has a figure for."""
    found = [column_of(name) for name in results.headline]
    others = [name for name in _ORDER if name not in results.headline]
    return (*found, *(column_of(name) for name in others if any(row.value(name) is not None for row in results.rows)))


def column_of(metric: str) -> Column:
    """Return the column of a metric; clinical efficacy by its path (``r2gen/14/macro``) has one too."""
    known = next((column for column in (*COLUMNS, *_MORE) if column.metric == metric), None)
    if known is not None:
        return known
    if metric.count("/") == 2:
        protocol, classes, average = metric.split("/")
        return Column(
            metric=metric,
            label=metric,
            group="Findings",
            digits=1,
            title=f"F1 of the findings under the protocol {protocol}, {classes} classes, {average} average",
            short=f"{protocol}\n{classes} {average}",
        )
    if metric.startswith("bleu_"):
        title = f"Overlap of word sequences of up to {metric[-1]} words with the full reference"
        return Column(metric=metric, label=f"BLEU-{metric[-1]}", group="Wording", digits=1, title=title)
    return Column(metric=metric, label=metric.replace("_", " "), group="Further", digits=1, title=metric)


def format_value(value: float | None, column: Column) -> str:
    """Write one figure as the tables show it; a dash where it is not defined."""
    if value is None:
        return "–"
    return f"{100 * value:.{column.digits}f}" if column.percent else f"{value:.{column.digits}f}"
