"""What is true of the scored studies: the side file's findings where there is one, else the labelled reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmrg.errors import UserError
from llmrg.findings.labeler import Labeler
from llmrg.findings.mention import Mention
from llmrg.findings.vocabulary import FindingVocabulary
from llmrg.studies.phantoms.truth import TRUTH_FILE, PhantomTruth, find_truth, read_truth
from llmrg.studies.study import Study

__all__ = ["References", "build_references", "locate_truth", "truth_mentions"]


@dataclass(frozen=True)
class References:
    """The scored studies with all that reports are held against, index by index.

    Args:
        studies: studies of the split that have a reference report.
        texts: their full reference reports.
        labelled: what the labeler reads in the references.
        expected: the findings that count: the side file's, or ``labelled`` where there is none.
        truths: the side file's entries, or None where there is none.
    """

    studies: tuple[Study, ...]
    texts: tuple[str, ...]
    labelled: tuple[Mapping[str, Mention], ...]
    expected: tuple[Mapping[str, Mention], ...]
    truths: tuple[PhantomTruth, ...] | None

    @property
    def ids(self) -> list[str]:
        """Study ids, in order."""
        return [study.id for study in self.studies]

    @property
    def patients(self) -> list[str]:
        """The patient of each study."""
        return [study.patient_id for study in self.studies]


def locate_truth(truth: Path | None, root: Path) -> Path | None:
    """Return the dataset folder whose side file counts, or None.

    Args:
        truth: the side file or its dataset folder, as configured.
        root: the dataset's root, looked at where ``truth`` is None.

    Raises:
        UserError: a configured side file does not exist.
    """
    if truth is None:
        return root if find_truth(root) is not None else None
    folder = truth.parents[len(TRUTH_FILE.parts) - 1] if truth.suffix == ".jsonl" else truth
    if find_truth(folder) is None:
        raise UserError("There is no side file of true findings", where=str(folder / TRUTH_FILE))
    return folder


def truth_mentions(truth: PhantomTruth, vocabulary: FindingVocabulary) -> dict[str, Mention]:
    """Name the true findings as the vocabulary does; observations it does not list are left out."""
    names = {finding.observation: finding.name for finding in vocabulary.abnormal}
    return {
        names[finding.observation]: Mention(
            finding=names[finding.observation], polarity="positive", side=finding.side, severity=finding.severity
        )
        for finding in truth.findings
        if finding.observation in names
    }


def build_references(
    studies: Sequence[Study],
    *,
    target: tuple[str, ...],
    labeler: Labeler,
    vocabulary: FindingVocabulary,
    truth_root: Path | None,
) -> References:
    """Gather reference texts and true findings of the studies that have a report.

    Raises:
        UserError: no study has a report, or the side file lacks one of the studies.
    """
    scored = tuple(study for study in studies if study.report(target).strip())
    if not scored:
        raise UserError(
            "No study of this split has a reference report",
            where=f"target sections {', '.join(target)}",
            next_step="check the split and the target sections with `llmrg data check`",
        )
    texts = tuple(study.report(target) for study in scored)
    labelled = tuple(labeler.label(text) for text in texts)
    if truth_root is None:
        return References(scored, texts, labelled, labelled, None)
    truths = read_truth(truth_root)
    absent = [study.id for study in scored if study.id not in truths]
    if absent:
        raise UserError(
            f"The side file of true findings lacks {len(absent)} scored studies ({', '.join(absent[:5])})",
            where=str(truth_root / TRUTH_FILE),
        )
    ordered = tuple(truths[study.id] for study in scored)
    return References(scored, texts, labelled, tuple(truth_mentions(truth, vocabulary) for truth in ordered), ordered)
