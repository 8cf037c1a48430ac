from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from llmrg.evidence.base import Evidence
from llmrg.evidence.diagnosis_hints import DiagnosisHints, predicted_findings
from llmrg.evidence.settings import DiagnosisHintsConfig, EvidenceConfig
from llmrg.findings.vocabulary import get_vocabulary

VOCABULARY = get_vocabulary("ped_xray")
NAMES = [finding.name for finding in VOCABULARY.abnormal]


def rows(**stated: tuple[float, float, float]) -> list[list[float]]:
    return [list(stated.get(name, (0.1, 0.9, 0.9))) for name in NAMES]


@pytest.mark.parametrize(
    ("left", "right", "side"), [(0.9, 0.1, "left"), (0.2, 0.6, "right"), (0.8, 0.7, "bilateral"), (0.3, 0.2, "left")]
)
def test_the_likelier_side_or_both(left: float, right: float, side: str) -> None:
    found = predicted_findings(rows(pleural_effusion=(0.7, left, right)), VOCABULARY, threshold=0.5)
    assert found == {"pleural_effusion": side}


def test_threshold_is_inclusive_and_unsided_findings_have_no_side() -> None:
    values = rows(cardiomegaly=(0.5, 0.9, 0.0), nodule=(0.499, 0.9, 0.0))
    assert predicted_findings(values, VOCABULARY, threshold=0.5) == {"cardiomegaly": None}
    assert predicted_findings(values, VOCABULARY, threshold=0.4) == {"cardiomegaly": None, "nodule": "left"}


def test_words_and_records_of_a_batch() -> None:
    probabilities = torch.tensor([rows(pleural_effusion=(0.9, 0.1, 0.9)), rows()])
    earlier = {"disease_queries": Evidence(kind="disease_queries", state={"probabilities": probabilities})}
    source = DiagnosisHints(vocabulary=VOCABULARY, language="zh")
    anything: Any = SimpleNamespace()
    found = source(anything, anything, anything, earlier, with_records=True)
    assert found.words == ["右侧胸腔积液", "未见异常"]
    assert found.embeddings is None
    assert [record["items"] for record in found.records] == [[{"words": "右侧胸腔积液"}], [{"words": "未见异常"}]]


def test_without_a_language_every_study_hears_its_own() -> None:
    probabilities = torch.tensor([rows(pleural_effusion=(0.9, 0.1, 0.9))] * 2 + [rows()])
    earlier = {"disease_queries": Evidence(kind="disease_queries", state={"probabilities": probabilities})}
    studies = [SimpleNamespace(language=language) for language in ("en", "zh", "en")]
    anything: Any = SimpleNamespace(studies=studies)
    found = DiagnosisHints(vocabulary=VOCABULARY)(anything, anything, anything, earlier)
    assert found.words == ["right pleural effusion", "右侧胸腔积液", "no abnormality"]


def test_settings() -> None:
    with pytest.raises(ValueError, match="threshold"):
        DiagnosisHintsConfig(threshold=1.0)
    with pytest.raises(ValueError, match="disease_queries"):
        EvidenceConfig(sources=("diagnosis_hints", "disease_queries"))
