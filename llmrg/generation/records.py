"""The line that a generated report becomes, with its evidence."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llmrg.artefacts import text_hash
from llmrg.generation.maps import encode_maps
from llmrg.generation.pictures import save_attention_pictures
from llmrg.generation.writing import Written
from llmrg.systems.report import GeneratedReport

__all__ = ["confidence", "prediction_record"]


def confidence(report: GeneratedReport) -> float:
    """Mean probability of the chosen tokens (0 for an empty report)."""
    scores = report.log_probabilities
    return sum(math.exp(score) for score in scores) / len(scores) if scores else 0.0


def prediction_record(
    written: Written,
    *,
    language: str,
    evidence: Path | None = None,
    relative_to: Path | None = None,
    maps: bool = False,
    without: Sequence[str] = (),
) -> dict[str, Any]:
    """Make the JSON object of one study.

    Args:
        written: a study with its report.
        language: of the report.
        evidence: folder for pictures; without it records name none.
        relative_to: folder that picture paths are relative to.
        maps: write where every disease query looked into its record (``maps``), so that it can be scored.
        without: evidence sources that the decoder did not hear.

    Raises:
        ValueError: the study has no report.
    """
    report = written.report
    if report is None:
        raise ValueError(f"study {written.study.id!r} has no report")
    records = [dict(record) for record in report.records]
    if evidence is not None:
        _add_pictures(records, written, report, evidence, relative_to or evidence)
    if maps:
        _add_maps(records, written, report)
    return {
        "id": written.study.id,
        "patient_id": written.study.patient_id,
        "language": language,
        "report": report.text,
        "findings": {
            name: {"polarity": mention.polarity, "side": mention.side, "severity": mention.severity}
            for name, mention in report.findings.items()
        },
        "confidence": round(confidence(report), 4),
        "finished": report.finished,
        "evidence": records,
        **({"without": list(without)} if without else {}),
    }


def _add_maps(records: list[dict[str, Any]], written: Written, report: GeneratedReport) -> None:
    attention = report.maps.get("attention")
    for record in records:
        if record["kind"] == "disease_queries" and attention is not None:
            # Other studies of the batch may have had more films.
            record["maps"] = encode_maps(attention[:, : len(written.films)].numpy(), offset=written.offset)


def _add_pictures(
    records: list[dict[str, Any]], written: Written, report: GeneratedReport, evidence: Path, relative_to: Path
) -> None:
    """Draw where the queries of the present findings looked, and name the pictures in the records."""
    attention = report.maps.get("attention")
    for record in records:
        if record["kind"] != "disease_queries" or attention is None:
            continue
        items = [dict(item) for item in record["items"]]
        chosen = [(row, str(item["finding"])) for row, item in enumerate(items) if item["probability"] >= 0.5]
        folder = evidence / _folder_name(written.study.id)
        names = save_attention_pictures(
            folder, films=written.films, attention=attention, chosen=chosen, offset=written.offset
        )
        for item in items:
            if item["finding"] in names:
                path = folder / names[str(item["finding"])]
                item["picture"] = Path(os.path.relpath(path, relative_to)).as_posix()
        record["items"] = items


def _folder_name(study_id: str) -> str:
    """A name for one study's folder that is safe on any disk; an id that had to be changed gets a hash of it."""
    name = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in study_id)[:80]
    return name if name == study_id else f"{name}-{text_hash([study_id])[:8]}"
