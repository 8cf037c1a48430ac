"""Validation by generated reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from accelerate.utils import gather_object

from llmrg.findings.targets import positive_findings
from llmrg.generation.writing import write_reports
from llmrg.language.settings import DecodingConfig
from llmrg.metrics.scores import score_reports
from llmrg.studies.study import Study
from llmrg.systems.report_generator import ReportGenerator
from llmrg.training.material import TrainingMaterial

__all__ = ["ReportValidation"]

FIGURES = (
    "bleu_1",
    "bleu_4",
    "rouge_l",
    "cider",
    "clinical_micro_precision",
    "clinical_micro_recall",
    "clinical_micro_f1",
    "clinical_macro_f1",
    "side_accuracy",
    "distinct_ratio",
    "mean_length",
)


class ReportValidation:
    """Writes reports for validation studies and scores them against their references.

    Args:
        material: the training's studies.
        studies: the validation studies that are written for.
        decoding: how.
        batch_size: studies at once.
    """

    def __init__(
        self, *, material: TrainingMaterial, studies: Sequence[Study], decoding: DecodingConfig, batch_size: int
    ) -> None:
        self.material = material
        self.studies = studies
        self.decoding = decoding
        self.batch_size = batch_size

    def __call__(self, system: ReportGenerator, *, process: int = 0, processes: int = 1) -> dict[str, float]:
        """Write this process's share of the reports, gather all, score them.

        Args:
            system: the system.
            process: this process's number.
            processes: how many share the work.
        """
        own = list(self.studies)[process::processes]
        written: list[tuple[str, str]] = []
        for batch in write_reports(
            system,
            own,
            self.material.data,
            decoding=self.decoding,
            batch_size=self.batch_size,
            films=self.material.films,
        ):
            written.extend((item.study.id, item.report.text) for item in batch if item.report is not None)
        hypotheses: Mapping[str, str] = dict(gather_object(written) if processes > 1 else written)
        studies = [study for study in self.studies if study.id in hypotheses]
        vocabulary = self.material.vocabulary
        scores = score_reports(
            hypotheses,
            {study.id: study.report(self.material.data.target) for study in studies},
            language=self.material.data.language,
            patients={study.id: study.patient_id for study in studies},
            predicted_findings={
                study_id: positive_findings(system.labeler.label(text), vocabulary)
                for study_id, text in hypotheses.items()
            },
            true_findings={
                study.id: positive_findings(self.material.mentions[study.id], vocabulary) for study in studies
            },
            vocabulary=vocabulary,
            labeler=self.material.labeler_version,
            resamples=0,
        )
        figures: dict[str, Any] = {name: scores.metrics.get(name) for name in FIGURES}
        return {name: float(value) for name, value in figures.items() if value is not None}
