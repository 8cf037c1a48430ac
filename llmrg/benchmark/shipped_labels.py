"""How far our labeler agrees with the labels that a dataset ships for its reports."""

from __future__ import annotations

from typing import cast

from llmrg.benchmark.references import References
from llmrg.benchmark.result_parts import Agreement
from llmrg.findings.vocabulary import FindingVocabulary
from llmrg.metrics.agreement import label_agreement

__all__ = ["agreement_with_shipped"]


def agreement_with_shipped(
    references: References, vocabulary: FindingVocabulary, *, labeler: str, resamples: int, seed: int
) -> Agreement | None:
    """Compare the labels read in the references with the shipped ones, or return None where none are shipped.

    Shipped labels of findings that the vocabulary does not have are left out.

    Args:
        references: the scored studies.
        vocabulary: the findings.
        labeler: version of our labeler.
        resamples: bootstrap resamples of patients.
        seed: of the resamples.
    """
    names = set(vocabulary.names)
    shipped = [
        None if study.labels is None else {name: value for name, value in study.labels.items() if name in names}
        for study in references.studies
    ]
    if not any(shipped):
        return None
    found = label_agreement(
        references.labelled,
        shipped,
        vocabulary,
        names=(labeler, "labels of the dataset"),
        patients=references.patients,
        resamples=resamples,
        seed=seed,
    )
    return cast("Agreement", found.to_mapping())
