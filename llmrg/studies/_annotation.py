"""The annotation file that R2Gen made common: split names to lists of studies with ``id`` and ``image_path``."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmrg.errors import UserError
from llmrg.studies._collector import Collector
from llmrg.studies._text_files import identifier_of, read_json, report_text, require_keys, text_of

logger = logging.getLogger(__name__)

_USUAL_SPLITS = ("train", "val", "valid", "validate", "validation", "dev", "test")


@dataclass(frozen=True, kw_only=True)
class Record:
    """One entry of an annotation file; ``where`` says which, for messages."""

    id: str
    split: str
    images: Sequence[str]
    fields: Mapping[str, Any]
    where: str

    def identifier(self, key: str, default: str) -> str:
        """Return another identifier of the record, ``default`` without one.

        Raises:
            UserError: it is neither text nor a whole number.
        """
        if self.fields.get(key) is None:
            return default
        try:
            return identifier_of(self.fields[key])
        except ValueError as error:
            raise UserError(f"A study has no usable {key}: {error}", where=self.where) from None

    def report(self, *keys: str) -> str:
        """Return the text under the first of these keys that has one, else the empty string.

        Raises:
            ValueError: something else than text stands there; the message is the reason of a bad study.
        """
        return next((text for key in keys if (text := report_text(self.fields.get(key)))), "")


def read_annotation(
    path: Path, *, keys: Sequence[str], optional: Sequence[str] = (), collector: Collector
) -> Iterator[Record]:
    """Go through the entries of an annotation file; entries whose films cannot be read are named bad on the way.

    Args:
        path: the file.
        keys: keys that every entry must have beside ``id`` and ``image_path``.
        optional: keys that are read where they are there, so that another spelling is refused.
        collector: where bad studies are named.

    Raises:
        UserError: another shape, a key missing, or an entry without a usable id.
    """
    annotation = read_json(path)
    if not isinstance(annotation, dict) or not annotation:
        raise UserError("The annotation must map split names to lists of studies", where=str(path))
    for split, entries in annotation.items():
        if not isinstance(entries, list):
            raise UserError(f"The split {split!r} of the annotation is not a list of studies", where=str(path))
        if split not in _USUAL_SPLITS:
            logger.warning("the annotation %s has a split of the unusual name %r", path.name, split)
        if not entries:
            logger.warning("the split %r of %s is empty", split, path.name)
        for number, entry in enumerate(entries):
            where = f"{path}, {split}[{number}]"
            require_keys(entry, ("id", *keys, "image_path"), where=where, optional=("split", *optional))
            record = _record(entry, split=split, where=where, collector=collector)
            if record is not None:
                yield record


def _record(entry: dict[str, Any], *, split: str, where: str, collector: Collector) -> Record | None:
    try:
        study_id = identifier_of(entry["id"])
    except ValueError as error:
        raise UserError(f"A study has no usable id: {error}", where=where) from None
    images = entry["image_path"]
    images = [images] if isinstance(images, str) else images
    if not isinstance(images, list) or not all(isinstance(name, str) for name in images):
        collector.reject(study_id, "image_path is not a list of paths")
        return None
    if len(set(images)) < len(images):
        collector.reject(study_id, "an image stands twice in its image_path")
        return None
    own = text_of(entry.get("split"))
    if own and own != split:
        collector.reject(study_id, f"it stands in the list {split!r}, but its own split is {own!r}")
        return None
    return Record(id=study_id, split=split, images=images, fields=entry, where=where)


def read_reported(path: Path, *, collector: Collector, optional: Sequence[str] = ()) -> Iterator[tuple[Record, str]]:
    """Go through the entries of an annotation whose reports are one text; those without one are left out or named.

    Args:
        path: the file.
        collector: where bad studies are named, and studies without a report counted.
        optional: see :func:`read_annotation`.

    Returns:
        Each entry with its report, empty where the configuration keeps studies without one.

    Raises:
        UserError: as :func:`read_annotation`.
    """
    for record in read_annotation(path, keys=("report",), optional=optional, collector=collector):
        try:
            report = record.report("report")
        except ValueError as error:
            collector.reject(record.id, str(error))
            continue
        if report or collector.config.keep_without_report:
            yield record, report
        else:
            collector.leave_out_without_target()
