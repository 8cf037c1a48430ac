"""How good the recorded evidence is, on the page: pointing, overlap, calibration and deletion, where they were scored.

:mod:`llmrg.benchmark.evidence_scores` tells what ``Row.evidence`` holds; whatever is missing there is left out here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmrg.benchmark.axis import Axis, round_axis
from llmrg.benchmark.metric_words import share
from llmrg.benchmark.reliability import reliability_plots
from llmrg.benchmark.results import Results, Row
from llmrg.benchmark.values import bounds_of, mapping_of, number_of, records_of
from llmrg.benchmark.words import class_label

__all__ = ["evidence_figures"]

_FIGURES = {"pointing": "rate", "overlap": "mean"}
_TITLES = {
    "pointing": ("Pointing game", "boxes of true findings into which the strongest place of the finding's map falls"),
    "overlap": ("Overlap with the true region", "intersection over union of map and box, mean"),
}
_SHARE = 1.0


def evidence_figures(results: Results) -> dict[str, Any] | None:
    """Figures of every system that has some; None where none has."""
    rows = [row for row in results.rows if row.evidence]
    places = [chart for key in _FIGURES if (chart := _place_chart(rows, key, results)) is not None]
    reliability = [plot for row in rows for plot in reliability_plots(row)]
    deletion = [view for row in rows if (view := _deletion(row)) is not None]
    notes = [f"{row.system}: {note}" for row in rows for note in row.evidence.get("notes", ())]
    if not (places or reliability or deletion or notes):
        return None
    return {"places": places, "reliability": reliability, "deletion": deletion, "notes": notes}


def _place_chart(rows: Sequence[Row], key: str, results: Results) -> dict[str, Any] | None:
    """A row a system, below it its further readings and its classes; what looking blindly gives stands beside."""
    name = _FIGURES[key]
    found = [(row, values) for row in rows if number_of((values := mapping_of(row.evidence.get(key))).get(name))]
    if not found:
        return None
    lines: list[tuple[str, str, Mapping[str, Any]]] = []
    for row, values in found:
        lines.append(("whole", row.system, values))
        lines += [("reading", title, line) for title, line in _readings(values)]
        lines += [
            ("class", class_label(str(entry.get("finding")), results.vocabulary, results.language), entry)
            for entry in records_of(values.get("classes"))
        ]
    ends = [number_of(line.get(end)) for _, _, line in lines for end in (name, "chance", "mean_map")]
    ends += [bounds[1] for _, _, line in lines if (bounds := bounds_of(line)) is not None]
    axis = round_axis([end for end in ends if end is not None], scale=100, most=_SHARE)
    threshold = number_of(found[0][1].get("threshold"))
    title, meaning = _TITLES[key]
    return {
        "title": title,
        "meaning": meaning + (f"; the map from {100 * threshold:.0f}\u00a0% of its maximum" if threshold else ""),
        "axis": axis.to_mapping(),
        "rows": [_place(kind, label, line, name, axis) for kind, label, line in lines],
        "mean_map": any(number_of(line.get("mean_map")) is not None for _, _, line in lines),
    }


def _readings(values: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The same figure over other cases: with tolerance, where the query found the finding, by view."""
    near = mapping_of(values.get("near"))
    found = [(f"within {near.get('tolerance', 'a tolerance')}", near)]
    found.append(("where the query found it", mapping_of(values.get("likely"))))
    found.append(("best film of the study", mapping_of(values.get("study"))))
    found += [(f"{entry.get('view')} films", entry) for entry in records_of(values.get("views"))]
    return [(title, line) for title, line in found if number_of(line.get("rate")) is not None]


def _place(kind: str, label: str, line: Mapping[str, Any], name: str, axis: Axis) -> dict[str, Any]:
    value, bounds = number_of(line.get(name)), bounds_of(line)
    chance, blind = number_of(line.get("chance")), number_of(line.get("mean_map"))
    return {
        "kind": kind,
        "label": label,
        "n": line.get("n", ""),
        "at": _at(value, axis),
        "chance": _at(chance, axis),
        "mean_map": _at(blind, axis),
        "low": _at(bounds[0], axis) if bounds else None,
        "high": _at(bounds[1], axis) if bounds else None,
        "text": share(value),
        "interval": f"{share(bounds[0])}–{share(bounds[1])}" if bounds else "",
        "chance_text": share(chance),
        "mean_map_text": share(blind),
    }


def _at(value: float | None, axis: Axis) -> float | None:
    return None if value is None else axis.at(value)


def _deletion(row: Row) -> dict[str, Any] | None:
    values = mapping_of(row.evidence.get("deletion"))
    sources = records_of(values.get("sources"))
    if not sources:
        return None
    return {
        "name": row.system,
        "studies": values.get("studies", ""),
        "sources": [
            {
                "source": str(entry.get("source", "")).replace("_", " "),
                "n": entry.get("n", ""),
                "resting": share(number_of(entry.get("resting"))),
                "others": share(number_of(entry.get("others"))),
                "difference": share(number_of(entry.get("faithfulness"))),
                "interval": f"{share(bounds[0])} to {share(bounds[1])}" if (bounds := bounds_of(entry)) else "",
                "lost": share(number_of(entry.get("f1_lost"))),
                "lost_interval": f"{share(lost[0])} to {share(lost[1])}"
                if (lost := bounds_of(entry, "f1_lost_interval"))
                else "",
            }
            for entry in sources
        ],
    }
