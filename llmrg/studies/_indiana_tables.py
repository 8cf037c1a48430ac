"""The CSV pair of IU X-ray: ``indiana_reports.csv`` (a report a row) and ``indiana_projections.csv`` (a film a row)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from llmrg.studies._collector import Collector
from llmrg.studies._csv_files import read_csv
from llmrg.studies._paths import ImageFinder
from llmrg.studies._text_files import require_file, text_of
from llmrg.studies.settings import DataConfig, require_target
from llmrg.studies.splits import split_of
from llmrg.studies.study import Context, Study, ViewName
from llmrg.studies.views import normalise_view

REPORTS = "indiana_reports.csv"
PROJECTIONS = "indiana_projections.csv"
SECTIONS = ("findings", "impression", "comparison")


def read_projections(path: Path, collector: Collector) -> dict[str, dict[str, ViewName]]:
    """Return the films of each study number with their views, in the file's order; rows without them are named bad.

    Raises:
        UserError: a broken file, or a missing column.
    """
    table = read_csv(path, required=("uid", "filename", "projection"))
    films: dict[str, dict[str, ViewName]] = {}
    rows = zip(*(table.column(name).to_pylist() for name in ("uid", "filename", "projection")), strict=True)
    for number, (uid, name, projection) in enumerate(rows, start=2):
        if text_of(uid) and text_of(name):
            films.setdefault(text_of(uid), {})[text_of(name)] = normalise_view(projection)
        else:
            collector.reject(f"row {number} of {path.name}", "its uid or filename is empty")
    return films


def read_indiana_tables(
    path: Path, config: DataConfig, collector: Collector, *, root: Path, finder: ImageFinder
) -> None:
    """Read the studies of the CSV pair into ``collector``; patients are split by hash.

    Raises:
        UserError: missing or broken files, missing columns, or a target that the tables do not have.
    """
    require_target(config, SECTIONS)
    films = read_projections(require_file(root / PROJECTIONS, what="table of films", key="root"), collector)
    table = read_csv(path, required=("uid", *config.target))
    seen: set[str] = set()
    for start in range(0, table.num_rows, 1000):
        for number, row in enumerate(table.slice(start, 1000).to_pylist(), start=start + 2):
            uid = text_of(row["uid"])
            if not uid:
                collector.reject(f"row {number} of {path.name}", "its uid is empty")
                continue
            seen.add(uid)
            _read_row(uid, row, config=config, collector=collector, films=films.get(uid, {}), finder=finder)
    for _ in range(len(films.keys() - seen)):
        collector.leave_out("films without a report")


def _read_row(
    uid: str,
    row: Mapping[str, str | None],
    *,
    config: DataConfig,
    collector: Collector,
    films: Mapping[str, ViewName],
    finder: ImageFinder,
) -> None:
    sections = {name: text for name in SECTIONS if (text := text_of(row.get(name)))}
    if not any(name in sections for name in config.target) and not config.keep_without_report:
        collector.leave_out_without_target()
        return
    images = collector.images(uid, list(films), finder=finder, view_of=films.__getitem__)
    if images is None:
        return
    collector.add(
        Study(
            id=uid,
            patient_id=f"CXR{uid}",
            images=images,
            split=split_of(f"CXR{uid}", fractions=config.split_fractions, seed=config.split_seed),
            language=config.language,
            context=Context(indication=text_of(row.get("indication")) or None),
            sections=sections,
        )
    )
