"""Reports of phantoms with random findings, all different: what speed is measured on."""

from __future__ import annotations

from typing import Literal

import numpy as np

from llmrg.findings.vocabulary import get_vocabulary
from llmrg.studies.phantoms.truth import FindingTruth, PhantomTruth
from llmrg.studies.phantoms.wording import write_report

__all__ = ["phantom_reports"]


def phantom_reports(language: Literal["zh", "en"], count: int) -> list[str]:
    """Write ``count`` different reports; the same ones at every call."""
    rng = np.random.default_rng(0)
    findings = get_vocabulary("ped_xray").findings
    reports: dict[str, None] = {}
    while len(reports) < count:
        drawn = [findings[index] for index in rng.permutation(len(findings))[: int(rng.integers(0, 6))]]
        truth = PhantomTruth(
            study_id="s",
            patient_id="p",
            split="test",
            age_group="adult",
            age=60.0,
            sex="female",
            findings=tuple(
                FindingTruth(
                    observation=finding.observation,
                    side=("left", "right")[int(rng.integers(2))] if finding.sided else None,
                    severity=("mild", "moderate", "severe")[int(rng.integers(3))],
                )
                for finding in drawn
            ),
        )
        report = write_report(truth, language=language, rng=rng, shifted=bool(rng.integers(2)))
        reports["\n".join(report.values())] = None
    return list(reports)
