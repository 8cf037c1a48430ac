"""Diagnosis hints: what the disease queries found, said to the decoder in words (PromptMRG's diagnosis prompts)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import nn

from llmrg.evidence.base import Evidence
from llmrg.evidence.hint_calibration import HintCalibration
from llmrg.evidence.predicted_side import predicted_side
from llmrg.evidence.settings import DiagnosisHintsConfig
from llmrg.findings.mention import Side
from llmrg.findings.vocabulary import FindingVocabulary
from llmrg.findings.words import finding_words
from llmrg.language.token_space import TokenSpace
from llmrg.studies.batches import StudyBatch
from llmrg.vision.features import VisualFeatures

__all__ = ["DiagnosisHints", "predicted_findings"]


def predicted_findings(
    probabilities: list[list[float]], vocabulary: FindingVocabulary, *, threshold: float
) -> dict[str, Side | None]:
    """Read one study's findings off the disease queries.

    Args:
        probabilities: [F][3]: present, on the left, on the right.
        vocabulary: its abnormal findings are the F rows.
        threshold: probability from which a finding counts as present.

    Returns:
        Side by finding name, see :func:`llmrg.evidence.predicted_side.predicted_side`.
    """
    found: dict[str, Side | None] = {}
    for finding, (present, left, right) in zip(vocabulary.abnormal, probabilities, strict=True):
        if present >= threshold:
            found[finding.name] = predicted_side(finding, left, right)
    return found


class DiagnosisHints(nn.Module):
    """Evidence in words: the findings that the disease queries hold for present, with their sides.

    Args:
        vocabulary: the findings.
        language: of the words; None says them in each study's own language.
        config: thresholds, and whether probabilities are calibrated; None takes the defaults.
    """

    kind = "diagnosis_hints"

    def __init__(
        self,
        *,
        vocabulary: FindingVocabulary,
        language: Literal["zh", "en"] | None = None,
        config: DiagnosisHintsConfig | None = None,
    ) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.language = language
        self.config = config if config is not None else DiagnosisHintsConfig()
        self.calibration: HintCalibration | None = None
        if self.config.calibrate:
            self.calibration = HintCalibration(findings=len(vocabulary.abnormal), threshold=self.config.threshold)

    @property
    def threshold(self) -> float:
        """Probability from which a finding is named."""
        if self.calibration is not None:
            return float(self.calibration.named_from)
        return 0.5 if self.config.threshold is None else self.config.threshold

    def forward(
        self,
        features: VisualFeatures,
        batch: StudyBatch,
        space: TokenSpace,
        earlier: Mapping[str, Evidence],
        *,
        with_records: bool = False,
    ) -> Evidence:
        """Give one line of words a study."""
        probabilities = earlier["disease_queries"].state["probabilities"].detach()
        if self.calibration is not None:
            present = self.calibration(probabilities[..., 0])
            probabilities = torch.cat([present.unsqueeze(-1), probabilities[..., 1:].to(present.dtype)], dim=-1)
        rows, threshold = probabilities.tolist(), self.threshold
        languages = (
            [study.language for study in batch.studies] if self.language is None else [self.language] * len(rows)
        )
        found = [predicted_findings(row, self.vocabulary, threshold=threshold) for row in rows]
        likely = [self._likely(row) for row in rows]
        words = [
            finding_words(findings, self.vocabulary, language, likely=unsure)
            for findings, unsure, language in zip(found, likely, languages, strict=True)
        ]
        records = [{"kind": self.kind, "items": [{"words": text}]} for text in words] if with_records else []
        return Evidence(kind=self.kind, words=words, records=records)

    def _likely(self, row: list[list[float]]) -> frozenset[str]:
        """Findings whose probability does not reach what counts as sure."""
        sure = self.config.sure
        if sure is None:
            return frozenset()
        return frozenset(
            finding.name for finding, (present, *_) in zip(self.vocabulary.abnormal, row, strict=True) if present < sure
        )
