"""What can be said of a benchmark in plain sentences: from its figures, its paired tests and its gates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from llmrg.benchmark.charts import headline_metrics, systems_by_rank
from llmrg.benchmark.metric_words import figure, interval, name_of, signed
from llmrg.benchmark.result_parts import GateCheck, PairedResult
from llmrg.benchmark.results import Results, Row

__all__ = ["Tone", "claims", "lede", "tiles"]

Tone = Literal["good", "plain", "warn"]
_LANGUAGES = {"zh": "Chinese", "en": "English"}
_MANY = 0.05
_FEW_STUDIES = 100


def lede(results: Results) -> str:
    """Say in one or two sentences what was scored."""
    language = _LANGUAGES.get(results.language, results.language)
    text = (
        f"{_count(results.n, 'study', 'studies', language)} of {_count(results.patients, 'patient', 'patients')}, "
        f"{results.split} split. {_count(results.training_studies, 'training study', 'training studies')}."
    )
    systems = [row for row in results.rows if row.kind == "system"]
    if not systems:
        return text + " No system yet: these are the baselines that one has to beat."
    return text + f" {_count(len(systems), 'system', 'systems')} against baselines that need no understanding."


def tiles(results: Results) -> list[dict[str, Any]]:
    """For every headline metric: who leads, with what figure, and how clearly."""
    found: list[dict[str, Any]] = []
    for metric in headline_metrics(results):
        systems = [row for row in systems_by_rank(results, metric) if row.value(metric) is not None]
        if not systems:
            continue
        lead = systems[0]
        found.append(
            {
                "metric": name_of(metric),
                "system": lead.system,
                "text": figure(lead.value(metric), metric, unit=True),
                "interval": interval(lead.confidence_intervals.get(metric), metric),
                "verdict": _verdict(lead, systems, metric, results),
            }
        )
    return found


def _verdict(lead: Row, systems: Sequence[Row], metric: str, results: Results) -> str:
    higher = _higher_baseline(lead, metric, results)
    if higher is not None:
        return f"the baseline {higher.system} has {figure(higher.value(metric), metric, unit=True)}"
    level = _level(lead, metric, results)
    if level:
        return f"level with {_names(level)}"
    over = _trivial(lead, metric, results)
    if over is not None and over["better"] != lead.system:
        return f"not clearly above the baseline {over['second']}"
    tested = [test for test in _between(lead, metric, results) if test["better"] == lead.system]
    if len(systems) > 1 and len(tested) == len(systems) - 1:
        return "ahead of every other system"
    if over is not None:
        return f"clearly above the baseline {over['second']}"
    return "highest figure; no paired test" if len(systems) > 1 else ""


def claims(results: Results) -> list[dict[str, str]]:
    """Sentences with their tone: ``good`` for what holds, ``warn`` for what a reader should beware of."""
    found: list[tuple[Tone, str]] = []
    if any(row.kind == "system" for row in results.rows):
        found += [sentence for metric in headline_metrics(results) if (sentence := _leader(metric, results))]
        found += _gates(results)
        found += _distance(results)
    found += _warnings(results)
    return [{"tone": tone, "text": text} for tone, text in found]


def _leader(metric: str, results: Results) -> tuple[Tone, str] | None:
    systems = [row for row in systems_by_rank(results, metric) if row.value(metric) is not None]
    if not systems:
        return None
    lead = systems[0]
    own = figure(lead.value(metric), metric, unit=True)
    bounds = interval(lead.confidence_intervals.get(metric), metric)
    text = f"{name_of(metric)}: {lead.system} has {own}" + (f" (95 % interval {bounds})" if bounds else "")
    level, parts = _level(lead, metric, results), []
    ahead = [_other(test, lead) for test in _between(lead, metric, results) if test["better"] == lead.system]
    if ahead:
        every = len(ahead) > 1 and len(ahead) == len(systems) - 1
        parts.append(f"clearly ahead of {'every other system' if every else _names(ahead)}")
    if level:
        parts.append(f"not told apart from {_names(level)} by this many studies")
    over = _trivial(lead, metric, results)
    if over is not None:
        far = f"{signed(_difference(over, lead), metric)} against the strongest trivial baseline, {over['second']}"
        parts.append(far if over["better"] == lead.system else f"{far}, which may be chance")
    higher = _higher_baseline(lead, metric, results)
    if higher is not None:
        parts.append(f"the baseline {higher.system} has more: {figure(higher.value(metric), metric, unit=True)}")
    if not ahead and not level and len(systems) > 1:
        parts.append("no paired test was made, so that close rows cannot be ranked")
    if not parts:
        return None  # the tile above says all of it
    good = bool(ahead or (over is not None and over["better"] == lead.system)) and not level and higher is None
    tone: Tone = "good" if good else "warn" if higher is not None else "plain"
    return tone, f"{text}; {'; '.join(parts)}."


def _gates(results: Results) -> list[tuple[Tone, str]]:
    """Which systems work, and which do not and why; those that fail at the same demands stand in one sentence."""
    gated = [(row.system, row.gate) for row in results.rows if row.gate is not None]
    works = [(name, gate) for name, gate in gated if gate["passed"]]
    found: list[tuple[Tone, str]] = []
    if works:
        demands = ", ".join(_demand(check) for check in works[0][1]["checks"])
        verb = "works" if len(works) == 1 else "work"
        found.append(("good", f"{_names([name for name, _ in works])} {verb} by the least one can ask: {demands}."))
    failed: dict[str, list[str]] = {}
    for name, gate in gated:
        if not gate["passed"]:
            missed = [_demand(check) for check in gate["checks"] if not check["passed"]]
            failed.setdefault(", ".join(missed) or gate["note"], []).append(name)
    for reason, names in failed.items():
        verb = "does" if len(names) == 1 else "do"
        found.append(("warn", f"{_names(names)} {verb} not work; not met: {reason}."))
    return found


def _demand(check: GateCheck) -> str:
    return f"{name_of(check['metric'])} {check['demand']}"


def _distance(results: Results) -> list[tuple[Tone, str]]:
    metric = "clinical_micro_f1"
    best = next((row for row in systems_by_rank(results, metric) if row.value(metric) is not None), None)
    nearest, oracle = results.row("nearest"), results.row("oracle")
    if best is None or nearest is None or nearest.value(metric) is None:
        return []
    low = figure(nearest.value(metric), metric, unit=True)
    closed = results.closed(best)
    if closed is None or oracle is None:
        return [("plain", f"Copying the nearest training film's report reaches a finding F1 of {low}.")]
    high = figure(oracle.value(metric), metric, unit=True)
    text = (
        f"Copying the nearest training film's report reaches a finding F1 of {low}, the truth itself in plain words "
        f"{high}. {best.system} closes {100 * closed:.0f}\u00a0% of that distance."
    )
    return [("plain", text)]


def _warnings(results: Results) -> list[tuple[Tone, str]]:
    found: list[tuple[Tone, str]] = []
    leakage = results.leakage
    if leakage is not None and leakage["share"] > _MANY:
        found.append(
            (
                "warn",
                f"{leakage['references_in_training']} of {results.n} references ({100 * leakage['share']:.0f}\u00a0%) "
                "also stand word for word in training: copying is rewarded here, and wording metrics flatter it.",
            )
        )
    shared = sum(leakage["patients"].values()) if leakage is not None else 0
    if leakage is not None and (shared or leakage["duplicate_ids"]):
        found.append(("warn", "Splits share patients or studies; see data honesty below."))
    systems = [row for row in results.rows if row.kind == "system"]
    single = [row.system for row in systems if row.seeds is None]
    if systems and len(single) == len(systems):
        found.append(("plain", "Every system was trained once: what another seed would change is not known."))
    if 0 < results.n < _FEW_STUDIES:
        found.append(("warn", f"Only {results.n} studies: intervals are wide, and small differences mean nothing."))
    return found


def _between(lead: Row, metric: str, results: Results) -> list[PairedResult]:
    return [
        test
        for test in results.tests
        if test["purpose"] == "systems" and test["metric"] == metric and lead.system in (test["first"], test["second"])
    ]


def _trivial(lead: Row, metric: str, results: Results) -> PairedResult | None:
    return next(
        (
            test
            for test in results.tests
            if test["purpose"] == "baseline" and test["metric"] == metric and test["first"] == lead.system
        ),
        None,
    )


def _higher_baseline(lead: Row, metric: str, results: Results) -> Row | None:
    """The best baseline, if its figure is above the best system's."""
    rows = [row for row in results.rows if row.kind == "baseline" and row.value(metric) is not None]
    best = max(rows, key=lambda row: row.value(metric) or 0.0, default=None)
    return best if best is not None and (best.value(metric) or 0.0) > (lead.value(metric) or 0.0) else None


def _level(lead: Row, metric: str, results: Results) -> list[str]:
    return [_other(test, lead) for test in _between(lead, metric, results) if test["better"] is None]


def _other(test: PairedResult, row: Row) -> str:
    return test["second"] if test["first"] == row.system else test["first"]


def _difference(test: PairedResult, row: Row) -> float:
    return test["difference"] if test["first"] == row.system else -test["difference"]


def _names(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _count(number: int, one: str, many: str, kind: str = "") -> str:
    words = f"{kind} {one if number == 1 else many}".strip()
    return f"{number:,} {words}".replace(",", "\u202f")
