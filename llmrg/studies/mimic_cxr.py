"""Reader of MIMIC-CXR: the annotation of R2Gen, or the CSV files of the JPG release with the reports beside.

R2Gen lists films (270,790/2,130/3,858), each with ``subject_id`` and ``study_id``; films of one study are one study
here. ``group_by: image`` makes every film a study of its own, as published numbers count them. The annotation has
findings only. Films: ``p10/p10000001/s50000001/ID.jpg`` below ``files/`` or ``images/``. Views are read from the
release's ``mimic-cxr-2.0.0-metadata.csv`` where it lies beside the annotation; they are unknown without it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from llmrg.errors import UserError
from llmrg.studies._annotation import Record, read_annotation
from llmrg.studies._collector import Collector
from llmrg.studies._mimic_tables import find_table, read_labels, read_mimic_tables, read_views
from llmrg.studies._paths import ImageFinder, dataset_root, image_roots
from llmrg.studies._text_files import require_file
from llmrg.studies.settings import DataConfig, require_target
from llmrg.studies.study import Study, ViewName

__all__ = ["IMAGE_FOLDERS", "read_mimic_cxr"]

IMAGE_FOLDERS = ("files", "images")


def read_mimic_cxr(config: DataConfig, collector: Collector) -> None:
    """Read the studies of MIMIC-CXR into ``collector``.

    ``annotation`` names an annotation (JSON) or the table of splits (CSV); by default ``annotation.json`` where it is
    there, else ``mimic-cxr-2.0.0-split.csv`` (packed or not).

    Raises:
        UserError: missing or broken files, or a target that they do not have.
    """
    if config.group_by == "patient_id":
        raise UserError("MIMIC-CXR is grouped by study_id or image", where="group_by", allowed=("study_id", "image"))
    root = dataset_root(config.root)
    finder = ImageFinder(image_roots(root, config.image_roots, usual=IMAGE_FOLDERS), variants=_variants)
    path = _choose(config, root)
    if ".csv" in path.name.lower():
        read_mimic_tables(path, config, collector, root=root, finder=finder)
        return
    require_target(config, ("findings",))
    _read_annotation(path, config, collector, root=root, finder=finder)


def _choose(config: DataConfig, root: Path) -> Path:
    if config.annotation is not None:
        return require_file(root / config.annotation, what="annotation", key="annotation")
    if not (root / "annotation.json").is_file():
        table = find_table(root, "split")
        if table is not None:
            return table
    return require_file(root / "annotation.json", what="annotation", key="annotation")


def _variants(name: str) -> Sequence[str]:
    stem = re.sub(r"\.(jpe?g|png|dcm)$", "", name, flags=re.IGNORECASE)
    return tuple(dict.fromkeys((name, f"{stem}.jpg", f"{stem}.png", f"{stem}.dcm")))


def _read_annotation(path: Path, config: DataConfig, collector: Collector, *, root: Path, finder: ImageFinder) -> None:
    metadata = find_table(root, "metadata")
    views = read_views(metadata) if metadata is not None else {}
    labels = read_labels(config, root)
    studies: dict[str, list[tuple[Record, str]]] = {}
    for record in read_annotation(path, keys=("report",), optional=("study_id", "subject_id"), collector=collector):
        place = re.search(r"(?:^|/)p(\d+)/s(\d+)/", record.images[0]) if record.images else None
        patient_id = record.identifier("subject_id", place.group(1) if place else "")
        if not patient_id:
            raise UserError(
                "The key 'subject_id' is missing, and the image path does not tell the patient", where=record.where
            )
        study_id = record.identifier("study_id", place.group(2) if place else record.id)
        if place is not None and (patient_id, study_id) != place.groups():
            collector.reject(record.id, "its subject_id or study_id differs from its image path")
            continue
        key = record.id if config.group_by == "image" else study_id
        if config.group_by == "image" and key in studies:
            collector.reject(key, "its id occurs twice; the first study with it is kept")
            continue
        studies.setdefault(key, []).append((record, patient_id))
    for key, members in studies.items():
        _add_study(key, members, config=config, collector=collector, finder=finder, views=views, labels=labels)


def _add_study(
    key: str,
    members: Sequence[tuple[Record, str]],
    *,
    config: DataConfig,
    collector: Collector,
    finder: ImageFinder,
    views: dict[str, ViewName],
    labels: dict[str, dict[str, float]],
) -> None:
    records = [record for record, _ in members]
    try:
        reports = {record.report("report") for record in records}
    except ValueError as error:
        collector.reject(key, str(error))
        return
    for name, found in (
        ("patients", {patient for _, patient in members}),
        ("splits", {record.split for record in records}),
        ("reports", reports),
    ):
        if len(found) > 1:
            collector.reject(key, f"its films name several {name}")
            return
    names = [name for record in records for name in record.images]
    if len(set(names)) < len(names):
        collector.reject(key, "one of its films is listed twice")
        return
    report = reports.pop()
    if not report and not config.keep_without_report:
        collector.leave_out_without_target()
        return
    images = collector.images(key, names, finder=finder, view_of=lambda name: views.get(Path(name).stem, "unknown"))
    if images is None:
        return
    study_id = records[0].identifier("study_id", key)
    collector.add(
        Study(
            id=key,
            patient_id=members[0][1],
            images=images,
            split=records[0].split,
            language=config.language,
            sections={"findings": report} if report else {},
            labels=labels.get(study_id),
        )
    )
