"""Whether a system works at all: better than one constant report, and not itself one constant report."""

from __future__ import annotations

from collections.abc import Sequence

from llmrg.benchmark.result_parts import Gate, GateCheck
from llmrg.benchmark.results import Row

__all__ = ["judge", "judged_finding_metric"]

_DISTINCT_SHARE = 0.1


def judged_finding_metric(headline: Sequence[str]) -> str:
    """Return the first headline metric over findings; micro F1 where none is among them."""
    return next((name for name in headline if "/" in name or name.startswith("clinical_")), "clinical_micro_f1")


def judge(row: Row, constant: Row, *, headline: Sequence[str], studies: int, distinct_references: int) -> Gate:
    """Hold a system against the constant report.

    It works where it states findings with a higher F1, reaches at least the BLEU-4, and writes more different reports
    than a tenth of the different references (and more than one).

    Args:
        row: the system.
        constant: the row of the constant report.
        headline: the metrics that count; the first one over findings is judged.
        studies: how many were scored.
        distinct_references: how many different references they have.
    """
    finding = judged_finding_metric(headline)
    limit = max(1.0, _DISTINCT_SHARE * distinct_references) / max(1, studies)
    distinct = row.value("distinct_ratio")
    checks = [
        _check("above the constant report", finding, row.value(finding), constant.value(finding), strict=True),
        _check("at least the constant report", "bleu_4", row.value("bleu_4"), constant.value("bleu_4"), strict=False),
        _check("above a tenth of the distinct references", "distinct_ratio", distinct, limit, strict=True),
    ]
    passed = all(check["passed"] for check in checks)
    words = "; ".join(_words(check) for check in checks if passed or not check["passed"])
    note = f"Works: {words}." if passed else f"Does not work: {words}."
    return {"passed": passed, "checks": checks, "note": note}


def _check(demand: str, metric: str, own: float | None, limit: float | None, *, strict: bool) -> GateCheck:
    defined = own is not None and limit is not None
    passed = defined and (own > limit if strict else own >= limit)  # type: ignore[operator]
    return {"demand": demand, "metric": metric, "own": own, "limit": limit, "passed": bool(passed)}


def _words(check: GateCheck) -> str:
    own, limit = ("undefined" if part is None else f"{100 * part:.1f} %" for part in (check["own"], check["limit"]))
    state = "is" if check["passed"] else "is not"
    return f"{check['metric']} {own} {state} {check['demand']} ({limit})"
