"""Configuration of a dataset: where it lies, how it is laid out, what of it is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from llmrg.errors import UserError
from llmrg.findings.vocabulary import get_vocabulary
from llmrg.studies.study import Language, Study

__all__ = ["FORMATS", "DataConfig", "Fit", "Grouping", "MissingImages", "TableColumns", "require_target"]

FORMATS = ("ped-xray", "chexpert-plus", "iu-xray", "mimic-cxr", "cn-cxr", "rexrank", "table")
"""Formats that :func:`llmrg.studies.reading.read_studies` knows."""

Fit = Literal["pad", "crop", "stretch"]
Grouping = Literal["study_id", "image", "patient_id"]
MissingImages = Literal["bad", "skip"]


def _default_sections() -> Mapping[str, str]:
    return {"findings": "findings", "impression": "impression", "report": "report"}


@dataclass(frozen=True, kw_only=True)
class TableColumns:
    """Names of the columns of a plain table (format ``table``); null where the table has no such column.

    A column whose name is left at its default may be absent from the file (except ``image`` and ``patient_id``);
    one that the configuration names otherwise must be there.

    Args:
        image: path of one film, relative to an image root. Several films of a study may stand in one cell,
            separated by ``|``.
        study_id: identifier of the study; rows that share it become one study.
        patient_id: identifier of the patient; null states that every study is a patient of its own.
        split: name of the split; without the column patients are split by hash.
        view: view of the film (``PA``, ``AP Supine``, ``L``, 正位, ...).
        language: ``zh`` or ``en``; empty cells and a missing column mean the configuration's language.
        age: age in years (``54``, ``3 months``, ``045Y``).
        sex: sex (``F``, ``male``, 女).
        indication: why the examination was asked for.
        history: clinical history.
        prior: report of a prior study.
        sections: name of a report section to the column that holds it.
    """

    image: str = "image"
    study_id: str | None = "study_id"
    patient_id: str | None = "patient_id"
    split: str | None = "split"
    view: str | None = "view"
    language: str | None = "language"
    age: str | None = "age"
    sex: str | None = "sex"
    indication: str | None = "indication"
    history: str | None = "history"
    prior: str | None = "prior"
    sections: Mapping[str, str] = field(default_factory=_default_sections)


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """A dataset and what of it is used.

    Args:
        format: layout on disk, one of :data:`FORMATS`.
        root: folder of the dataset; relative paths are relative to the working directory.
        language: language of the reports, ``zh`` or ``en``.
        vocabulary: vocabulary of findings that models of this dataset are trained and scored on.
        target: report sections that are written, in this order.
        annotation: file that lists the studies (JSON or CSV by format), relative to ``root``; by default
            ``annotation.json`` (ped-xray, cn-cxr), ``df_chexpert_plus_240401.csv`` (chexpert-plus), ``metadata.csv``
            (table), the only ``.json`` file (rexrank). iu-xray and mimic-cxr take ``annotation.json`` where it is there
            and else the tables or files of the original release.
        reports: folder of report files, relative to ``root`` (mimic-cxr: above ``p10``; iu-xray: the XML files); by
            default the usual ones of the format.
        image_roots: folders that image paths are relative to, themselves relative to ``root`` or absolute; tried in
            order. By default the usual ones of the format.
        labels: file (JSON Lines) or folder of label files, relative to ``root``; by default ``chexbert_labels`` of
            CheXpert Plus, where it exists. mimic-cxr: ``mimic-cxr-2.0.0-chexpert.csv.gz`` or the like; none by default,
            for these are labels of whole reports.
        comparison_split: annotation file of a published split whose patients overlap (CheXpert Plus:
            40,463/5,780/11,562), relative to ``root``. For comparison with published numbers only.
        split_fractions: shares of train, val and test where patients are split by hash.
        split_seed: another seed gives another split by hash.
        single_split: if given, every study belongs to this split (an external test set).
        group_by: what makes rows of a plain table, or films of mimic-cxr, one study.
        columns: column names of a plain table.
        keep_without_report: keep studies without a target section (to generate for them).
        split_file: CSV or JSON file (``study_id, patient_id, split``) that says which split a study belongs to, as
            ``llmrg data split`` writes it, relative to the working directory; studies that it lacks are set aside.
        prepared: folder that ``llmrg data prepare`` made, relative to the working directory: films are read from it
            (same pixels, quicker).
        image_size: side of the square that films are brought to, in pixels.
        fit: how a film becomes a square: ``pad`` keeps everything and the aspect, ``crop`` the middle, ``stretch``
            distorts.
        views: films of a study that are kept at most; frontal first, one of each view before a second of the same.
        max_bad_fraction: share of the studies that may be set aside as bad before reading fails; one bad study is
            always tolerated unless it is 0.
        missing_images: what becomes of a film that is not on disk: ``bad`` makes its study a bad one, ``skip`` (for a
            partial download) goes on with the films that are there and counts the others.
    """

    format: str
    root: Path
    language: Language
    vocabulary: str
    target: tuple[str, ...] = ("findings",)
    annotation: Path | None = None
    reports: Path | None = None
    image_roots: tuple[Path, ...] = ()
    labels: Path | None = None
    comparison_split: Path | None = None
    split_fractions: tuple[float, float, float] = (0.7, 0.1, 0.2)
    split_seed: int = 0
    single_split: str | None = None
    group_by: Grouping = "study_id"
    columns: TableColumns = field(default_factory=TableColumns)
    keep_without_report: bool = False
    split_file: Path | None = None
    prepared: Path | None = None
    image_size: int = 224
    fit: Fit = "pad"
    views: int = 2
    max_bad_fraction: float = 0.05
    missing_images: MissingImages = "bad"

    def __post_init__(self) -> None:
        """Refuse values that cannot be meant.

        Raises:
            UserError: names the first such key, with the allowed values.
        """
        _choice("format", self.format, FORMATS)
        _choice("language", self.language, ("zh", "en"))
        _choice("fit", self.fit, ("pad", "crop", "stretch"))
        _choice("group_by", self.group_by, ("study_id", "image", "patient_id"))
        _choice("missing_images", self.missing_images, ("bad", "skip"))
        get_vocabulary(self.vocabulary)
        if not self.target:
            raise UserError("target names no report section", where="target", next_step="write target: [findings]")
        if len(set(self.target)) != len(self.target):
            raise UserError("target names a section twice", where="target")
        if not 8 <= self.image_size <= 4096:
            raise UserError(f"image_size is {self.image_size}, but must lie between 8 and 4096", where="image_size")
        if self.views < 1:
            raise UserError(f"views is {self.views}, but a study has at least one", where="views")
        if not 0 <= self.max_bad_fraction <= 1:
            raise UserError(f"max_bad_fraction is {self.max_bad_fraction}, but must lie between 0 and 1")
        if min(self.split_fractions) < 0 or abs(sum(self.split_fractions) - 1) > 1e-6:
            raise UserError(f"split_fractions are {self.split_fractions}, but must be at least 0 and sum to 1")
        if self.split_file is not None and (self.single_split or self.comparison_split):
            other = "single_split" if self.single_split else "comparison_split"
            raise UserError(f"split_file and {other} contradict each other", where="split_file")
        for key, formats in (("labels", ("chexpert-plus", "mimic-cxr")), ("reports", ("mimic-cxr", "iu-xray"))):
            if getattr(self, key) is not None and self.format not in formats:
                raise UserError(f"{key} belongs to the formats {' and '.join(formats)}", where=key)
        if self.comparison_split is not None and self.format != "chexpert-plus":
            raise UserError("comparison_split belongs to the format chexpert-plus", where="comparison_split")

    @property
    def languages(self) -> tuple[Language, ...]:
        """Languages of the reports."""
        return (self.language,)

    @property
    def place(self) -> str:
        """Where the dataset lies, for messages."""
        return str(self.root)

    def config_of(self, study: Study) -> DataConfig:
        """Tell how the films of a study are read: as this dataset's, which is all there is."""
        return self

    def tolerated_bad(self, total: int) -> int:
        """Return how many of ``total`` studies may be bad before a run fails: at least one, unless the share is 0."""
        return max(1, int(self.max_bad_fraction * total)) if self.max_bad_fraction > 0 else 0


def _choice(key: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise UserError(f"{key} cannot be {value!r}", where=key, allowed=allowed, got=str(value))


def require_target(config: DataConfig, sections: Sequence[str]) -> None:
    """Refuse target sections that a dataset does not have.

    Raises:
        UserError: names the sections it has.
    """
    for name in config.target:
        if name not in sections:
            has = "has one section, but" if len(sections) == 1 else f"has no section {name!r}:"
            raise UserError(
                f"This dataset {has} target is {', '.join(config.target)}", where="target", allowed=sections, got=name
            )
