"""Reader of ReXrank's JSON files: study id to images, views, context, findings and impression; one file, one split.

Format: ReXrank (Zhang et al. 2024), ``ReXRank_{IUXray,MIMICCXR,CheXpertPlus}_*.json``. NaN marks an absent section.
Paths of the MIMIC-CXR file begin with a slash that means the folder of films. The file's ``report`` (which says
``Findings: None.`` for an absent section) is not read; the sections are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmrg.errors import UserError
from llmrg.studies._collector import Collector
from llmrg.studies._paths import ImageFinder, dataset_root, image_roots
from llmrg.studies._patient_facts import parse_age, parse_sex
from llmrg.studies._text_files import identifier_of, read_json, report_text, require_file, require_keys, text_of
from llmrg.studies.settings import DataConfig, require_target
from llmrg.studies.study import Context, Study, ViewName
from llmrg.studies.views import normalise_view, view_of_file

__all__ = ["read_rexrank"]

_OPTIONAL = ("frontal_lateral", "split", "subject_id", "context", "age", "sex", "section_clinical_history")
_USUAL_FOLDERS = ("images", "files", "PNG/PNG", "PNG")


def read_rexrank(config: DataConfig, collector: Collector) -> None:
    """Read the studies of a ReXrank file into ``collector``; without a ``split`` of their own they are ``test``.

    Raises:
        UserError: a missing or broken file, one of another shape, or several that might be meant.
    """
    require_target(config, ("findings", "impression"))
    root = dataset_root(config.root)
    path = _file(config, root)
    finder = ImageFinder(image_roots(root, config.image_roots, usual=_USUAL_FOLDERS))
    records = read_json(path)
    if not isinstance(records, dict) or not records:
        raise UserError("The file must map study ids to studies", where=str(path))
    if all(isinstance(record, list) for record in records.values()):
        raise UserError(
            "This is an annotation of lists of studies, not a ReXrank file",
            where=str(path),
            next_step="set format to iu-xray, mimic-cxr or cn-cxr",
        )
    for key, record in records.items():
        study = _study(key, record, path=path, config=config, collector=collector, finder=finder)
        if study is not None:
            collector.add(study)


def _file(config: DataConfig, root: Path) -> Path:
    if config.annotation is not None:
        return require_file(root / config.annotation, what="ReXrank file", key="annotation")
    found = sorted(path.name for path in root.glob("*.json") if path.name != "manifest.json")
    rexrank = [name for name in found if name.lower().startswith("rexrank")]
    chosen = rexrank if len(rexrank) == 1 else found
    if len(chosen) != 1:
        what = "There is no JSON file" if not chosen else "There are several JSON files"
        raise UserError(what, where=str(root), allowed=chosen or None, next_step="set annotation to the file's name")
    return root / chosen[0]


def _study(
    key: str, record: Any, *, path: Path, config: DataConfig, collector: Collector, finder: ImageFinder
) -> Study | None:
    where = f"{path}, study {key!r}"
    require_keys(record, ("image_path", "section_findings", "section_impression"), where=where, optional=_OPTIONAL)
    split = record.get("split")
    if split is not None and not isinstance(split, str):
        collector.reject(key, "its split is not text")
        return None
    try:
        study_id = identifier_of(key)
        patient_id = _patient(key, record)
        texts = {name: report_text(record[f"section_{name}"]) for name in ("findings", "impression")}
    except ValueError as error:
        collector.reject(key, str(error))
        return None
    sections = {name: text for name, text in texts.items() if text}
    if not any(name in sections for name in config.target) and not config.keep_without_report:
        collector.leave_out_without_target()
        return None
    films = record["image_path"]
    films = [films] if isinstance(films, str) else films
    if not isinstance(films, list) or not all(isinstance(name, str) for name in films) or len(set(films)) < len(films):
        collector.reject(study_id, "image_path is not a list of different paths")
        return None
    names = [re.sub(r"^/(?!/)", "", name) for name in films]
    told = record.get("frontal_lateral")
    views = _views(names, told if isinstance(told, list) else [told])
    images = collector.images(study_id, names, finder=finder, view_of=views.__getitem__)
    if images is None:
        return None
    return Study(
        id=study_id,
        patient_id=patient_id,
        images=images,
        split=text_of(split) or "test",
        language=config.language,
        context=_context(record),
        sections=sections,
    )


def _patient(key: str, record: Mapping[str, Any]) -> str:
    """Return the patient: a key of the record, else what the id of the source dataset tells, else the study itself."""
    for name in ("subject_id", "patient_id", "deid_patient_id"):
        if record.get(name) is not None:
            return identifier_of(record[name])
    match = re.match(r"(patient\d+)[_/]study|(CXR\d+)_", key)
    return (match.group(1) or match.group(2)) if match else key


def _views(names: list[str], told: list[Any]) -> dict[str, ViewName]:
    """Views as told, where there is one a film (a few studies of the IU file name more views than films)."""
    if len(told) == len(names):
        views = {name: normalise_view(text_of(word)) for name, word in zip(names, told, strict=True)}
        return {name: view if view != "unknown" else view_of_file(name) for name, view in views.items()}
    return {name: view_of_file(name) for name in names}


def _context(record: Mapping[str, Any]) -> Context:
    """Read ``Age:77.0.Gender:F.Indication: Cough.Comparison: None.``; ages told as a range are left out."""
    text = text_of(record.get("context"))
    age = text_of(record.get("age")) or next(iter(re.findall(r"\bAge:\s*(\d+(?:\.\d+)?)(?=\.[A-Z]|\s|$)", text)), "")
    sex = text_of(record.get("sex")) or next(iter(re.findall(r"\bGender:\s*(\w+)", text)), "")
    indication = re.search(r"Indication:(.*?)(?:\s*Comparison:|$)", text, flags=re.DOTALL)
    told = text_of(record.get("section_clinical_history")) or text_of(indication.group(1) if indication else None)
    return Context(age=parse_age(age), sex=parse_sex(text_of(sex)), indication=told or None)
