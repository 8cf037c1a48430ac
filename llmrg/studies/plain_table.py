"""Reader of a plain table: a CSV file with a film a row, its columns named by the configuration."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from llmrg.errors import UserError
from llmrg.studies._arrow_file import ArrowRows
from llmrg.studies._collector import Collector
from llmrg.studies._csv_files import read_csv_rows, require_columns
from llmrg.studies._grouping import rows_by_key
from llmrg.studies._paths import ImageFinder, dataset_root, image_roots
from llmrg.studies._patient_facts import parse_age, parse_sex
from llmrg.studies._text_files import require_file, text_of
from llmrg.studies.settings import DataConfig, TableColumns
from llmrg.studies.splits import split_of
from llmrg.studies.study import Context, Study, ViewName
from llmrg.studies.views import normalise_view, view_of_file

__all__ = ["CSV_NAME", "IMAGE_SEPARATOR", "read_plain_table"]

logger = logging.getLogger(__name__)

CSV_NAME = "metadata.csv"
IMAGE_SEPARATOR = "|"

Row = Mapping[str, str | None]
_AT_ONCE = 512
"""Studies whose rows are Python objects at once."""
_ALWAYS = ("image", "patient_id")
_FIELDS = ("study_id", "split", "view", "language", "age", "sex", "indication", "history", "prior")


def read_plain_table(config: DataConfig, collector: Collector) -> None:
    """Read the studies of a table into ``collector``.

    Raises:
        UserError: missing or broken file, or a column that the configuration names and the file lacks.
    """
    root = dataset_root(config.root)
    path = require_file(root / (config.annotation or CSV_NAME), what="table", key="annotation")
    table, schema = read_csv_rows(path)
    names = _columns(config, schema.names, where=str(path))
    sections = _sections(config, schema.names, where=str(path))
    finder = ImageFinder(image_roots(root, config.image_roots, usual=("images",)))
    for study_id, rows in _grouped(table, config, names, path=path, collector=collector):
        _read_study(study_id, rows, config=config, names=names, sections=sections, collector=collector, finder=finder)


def _columns(config: DataConfig, present: Sequence[str], *, where: str) -> dict[str, str]:
    """Return field to column for the columns that are there; refuse the lack of a needed one."""
    wanted = {name: getattr(config.columns, name) for name in (*_ALWAYS, *_FIELDS)}
    usual = TableColumns()
    needed = [
        column
        for name, column in wanted.items()
        if column is not None and (name in _ALWAYS or column != getattr(usual, name))
    ]
    require_columns(present, needed, where=where)
    names = {name: column for name, column in wanted.items() if column is not None and column in present}
    near = _misspelt(wanted["split"], [column for column in present if column not in names.values()])
    if "split" not in names and near:
        raise UserError(
            f"The table has no column 'split', but {near!r}: patients would be split by hash",
            where=where,
            next_step=f"set columns.split to {near}, or to null to have patients split by hash",
        )
    if (
        "split" not in names
        and wanted["split"] is not None
        and config.single_split is None
        and config.split_file is None
    ):
        logger.warning("%s has no column %r: patients are split by hash", Path(where).name, wanted["split"])
    if config.group_by not in names:
        raise UserError(
            f"Rows are grouped by {config.group_by}, but the table has no such column",
            where=where,
            allowed=present,
            got=config.group_by,
            next_step=f"set columns.{config.group_by}, or group_by to image or patient_id",
        )
    return names


def _misspelt(column: str | None, others: Sequence[str]) -> str | None:
    found = difflib.get_close_matches(column, [other.lower() for other in others], n=1, cutoff=0.75) if column else []
    return next((other for other in others if other.lower() in found), None)


def _sections(config: DataConfig, present: Sequence[str], *, where: str) -> dict[str, str]:
    wanted = config.columns.sections
    if dict(wanted) != dict(TableColumns().sections):
        require_columns(present, list(wanted.values()), where=where)
    found = {section: column for section, column in wanted.items() if column in present}
    if not config.keep_without_report and not any(section in found for section in config.target):
        raise UserError(
            f"The table has no column for the target section {config.target[0]!r}",
            where=where,
            allowed=present,
            got=wanted.get(config.target[0], config.target[0]),
            next_step=f"set columns.sections.{config.target[0]} to its column",
        )
    return found


def _grouped(
    table: ArrowRows, config: DataConfig, names: Mapping[str, str], *, path: Path, collector: Collector
) -> Iterator[tuple[str, list[Row]]]:
    column = names[config.group_by]

    def keys() -> Iterator[str]:
        for number, value in enumerate(table.column(column)):
            key = text_of(value)
            if not key:
                collector.reject(f"row {number + 2} of {path.name}", f"its {column} is empty")
            # A film listed twice is a mistake, not a study of two films.
            yield f"{number}\0{key}" if key and config.group_by == "image" else key

    groups = rows_by_key(keys())
    while some := list(islice(groups, _AT_ONCE)):
        records = iter(table.take(np.concatenate(some)))
        for rows in some:
            together: dict[str, list[Row]] = {}
            for record in islice(records, len(rows)):
                together.setdefault(text_of(record[column]), []).append(record)
            for key, own in together.items():
                by_film = config.group_by == "image"
                yield (key.split(IMAGE_SEPARATOR)[0].rsplit(".", 1)[0] if by_film else key), own


def _read_study(
    study_id: str,
    rows: Sequence[Row],
    *,
    config: DataConfig,
    names: Mapping[str, str],
    sections: Mapping[str, str],
    collector: Collector,
    finder: ImageFinder,
) -> None:
    texts = {section: text for section, column in sections.items() if (text := _first(rows, column))}
    for section, text in texts.items():
        if any(other not in ("", text) for other in (text_of(row.get(sections[section])) for row in rows[1:])):
            collector.reject(study_id, f"its rows differ in {sections[section]}")
            return
    if not config.keep_without_report and not any(section in texts for section in config.target):
        collector.leave_out_without_target()
        return
    values: dict[str, str] = {}
    for field in ("patient_id", "split", "language"):
        found = {text for row in rows if (text := text_of(row.get(names[field])))} if field in names else set()
        if len(found) > 1:
            collector.reject(study_id, f"its rows differ in {names[field]}")
            return
        values[field] = found.pop() if found else ""
    if "patient_id" in names and not values["patient_id"]:
        collector.reject(study_id, f"its {names['patient_id']} is empty")
        return
    if "split" in names and not values["split"] and config.single_split is None:
        collector.reject(study_id, f"its {names['split']} is empty")
        return
    language = values["language"].lower() or config.language
    if language not in ("zh", "en"):
        collector.reject(study_id, f"its language is {language!r}, neither zh nor en")
        return
    if len({bool(text_of(row[names["image"]])) for row in rows}) > 1:
        collector.reject(study_id, f"the {names['image']} of a row is empty")
        return
    views = _views(rows, names)
    images = collector.images(study_id, list(views), finder=finder, view_of=views.__getitem__)
    if images is None:
        return
    patient = values["patient_id"] or study_id
    facts: dict[str, Any] = {name: _first(rows, names[name]) if name in names else "" for name in _FIELDS}
    collector.add(
        Study(
            id=study_id,
            patient_id=patient,
            images=images,
            split=values["split"] or split_of(patient, fractions=config.split_fractions, seed=config.split_seed),
            language="zh" if language == "zh" else "en",
            context=Context(
                age=parse_age(facts["age"]),
                sex=parse_sex(facts["sex"]),
                indication=facts["indication"] or None,
                history=facts["history"] or None,
            ),
            prior=facts["prior"] or None,
            sections=texts,
        )
    )


def _views(rows: Sequence[Row], names: Mapping[str, str]) -> dict[str, ViewName]:
    """Return film to view, in order; a cell may hold several of either, separated alike."""
    views: dict[str, ViewName] = {}
    for row in rows:
        films = [film.strip() for film in text_of(row[names["image"]]).split(IMAGE_SEPARATOR) if film.strip()]
        told = text_of(row.get(names["view"])).split(IMAGE_SEPARATOR) if "view" in names else []
        for number, film in enumerate(films):
            word = told[number] if number < len(told) else ""
            views[film] = normalise_view(word) if word.strip() else view_of_file(film)
    return views


def _first(rows: Sequence[Row], column: str) -> str:
    return next((text for row in rows if (text := text_of(row.get(column)))), "")
