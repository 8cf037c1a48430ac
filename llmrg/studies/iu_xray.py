"""Reader of IU X-ray (Open-i, Indiana University) in the three ways it is passed on.

* ``annotation.json`` of R2Gen: findings of 2,955 studies with the films ``CXR1_IM-0001/0.png``, ``1.png`` below
  ``images/``, and the split 2,069/296/590. Which of the two is the frontal film is not said: ``0.png`` is it in about
  nine of ten studies. Where ``indiana_projections.csv`` lies beside the annotation, it tells the views (its films in
  order of their names; this agrees with the views that ReXrank lists for every study of which both know as many films).
* ``indiana_reports.csv`` and ``indiana_projections.csv``: all sections, views, no split.
* ``ecgen-radiology/*.xml`` of Open-i: all sections, no split; views where ``indiana_projections.csv`` is there too.

Without a split, patients are split by hash; each number (``CXR1``) is one patient. Removed words read ``XXXX``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from llmrg.studies._annotation import read_reported
from llmrg.studies._collector import Collector
from llmrg.studies._indiana_tables import PROJECTIONS, REPORTS, read_indiana_tables, read_projections
from llmrg.studies._openi_reports import read_openi_reports, report_folder
from llmrg.studies._paths import ImageFinder, dataset_root, image_roots
from llmrg.studies._text_files import require_file
from llmrg.studies.settings import DataConfig, require_target
from llmrg.studies.study import Study, ViewName
from llmrg.studies.views import view_of_file

__all__ = ["IMAGE_FOLDERS", "read_iu_xray"]

IMAGE_FOLDERS = ("images", "images/images_normalized", "images_normalized", "NLMCXR_png")


def read_iu_xray(config: DataConfig, collector: Collector) -> None:
    """Read the studies of IU X-ray into ``collector``.

    ``annotation`` names an annotation, a table of reports (CSV) or a folder of XML files; by default the first of the
    three that is there.

    Raises:
        UserError: missing or broken files, or a target that this way of passing on does not have.
    """
    root = dataset_root(config.root)
    finder = ImageFinder(image_roots(root, config.image_roots, usual=IMAGE_FOLDERS))
    path = _choose(config, root)
    if path.is_dir():
        read_openi_reports(path, config, collector, root=root, finder=finder)
    elif ".csv" in path.name.lower():
        read_indiana_tables(path, config, collector, root=root, finder=finder)
    else:
        require_target(config, ("findings",))
        _read_annotation(path, config, collector, root=root, finder=finder)


def _choose(config: DataConfig, root: Path) -> Path:
    if config.annotation is not None:
        path = root / config.annotation
        return path if path.is_dir() else require_file(path, what="annotation", key="annotation")
    for name in ("annotation.json", REPORTS):
        if (root / name).is_file():
            return root / name
    return report_folder(config, root) or require_file(root / "annotation.json", what="annotation", key="annotation")


def _read_annotation(path: Path, config: DataConfig, collector: Collector, *, root: Path, finder: ImageFinder) -> None:
    projections = read_projections(root / PROJECTIONS, collector) if (root / PROJECTIONS).is_file() else {}
    for record, report in read_reported(path, optional=("patient_id",), collector=collector):
        number = re.match(r"(?:CXR)?(\d+)_", record.id)
        views = _views(record.images, projections.get(number.group(1), {}) if number else {})
        images = collector.images(record.id, record.images, finder=finder, view_of=views.__getitem__)
        if images is None:
            continue
        collector.add(
            Study(
                id=record.id,
                patient_id=record.identifier("patient_id", f"CXR{number.group(1)}" if number else record.id),
                images=images,
                split=record.split,
                language=config.language,
                sections={"findings": report} if report else {},
            )
        )


def _views(names: Sequence[str], told: dict[str, ViewName]) -> dict[str, ViewName]:
    """Views of ``ID/0.png``, ``ID/1.png``: those of the study's films in order of their original names."""
    ordered = [told[name] for name in sorted(told)]
    views: dict[str, ViewName] = {}
    for name in names:
        stem = re.search(r"(?:^|/)(\d)\.\w+$", name)
        known = stem is not None and int(stem.group(1)) < len(ordered)
        views[name] = ordered[int(stem.group(1))] if stem is not None and known else view_of_file(name)
    return views
