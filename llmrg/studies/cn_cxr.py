"""Reader of CN-CXR and of Chinese hospital data prepared like it: ``annotation.json`` with findings and impression.

CN-CXR itself (46,301 image and report pairs of one hospital; Tang et al. 2023) is not public, so that its files cannot
be known. This is the layout of the published code for Chinese data: split names to lists of
``{"id", "image_path": [...], "image_finding", "impressions"}``. ``findings`` or ``report`` may stand for
``image_finding``, and ``impression`` for ``impressions``; ``patient_id``, ``age``, ``sex``, ``indication``,
``history`` and ``view`` (a word a film, or a list of them) are read where they are there. Films lie below ``images/``
or the root.
"""

from __future__ import annotations

import difflib
from typing import Any

from llmrg.errors import UserError
from llmrg.studies._annotation import Record, read_annotation
from llmrg.studies._collector import Collector
from llmrg.studies._paths import ImageFinder, dataset_root, image_roots
from llmrg.studies._patient_facts import parse_age, parse_sex
from llmrg.studies._text_files import require_file, text_of
from llmrg.studies.settings import DataConfig, require_target
from llmrg.studies.study import Context, Study, ViewName
from llmrg.studies.views import normalise_view, view_of_file

__all__ = ["FINDINGS_KEYS", "IMPRESSION_KEYS", "read_cn_cxr"]

FINDINGS_KEYS = ("image_finding", "findings", "report")
IMPRESSION_KEYS = ("impressions", "impression")
_READ = ("id", "image_path", "split", *FINDINGS_KEYS, *IMPRESSION_KEYS)
_OPTIONAL = ("patient_id", "age", "sex", "indication", "history", "view")


def read_cn_cxr(config: DataConfig, collector: Collector) -> None:
    """Read the studies of a dataset in this layout into ``collector``.

    Raises:
        UserError: a missing or broken annotation, or one of another shape.
    """
    require_target(config, ("findings", "impression"))
    root = dataset_root(config.root)
    path = require_file(root / (config.annotation or "annotation.json"), what="annotation", key="annotation")
    finder = ImageFinder(image_roots(root, config.image_roots, usual=("images",)))
    for record in read_annotation(path, keys=(), optional=_OPTIONAL, collector=collector):
        study = _study(record, config=config, collector=collector, finder=finder)
        if study is not None:
            collector.add(study)


def _study(record: Record, *, config: DataConfig, collector: Collector, finder: ImageFinder) -> Study | None:
    strange = [key for key in record.fields if key not in (*_READ, *_OPTIONAL)]
    for keys in (FINDINGS_KEYS, IMPRESSION_KEYS):
        near = next((key for key in strange if difflib.get_close_matches(key, keys, n=1, cutoff=0.8)), None)
        if near and not any(key in record.fields for key in keys):
            raise UserError(f"The key {near!r} is not read", where=record.where, allowed=keys, got=near)
    if not any(key in record.fields for key in (*FINDINGS_KEYS, *IMPRESSION_KEYS)):
        raise UserError(
            f"The record has no report; it has the keys {', '.join(list(record.fields)[:12])}",
            where=record.where,
            allowed=(*FINDINGS_KEYS, *IMPRESSION_KEYS),
        )
    patient_id = record.identifier("patient_id", record.id)
    try:
        texts = {"findings": record.report(*FINDINGS_KEYS), "impression": record.report(*IMPRESSION_KEYS)}
    except ValueError as error:
        collector.reject(record.id, str(error))
        return None
    sections = {name: text for name, text in texts.items() if text}
    if not any(name in sections for name in config.target) and not config.keep_without_report:
        collector.leave_out_without_target()
        return None
    views = _views(record)
    images = collector.images(record.id, record.images, finder=finder, view_of=views.__getitem__)
    if images is None:
        return None
    return Study(
        id=record.id,
        patient_id=patient_id,
        images=images,
        split=record.split,
        language=config.language,
        context=Context(
            age=parse_age(text_of(record.fields.get("age"))),
            sex=parse_sex(text_of(record.fields.get("sex"))),
            indication=text_of(record.fields.get("indication")) or None,
            history=text_of(record.fields.get("history")) or None,
        ),
        sections=sections,
    )


def _views(record: Record) -> dict[str, ViewName]:
    told: Any = record.fields.get("view")
    words = told if isinstance(told, list) else [told] * len(record.images)
    words = [*words, *[None] * len(record.images)]
    views: dict[str, ViewName] = {}
    for name, word in zip(record.images, words, strict=False):
        view = normalise_view(text_of(word))
        views[name] = view if view != "unknown" else view_of_file(name)
    return views
