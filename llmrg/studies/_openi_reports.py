"""Reports of Open-i: an XML file each, with labelled sections and the ids of its films."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from xml.parsers import expat

from llmrg.errors import UserError
from llmrg.studies._collector import Collector
from llmrg.studies._indiana_tables import PROJECTIONS, SECTIONS, read_projections
from llmrg.studies._paths import ImageFinder
from llmrg.studies._text_files import text_of
from llmrg.studies.settings import DataConfig, require_target
from llmrg.studies.splits import split_of
from llmrg.studies.study import Context, Study, ViewName

FOLDERS = ("ecgen-radiology", "NLMCXR_reports/ecgen-radiology", "reports")
MAX_BYTES = 4 << 20
"""A report file holds some 10 kB; more is not a report."""


class XmlError(Exception):
    """Why an XML file is not read; the message is the reason of a bad study."""


def report_folder(config: DataConfig, root: Path) -> Path | None:
    """Return the folder of XML files, or None without one.

    Raises:
        UserError: the configured folder does not exist.
    """
    if config.reports is not None:
        if not (root / config.reports).is_dir():
            raise UserError("The folder of reports does not exist", where=str(root / config.reports))
        return root / config.reports
    return next((root / name for name in FOLDERS if any((root / name).glob("*.xml"))), None)


def read_openi_reports(
    folder: Path, config: DataConfig, collector: Collector, *, root: Path, finder: ImageFinder
) -> None:
    """Read the studies of a folder of XML files into ``collector``; patients are split by hash.

    Raises:
        UserError: the folder holds no XML file, or a target that the files do not have.
    """
    require_target(config, SECTIONS)
    paths = sorted(folder.glob("*.xml"), key=lambda path: (len(path.stem), path.stem))
    if not paths:
        raise UserError("The folder holds no XML files", where=str(folder), next_step="unpack NLMCXR_reports.tgz there")
    projections = read_projections(root / PROJECTIONS, collector) if (root / PROJECTIONS).is_file() else {}
    views = {
        f"CXR{uid}_{name.split('.')[0].split('_', 1)[-1]}.png": view
        for uid, films in projections.items()
        for name, view in films.items()
    }
    for path in paths:
        try:
            tree = parse_xml(path)
        except XmlError as error:
            collector.reject(path.name, str(error))
            continue
        _read_report(tree, path, config=config, collector=collector, finder=finder, views=views)


def parse_xml(path: Path) -> ElementTree.Element:
    """Parse an XML file that declares no entity: nothing is fetched, nothing expands.

    Raises:
        XmlError: it is too large, broken, or declares an entity or refers to an external document.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise XmlError(f"the file has more than {MAX_BYTES >> 20} MiB, which no report has")
        data = path.read_bytes()
    except OSError as error:
        raise XmlError(f"the file cannot be read ({error.strerror})") from None
    builder = ElementTree.TreeBuilder()
    parser = expat.ParserCreate()

    def refuse(*_: object) -> int:
        raise XmlError("the XML file declares an entity or refers to another document, which reports never need")

    parser.EntityDeclHandler = refuse
    parser.UnparsedEntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse
    parser.SkippedEntityHandler = refuse
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(data, True)
        return builder.close()
    except expat.ExpatError as error:
        raise XmlError(f"the XML file is broken at line {error.lineno}") from None
    except (ValueError, LookupError):  # an encoding that is unknown
        raise XmlError("the XML file is in an unknown encoding") from None


def _read_report(
    tree: ElementTree.Element,
    path: Path,
    *,
    config: DataConfig,
    collector: Collector,
    finder: ImageFinder,
    views: dict[str, ViewName],
) -> None:
    named = tree.find("uId")
    study_id = text_of(named.get("id")) if named is not None else ""
    if not study_id:
        collector.reject(path.name, "the XML file has no uId")
        return
    texts: dict[str, str] = {}
    for element in tree.iter("AbstractText"):
        name = (element.get("Label") or "").strip().lower()
        text = text_of("".join(element.itertext()))
        if name and text:
            texts[name] = f"{texts[name]} {text}" if name in texts else text
    sections = {name: texts[name] for name in SECTIONS if name in texts}
    if not any(name in sections for name in config.target) and not config.keep_without_report:
        collector.leave_out_without_target()
        return
    films = list(dict.fromkeys(f"{element.get('id')}.png" for element in tree.iter("parentImage")))
    if not films:
        collector.leave_out("no film (the report names none)")
        return
    images = collector.images(study_id, films, finder=finder, view_of=lambda name: views.get(name, "unknown"))
    if images is None:
        return
    collector.add(
        Study(
            id=study_id,
            patient_id=study_id,
            images=images,
            split=split_of(study_id, fractions=config.split_fractions, seed=config.split_seed),
            language=config.language,
            context=Context(indication=texts.get("indication")),
            sections=sections,
        )
    )
