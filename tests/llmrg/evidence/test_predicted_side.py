from __future__ import annotations

import itertools

import pytest
import torch

from llmrg.evidence.diagnosis_hints import predicted_findings
from llmrg.evidence.disease_queries import DiseaseQueries, DiseaseQuerySource
from llmrg.evidence.predicted_side import predicted_side
from llmrg.findings.vocabulary import get_vocabulary

VOCABULARY = get_vocabulary("ped_xray")
SIDED = next(finding for finding in VOCABULARY.abnormal if finding.sided)
UNSIDED = next(finding for finding in VOCABULARY.abnormal if not finding.sided)


@pytest.mark.parametrize(
    ("left", "right", "side"),
    [
        (0.9, 0.1, "left"),
        (0.2, 0.6, "right"),
        (0.5, 0.5, "bilateral"),
        (0.49, 0.9, "right"),
        (0.3, 0.2, "left"),
        (0.2, 0.2, "left"),
    ],
)
def test_the_likelier_side_or_both(left: float, right: float, side: str) -> None:
    assert predicted_side(SIDED, left, right) == side
    assert predicted_side(UNSIDED, left, right) is None


def test_records_and_hints_never_differ() -> None:
    findings = VOCABULARY.abnormal
    source = DiseaseQuerySource(
        queries=DiseaseQueries(findings=len(findings), width=8, heads=2), findings=findings, width=8, size=8, scale=1.0
    )
    steps = (0.0, 0.3, 0.5, 0.7, 1.0)
    for left, right in itertools.product(steps, steps):
        probabilities = torch.tensor([[[0.9, left, right]] * len(findings)])
        (record,) = source._records(probabilities)
        told = predicted_findings(probabilities[0].tolist(), VOCABULARY, threshold=0.5)
        assert {item["finding"]: item["side"] for item in record["items"]} == told
