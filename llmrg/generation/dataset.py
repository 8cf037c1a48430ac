"""Reports for a split of a dataset, as JSON Lines that a stopped command continues."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmrg.artefacts import file_hash, text_hash, write_text
from llmrg.config import to_mapping
from llmrg.errors import TooManyBadStudiesError, UserError
from llmrg.generation.records import prediction_record
from llmrg.generation.writing import write_reports
from llmrg.language.context import render_context
from llmrg.language.settings import DecodingConfig
from llmrg.studies.mixture import Data
from llmrg.studies.reading import read_studies
from llmrg.systems.run import Run, open_run

__all__ = ["DatasetReports", "generate_dataset"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DatasetReports:
    """What :func:`generate_dataset` did.

    Args:
        path: the predictions.
        written: studies with a report.
        continued: of those, how many an earlier, stopped command had written.
        bad: study id and reason of those set aside.
    """

    path: Path
    written: int
    continued: int
    bad: tuple[tuple[str, str], ...]


def generate_dataset(
    run: Run | str | Path,
    data: Data | None,
    split: str,
    out: Path,
    *,
    evidence: Path | None = None,
    decoding: DecodingConfig | None = None,
    batch_size: int = 32,
    instruction: str | None = None,
    limit: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    maps: bool = False,
    without: Collection[str] = (),
) -> DatasetReports:
    """Write a report for every study of a split.

    Reports are appended to ``OUT.partial`` as they come; a stopped command goes on there if run, data and settings are
    the same. When all are written, they are put in the order of the dataset into ``out``, whole or not at all.

    Args:
        run: a run or its directory.
        data: the dataset; None takes the run's own.
        split: which split.
        out: JSON Lines file.
        evidence: folder for pictures; without it records hold no pictures.
        decoding: None takes the run's own.
        batch_size: studies at once.
        instruction: replaces the prompt's instruction.
        limit: only the first so many studies.
        progress: called with (done, in all).
        maps: write where every disease query looked into the records (some kilobytes a study).
        without: evidence sources that the decoder does not hear.

    Raises:
        UserError: the data do not fit the run, ``without`` names a source it lacks, or too many studies are bad.
    """
    run = run if isinstance(run, Run) else open_run(run)
    data = _fitting(run, data)
    decoding = decoding or run.config.decoding
    removed = run.system.removable(without)
    studies = list(read_studies(data).split(split))[:limit]
    settings: dict[str, Any] = {
        "weights": run.manifest.details.get("weights_hash"),
        "artefacts": run.manifest.details.get("artefacts"),
        "decoding": to_mapping(decoding),
        "instruction": instruction,
        "evidence": None if evidence is None else Path(os.path.relpath(evidence, out.parent)).as_posix(),
        "fit": data.fit,
        "studies": text_hash(
            part for study in studies for part in (study.id, render_context(study.context, study.language))
        ),
        "films": text_hash(
            f"{image.path}:{image.view}:{image.path.stat().st_mtime_ns}" for study in studies for image in study.images
        ),
    }
    # Only where they are asked for, so that files from before these settings existed are continued and kept.
    settings |= {"maps": True} if maps else {}
    settings |= {"without": list(removed)} if removed else {}
    finished = _finished(out, settings)
    if finished is not None:
        logger.info("%s is complete for this run and these settings", out)
        return finished
    partial = out.with_name(out.name + ".partial")
    done = _continue(partial, settings)
    continued = len(done)
    open_studies = [study for study in studies if study.id not in done]
    bad: list[tuple[str, str]] = []
    if progress is not None:
        progress(len(done), len(studies))
    with partial.open("a", encoding="utf-8") as file:
        for batch in write_reports(
            run.system,
            open_studies,
            data,
            decoding=decoding,
            batch_size=batch_size,
            instruction=instruction,
            with_records=True,
            without=removed,
        ):
            for written in batch:
                if written.error is not None:
                    bad.append((written.study.id, written.error.reason))
                    continue
                record = prediction_record(
                    written,
                    language=written.study.language,
                    evidence=evidence,
                    relative_to=out.parent,
                    maps=maps,
                    without=removed,
                )
                done[written.study.id] = record
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
            if len(bad) > data.tolerated_bad(len(studies)):
                raise TooManyBadStudiesError(
                    f"{len(bad)} of {len(studies)} studies cannot be read: "
                    + "; ".join(f"{study_id}: {reason}" for study_id, reason in bad[:5]),
                    where=data.place,
                )
            if progress is not None:
                progress(len(done) + len(bad), len(studies))
    if studies and not done:
        raise TooManyBadStudiesError("None of the studies can be read", where=data.place)
    ordered = [done[study.id] for study in studies if study.id in done]
    write_text(out, "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in ordered))
    write_text(
        out.with_name(out.name + ".info.json"),
        json.dumps({"settings": settings, "predictions_hash": file_hash(out), "bad": bad}, indent=1) + "\n",
    )
    partial.unlink(missing_ok=True)
    return DatasetReports(path=out, written=len(ordered), continued=continued, bad=tuple(bad))


def _fitting(run: Run, data: Data | None) -> Data:
    if data is None:
        return run.config.data
    trained = run.config.data
    known = " and ".join(trained.languages)
    for language in data.languages:
        if language not in trained.languages:
            raise UserError(
                f"The run was trained with data.language={known}, but the data have {language}",
                where=str(run.directory),
                next_step=f"set language={trained.languages[0]}",
            )
    for name in ("vocabulary", "image_size"):
        if getattr(data, name) != getattr(trained, name):
            raise UserError(
                f"The run was trained with data.{name}={getattr(trained, name)}, but the data have "
                f"{getattr(data, name)}",
                where=str(run.directory),
                next_step=f"set {name}={getattr(trained, name)}",
            )
    return data


def _finished(out: Path, settings: dict[str, Any]) -> DatasetReports | None:
    """What an earlier command did, if it finished with these settings and its file is as it left it."""
    info = out.with_name(out.name + ".info.json")
    if not out.is_file() or not info.is_file():
        return None
    try:
        found = json.loads(info.read_text(encoding="utf-8"))
        bad = tuple((str(study_id), str(reason)) for study_id, reason in found["bad"])
        same = found["settings"] == settings and found["predictions_hash"] == file_hash(out)
    except (ValueError, KeyError, TypeError):
        return None
    if not same:
        return None
    count = out.read_bytes().count(b"\n")
    return DatasetReports(path=out, written=count, continued=count, bad=bad)


def _continue(partial: Path, settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Read what a stopped command left, if its settings are the same; start the file anew otherwise."""
    header = json.dumps(settings, sort_keys=True)
    found: dict[str, dict[str, Any]] = {}
    if partial.is_file():
        # Not splitlines: reports may hold U+2028 and its kin, which JSON leaves as they are.
        lines = partial.read_bytes().decode("utf-8", errors="replace").split("\n")
        if lines[0] == header:
            for line in lines[1:-1]:  # what follows the last line break was being written when the command was stopped
                try:
                    record = json.loads(line)
                    found[str(record["id"])] = record
                except (ValueError, KeyError, TypeError):
                    logger.warning("%s has a damaged line, which is left out", partial)
    rows = [header, *(json.dumps(record, ensure_ascii=False) for record in found.values())]
    write_text(partial, "".join(row + "\n" for row in rows))
    return found
