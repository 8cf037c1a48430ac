"""What the disease queries learn: findings and sides, read from reports by the labeler, as tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from llmrg.findings.labeler import get_labeler
from llmrg.findings.mention import Mention
from llmrg.findings.targets import targets
from llmrg.findings.vocabulary import FindingVocabulary
from llmrg.studies.study import Study
from llmrg.studies.study_table import HashedColumn, study_column

__all__ = ["FindingTargets", "LabelledReports", "finding_targets"]


class LabelledReports(Mapping[str, Mapping[str, Mention]]):
    """What reports state, by study id; read from the report when it is asked for, so that millions take no memory.

    Args:
        studies: the studies of each split; ids are unique among all of them.
        vocabulary: the findings.
        target: report sections that are read, in the study's own language.
        kept: results of so many studies are remembered.
    """

    def __init__(
        self,
        studies: Sequence[Sequence[Study]],
        vocabulary: FindingVocabulary,
        target: tuple[str, ...],
        *,
        kept: int = 8192,
    ) -> None:
        self._studies = [(part, HashedColumn(study_column(part, "id"))) for part in studies]
        self._vocabulary = vocabulary
        self._target = target
        self._kept: dict[str, Mapping[str, Mention]] = {}
        self._most = kept

    def __getitem__(self, study_id: str) -> Mapping[str, Mention]:
        found = self._kept.pop(study_id, None)
        if found is None:
            study = self._find(study_id)
            found = get_labeler(self._vocabulary, study.language).label(study.report(self._target))
            if len(self._kept) >= self._most:
                del self._kept[next(iter(self._kept))]
        self._kept[study_id] = found
        return found

    def __iter__(self) -> Iterator[str]:
        return (study_id for part, _ in self._studies for study_id in study_column(part, "id"))

    def __len__(self) -> int:
        return sum(len(part) for part, _ in self._studies)

    def _find(self, study_id: str) -> Study:
        for part, ids in self._studies:
            for row in ids.rows(study_id):
                if part[row].id == study_id:
                    return part[row]
        raise KeyError(study_id)


class FindingTargets(Mapping[str, Mapping[str, Tensor]]):
    """:func:`finding_targets` of each study, by its id; made when asked for.

    Args:
        mentions: what each report states.
        vocabulary: the findings.
    """

    def __init__(self, mentions: Mapping[str, Mapping[str, Mention]], vocabulary: FindingVocabulary) -> None:
        self._mentions = mentions
        self._vocabulary = vocabulary

    def __getitem__(self, study_id: str) -> dict[str, Tensor]:
        return finding_targets(self._mentions[study_id], self._vocabulary)

    def __iter__(self) -> Iterator[str]:
        return iter(self._mentions)

    def __len__(self) -> int:
        return len(self._mentions)


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
