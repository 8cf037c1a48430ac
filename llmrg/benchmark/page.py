"""Writing the result pages: one for a dataset, and an index over several; each a single file that works offline."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from llmrg.artefacts import write_text
from llmrg.benchmark.results import RESULTS_FILE, Results, read_results
from llmrg.benchmark.section_view import EMPTY_GALLERY, section_view
from llmrg.benchmark.words import OUTCOME_SYMBOLS, OUTCOME_WORDS, mark_chinese
from llmrg.errors import UserError
from llmrg.version import __version__

__all__ = ["GALLERY_FILE", "PAGE_FILE", "find_results", "write_index", "write_page"]

PAGE_FILE = "index.html"
GALLERY_FILE = "gallery.json"
_PREVIEWED = 4
_STYLES = ("style.css", "figures.css", "print.css")
_OURS = '<meta name="generator" content="llmrg benchmark">'
_log = logging.getLogger(__name__)


def write_page(results: Results, gallery: Mapping[str, Any], out: Path, *, parent: str | None = None) -> Path:
    """Write the page of one dataset.

    Args:
        results: its figures.
        gallery: its studies, as :func:`llmrg.benchmark.run.run_benchmark` collects them.
        out: folder; the page is its ``index.html``, and ``gallery.json`` beside it keeps the studies for the index.
        parent: address of the index, relative to the page, if there is one.

    Returns:
        Path of the page.
    """
    write_text(out / GALLERY_FILE, json.dumps(gallery, ensure_ascii=False) + "\n")
    studies = [{**study, "open": position == 0} for position, study in enumerate(gallery["studies"])]
    section = section_view(results, {**gallery, "studies": studies})
    html = _render("dataset.html.j2", title=section["title"], section=section, parent=parent)
    write_text(out / PAGE_FILE, html)
    return out / PAGE_FILE


def write_index(pages: Sequence[Path], out: Path, *, title: str = "Chest X-ray reports, compared") -> Path:
    """Write one page over several datasets: tables, charts and some studies of each, with links to their pages.

    Args:
        pages: folders that benchmarks wrote (each holds ``results.json``), in the order shown.
        out: the HTML file to write, or a folder for its ``index.html``.
        title: heading.

    Returns:
        Path of the index.

    Raises:
        UserError: a folder without results, or a page of another origin stands where the index would go.
    """
    path = out if out.suffix == ".html" else out / PAGE_FILE
    if not may_write(path):
        raise UserError(
            "A page that no benchmark wrote stands here",
            where=str(path),
            next_step="move it away, or give the benchmark another folder",
        )
    sections: list[dict[str, Any]] = []
    for folder in pages:
        results = read_results(folder / RESULTS_FILE)
        gallery = _read_gallery(folder / GALLERY_FILE)
        page = folder / PAGE_FILE
        address = page.resolve().relative_to(path.parent.resolve()) if _below(page, path) else None
        preview = [{**study, "open": position == 0} for position, study in enumerate(_one_of_each(gallery["studies"]))]
        anchors = {section["anchor"] for section in sections}
        sections.append(
            section_view(
                results,
                gallery,
                page=None if address is None else address.as_posix(),
                preview=preview,
                anchors=anchors,
            )
        )
    write_text(path, _render("index.html.j2", title=title, sections=sections))
    return path


def find_results(folder: Path) -> list[Path]:
    """Folders directly below ``folder`` that hold a benchmark's results: Chinese ones first, then by name."""
    found: list[tuple[bool, Path]] = []
    for path in sorted(folder.glob(f"*/{RESULTS_FILE}")):
        try:
            found.append((read_results(path).language != "zh", path.parent))
        except UserError:
            _log.warning("%s holds no results of a benchmark and is left out", path)
    return [path for _, path in sorted(found)]


def may_write(path: Path) -> bool:
    """Tell whether an index may be written here: nothing is there yet, or an earlier page of ours."""
    if not path.exists():
        return True
    try:
        return _OURS in path.read_text(encoding="utf-8")[:4000]
    except (OSError, UnicodeDecodeError):
        return False


def _below(page: Path, index: Path) -> bool:
    return page.is_file() and page.resolve().is_relative_to(index.parent.resolve())


def _one_of_each(studies: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The first study of every group, then others, up to the number shown on an index."""
    first: dict[str, Mapping[str, Any]] = {}
    for study in studies:
        first.setdefault(str(study["group"]), study)
    chosen = list(first.values())[:_PREVIEWED]
    chosen += [study for study in studies if not any(study is one for one in chosen)][: _PREVIEWED - len(chosen)]
    return chosen


def _read_gallery(path: Path) -> Mapping[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return {**EMPTY_GALLERY, **values}
    except (OSError, ValueError, TypeError):
        _log.warning("no gallery beside the results in %s", path.parent)
        return EMPTY_GALLERY


def _render(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("llmrg.benchmark", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    folder = resources.files("llmrg.benchmark") / "templates"
    script = (folder / "script.js").read_text(encoding="utf-8").strip()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    environment.filters["han"] = mark_chinese
    environment.globals.update(
        style=Markup("".join((folder / name).read_text(encoding="utf-8") for name in _STYLES)),
        script=Markup(script),
        script_hash=Markup(digest),
        symbols=OUTCOME_SYMBOLS,
        words=OUTCOME_WORDS,
        version=__version__,
    )
    return environment
