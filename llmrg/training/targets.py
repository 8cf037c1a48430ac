"""What the disease queries learn: findings and sides, read from reports by the labeler."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from llmrg.findings.labeler import Labeler
from llmrg.findings.mention import Mention, Side
from llmrg.findings.vocabulary import FindingVocabulary
from llmrg.studies.study import Study

__all__ = ["finding_targets", "label_studies", "positive_sides"]


def label_studies(studies: Iterable[Study], labeler: Labeler, target: tuple[str, ...]) -> dict[str, dict[str, Mention]]:
    """Label the target sections of every study, by study id."""
    return {study.id: labeler.label(study.report(target)) for study in studies}


def finding_targets(mentions: Mapping[str, Mention], vocabulary: FindingVocabulary) -> dict[str, Tensor]:
    """Turn the mentions of one report into targets.

    Positive and uncertain mentions count as present (a film that calls for a hedge shows something), negative and
    absent ones as not.

    Returns:
        ``present`` [F], ``sides`` [F, 2] (left, right) and ``side_known`` [F] over the vocabulary's abnormal findings.
    """
    findings = vocabulary.abnormal
    present = torch.zeros(len(findings))
    sides = torch.zeros(len(findings), 2)
    known = torch.zeros(len(findings), dtype=torch.bool)
    for row, finding in enumerate(findings):
        mention = mentions.get(finding.name)
        if mention is None or mention.polarity == "negative":
            continue
        present[row] = 1
        if finding.sided and mention.side is not None:
            known[row] = True
            sides[row, 0] = float(mention.side in ("left", "bilateral"))
            sides[row, 1] = float(mention.side in ("right", "bilateral"))
    return {"present": present, "sides": sides, "side_known": known}


def positive_sides(mentions: Mapping[str, Mention], vocabulary: FindingVocabulary) -> dict[str, Side | None]:
    """Positive and hedged findings of a report with their sides."""
    return {
        finding.name: mention.side
        for finding in vocabulary.abnormal
        if (mention := mentions.get(finding.name)) is not None and mention.polarity != "negative"
    }
