"""The figures of one benchmark, as ``results.json`` holds them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from llmrg.artefacts import write_text
from llmrg.errors import UserError

__all__ = ["RESULTS_FILE", "Results", "Row", "RowKind", "read_results"]

RESULTS_FILE = "results.json"
RowKind = Literal["system", "baseline", "oracle"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the table.

    Args:
        system: its name.
        kind: a system, a baseline, or the oracle (the truth itself, in fixed words).
        metrics: figures by name; ``per_class`` holds precision, recall, F1 and support of every finding. A figure that
            is not defined here (side accuracy without one sided hit) is None.
        confidence_intervals: 95 % intervals by metric, from resampling patients.
    """

    system: str
    kind: RowKind
    metrics: Mapping[str, Any]
    confidence_intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)

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
        rows: systems first, then baselines, then the oracle.
        title: heading for pages.
        vocabulary: name of the finding vocabulary.
        protocol: what was scored against what, by key, in words.
        signature: one line that names the metric settings; figures with different signatures do not compare.
        labeler: version of the labeler that read the findings.
        seeds: the seeds used.
        versions: versions of the packages that made the figures.
        training_studies: training studies that the baselines copy from.
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
    """Read a ``results.json``; keys of later versions are ignored.

    Raises:
        UserError: unreadable, or not the results of a benchmark.
    """
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
        rows = tuple(
            Row(
                system=str(row["system"]),
                kind=row["kind"],
                metrics=dict(row["metrics"]),
                confidence_intervals={k: (v[0], v[1]) for k, v in row.get("confidence_intervals", {}).items()},
            )
            for row in values["rows"]
        )
        known = {name: values[name] for name in Results.__dataclass_fields__ if name in values and name != "rows"}
        return Results(**known, rows=rows)
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise UserError("These are not the results of a benchmark", where=str(path)) from error
