"""The studies of the page: which rows are shown, which studies are drawn, and how that was done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llmrg.benchmark.baselines import TrainingPool
from llmrg.benchmark.comparison import compare_findings
from llmrg.benchmark.evidence_view import EvidenceLookup
from llmrg.benchmark.gallery import GalleryChoice, choose_gallery
from llmrg.benchmark.references import References
from llmrg.benchmark.rows import ReportRow
from llmrg.benchmark.section_view import EMPTY_GALLERY
from llmrg.benchmark.settings import BenchmarkConfig
from llmrg.benchmark.study_view import ReportColumn, study_view
from llmrg.benchmark.words import OUTCOME_WORDS
from llmrg.findings.mention import Mention
from llmrg.findings.vocabulary import FindingVocabulary
from llmrg.studies.study import Study

__all__ = ["gallery_view"]


def gallery_view(
    config: BenchmarkConfig,
    rows: Sequence[ReportRow],
    *,
    references: References,
    vocabulary: FindingVocabulary,
    read: Callable[[str], Mapping[str, Mention]],
    pool: TrainingPool,
    training: Sequence[Study],
) -> dict[str, Any]:
    """Draw the studies by what the first system wrote (without one, the nearest-film row) and prepare each.

    Args:
        config: the benchmark.
        rows: all rows; the random one is not shown.
        references: the scored studies.
        vocabulary: the findings.
        read: reads the findings of a report.
        pool: training reports, for studies that the evidence names.
        training: the training split.
    """
    if not config.gallery.studies:
        return dict(EMPTY_GALLERY)
    shown = sorted(
        (row for row in rows if row.system != "random"), key=lambda row: (row.kind != "system", row.system != "nearest")
    )
    outcomes = [
        [
            compare_findings(expected, read(report), vocabulary)
            for report, expected in zip(row.reports, references.expected, strict=True)
        ]
        for row in shown
    ]
    choice = choose_gallery(outcomes[0], count=config.gallery.studies, seed=config.seed)
    positions = dict(zip(pool.ids, pool.positions, strict=True))
    lookup = EvidenceLookup(
        find=lambda id_: training[positions[id_]] if id_ in positions else None, target=config.data.target
    )
    studies = [
        study_view(
            references.studies[i],
            group=group,
            reference=references.texts[i],
            labelled=references.labelled[i],
            expected=references.expected[i],
            truth=None if references.truths is None else references.truths[i],
            columns=[
                ReportColumn(
                    system=row.system,
                    kind=row.kind,
                    report=row.reports[i],
                    outcomes=found[i],
                    prediction=None if row.predictions is None else row.predictions[i],
                )
                for row, found in zip(shown, outcomes, strict=True)
            ],
            vocabulary=vocabulary,
            lookup=lookup,
            settings=config.gallery,
        )
        for i, group in choice.picks
    ]
    chosen = _how_chosen(choice, seed=config.seed, system=shown[0].system)
    return {"studies": studies, "chosen": chosen, "boxes": references.truths is not None}


def _how_chosen(choice: GalleryChoice, *, seed: int, system: str) -> str:
    drawn = {name: sum(group == name for _, group in choice.picks) for name in choice.totals}
    errors = ", ".join(
        f"{drawn[name]} of {total} with {OUTCOME_WORDS[name]} findings"
        if name != "wrong_side"
        else f"{drawn[name]} of {total} with a finding on the wrong side"
        for name, total in choice.totals.items()
        if name != "right"
    )
    return (
        f"Drawn with seed {seed} by what {system} wrote, errors first: {errors}, and {drawn['right']} of "
        f"{choice.totals['right']} all right. A study with several kinds of error counts under the first of these. "
        "So the shares here are not error rates; those are in the table."
    )
