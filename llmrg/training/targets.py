"""What the disease queries learn: findings and sides, read from reports by the labeler, as tensors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from llmrg.findings.labeler import get_labeler
from llmrg.findings.mention import Mention
from llmrg.findings.targets import targets
from llmrg.findings.vocabulary import FindingVocabulary
from llmrg.studies.study import Study

__all__ = ["finding_targets", "label_studies"]


def label_studies(
    studies: Iterable[Study], vocabulary: FindingVocabulary, target: tuple[str, ...]
) -> dict[str, dict[str, Mention]]:
    """Label the target sections of every study in the study's own language, by study id."""
    return {study.id: get_labeler(vocabulary, study.language).label(study.report(target)) for study in studies}


def finding_targets(mentions: Mapping[str, Mention], vocabulary: FindingVocabulary) -> dict[str, Tensor]:
    """Turn the mentions of one report into targets over the vocabulary's abnormal findings.

    Returns:
        ``present`` [F] in {0, 1}; ``observed`` [F] bool, False where the report hedges (no label is learnt there);
        ``sides`` [F, 2] (left, right); ``side_known`` [F] bool. See :func:`llmrg.findings.targets.targets`.
    """
    rows = [row for row, finding in enumerate(vocabulary) if not finding.normal]
    read = targets(mentions, vocabulary)
    return {
        "present": torch.tensor(read.present, dtype=torch.float32)[rows],
        "observed": torch.tensor(read.observed, dtype=torch.bool)[rows],
        "sides": torch.tensor([read.left, read.right], dtype=torch.float32).T[rows],
        "side_known": torch.tensor(read.side_observed, dtype=torch.bool)[rows]
        & torch.tensor([vocabulary.findings[row].sided for row in rows]),
    }
