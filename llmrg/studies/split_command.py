"""What ``llmrg data split`` does: a dataset's studies to a split file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from llmrg.errors import UserError
from llmrg.findings.labeler import get_labeler
from llmrg.findings.targets import positive_findings
from llmrg.findings.vocabulary import get_vocabulary
from llmrg.studies.reading import read_studies
from llmrg.studies.settings import DataConfig
from llmrg.studies.split_file import split_text, write_split_file
from llmrg.studies.stratified_split import LabelledStudy, label_shares, stratify
from llmrg.studies.study_table import StudyTable

__all__ = ["NO_FINDING", "SplitResult", "labelled_studies", "split_dataset"]

NO_FINDING = "(no finding)"


@dataclass(frozen=True, kw_only=True)
class SplitResult:
    """What a split came to.

    Args:
        path: the split file.
        studies: number of studies by split.
        patients: number of patients by split.
        shares: for each finding, the share of the studies of each split whose report states it.
        labeler: what read the findings.
    """

    path: str
    studies: Mapping[str, int]
    patients: Mapping[str, int]
    shares: Mapping[str, Mapping[str, float]]
    labeler: str


def split_dataset(
    config: DataConfig,
    out: Path,
    *,
    fractions: tuple[float, float, float] = (0.7, 0.1, 0.2),
    seed: int = 0,
    overwrite: bool = False,
) -> SplitResult:
    """Split the patients of a dataset, stratified by the findings that their reports state.

    The splits that the dataset ships are not looked at.

    Args:
        config: the dataset.
        out: split file to write: ``.csv`` or ``.json``.
        fractions: shares of train, val and test.
        seed: another seed gives another split.
        overwrite: replace a file that holds another split.

    Raises:
        UserError: another kind of file, a file of another content, or what reading and splitting refuse.
    """
    kind = out.suffix.lower().removeprefix(".")
    if kind not in ("csv", "json"):
        raise UserError("A split file is CSV or JSON", where=str(out), allowed=(".csv", ".json"), got=out.suffix)
    table = read_studies(replace(config, single_split="all", split_file=None, comparison_split=None))
    studies, labeler = labelled_studies(table, config)
    splits = stratify(studies, fractions=fractions, seed=seed)
    rows = sorted((study.id, study.patient_id, splits[study.patient_id]) for study in studies)
    facts = {"fractions": list(fractions), "seed": seed, "labeler": labeler, "vocabulary": config.vocabulary}
    write_split_file(out, split_text(rows, kind=kind, facts=facts), replace=overwrite)
    sizes, shares = label_shares(studies, splits)
    patients = {name: sum(split == name for split in splits.values()) for name in sizes}
    return SplitResult(path=str(out), studies=sizes, patients=patients, shares=shares, labeler=labeler)


def labelled_studies(table: StudyTable, config: DataConfig) -> tuple[list[LabelledStudy], str]:
    """Return the studies with the findings that their target reports state, and the labelers that read them."""
    vocabulary = get_vocabulary(config.vocabulary)
    versions: set[str] = set()
    studies = []
    for study in table:
        labeler = get_labeler(vocabulary, study.language)
        versions.add(labeler.version)
        found = frozenset(positive_findings(labeler.label(study.report(config.target)), vocabulary))
        studies.append(LabelledStudy(id=study.id, patient_id=study.patient_id, labels=found or frozenset({NO_FINDING})))
    return studies, ", ".join(sorted(versions))
