"""Two systems on the same studies: differences with intervals, tests, and what they allow to be said."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from llmrg.errors import UserError
from llmrg.metrics.comparability import comparable_metrics, require_comparable
from llmrg.metrics.holm import holm
from llmrg.metrics.metric import Metric, Statistics
from llmrg.metrics.scores import Scores
from llmrg.metrics.seeds import SeedSpread, seed_spread
from llmrg.metrics.statistics import (
    Interval,
    bootstrap_p_value,
    bootstrap_sums,
    percentile_interval,
    randomisation_p_value,
    swapped_sums,
)

__all__ = ["Comparison", "MetricComparison", "SystemFigure", "compare_systems", "system_figures"]

LOWER_IS_BETTER = frozenset({"invented_priors"})


@dataclass(frozen=True, kw_only=True)
class SystemFigure:
    """A figure of one system, over all its runs.

    Args:
        value: mean over the runs; None where it is not defined.
        interval: of that mean, over resampled patients.
        seeds: mean and spread over runs; None where the figure is not defined.
    """

    value: float | None
    interval: Interval | None
    seeds: SeedSpread | None

    def to_mapping(self) -> dict[str, Any]:
        """Return the figure as JSON holds it."""
        return {
            "value": self.value,
            "interval": _ends(self.interval),
            "seeds": None if self.seeds is None else self.seeds.to_mapping(),
        }


@dataclass(frozen=True, kw_only=True)
class MetricComparison:
    """Two systems in one metric.

    Args:
        metric: its name.
        first: figure of the first system, mean over its runs; None where it is not defined.
        second: figure of the second system.
        difference: first minus second; None where either is not defined.
        interval: of the difference, over resampled patients.
        p: of paired approximate randomisation; None where there is no difference to test.
        p_bootstrap: of the paired bootstrap.
        p_holm: ``p`` corrected by Holm for all metrics of this comparison.
        better: ``first``, ``second``, or None where ``p_holm`` allows no claim or the metric has no better end.
    """

    metric: str
    first: float | None
    second: float | None
    difference: float | None
    interval: Interval | None
    p: float | None
    p_bootstrap: float | None
    p_holm: float | None
    better: str | None

    def to_mapping(self) -> dict[str, Any]:
        """Return the comparison as JSON holds it."""
        return {
            "metric": self.metric,
            "first": self.first,
            "second": self.second,
            "difference": self.difference,
            "interval": _ends(self.interval),
            "p": self.p,
            "p_bootstrap": self.p_bootstrap,
            "p_holm": self.p_holm,
            "better": self.better,
        }


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two systems in several metrics.

    Args:
        first: name of the first system.
        second: name of the second.
        runs: how many runs of each were compared.
        n: studies.
        patients: patients, which is what was resampled and swapped.
        metrics: one comparison a metric.
        level: chance of any false claim among the metrics.
        trials: of the randomisation test.
        resamples: of the bootstrap.
        seed: of both.
    """

    first: str
    second: str
    runs: tuple[int, int]
    n: int
    patients: int
    metrics: tuple[MetricComparison, ...]
    level: float
    trials: int
    resamples: int
    seed: int

    def __getitem__(self, metric: str) -> MetricComparison:
        for found in self.metrics:
            if found.metric == metric:
                return found
        raise UserError(f"{metric!r} was not compared", allowed=[found.metric for found in self.metrics], got=metric)

    def sentence(self, metric: str) -> str:
        """Say in one sentence what the tests allow to be said of one metric."""
        found = self[metric]
        if found.difference is None or found.p_holm is None:
            return f"{metric}: not defined for both {self.first} and {self.second}."
        if found.difference == 0 and found.p_holm == 1:
            return f"{metric}: {self.first} and {self.second} do not differ."
        span = f"{found.difference:+.4f}"
        if found.interval is not None:
            share = f"{100 * found.interval.confidence:g} %"
            span += f" ({share} interval {found.interval.low:+.4f} to {found.interval.high:+.4f})"
        claim = f"p = {found.p_holm:.4g} corrected for {len(self.metrics)} metrics"
        if found.p_holm >= self.level:
            return f"{metric}: no difference between {self.first} and {self.second} can be claimed; {span}, {claim}."
        if found.better is None:
            return f"{metric}: {self.first} and {self.second} differ by {span}, {claim}."
        names = (self.first, self.second) if found.better == "first" else (self.second, self.first)
        return f"{metric}: {names[0]} is better than {names[1]}; {self.first} minus {self.second} {span}, {claim}."

    def to_mapping(self) -> dict[str, Any]:
        """Return the comparison as JSON holds it."""
        return {
            "first": self.first,
            "second": self.second,
            "runs": list(self.runs),
            "n": self.n,
            "patients": self.patients,
            "level": self.level,
            "trials": self.trials,
            "resamples": self.resamples,
            "seed": self.seed,
            "metrics": [found.to_mapping() | {"sentence": self.sentence(found.metric)} for found in self.metrics],
        }


def compare_systems(
    first: Scores | Sequence[Scores],
    second: Scores | Sequence[Scores],
    metrics: Sequence[str] | None = None,
    *,
    names: tuple[str, str] = ("first", "second"),
    trials: int = 10_000,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Compare two systems that were scored on the same studies against the same references.

    A system is one run or several that differ by their seed. With several, its figure is the mean over runs; in each
    resample all runs are scored on the same drawn patients, and in each trial one coin a patient swaps the outputs of
    all runs at once (with unequal numbers of runs each is repeated until the numbers are equal, which leaves the means
    as they are). So interval and tests are about other patients, for these very runs; what other seeds would do is
    told by the spread over runs alone (:func:`system_figures`).

    Args:
        first: scores of the first system, of one run or of several.
        second: scores of the second system.
        metrics: names of figures; by default all that both have and that have a better end.
        names: of the two systems.
        trials: of the approximate randomisation test.
        resamples: of the bootstrap.
        confidence: of the intervals; 1 - confidence is the level of the claims.
        seed: of trials and resamples.

    Raises:
        UserError: the studies, references, patients, true findings or settings differ, or a metric is not there.
    """
    runs = [list([side] if isinstance(side, Scores) else side) for side in (first, second)]
    if not all(runs):
        raise UserError("A system without runs cannot be compared", where=" and ".join(names))
    chosen = comparable_metrics([*runs[0], *runs[1]], metrics)
    require_comparable([*runs[0], *runs[1]], chosen, names=[names[0]] * len(runs[0]) + [names[1]] * len(runs[1]))
    model = runs[0][0]
    formulas = {name: model.formulas[name] for name in chosen}
    slots = math.lcm(*(len(side) for side in runs))
    layout = _Layout(formulas, model.statistics, slots)
    one, two = (layout.stack([side[place % len(side)] for place in range(slots)]) for side in runs)
    width = one.shape[1]
    drawn = bootstrap_sums(np.hstack([one, two]), patients=model.patients, resamples=resamples, seed=seed)
    moved = swapped_sums(one, two, patients=model.patients, trials=trials, seed=seed)
    whole_one, whole_two = one.sum(axis=0), two.sum(axis=0)
    tested: list[_Tested] = []
    for name in chosen:
        values = [float(layout.value(name, whole)) for whole in (whole_one, whole_two)]
        difference = values[0] - values[1]
        if math.isnan(difference):
            tested.append((name, values, None, None, None, None))
            continue
        resampled = layout.value(name, drawn[:, :width]) - layout.value(name, drawn[:, width:])
        swapped = layout.value(name, whole_one + moved) - layout.value(name, whole_two - moved)
        interval = percentile_interval(resampled, confidence=confidence, seed=seed)
        p_values = randomisation_p_value(difference, swapped), bootstrap_p_value(difference, resampled)
        tested.append((name, values, difference, interval, *p_values))
    corrected = holm([row[4] for row in tested])
    level = 1 - confidence
    return Comparison(
        first=names[0],
        second=names[1],
        runs=(len(runs[0]), len(runs[1])),
        n=model.n,
        patients=len(set(model.patients)),
        metrics=tuple(
            MetricComparison(
                metric=name,
                first=_defined(values[0]),
                second=_defined(values[1]),
                difference=difference,
                interval=interval,
                p=p,
                p_bootstrap=p_bootstrap,
                p_holm=p_holm,
                better=_better(name, difference, p_holm, level),
            )
            for (name, values, difference, interval, p, p_bootstrap), p_holm in zip(tested, corrected, strict=True)
        ),
        level=level,
        trials=trials,
        resamples=resamples,
        seed=seed,
    )


def system_figures(
    runs: Scores | Sequence[Scores],
    metrics: Sequence[str] | None = None,
    *,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, SystemFigure]:
    """Return figures of one system: mean over its runs with the interval over patients, and the spread over runs.

    Args:
        runs: scores of one run, or of several that differ by their seed.
        metrics: names of figures; by default all that every run has.
        resamples: of the bootstrap; 0 leaves intervals out.
        confidence: of both intervals.
        seed: of the resamples.

    Raises:
        UserError: no runs, runs that were scored on different studies or in different ways, or an unknown metric.
    """
    given = [runs] if isinstance(runs, Scores) else list(runs)
    if not given:
        raise UserError("There are no runs to average")
    chosen = comparable_metrics(given, metrics)
    require_comparable(given, chosen, names=[f"run {place}" for place in range(1, len(given) + 1)])
    formulas = {name: given[0].formulas[name] for name in chosen}
    layout = _Layout(formulas, given[0].statistics, len(given))
    stacked = layout.stack(given)
    drawn = bootstrap_sums(stacked, patients=given[0].patients, resamples=resamples, seed=seed) if resamples else None
    found = {}
    for name in chosen:
        values = [float(value) for value in layout.values(name, stacked.sum(axis=0))]
        if any(math.isnan(value) for value in values):
            found[name] = SystemFigure(value=None, interval=None, seeds=None)
            continue
        spread = seed_spread(values, confidence=confidence)
        interval = None
        if drawn is not None:
            interval = percentile_interval(layout.value(name, drawn), confidence=confidence, seed=seed)
        found[name] = SystemFigure(value=spread.mean, interval=interval, seeds=spread)
    return found


_Tested = tuple[str, list[float], float | None, Interval | None, float | None, float | None]
"""Name, both figures, difference, interval, p of the randomisation test and of the bootstrap."""


class _Layout:
    """Statistics of several families and runs side by side, so that patients are drawn once for all of them."""

    def __init__(self, formulas: Mapping[str, Metric[Any]], statistics: Mapping[str, Statistics], slots: int) -> None:
        self._formulas = formulas
        self._slots = slots
        self._families = list(dict.fromkeys(formula.family for formula in formulas.values()))
        widths = [statistics[family].shape[1] for family in self._families]
        starts = np.cumsum([0, *(width * slots for width in widths)])
        self._columns = {
            family: (slice(start, start + width * slots), width)
            for family, width, start in zip(self._families, widths, starts, strict=False)
        }

    def stack(self, runs: Sequence[Scores]) -> Statistics:
        """Return ``[N, sum of families (slots x width)]``."""
        return np.hstack([run.statistics[family] for family in self._families for run in runs])

    def values(self, name: str, sums: Statistics) -> Any:
        """Return the figure of each run for sums ``[..., S]``: ``[..., slots]``."""
        columns, width = self._columns[self._formulas[name].family]
        part = sums[..., columns]
        return self._formulas[name].value(part.reshape(*part.shape[:-1], self._slots, width))

    def value(self, name: str, sums: Statistics) -> Any:
        """Return the mean over runs for sums ``[..., S]``: ``[...]``."""
        return self.values(name, sums).mean(axis=-1)


def _better(name: str, difference: float | None, p_holm: float | None, level: float) -> str | None:
    if not difference or p_holm is None or p_holm >= level or name == "mean_length":
        return None
    return "first" if (difference > 0) != (name in LOWER_IS_BETTER) else "second"


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else value


def _ends(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]
