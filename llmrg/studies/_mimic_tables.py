"""The CSV files of MIMIC-CXR-JPG (splits, metadata, labels) and the reports of MIMIC-CXR, one text file a study.

Johnson et al. 2019. ``mimic-cxr-2.0.0-{split,metadata,chexpert,negbio}.csv``, packed (``.gz``) or not;
``files/p10/p10000001/s50000001/ID.jpg``; reports ``files/p10/p10000001/s50000001.txt``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from llmrg.errors import UserError
from llmrg.studies._collector import Collector
from llmrg.studies._csv_files import read_csv
from llmrg.studies._grouping import records_of
from llmrg.studies._paths import ImageFinder, MissingImageError, PathError
from llmrg.studies._text_files import check_encoding, open_text, require_file, text_of
from llmrg.studies.report_sections import split_sections
from llmrg.studies.settings import DataConfig
from llmrg.studies.study import Context, Study, ViewName
from llmrg.studies.views import normalise_view

REPORT_FOLDERS = ("mimic-cxr-reports/files", "mimic-cxr-reports", "reports/files", "reports", "files")
SPLITS = {"train": "train", "validate": "val", "val": "val", "test": "test"}
MAX_REPORT = 1 << 20

Row = Mapping[str, str | None]
_IDS = ("dicom_id", "study_id", "subject_id")


def find_table(root: Path, kind: str) -> Path | None:
    """Return the newest ``mimic-cxr-VERSION-KIND.csv`` (or ``.csv.gz``) of the root, or None."""
    found = sorted(path for path in root.glob(f"mimic-cxr-*-{kind}.csv*") if path.name.endswith((".csv", ".csv.gz")))
    return found[-1] if found else None


def read_views(path: Path) -> dict[str, ViewName]:
    """Return the view of each film that the metadata file tells, by ``dicom_id``."""
    table = _metadata(path)
    columns = [table.column(name).to_pylist() for name in ("dicom_id", "ViewPosition", _MEANING)]
    return {text_of(film): _view(position, meaning) for film, position, meaning in zip(*columns, strict=True)}


def read_labels(config: DataConfig, root: Path) -> dict[str, dict[str, float]]:
    """Return the labels of each study; empty where the configuration names no file.

    Raises:
        UserError: the file is missing or broken, or a label is none of 1, 0, -1 and nothing.
    """
    if config.labels is None:
        return {}
    path = require_file(root / config.labels, what="label file", key="labels")
    table = read_csv(path, required=("study_id",))
    names = [name for name in table.column_names if name not in ("subject_id", "study_id")]
    labels: dict[str, dict[str, float]] = {}
    for start in range(0, table.num_rows, 4096):
        for number, row in enumerate(table.slice(start, 4096).to_pylist(), start=start + 2):
            study_id = _whole(row["study_id"])
            if study_id in labels:
                raise UserError(f"The study of row {number} stands in the label file twice", where=str(path))
            labels[study_id] = {name: _label(row[name], f"{path}, row {number}") for name in names if row[name]}
    return labels


def read_mimic_tables(path: Path, config: DataConfig, collector: Collector, *, root: Path, finder: ImageFinder) -> None:
    """Read the studies of the JPG release into ``collector``; ``path`` is its table of splits.

    Raises:
        UserError: missing or broken files.
    """
    table = _with_views(read_csv(path, columns=(*_IDS, "split"), required=(*_IDS, "split")), root)
    reports = ImageFinder([_report_folder(config, root)], variants=lambda name: (name, f"{name}.gz"), what="report")
    labels = read_labels(config, root)
    for key, rows in _grouped(table, config, collector, path):
        study = _study(key, rows, config=config, collector=collector, finder=finder, reports=reports, labels=labels)
        if study is not None:
            collector.add(study)


_MEANING = "ViewCodeSequence_CodeMeaning"


def _metadata(path: Path) -> pa.Table:
    table = read_csv(path, columns=("dicom_id", "ViewPosition", _MEANING), required=("dicom_id", "ViewPosition"))
    if _MEANING not in table.column_names:
        table = table.append_column(_MEANING, pa.nulls(table.num_rows, pa.string()))
    return table


def _with_views(table: pa.Table, root: Path) -> pa.Table:
    path = find_table(root, "metadata")
    if path is None:
        return table
    metadata = _metadata(path)
    rows = pc.index_in(
        table.column("dicom_id").combine_chunks(), value_set=metadata.column("dicom_id").combine_chunks()
    )
    for name in ("ViewPosition", _MEANING):
        table = table.append_column(name, metadata.column(name).take(rows))
    return table


def _view(position: str | None, meaning: str | None) -> ViewName:
    view = normalise_view(position)
    return view if view != "unknown" else normalise_view(meaning)


def _report_folder(config: DataConfig, root: Path) -> Path:
    if config.reports is not None:
        if not (root / config.reports).is_dir():
            raise UserError("The folder of reports does not exist", where=str(root / config.reports))
        return (root / config.reports).resolve()
    for name in REPORT_FOLDERS:
        # Films lie in folders p10/pN/sN, reports beside those folders: one patient's folder tells.
        if next((root / name).glob("p1?/p*/s*.txt*"), None) is not None:
            return (root / name).resolve()
    raise UserError(
        "There are no report files (p10/pN/sN.txt) below the dataset's root",
        where=str(root),
        next_step="unpack mimic-cxr-reports.zip there, or set reports to the folder that holds p10",
    )


def _grouped(table: pa.Table, config: DataConfig, collector: Collector, path: Path) -> Iterator[tuple[str, list[Row]]]:
    groups: dict[str, list[int]] = {}
    columns = [table.column(name).to_pylist() for name in _IDS]
    for number, ids in enumerate(zip(*columns, strict=True)):
        film, study_id, subject = text_of(ids[0]), _whole(ids[1]), _whole(ids[2])
        if not film or not re.fullmatch(r"\d+", study_id) or not re.fullmatch(r"\d{2,}", subject):
            collector.reject(f"row {number + 2} of {path.name}", "its dicom_id, study_id or subject_id is no such id")
            continue
        groups.setdefault(film if config.group_by == "image" else study_id, []).append(number)
    yield from records_of(table, groups)


def _study(
    key: str,
    rows: Sequence[Row],
    *,
    config: DataConfig,
    collector: Collector,
    finder: ImageFinder,
    reports: ImageFinder,
    labels: Mapping[str, Mapping[str, float]],
) -> Study | None:
    subjects, studies = {_whole(row["subject_id"]) for row in rows}, {_whole(row["study_id"]) for row in rows}
    splits = {text_of(row["split"]) for row in rows}
    if max(len(subjects), len(studies), len(splits)) > 1:
        collector.reject(key, "its rows name several patients, studies or splits")
        return None
    subject, study_id, split = subjects.pop(), studies.pop(), splits.pop()
    if split not in SPLITS:
        collector.reject(key, f"its split is {split!r}, none of train, validate and test")
        return None
    folder = f"p{subject[:2]}/p{subject}"
    try:
        sections = dict(split_sections(_read_report(reports.find(f"{folder}/s{study_id}.txt"))))
    except MissingImageError as error:
        if config.missing_images == "skip":
            collector.leave_out("no report on disk")
        else:
            collector.studies_with_missing_films += 1
            collector.reject(key, str(error))
        return None
    except (PathError, UserError) as error:
        collector.reject(key, str(error))
        return None
    if not any(name in sections for name in config.target) and not config.keep_without_report:
        collector.leave_out_without_target()
        return None
    views = {
        f"{folder}/s{study_id}/{text_of(row['dicom_id'])}.jpg": _view(row.get("ViewPosition"), row.get(_MEANING))
        for row in rows
    }
    if len(views) < len(rows):
        collector.reject(key, "one of its films is listed twice")
        return None
    images = collector.images(key, list(views), finder=finder, view_of=views.__getitem__)
    if images is None:
        return None
    return Study(
        id=key,
        patient_id=subject,
        images=images,
        split=SPLITS[split],
        language=config.language,
        context=Context(indication=sections.pop("indication", None), history=sections.pop("history", None)),
        sections=sections,
        labels=labels.get(study_id),
    )


def _read_report(path: Path) -> str:
    if path.stat().st_size > MAX_REPORT:
        raise PathError("its report file has more than 1 MiB, which no report has")
    check_encoding(path)
    with open_text(path) as file:
        text = file.read(MAX_REPORT + 1)
    if len(text) > MAX_REPORT:
        raise PathError("its report file unpacks to more than 1 MiB, which no report has")
    return text


def _whole(value: str | None) -> str:
    """Return an id as text; tables that went through floating point write ``50414267.0``."""
    return re.sub(r"(?<=\d)\.0$", "", text_of(value))


def _label(text: str, where: str) -> float:
    if text.strip() in ("1", "1.0", "0", "0.0", "-1", "-1.0"):
        return float(text)
    raise UserError("A label is none of 1, 0, -1 and nothing", where=where)
