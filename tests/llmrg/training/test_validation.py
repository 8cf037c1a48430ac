"""Validation scores what was written against the reports' own findings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from llmrg.config import load_config
from llmrg.language.settings import DecodingConfig
from llmrg.studies.study import Study
from llmrg.systems.report import GeneratedReport
from llmrg.training import validation as validation_module
from llmrg.training.material import read_material
from llmrg.training.settings import TrainConfig
from llmrg.training.validation import FIGURES, ReportValidation


@pytest.fixture(scope="module")
def material(tiny_run: Any) -> Any:
    return read_material(load_config(TrainConfig, tiny_run.config).data)


@pytest.fixture
def validation(material: Any) -> ReportValidation:
    return ReportValidation(
        material=material, studies=material.validation, decoding=DecodingConfig(max_new_tokens=4), batch_size=4
    )


class _Writes:
    """A system that writes what a function says."""

    def __init__(self, real: Any, write: Any) -> None:
        self.labeler, self.settings, self.write = real.labeler, replace(real.settings, tune_vision=False), write

    def parameters(self) -> list[Any]:
        return []

    def generate(self, batch: Any, *_: Any, **__: Any) -> list[GeneratedReport]:
        return [
            GeneratedReport(study_id=s.id, text=self.write(s), log_probabilities=[], finished=True, findings={})
            for s in batch.studies
        ]


def test_the_references_themselves_score_one(validation: ReportValidation, tiny_loaded: Any) -> None:
    figures = validation(_Writes(tiny_loaded.system, Study.report))  # type: ignore[arg-type]
    assert set(figures) <= set(FIGURES)
    for name in ("bleu_1", "bleu_4", "rouge_l", "clinical_micro_f1", "side_accuracy"):
        assert figures[name] == pytest.approx(1.0), name


def test_a_normal_report_for_all_finds_nothing(validation: ReportValidation, tiny_loaded: Any) -> None:
    figures = validation(_Writes(tiny_loaded.system, lambda study: "心肺膈未见异常。"))  # type: ignore[arg-type]
    assert figures["clinical_micro_f1"] == 0.0
    assert figures["distinct_ratio"] == pytest.approx(1 / 6)


def test_processes_share_the_work(
    validation: ReportValidation, tiny_loaded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares: list[list[str]] = []

    def gather(written: list[tuple[str, str]]) -> list[tuple[str, str]]:
        shares.append([study for study, _ in written])
        return [(study.id, study.report()) for study in validation.studies]

    monkeypatch.setattr(validation_module, "gather_object", gather)
    system = _Writes(tiny_loaded.system, Study.report)
    for process in range(4):
        assert validation(system, process=process, processes=4)["bleu_4"] == pytest.approx(1.0)  # type: ignore[arg-type]
    assert sorted(study for share in shares for study in share) == sorted(study.id for study in validation.studies)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
