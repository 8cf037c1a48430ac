"""Lengths on the page: the histogram of every row before the outline of the references'."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llmrg.benchmark.result_parts import Lengths
from llmrg.benchmark.results import Results

__all__ = ["length_view"]

_HEIGHT = 100.0
_ROOM = 2.0  # bars up to twice the highest of the references; one text given to all would flatten the others


def length_view(results: Results) -> dict[str, Any] | None:
    """One panel a row, all on the same axes; shares of reports, so that the outline compares. None without lengths.

    A panel's drawing is ``100`` high and as wide as there are bins.
    """
    shown = [(row, row.lengths) for row in results.rows if row.lengths is not None]
    if not shown:
        return None
    reference = results.reference_lengths
    edges = [float(edge) for edge in (reference or shown[0][1])["edges"]]
    alike = [(row, own) for row, own in shown if [float(edge) for edge in own["edges"]] == edges]
    outline = None if reference is None else _shares(reference)
    highest = max((share for _, own in alike for share in _shares(own)), default=0.0)
    top = min(highest, _ROOM * max(outline)) if outline and max(outline) > 0 else highest
    return {
        "unit": shown[0][1]["unit"],
        "bins": len(edges) - 1,
        "ends": [f"{edges[0]:g}", _middle(edges), f"{edges[-1]:g}+"],
        "outline": "" if outline is None else _outline(outline, top),
        "reference": None if reference is None else _words(reference),
        "panels": [
            {"name": row.system, "kind": row.kind, "bars": _bars(_shares(own), top), **_words(own)}
            for row, own in alike
        ],
    }


def _middle(edges: Sequence[float]) -> str:
    """The middle of the axis, where it is a whole number."""
    middle = (edges[0] + edges[-1]) / 2
    return f"{middle:g}" if middle == int(middle) else ""


def _shares(lengths: Lengths) -> list[float]:
    total = sum(lengths["counts"])
    return [count / total if total else 0.0 for count in lengths["counts"]]


def _bars(shares: Sequence[float], top: float) -> list[dict[str, float | bool]]:
    """Bars with a share; one that passes the top of the panel is cut there and says so."""
    bars: list[dict[str, float | bool]] = []
    for place, share in enumerate(shares):
        if share > 0 and top > 0:
            height = round(_HEIGHT * min(1.0, share / top), 2)
            bars.append({"x": place, "y": round(_HEIGHT - height, 2), "height": height, "cut": share > top})
    return bars


def _outline(shares: Sequence[float], top: float) -> str:
    """Path of the steps of a histogram, from the ground to the ground."""
    if top <= 0:
        return ""
    steps = [f"M0 {_HEIGHT:g}"]
    for place, share in enumerate(shares):
        steps.append(f"V{_HEIGHT - _HEIGHT * min(1.0, share / top):.2f}H{place + 1}")
    return "".join(steps) + f"V{_HEIGHT:g}"


def _words(lengths: Lengths) -> dict[str, Any]:
    return {
        "mean": f"{lengths['mean']:.1f}",
        "median": f"{lengths['median']:g}",
        "longest": lengths["longest"],
        "empty": lengths["empty"],
    }
