"""Reader of the PED-Xray layout: ``annotation.json`` with the keys of R2Gen, films below ``images/`` or the root.

The file maps ``train``, ``val`` and ``test`` to lists of ``{"id", "report", "image_path": [...]}``; it may begin
with a byte order mark. ``IMG-0001`` in a film's name marks the frontal, ``IMG-0002`` the lateral view. Each study is
a patient of its own, unless records have the further key ``patient_id``.
"""

from __future__ import annotations

from typing import Any

from llmrg.errors import UserError
from llmrg.studies._collector import Collector
from llmrg.studies._paths import ImageFinder, dataset_root, image_roots
from llmrg.studies._text_files import identifier_of, read_json, require_file, require_keys, text_of
from llmrg.studies.settings import DataConfig
from llmrg.studies.study import Study
from llmrg.studies.views import view_of_file

__all__ = ["read_ped_xray"]


def read_ped_xray(config: DataConfig, collector: Collector) -> None:
    """Read the studies of a dataset in the PED-Xray layout into ``collector``.

    Raises:
        UserError: a missing or broken annotation, or one of another shape.
    """
    if config.target != ("findings",):
        raise UserError(
            f"This dataset has one section, but target is {', '.join(config.target)}",
            where="target",
            allowed=("findings",),
            got=config.target[0],
        )
    root = dataset_root(config.root)
    path = require_file(root / (config.annotation or "annotation.json"), what="annotation", key="annotation")
    finder = ImageFinder(image_roots(root, config.image_roots, usual=("images",)))
    annotation = read_json(path)
    if not isinstance(annotation, dict) or not annotation:
        raise UserError("The annotation must map split names to lists of studies", where=str(path))
    for split, records in annotation.items():
        if not isinstance(records, list):
            raise UserError(f"The split {split!r} of the annotation is not a list of studies", where=str(path))
        for number, record in enumerate(records):
            where = f"{path}, {split}[{number}]"
            require_keys(record, ("id", "report", "image_path"), where=where)
            _read_record(record, split=str(split), where=where, config=config, collector=collector, finder=finder)


def _read_record(
    record: dict[str, Any], *, split: str, where: str, config: DataConfig, collector: Collector, finder: ImageFinder
) -> None:
    try:
        study_id = identifier_of(record["id"])
        patient_id = identifier_of(record.get("patient_id", record["id"]))
    except ValueError as error:
        raise UserError(f"A study has no usable id: {error}", where=where) from None
    names = record["image_path"]
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        collector.reject(study_id, "image_path is not a list of paths")
        return
    report = text_of(record["report"])
    if not report and not config.keep_without_report:
        collector.leave_out_without_target()
        return
    images = collector.images(study_id, names, finder=finder, view_of=view_of_file)
    if images is None:
        return
    collector.add(
        Study(
            id=study_id,
            patient_id=patient_id,
            images=images,
            split=split,
            language=config.language,
            sections={"findings": report} if report else {},
        )
    )
