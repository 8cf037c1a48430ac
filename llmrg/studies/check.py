"""Whether a dataset is sound, and what it is like (``llmrg data check``)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from llmrg.errors import UserError
from llmrg.studies._check_values import SHOWN, Examples
from llmrg.studies._collector import Collector
from llmrg.studies._film_check import check_films, check_prepared
from llmrg.studies._report_check import check_reports
from llmrg.studies.prepared import PreparedFilms
from llmrg.studies.reading import READERS
from llmrg.studies.settings import DataConfig
from llmrg.studies.splits import overlapping_patients
from llmrg.studies.study_table import StudyTable

__all__ = ["PROBLEMS", "DataCheck", "check_data"]

PROBLEMS = {
    "bad_studies": "studies that cannot be used (missing films, contradicting rows, ...)",
    "broken_films": "films that cannot be decoded",
    "blank_films": "films of a single grey value",
    "patients_across_splits": "patients whose studies stand in several splits",
    "films_across_splits": "films that stand, pixel for pixel, in studies of several splits",
    "prepared_films": "prepared films that are missing, changed or damaged",
}
"""What makes a dataset unsound, by its name in the result."""


@dataclass(frozen=True, kw_only=True)
class DataCheck:
    """What a check found.

    Args:
        problems: name (of :data:`PROBLEMS`) to count, of those that were found.
        details: everything else; plain values that JSON can hold, without any text of a report.
    """

    problems: dict[str, int]
    details: dict[str, Any]

    @property
    def sound(self) -> bool:
        """Whether nothing was found."""
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        """Return the whole result as plain values."""
        return {"sound": self.sound, "problems": self.problems, **self.details}


def check_data(
    config: DataConfig,
    *,
    films: bool = True,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> DataCheck:
    """Read a dataset and look at all of it; nothing is set aside, refused or written.

    Args:
        config: the dataset.
        films: open every film; False looks at the annotation alone (and whether the films exist).
        workers: processes that open films; as many as there are cores by default.
        progress: called with (films done, films in all).

    Raises:
        UserError: the dataset cannot be read at all, or has no study.
    """
    table = _read(config)
    pairs = overlapping_patients(zip(table.patient_ids, table.split_names, strict=True))
    leaks = {
        f"{a}/{b}": {"count": len(patients), "examples": list(patients[:SHOWN])} for (a, b), patients in pairs.items()
    }
    bad = Examples()
    for error in table.bad:
        bad.add({"study": error.study_id, "reason": error.reason})
    details: dict[str, Any] = {
        "studies": len(table),
        "splits": dict(table.splits),
        "patients": _patients(table),
        "set_aside": dict(table.set_aside),
        "bad_studies": bad.result(),
        "patients_across_splits": leaks,
        **_views(table),
        "reports": check_reports(table, config),
    }
    counts = {
        "bad_studies": bad.count,
        "patients_across_splits": len({patient for patients in pairs.values() for patient in patients}),
    }
    if films:
        found = check_films(table, workers=workers, progress=progress)
        details["film_check"] = found
        across = found["identical"]["across"].values()
        counts |= {
            "broken_films": found["broken"]["count"],
            "blank_films": found["blank"]["count"],
            "films_across_splits": sum(pair["count"] for pair in across),
        }
    if config.prepared is not None:
        # Opened anew: every film is compared with its hash once more.
        prepared = PreparedFilms(config.prepared, root=config.root, size=config.image_size, fit=config.fit)
        details["prepared"] = check_prepared(table, prepared)
        counts["prepared_films"] = details["prepared"]["wrong"]["count"]
    return DataCheck(problems={name: counts[name] for name in PROBLEMS if counts.get(name)}, details=details)


def _read(config: DataConfig) -> StudyTable:
    """Read the studies whatever is wrong with them: what ``read_studies`` refuses is told of by this command."""
    collector = Collector(replace(config, max_bad_fraction=1.0))
    READERS[config.format](collector.config, collector)
    if not len(collector.builder):
        first = f", first: study {collector.bad[0][0]!r}: {collector.bad[0][1]}" if collector.bad else ""
        left = "".join(f", {count} with {reason}" for reason, count in collector.set_aside.items())
        raise UserError(
            f"The dataset has no study that can be used ({len(collector.bad)} bad{first}{left})", where=str(config.root)
        )
    return collector.builder.finish(bad=collector.bad, set_aside=collector.set_aside)


def _patients(table: StudyTable) -> dict[str, int]:
    patients: dict[str, set[str]] = {}
    for patient, split in zip(table.patient_ids, table.split_names, strict=True):
        patients.setdefault(split, set()).add(patient)
    return {split: len(found) for split, found in patients.items()}


def _views(table: StudyTable) -> dict[str, Any]:
    """Count films by view, and studies by number of films, in each split."""
    views: dict[str, dict[str, int]] = {}
    films: dict[str, dict[str, int]] = {}
    for study in table:
        own = views.setdefault(study.split, {"frontal": 0, "lateral": 0, "unknown": 0})
        for image in study.images:
            own[image.view] += 1
        numbers = films.setdefault(study.split, {})
        key = str(len(study.images))
        numbers[key] = numbers.get(key, 0) + 1
    ordered = {split: dict(sorted(numbers.items(), key=lambda item: int(item[0]))) for split, numbers in films.items()}
    return {"views": views, "films_per_study": ordered}
