"""Scores on the console: figures with intervals, the clinical grid, notes and the signature."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table

from llmrg.metrics.clinical_efficacy import ClinicalGrid
from llmrg.metrics.score_command import ScoredFiles

__all__ = ["score_lines", "score_table"]

_NAMES = {
    "bleu_1": "BLEU-1",
    "bleu_2": "BLEU-2",
    "bleu_3": "BLEU-3",
    "bleu_4": "BLEU-4",
    "rouge_l": "ROUGE-L",
    "cider": "CIDEr",
    "meteor": "METEOR",
    "chrf": "chrF",
    "bertscore_precision": "BERTScore precision",
    "bertscore_recall": "BERTScore recall",
    "bertscore_f1": "BERTScore F1",
    "mean_length": "Tokens a report",
    "distinct_ratio": "Different reports",
    "clinical_micro_precision": "Findings, precision",
    "clinical_micro_recall": "Findings, recall",
    "clinical_micro_f1": "Findings, F1",
    "clinical_macro_f1": "Findings, macro F1",
    "clinical_macro_f1_supported": "Findings that occur, macro F1",
    "clinical_strict_f1": "Findings with side, F1",
    "side_accuracy": "Side named rightly",
    "graph_entity_f1": "Graph entities, F1",
    "graph_relation_f1": "Graph relations, F1",
    "graph_f1": "Place and finding, F1",
    "invented_priors": "Invented comparisons",
    "kept_comparisons": "Kept comparisons",
    "reports_comparing": "Reports that compare",
}

# Beside the headline of wording: figures that are computed in another way than it.
_SIGNED = ("chrf", "meteor", "bertscore_f1", "clinical_micro_f1", "graph_f1", "invented_priors")


def score_table(result: ScoredFiles) -> RenderableType:
    """Return the figures with their intervals, and the clinical grid with its headline row starred."""
    scores = result.scores
    share = scores.protocol["confidence"]
    figures = Table(box=SIMPLE_HEAD, title=f"{scores.n} reports", title_justify="left")
    figures.add_column("")
    figures.add_column("figure", justify="right")
    figures.add_column(f"{100 * share:g} % interval" if scores.intervals else "", justify="right")
    for name, value in scores.metrics.items():
        if name == "per_class":
            continue
        interval = scores.intervals.get(name)
        figures.add_row(
            _NAMES.get(name, name),
            "not computed" if value is None else f"{value:.4f}",
            f"{interval.low:.4f} to {interval.high:.4f}" if interval else "",
        )
    parts: list[RenderableType] = [figures]
    if result.clinical is not None:
        parts.append(_grid(result.clinical))
    return Group(*parts)


def score_lines(result: ScoredFiles) -> list[str]:
    """Return what must be read beside the figures: notes, how intervals were made, signatures."""
    scores = result.scores
    lines = [f"Note: {note}" for note in scores.notes]
    how = scores.protocol
    if scores.intervals:
        lines.append(
            f"Intervals: {how['resamples']} resamples of {how['clusters']} {how['resampled']}, seed {how['seed']}."
        )
    chosen = (result.signature, *(scores.signatures[name] for name in _SIGNED if name in scores.signatures))
    return [*lines, "Signatures:", *(f"  {signature}" for signature in dict.fromkeys(chosen))]


def _grid(grid: ClinicalGrid) -> Table:
    table = Table(
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        title=f"Findings under every protocol ({grid.vocabulary})",
        title_justify="left",
    )
    for heading in ("protocol", "classes", "average"):
        table.add_column(heading, no_wrap=True)
    for heading in ("precision", "recall", "F1", "its interval"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in grid.rows:
        interval = row.intervals.get("f1")
        table.add_row(
            f"{row.protocol} *" if row.headline else row.protocol,
            row.classes,
            row.average,
            *(f"{value:.3f}" for value in (row.precision, row.recall, row.f1)),
            f"{interval[0]:.3f}-{interval[1]:.3f}" if interval else "",
            style="bold" if row.headline else None,
        )
    return table
