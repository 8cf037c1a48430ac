"""What ``llmrg data reports`` does: the reports of a split as JSON Lines, to be scored against, labelled or read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from llmrg.artefacts import write_text
from llmrg.errors import UserError
from llmrg.studies.reading import read_studies
from llmrg.studies.settings import DataConfig

__all__ = ["ReportFile", "write_report_file"]


@dataclass(frozen=True, kw_only=True)
class ReportFile:
    """What was written.

    Args:
        path: the file.
        studies: reports in it.
        patients: whose they are.
        empty: studies without a report, which are left out.
    """

    path: str
    studies: int
    patients: int
    empty: int


def write_report_file(config: DataConfig, split: str, out: Path) -> ReportFile:
    """Write id, patient, language and report of every study of a split that has a report, one JSON object a line.

    Args:
        config: the dataset; its target sections are the report.
        split: which split.
        out: file to write.

    Raises:
        UserError: no study of the split has a report.
    """
    studies = read_studies(config).split(split)
    lines, patients = [], set()
    for study in studies:
        report = study.report(config.target)
        if report.strip():
            patients.add(study.patient_id)
            values = {"id": study.id, "patient_id": study.patient_id, "language": study.language, "report": report}
            lines.append(json.dumps(values, ensure_ascii=False) + "\n")
    if not lines:
        raise UserError(
            f"No study of the split {split!r} has a report",
            where=f"target sections {', '.join(config.target)}",
            next_step="look at the dataset with `llmrg data check`",
        )
    write_text(out, "".join(lines))
    return ReportFile(path=str(out), studies=len(lines), patients=len(patients), empty=len(studies) - len(lines))
