"""Tables of a comparison in Markdown, from the benchmarks' results and the times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from comparison.variants import FULL
from llmrg.benchmark.columns import column_of, format_value
from llmrg.benchmark.result_parts import PairedResult
from llmrg.benchmark.results import Results, Row

__all__ = [
    "Spent",
    "ablation_table",
    "evidence_tables",
    "markdown",
    "minutes_table",
    "paired_table",
    "systems_table",
]

FINDINGS = "clinical_micro_f1"
BESIDE = ("graph_f1", "bleu_4", "rouge_l", "cider")
NOTHING = "–"
Spent = Mapping[str, tuple[float, float]]
"""Seconds by the clock and of the processor, by stage."""


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; the first column is left, the others right."""
    lines = ["| " + " | ".join(head) + " |", "|:--|" + "--:|" * (len(head) - 1)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def systems_table(
    results: Results, order: Sequence[str], *, seeds: Mapping[str, str], minutes: Mapping[str, tuple[float, float]]
) -> str:
    """All rows: trivial ones, systems, and what is told the answer.

    Args:
        results: of one language and split.
        order: the systems.
        seeds: by system, seeds done of seeds planned.
        minutes: by system, over all stages, mean of its seeds: by the clock and of the processor.
    """
    by_name = {row.system: row for row in results.rows}
    rows = [row for row in results.rows if row.kind == "baseline"]
    rows += [by_name[name] for name in order if name in by_name]
    rows += [row for row in results.rows if row.kind == "oracle"]
    columns = [column_of(name) for name in BESIDE]
    body = []
    for row in rows:
        system = row.kind == "system"
        body.append(
            [
                f"**{row.system}**" if system else f"*{row.system}*",
                seeds.get(row.system, NOTHING) if system else NOTHING,
                _with_interval(row),
                _deviation(row),
                *(format_value(row.value(column.metric), column) for column in columns),
                "{:.1f} ({:.1f})".format(*minutes[row.system]) if row.system in minutes and system else NOTHING,
            ]
        )
    head = ["Row", "Seeds", "Finding F1 (95 % interval)", "SD", *(column.label for column in columns), "Minutes"]
    return markdown(head, body)


def paired_table(results: Results, own: str) -> str:
    """Our system against each other one, and against the strongest trivial row; differences are ours minus theirs."""
    body = []
    for test in results.tests:
        if own not in (test["first"], test["second"]):
            continue
        sign = 1 if test["first"] == own else -1
        other = test["second"] if sign == 1 else test["first"]
        name = other if test["purpose"] == "systems" else f"*{other}*"
        body.append([f"{own} − {name}", column_of(test["metric"]).label, *_difference(test, sign)])
    return markdown(["Difference", "Metric", "Points", "95 % interval", "p (Holm)"], body)


def ablation_table(results: Results, seeds: Mapping[str, Sequence[int]]) -> str:
    """What the finding F1 loses when a source is missing: full minus without, by seed and in the mean.

    Args:
        results: of the ablation.
        seeds: of each row's runs, in order.
    """
    by_name = {row.system: row for row in results.rows if row.kind == "system"}
    full = by_name[FULL]
    every = sorted({seed for name in by_name for seed in seeds[name]})
    tests = {
        (test["first"], test["second"]): test
        for test in results.tests
        if test["metric"] == FINDINGS and test["purpose"] == "systems"
    }
    base = _by_seed(full, seeds[FULL])
    body = []
    for name, row in by_name.items():
        own = _by_seed(row, seeds[name])
        cells = [f"**{name}**" if name == FULL else name.replace("_", " "), _with_interval(row)]
        if name == FULL:
            cells += [*(_points(base.get(seed)) for seed in every), NOTHING, NOTHING, NOTHING]
        else:
            lost = [base[seed] - own[seed] if seed in base and seed in own else None for seed in every]
            sign = 1 if (FULL, name) in tests else -1
            test = tests.get((FULL, name)) or tests.get((name, FULL))
            cells += [_points(value, signed=True) for value in lost]
            cells += _difference(test, sign) if test else [NOTHING] * 3
        body.append(cells)
    by_seed = [f"Seed {seed}" for seed in every]
    return markdown(["Row", "Finding F1 (95 % interval)", *by_seed, "Full − row", "95 % interval", "p (Holm)"], body)


def evidence_tables(results: Results, own: str) -> str:
    """Pointing, calibration and deletion of our system."""
    row = results.row(own)
    evidence = {} if row is None else row.evidence
    parts = []
    pointing = evidence.get("pointing")
    if pointing:
        near = {"n": pointing["n"], **pointing["near"]}
        places = (("film by film", pointing), ("within half a cell", near))
        body = [
            [words, str(one["n"]), _share(one["rate"]), _share(one["chance"]), _share(one["mean_map"]),
             _share(one["above_mean_map"], signed=True), _bounds(one["above_mean_map_interval"])]
            for words, one in places
        ]  # fmt: skip
        head = ["Pointing", "True findings on films", "Hit", "By chance", "Mean map", "Above mean map", "95 % interval"]
        parts.append(markdown(head, body))
    calibration = evidence.get("calibration")
    if calibration:
        both = [("report, by its confidence", calibration)]
        both += [("finding, by its query", calibration["queries"])] if "queries" in calibration else []
        body = [
            [words, str(one["n"]), _share(one["mean_probability"]), _share(one["frequency"]), _share(one["ece"]),
             _bounds(one["interval"]), f"{one['brier']:.3f}"]
            for words, one in both
        ]  # fmt: skip
        head = ["Calibration", "n", "Stated", "True", "ECE", "95 % interval", "Brier"]
        parts.append(markdown(head, body))
    deletion = evidence.get("deletion")
    if deletion:
        body = [
            [one["source"].replace("_", " "), _share(one["f1"]), _share(one["f1_without"]),
             _share(one["f1_lost"], signed=True), _bounds(one["f1_lost_interval"]), _share(one["studies_changed"]),
             _share(one["faithfulness"], signed=True)]
            for one in deletion["sources"]
        ]  # fmt: skip
        head = [
            *(f"Deletion ({deletion['studies']} studies)", "F1", "F1 without", "Lost", "95 % interval"),
            *("Reports changed", "Faithfulness"),
        ]
        parts.append(markdown(head, body))
    return "\n\n".join(parts)


def minutes_table(spent: Mapping[str, Sequence[Spent]], stages: Sequence[str], budget: float) -> str:
    """Minutes by the clock (of the processor) of each stage, mean over seeds.

    Args:
        spent: by system, one for each finished seed.
        stages: the columns.
        budget: minutes for all stages.
    """
    body = []
    for name, seeds in spent.items():
        cells = []
        for stage in (*stages, None):
            walls = [_seconds(one, stage, 0) for one in seeds]
            processors = [_seconds(one, stage, 1) for one in seeds]
            there = stage is None or any(stage in one for one in seeds)
            cells.append(f"{_mean_minutes(walls):.1f} ({_mean_minutes(processors):.1f})" if there else NOTHING)
        clock, processor = (_mean_minutes([_seconds(one, None, which) for one in seeds]) for which in (0, 1))
        body.append([name, str(len(seeds)), *cells, f"{100 * clock / budget:.0f} % ({100 * processor / budget:.0f} %)"])
    head = ["Row", "Seeds", *(stage.replace("_", " ") for stage in stages), "all stages", f"of {budget:g} minutes"]
    return markdown(head, body)


def _seconds(one: Spent, stage: str | None, which: int) -> float:
    return sum(pair[which] for name, pair in one.items() if stage in (None, name))


def _mean_minutes(seconds: Sequence[float]) -> float:
    return sum(seconds) / len(seconds) / 60


def _by_seed(row: Row, seeds: Sequence[int]) -> dict[int, float]:
    if row.seeds is None:
        value = row.value(FINDINGS)
        return {} if value is None else {seeds[0]: value}
    return dict(zip(seeds, row.seeds["figures"][FINDINGS]["values"], strict=True))


def _with_interval(row: Row) -> str:
    column = column_of(FINDINGS)
    bounds = row.confidence_intervals.get(FINDINGS)
    text = format_value(row.value(FINDINGS), column)
    return text if bounds is None else f"{text} ({format_value(bounds[0], column)}–{format_value(bounds[1], column)})"


def _deviation(row: Row) -> str:
    spread = None if row.seeds is None else row.seeds["figures"].get(FINDINGS)
    return NOTHING if spread is None or spread["sd"] is None else f"{100 * spread['sd']:.1f}"


def _difference(test: PairedResult, sign: int) -> list[str]:
    ends = [sign * end for end in (test["low"], test["high"]) if end is not None]
    interval = _bounds(sorted(ends)) if len(ends) == 2 else NOTHING
    p = "< 0.001" if test["p_holm"] < 0.001 else f"{test['p_holm']:.3f}"
    return [_points(sign * test["difference"], signed=True), interval, p]


def _points(value: float | None, *, signed: bool = False) -> str:
    return NOTHING if value is None else f"{round(100 * value, 1) + 0.0:{'+' if signed else ''}.1f}"  # never -0.0


def _share(value: float | None, *, signed: bool = False) -> str:
    return _points(value, signed=signed)


def _bounds(pair: Sequence[float] | None) -> str:
    return NOTHING if pair is None else f"{_points(pair[0])} to {_points(pair[1])}"
