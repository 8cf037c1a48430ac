"""The parts of ``results.json`` beyond the figures of each row, key by key."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

__all__ = [
    "Agreement",
    "Clinical",
    "Gate",
    "GateCheck",
    "GridRow",
    "Leakage",
    "Lengths",
    "PairedResult",
    "ProtocolFigures",
    "PublishedRow",
    "PublishedTable",
    "SeedFigure",
    "Seeds",
]


class GridRow(TypedDict):
    """One protocol of clinical efficacy: how uncertain labels count, which classes, which average, and the figures.

    ``intervals`` holds low and high by figure (``precision``, ``recall``, ``f1``); ``source`` says who computes it so.
    """

    protocol: str
    uncertain: str
    classes: int | str
    average: str
    precision: float
    recall: float
    f1: float
    headline: bool
    intervals: dict[str, list[float]]
    source: str


class Clinical(TypedDict):
    """Clinical efficacy of one row under every protocol (:class:`llmrg.metrics.clinical_efficacy.ClinicalGrid`).

    ``rows`` is the grid; ``classes`` has for each finding the scores of ``positive``, ``positive_or_uncertain``,
    ``negative`` and ``uncertain`` statements, agreement and kappa.
    """

    vocabulary: str
    n: int
    confidence: float
    resamples: int
    seed: int
    rows: list[GridRow]
    classes: list[dict[str, Any]]


class Lengths(TypedDict):
    """Histogram of report lengths.

    ``unit`` is ``words`` or ``characters``; report lengths in ``[edges[i], edges[i + 1])`` are counted in
    ``counts[i]``, the last bin holds its upper edge and all that is longer; ``empty`` counts reports without a word.
    """

    unit: str
    edges: list[int]
    counts: list[int]
    mean: float
    median: float
    longest: int
    empty: int


class SeedFigure(TypedDict):
    """One figure over the seeds of a system: each seed's, mean, standard deviation (n - 1), Student's 95 % interval.

    The interval is about further seeds on the same studies; intervals over patients stand in ``confidence_intervals``.
    """

    values: list[float]
    mean: float
    sd: float | None
    t_interval: list[float] | None


class Seeds(TypedDict):
    """A system of several runs: their names (files or folders) and every figure over them."""

    names: list[str]
    figures: dict[str, SeedFigure]


class GateCheck(TypedDict):
    """One demand on a system: its own figure, what it must exceed, and whether it does."""

    demand: str
    metric: str
    own: float | None
    limit: float | None
    passed: bool


class Gate(TypedDict):
    """Whether a system works at all: every check passed; ``note`` says it in one sentence."""

    passed: bool
    checks: list[GateCheck]
    note: str


class ProtocolFigures(TypedDict):
    """Figures of one row under a further reference protocol; never to be mixed with those of ``metrics``."""

    metrics: dict[str, float | None]
    confidence_intervals: dict[str, tuple[float, float]]
    signature: str


class PairedResult(TypedDict):
    """Two rows compared on the same studies.

    ``difference`` is first minus second with its interval ``low`` to ``high`` (paired bootstrap of patients), ``p``
    comes from approximate randomisation and is never 0, ``p_holm`` is corrected over the headline metrics of this
    pair. ``better`` names the row that is better with ``p_holm`` below 0.05, or is None. ``purpose``: ``systems``
    for two systems, ``baseline`` for a system against the strongest trivial baseline of this metric,
    ``encoder`` for a system against copying the report that its own encoder finds nearest.
    """

    metric: str
    first: str
    second: str
    purpose: Literal["systems", "baseline", "encoder"]
    difference: float
    low: float | None
    high: float | None
    p: float
    p_holm: float
    trials: int
    better: str | None


class PublishedRow(TypedDict):
    """A row of a published table, as printed there; figures are parts of one, ``cider`` is not scaled.

    ``known`` lists what is known to be wrong or inconsistent about it.
    """

    system: str
    metrics: dict[str, float]
    source: str
    table: str
    known: list[str]


class PublishedTable(TypedDict):
    """Published figures of one dataset under one protocol, never ranked with ours.

    ``sources`` maps the short names in ``source`` to where the figures stand; ``protocol`` says in words what differs
    from ours; ``known`` lists what concerns the whole table.
    """

    name: str
    protocol: str
    known: list[str]
    sources: dict[str, str]
    rows: list[PublishedRow]


class Leakage(TypedDict):
    """What the scored split shares with training.

    ``patients``: patients that two splits share, by ``"train and test"``. ``duplicate_ids``: scored studies whose id
    also stands in training. ``references_in_training``: scored references that occur verbatim (white space and case
    aside) as a training report; ``share`` of all scored. ``distinct_references``: different ones among the scored.
    ``kept_from_baselines``: training studies of scored patients, which no baseline copies.
    """

    patients: dict[str, int]
    duplicate_ids: int
    references_in_training: int
    share: float
    distinct_references: int
    kept_from_baselines: int


class Agreement(TypedDict):
    """Our labeler on the reference reports (``first``) against labels that the dataset ships (``second``).

    See :class:`llmrg.metrics.agreement.LabelAgreement`: each of ``classes`` has ``finding``, ``kappa``, ``agreement``,
    ``kappa_positive``, prevalences, intervals and its table. Shipped labels only judge the labeler; references and
    generated reports are always labelled by the same one.
    """

    n: int
    left_out: int
    vocabulary: str
    first: str
    second: str
    mean_kappa: float | None
    mean_kappa_positive: float | None
    overall: dict[str, Any]
    classes: list[dict[str, Any]]
