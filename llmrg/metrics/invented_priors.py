"""Invented priors: generated reports that compare with an earlier examination which the system never had."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from llmrg.errors import UserError
from llmrg.findings.priors import PRIORS_VERSION, prior_in_comparison, prior_mentions
from llmrg.metrics.metric import Statistics
from llmrg.studies.study import Study

__all__ = ["PRIOR_FIGURES", "PriorFacts", "PriorScore", "known_prior", "prior_facts", "prior_statistics"]

PRIOR_FIGURES = ("invented_priors", "kept_comparisons", "reports_comparing")

_DEFINITION = (
    "generated reports with words of comparison ({version}), among studies without an earlier examination by their "
    "data (a prior report, a comparison section) or, where the data do not say, by a reference that compares with none"
)


@dataclass(frozen=True, kw_only=True)
class PriorFacts:
    """Invented priors of one set of reports, with what they were counted over.

    Args:
        without_prior: studies that had no earlier examination; the invented ones are a share of these.
        invented: of those, the generated reports that compare.
        with_prior: the other studies.
        compared: of those, the generated reports that compare.
        by_data: studies whose data say whether there was an earlier examination.
        by_reference: studies where the reference's own words stand in.
        share: ``invented / without_prior``; None without such studies.
        definition: the above in one sentence, for tables.
    """

    without_prior: int
    invented: int
    with_prior: int
    compared: int
    by_data: int
    by_reference: int
    share: float | None
    definition: str


def known_prior(study: Study) -> bool | None:
    """Return whether the study's own data tell of an earlier examination, or None where they do not say.

    A prior report (``Study.prior``) says yes; else the comparison section says yes or no ("None.").
    """
    if study.prior is not None and study.prior.strip():
        return True
    return prior_in_comparison(study.sections.get("comparison"))


def prior_statistics(
    hypotheses: Sequence[str],
    references: Sequence[str],
    *,
    language: Literal["zh", "en"],
    known: Iterable[bool | None] | None = None,
) -> Statistics:
    """Return what each report adds, ``[N, 5]``.

    The columns are 1 without an earlier examination, 1 if the report then compares nevertheless, 1 with one, 1 if the
    report then compares, and 1 if the study's own data say which (rather than its reference).

    Args:
        hypotheses: generated reports.
        references: reference reports; one that compares stands in for data that do not say.
        language: of both.
        known: for each study whether its data tell of an earlier examination (see :func:`known_prior`); None for
            studies, or for all, where they do not say.

    Raises:
        UserError: different numbers of reports, or an unknown language.
    """
    told = [None] * len(references) if known is None else list(known)
    if not len(hypotheses) == len(references) == len(told):
        raise UserError(
            f"{len(hypotheses)} generated reports came with {len(references)} references and {len(told)} facts"
        )
    had = np.array(
        [
            bool(prior_mentions(reference, language)) if fact is None else fact
            for fact, reference in zip(told, references, strict=True)
        ],
        dtype=bool,
    )
    compares = np.array([bool(prior_mentions(report, language)) for report in hypotheses], dtype=bool)
    known_facts = np.array([fact is not None for fact in told], dtype=bool)
    return np.stack([~had, ~had & compares, had, had & compares, known_facts], axis=1).astype(np.float64)


def prior_facts(sums: Statistics, n: int) -> PriorFacts:
    """Return the counts that the sum of :func:`prior_statistics` ``[5]`` over n studies holds."""
    without, invented, having, compared, known = (int(count) for count in sums)
    return PriorFacts(
        without_prior=without,
        invented=invented,
        with_prior=having,
        compared=compared,
        by_data=known,
        by_reference=n - known,
        share=invented / without if without else None,
        definition=_DEFINITION.format(version=PRIORS_VERSION),
    )


class PriorScore:
    """One share of reports that compare.

    ``invented_priors`` is the share among studies without an earlier examination (0 is best), ``kept_comparisons`` the
    share among those with one, ``reports_comparing`` the share among all. A share of no studies is NaN.

    Args:
        figure: one of :data:`PRIOR_FIGURES`.
        language: of the reports.

    Raises:
        UserError: an unknown figure.
    """

    family = "priors"

    def __init__(self, figure: str, language: Literal["zh", "en"]) -> None:
        if figure not in PRIOR_FIGURES:
            raise UserError(f"Unknown figure {figure!r}", allowed=PRIOR_FIGURES, got=figure)
        self.name = figure
        self.language = language

    def statistics(self, hypotheses: Sequence[str], references: Sequence[str]) -> Statistics:
        """Return :func:`prior_statistics` where nothing but the references tells of earlier examinations."""
        return prior_statistics(hypotheses, references, language=self.language)

    def value(self, sums: Statistics) -> Any:
        """Return the share for sums of statistics ``[..., 5]``."""
        sums = np.asarray(sums, dtype=np.float64)
        part, whole = {
            "invented_priors": (sums[..., 1], sums[..., 0]),
            "kept_comparisons": (sums[..., 3], sums[..., 2]),
            "reports_comparing": (sums[..., 1] + sums[..., 3], sums[..., 0] + sums[..., 2]),
        }[self.name]
        return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)
