"""The figures of one benchmark, as ``results.json`` holds them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from llmrg.artefacts import write_text
from llmrg.benchmark.result_parts import (
    Agreement,
    Clinical,
    Gate,
    Leakage,
    Lengths,
    PairedResult,
    ProtocolFigures,
    PublishedTable,
    Seeds,
)
from llmrg.errors import UserError

__all__ = ["RESULTS_FILE", "Results", "Row", "RowKind", "read_results"]

RESULTS_FILE = "results.json"
RowKind = Literal["system", "baseline", "oracle"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the table.

    Args:
        system: its name.
        kind: a system, a baseline, or an oracle: a row made from what is to be found (the truth itself in fixed
            words; the training report most like the reference), a bound and not a system.
        metrics: figures by name; ``per_class`` holds precision, recall, F1 and support of every finding. A figure that
            is not defined here (side accuracy without one sided hit) is None. Clinical efficacy under a protocol is
            the F1 by its path (``r2gen/14/macro``). Of a system of several runs these are the means over its runs.
        confidence_intervals: 95 % intervals by metric, from resampling patients.
        clinical: clinical efficacy under every protocol.
        lengths: histogram of the lengths of its reports.
        seeds: of a system of several runs, every figure over them.
        gate: of a system, whether it works at all.
        protocols: figures under further reference protocols, by protocol.
        notes: what is odd about its reports or references, one sentence each.
        evidence: figures of what it recorded as evidence (pointing, overlap, deletion, calibration).
    """

    system: str
    kind: RowKind
    metrics: Mapping[str, Any]
    confidence_intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    clinical: Clinical | None = None
    lengths: Lengths | None = None
    seeds: Seeds | None = None
    gate: Gate | None = None
    protocols: Mapping[str, ProtocolFigures] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def value(self, metric: str) -> float | None:
        """One figure, or None where it is missing or undefined."""
        number = self.metrics.get(metric)
        return float(number) if isinstance(number, (int, float)) else None


@dataclass(frozen=True, kw_only=True)
class Results:
    """A whole benchmark.

    Args:
        dataset: the dataset's name.
        split: the split scored.
        n: studies scored.
        patients: patients scored.
        language: language of the reports.
        rows: systems first, then baselines, then oracles.
        title: heading for pages.
        vocabulary: name of the finding vocabulary.
        protocol: what was scored against what, by key, in words.
        signature: one line that names the metric settings; figures with different signatures do not compare.
        labeler: version of the labeler that read the findings.
        seeds: the seeds used.
        versions: versions of the packages that made the figures.
        training_studies: training studies that the baselines copy from.
        headline: names of the metrics that count here, the first one first.
        tests: paired comparisons of systems with each other and with the strongest trivial baseline.
        published: published figures of this dataset, under other protocols.
        leakage: what the scored split shares with training.
        agreement: the labeler against labels that the dataset ships.
        reference_lengths: histogram of the lengths of the references.
        reference_hash: hash of ids and references; figures with another one do not compare.
        protocols: further reference protocols in words, by name.
    """

    dataset: str
    split: str
    n: int
    patients: int
    language: str
    rows: tuple[Row, ...]
    title: str = ""
    vocabulary: str = ""
    protocol: Mapping[str, str] = field(default_factory=dict)
    signature: str = ""
    labeler: str = ""
    seeds: Mapping[str, int] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    training_studies: int = 0
    headline: tuple[str, ...] = ("bleu_4", "rouge_l", "clinical_micro_f1")
    tests: tuple[PairedResult, ...] = ()
    published: tuple[PublishedTable, ...] = ()
    leakage: Leakage | None = None
    agreement: Agreement | None = None
    reference_lengths: Lengths | None = None
    reference_hash: str = ""
    protocols: Mapping[str, str] = field(default_factory=dict)

    def row(self, name: str) -> Row | None:
        """The row of that name, or None."""
        return next((row for row in self.rows if row.system == name), None)

    def closed(self, row: Row, metric: str = "clinical_micro_f1") -> float | None:
        """The part of the distance from the nearest-film row to the oracle that a row covers, or None."""
        low, high = self.row("nearest"), self.row("oracle")
        ends = (low.value(metric) if low else None, high.value(metric) if high else None, row.value(metric))
        if ends[0] is None or ends[1] is None or ends[2] is None or ends[1] <= ends[0]:
            return None
        return (ends[2] - ends[0]) / (ends[1] - ends[0])

    def write(self, folder: Path) -> Path:
        """Write ``results.json`` into ``folder`` and return its path."""
        path = folder / RESULTS_FILE
        write_text(path, json.dumps(asdict(self), ensure_ascii=False, indent=2, allow_nan=False) + "\n")
        return path


def read_results(path: str | Path) -> Results:
    """Read a ``results.json``; keys of later versions are ignored, absent ones have their defaults.

    Raises:
        UserError: unreadable, or not the results of a benchmark.
    """
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
        known = {name: values[name] for name in Results.__dataclass_fields__ if name in values}
        for name in ("headline", "tests", "published"):
            if name in known:
                known[name] = tuple(known[name])
        return Results(**{**known, "rows": tuple(_read_row(row) for row in values["rows"])})
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise UserError("These are not the results of a benchmark", where=str(path)) from error


def _read_row(values: Mapping[str, Any]) -> Row:
    known = {name: values[name] for name in Row.__dataclass_fields__ if name in values}
    known["system"] = str(values["system"])
    known["notes"] = tuple(values.get("notes", ()))
    known["confidence_intervals"] = _read_intervals(values)
    known["protocols"] = {
        name: {**figures, "confidence_intervals": _read_intervals(figures)}
        for name, figures in values.get("protocols", {}).items()
    }
    return Row(**known)


def _read_intervals(values: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    return {name: (pair[0], pair[1]) for name, pair in values.get("confidence_intervals", {}).items()}
