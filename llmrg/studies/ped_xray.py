"""Reader of the PED-Xray layout: ``annotation.json`` with the keys of R2Gen, films below ``images/`` or the root.

The file maps ``train``, ``val`` and ``test`` to lists of ``{"id", "report", "image_path": [...]}``; it may begin
with a byte order mark. ``IMG-0001`` in a film's name marks the frontal, ``IMG-0002`` the lateral view. Each study is
a patient of its own, unless records have the further key ``patient_id``.
"""

from __future__ import annotations

from llmrg.studies._annotation import read_reported
from llmrg.studies._collector import Collector
from llmrg.studies._paths import ImageFinder, dataset_root, image_roots
from llmrg.studies._text_files import require_file
from llmrg.studies.settings import DataConfig, require_target
from llmrg.studies.study import Study
from llmrg.studies.views import view_of_file

__all__ = ["read_ped_xray"]


def read_ped_xray(config: DataConfig, collector: Collector) -> None:
    """Read the studies of a dataset in the PED-Xray layout into ``collector``.

    Raises:
        UserError: a missing or broken annotation, or one of another shape.
    """
    require_target(config, ("findings",))
    root = dataset_root(config.root)
    path = require_file(root / (config.annotation or "annotation.json"), what="annotation", key="annotation")
    finder = ImageFinder(image_roots(root, config.image_roots, usual=("images",)))
    for record, report in read_reported(path, optional=("patient_id",), collector=collector):
        patient_id = record.identifier("patient_id", record.id)
        images = collector.images(record.id, record.images, finder=finder, view_of=view_of_file)
        if images is None:
            continue
        collector.add(
            Study(
                id=record.id,
                patient_id=patient_id,
                images=images,
                split=record.split,
                language=config.language,
                sections={"findings": report} if report else {},
            )
        )
