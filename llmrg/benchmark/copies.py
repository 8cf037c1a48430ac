"""What is copied from training: reports that occur there word for word, and patients and ids that splits share."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from llmrg.benchmark.result_parts import Leakage
from llmrg.studies.splits import overlapping_patients
from llmrg.studies.study import Study
from llmrg.studies.study_table import study_column

__all__ = ["copied_share", "find_leakage", "normal_form", "normal_forms"]


def normal_form(text: str) -> str:
    """Return the text without its case and its white space, by which copies are recognised."""
    return "".join(text.casefold().split())


def normal_forms(texts: Iterable[str]) -> frozenset[str]:
    """Return the normal forms of all texts that are not empty."""
    return frozenset(form for text in texts if (form := normal_form(text)))


def copied_share(reports: Sequence[str], training: Collection[str]) -> float:
    """Return the share of reports that occur word for word in training.

    Args:
        reports: generated reports; an empty one is no copy.
        training: normal forms of the training reports.
    """
    return sum(normal_form(report) in training for report in reports) / max(1, len(reports))


def find_leakage(
    splits: dict[str, Sequence[Study]],
    *,
    scored: str,
    training: str,
    references: Sequence[str],
    copied: Collection[str],
    kept_from_baselines: int,
) -> Leakage:
    """Count what the scored split shares with the others.

    Args:
        splits: studies by split.
        scored: the scored split.
        training: the training split.
        references: the scored references.
        copied: normal forms of the training reports.
        kept_from_baselines: training studies of scored patients.
    """
    pairs = ((patient, name) for name, studies in splits.items() for patient in study_column(studies, "patient_id"))
    shared = overlapping_patients(pairs, order=tuple(splits))
    known = set(study_column(splits[training], "id"))
    forms = [normal_form(text) for text in references]
    found = sum(form in copied for form in forms)
    return {
        "patients": {
            f"{one} and {other}": len(shared.get((one, other), ()))
            for place, one in enumerate(splits)
            for other in list(splits)[place + 1 :]
        },
        "duplicate_ids": sum(id_ in known for id_ in study_column(splits[scored], "id")),
        "references_in_training": found,
        "share": found / max(1, len(forms)),
        "distinct_references": len(set(forms)),
        "kept_from_baselines": kept_from_baselines,
    }
