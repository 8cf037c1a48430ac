"""Validation by generated reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from accelerate.utils import gather_object

from llmrg.findings.labeler import get_labeler
from llmrg.findings.targets import positive_findings
from llmrg.generation.writing import write_reports
from llmrg.language.divided import is_divided
from llmrg.language.settings import DecodingConfig
from llmrg.metrics.pooling import pooled_figures
from llmrg.metrics.scores import Scores, score_reports
from llmrg.metrics.variety import distinct_ratio
from llmrg.studies.study import Language, Study
from llmrg.systems.report_generator import ReportGenerator
from llmrg.training.hint_fit import calibrate_hints
from llmrg.training.material import TrainingMaterial
from llmrg.training.settings import COMBINED_METRICS

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
    *COMBINED_METRICS,
)


class ReportValidation:
    """Writes reports for validation studies and scores them against their references.

    Where trunk and disease queries learn, calibrated hints are fitted to them anew before the writing; the checkpoint
    of this evaluation holds that fit.

    Of a mixture the figures count all studies together (:func:`llmrg.metrics.pooling.pooled_figures`); the figures of
    each member stand beside them as ``MEMBER/FIGURE``.

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
        if system.settings.tune_vision:  # what the hints rest on has changed since they were calibrated
            calibrate_hints(system, self.material, batch_size=self.batch_size)
        together = processes > 1 and is_divided(system)
        own = list(self.studies)[process::processes]
        if together:  # every process runs the network equally often: short shares are filled up
            share = -(-len(self.studies) // processes)
            own += list(self.studies)[: share - len(own)]
        written: list[tuple[str, str]] = []
        for batch in write_reports(
            system,
            own,
            self.material.data,
            decoding=self.decoding,
            batch_size=self.batch_size,
            films=self.material.films,
            together=together,
        ):
            written.extend((item.study.id, item.report.text) for item in batch if item.report is not None)
        found = dict(gather_object(written) if processes > 1 else written)
        hypotheses = {study.id: found[study.id] for study in self.studies if study.id in found}
        sets: dict[tuple[str, Language], list[Study]] = {}
        for study in self.studies:
            if study.id in hypotheses:
                sets.setdefault((study.dataset or "", study.language), []).append(study)
        parts = {key: self._score(studies, hypotheses, key[1]) for key, studies in sets.items()}
        figures = self._figures(list(parts.values()), hypotheses)
        members = dict.fromkeys(name for name, _ in parts if name)
        for name in members:
            parts_of = [scores for (owner, _), scores in parts.items() if owner == name]
            figures |= {f"{name}/{key}": value for key, value in self._figures(parts_of, hypotheses).items()}
        return figures

    def _figures(self, parts: Sequence[Scores], hypotheses: Mapping[str, str]) -> dict[str, float]:
        """The figures of one set, or of several together."""
        if len(parts) == 1:
            found = dict(parts[0].metrics)
        else:
            found = dict(pooled_figures(parts, self.material.vocabulary))
            found["distinct_ratio"] = distinct_ratio([hypotheses[id_] for part in parts for id_ in part.ids])
        figures = {name: float(found[name]) for name in FIGURES if found.get(name) is not None}
        for name, weights in COMBINED_METRICS.items():
            if weights.keys() <= figures.keys():
                figures[name] = sum(weight * figures[part] for part, weight in weights.items())
        return figures

    def _score(self, studies: Sequence[Study], hypotheses: Mapping[str, str], language: Language) -> Scores:
        vocabulary = self.material.vocabulary
        labeler = get_labeler(vocabulary, language)
        return score_reports(
            {study.id: hypotheses[study.id] for study in studies},
            {study.id: study.report(self.material.data.target) for study in studies},
            language=language,
            patients={study.id: study.patient_id for study in studies},
            predicted_findings={
                study.id: positive_findings(labeler.label(hypotheses[study.id]), vocabulary) for study in studies
            },
            true_findings={
                study.id: positive_findings(self.material.mentions[study.id], vocabulary) for study in studies
            },
            vocabulary=vocabulary,
            labeler=labeler.version,
            resamples=0,
        )
