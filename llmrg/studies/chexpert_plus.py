"""Reader of CheXpert Plus: the 27-column CSV, with films as PNG although it names them ``.jpg``.

One study (``patientN/studyM``) may have several rows, one a film; they are merged. Official ``train`` patients are
split 7:1:2 by hash into ``train``, ``val`` and ``test``; the official ``valid`` rows are the split ``valid``
(CheXpert's own test set is private). Files and columns: Chambon et al. 2024, CheXpert Plus. The small films of the
first release (``CheXpert-v1.0-small/train/patientN/studyM/view1_frontal.jpg``) serve as well, by the same CSV.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from llmrg.errors import UserError
from llmrg.studies._chexbert_labels import read_labels, study_key
from llmrg.studies._collector import Collector
from llmrg.studies._csv_files import read_csv
from llmrg.studies._grouping import records_of
from llmrg.studies._paths import ImageFinder, dataset_root, image_roots
from llmrg.studies._patient_facts import parse_age, parse_sex
from llmrg.studies._text_files import identifier_of, read_json, report_text, require_file, require_keys, text_of
from llmrg.studies.settings import DataConfig
from llmrg.studies.splits import split_of
from llmrg.studies.study import Context, Study, ViewName
from llmrg.studies.views import normalise_view, view_of_file

__all__ = ["CSV_NAME", "IMAGE_FOLDERS", "SECTIONS", "read_chexpert_plus"]

logger = logging.getLogger(__name__)

CSV_NAME = "df_chexpert_plus_240401.csv"
SMALL = "CheXpert-v1.0-small"
IMAGE_FOLDERS = ("PNG/PNG", "PNG", SMALL, "CheXpert-v1.0")
SECTIONS = ("findings", "impression", "narrative", "comparison", "technique", "summary")
_REQUIRED = ("path_to_image", "deid_patient_id", "split", "section_findings", "section_impression")
_OPTIONAL = (
    "frontal_lateral",
    "age",
    "sex",
    "section_clinical_history",
    "section_history",
    *(f"section_{name}" for name in SECTIONS[2:]),
)

Row = Mapping[str, str | None]


def read_chexpert_plus(config: DataConfig, collector: Collector) -> None:
    """Read the studies of CheXpert Plus into ``collector``.

    Raises:
        UserError: missing or broken files, missing columns, or a target that the dataset does not have.
    """
    for name in config.target:
        if name not in SECTIONS:
            raise UserError(f"CheXpert Plus has no section {name!r}", where="target", allowed=SECTIONS, got=name)
    root = dataset_root(config.root)
    finder = ImageFinder(image_roots(root, config.image_roots, usual=IMAGE_FOLDERS), variants=_variants)
    labels = read_labels(config, root)
    if config.comparison_split is not None:
        _read_comparison(config, collector, root=root, finder=finder, labels=labels)
        return
    table = _read_table(config, root)
    for key, rows in _studies(table, config, collector):
        study = _study(key, rows, config=config, collector=collector, finder=finder, labels=labels.get(key))
        if study is not None:
            collector.add(study)


def _read_table(config: DataConfig, root: Path) -> pa.Table:
    path = require_file(root / (config.annotation or CSV_NAME), what="CSV file", key="annotation")
    return read_csv(path, columns=(*_REQUIRED, *_OPTIONAL), required=_REQUIRED)


def _studies(table: pa.Table, config: DataConfig, collector: Collector) -> Iterator[tuple[str, list[Row]]]:
    """Yield the rows of each study with a target section, in order; only a thousand are Python objects at once."""
    groups: dict[str, list[int]] = {}
    wanted: set[str] = set()
    columns = [table.column(f"section_{name}") for name in config.target if f"section_{name}" in table.column_names]
    filled = np.zeros(table.num_rows, dtype=bool)
    for column in columns:
        filled |= column.is_valid().to_numpy()
    for number, path in enumerate(table.column("path_to_image").to_pylist()):
        key = study_key(path or "")
        if key is None:
            collector.reject(f"row {number + 2}", "its path_to_image does not end in patientN/studyM/FILE")
            continue
        groups.setdefault(key, []).append(number)
        if filled[number]:
            wanted.add(key)
    keys = [key for key in groups if key in wanted or config.keep_without_report]
    for _ in range(len(groups) - len(keys)):
        collector.leave_out_without_target()
    yield from records_of(table, {key: groups[key] for key in keys})


def _study(
    key: str,
    rows: Sequence[Row],
    *,
    config: DataConfig,
    collector: Collector,
    finder: ImageFinder,
    labels: Mapping[str, float] | None,
) -> Study | None:
    sections = {name: text for name in SECTIONS if (text := _first(rows, f"section_{name}"))}
    for name, text in sections.items():
        if len(rows) > 1 and any(
            other not in ("", text) for other in (text_of(row.get(f"section_{name}")) for row in rows)
        ):
            collector.reject(key, f"its rows differ in section_{name}")
            return None
    if not config.keep_without_report and not any(name in sections for name in config.target):
        collector.leave_out_without_target()
        return None
    patients = {text for row in rows if (text := text_of(row["deid_patient_id"]))} or {key.split("/")[0]}
    official = {text_of(row["split"]) for row in rows}
    if len(patients) > 1 or len(official) > 1:
        collector.reject(key, "its rows name several patients or splits")
        return None
    patient, split = patients.pop(), official.pop()
    if split not in ("train", "valid"):
        collector.reject(key, f"its split is {split!r}, neither train nor valid")
        return None
    views = {text_of(row["path_to_image"]): _row_view(row) for row in rows}
    images = collector.images(key, list(views), finder=finder, view_of=views.__getitem__)
    if images is None:
        return None
    return Study(
        id=key,
        patient_id=patient,
        images=images,
        split=split_of(patient, fractions=config.split_fractions, seed=config.split_seed)
        if split == "train"
        else split,
        language=config.language,
        context=_context(rows),
        sections=sections,
        labels=labels,
    )


def _read_comparison(
    config: DataConfig,
    collector: Collector,
    *,
    root: Path,
    finder: ImageFinder,
    labels: Mapping[str, Mapping[str, float]],
) -> None:
    """Read the films of a published split one by one, as that split treats them; the CSV, if there, gives context."""
    if config.target != ("findings",):
        raise UserError("The comparison split holds findings only", where="target", allowed=("findings",))
    path = require_file(root / (config.comparison_split or ""), what="comparison split", key="comparison_split")
    annotation = read_json(path)
    if not isinstance(annotation, dict) or not all(isinstance(records, list) for records in annotation.values()):
        raise UserError("The annotation must map split names to lists of films", where=str(path))
    rows: dict[str, Row] = {}
    if (root / (config.annotation or CSV_NAME)).is_file():
        rows = {_stem(text_of(row["path_to_image"])): row for row in _read_table(config, root).to_pylist()}
    collector.overlap_is_known = True
    for split, records in annotation.items():
        for number, record in enumerate(records):
            where = f"{path}, {split}[{number}]"
            require_keys(record, ("id", "image_path", "report"), where=where)
            try:
                study_id = identifier_of(record["id"])
            except ValueError as error:
                raise UserError(f"A film has no usable id: {error}", where=where) from None
            names = [record["image_path"]] if isinstance(record["image_path"], str) else record["image_path"]
            key = study_key(str(names[0])) if isinstance(names, list) and names else None
            if key is None or not all(isinstance(name, str) for name in names):
                collector.reject(study_id, "its image_path does not end in patientN/studyM/FILE")
                continue
            try:
                report = report_text(record["report"])
            except ValueError as error:
                collector.reject(study_id, str(error))
                continue
            images = collector.images(study_id, names, finder=finder, view_of=view_of_file)
            if images is None:
                continue
            row = rows.get(_stem(names[0]))
            collector.add(
                Study(
                    id=study_id,
                    patient_id=(text_of(row["deid_patient_id"]) if row else "") or key.split("/")[0],
                    images=images,
                    split=str(split),
                    language=config.language,
                    context=_context([row] if row else []),
                    sections={"findings": report} if report else {},
                    labels=labels.get(key),
                )
            )


def _context(rows: Sequence[Row]) -> Context:
    return Context(
        age=parse_age(_first(rows, "age")),
        sex=parse_sex(_first(rows, "sex")),
        indication=_first(rows, "section_clinical_history") or None,
        history=_first(rows, "section_history") or None,
    )


def _first(rows: Sequence[Row], column: str) -> str:
    return next((text for row in rows if (text := text_of(row.get(column)))), "")


def _row_view(row: Row) -> ViewName:
    named = normalise_view(row.get("frontal_lateral"))
    return named if named != "unknown" else view_of_file(text_of(row["path_to_image"]))


def _variants(name: str) -> Sequence[str]:
    names = []
    for short in (re.sub(r"^CheXpert-v1\.0[^/]*/", "", name), name):
        names += [_stem(short) + ".png", short, _stem(short) + ".jpg"]
    return tuple(dict.fromkeys(names))


def _stem(name: str) -> str:
    return re.sub(r"\.(jpe?g|png|dcm)$", "", name, flags=re.IGNORECASE)
