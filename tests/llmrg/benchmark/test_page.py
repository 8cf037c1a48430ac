from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

from llmrg.benchmark.comparison import compare_findings
from llmrg.benchmark.evidence_view import EvidenceLookup
from llmrg.benchmark.page import find_results, write_index, write_page
from llmrg.benchmark.predictions import Prediction
from llmrg.benchmark.results import Results, Row
from llmrg.benchmark.settings import GallerySettings
from llmrg.benchmark.study_view import ReportColumn, study_view
from llmrg.errors import UserError
from llmrg.findings.mention import Mention
from llmrg.findings.vocabulary import get_vocabulary
from llmrg.studies.study import Image, Study

ATTACK = '<script>alert("x")</script><img src=x onerror=alert(1)>'
VOCABULARY = get_vocabulary("ped_xray")


def results(name: str = "made", language: str = "en") -> Results:
    per_class = {
        finding.name: {"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 3} for finding in VOCABULARY.abnormal
    }
    rows = tuple(
        Row(
            system=system,
            kind=kind,  # type: ignore[arg-type]
            metrics={"clinical_micro_f1": f1, "bleu_4": 0.1, "side_accuracy": None, "per_class": per_class},
            confidence_intervals={"clinical_micro_f1": (f1 - 0.05, f1 + 0.05)},
        )
        for system, kind, f1 in ((ATTACK, "system", 0.8), ("nearest", "baseline", 0.4), ("oracle", "oracle", 0.9))
    )
    return Results(
        dataset=name, split="test", n=4, patients=3, language=language, rows=rows, vocabulary="ped_xray", title=name
    )


@pytest.fixture
def view(tmp_path: Path) -> dict[str, Any]:
    """A study with a right, a missed, an invented and a misplaced finding, and with all kinds of evidence."""
    film = tmp_path / "film.png"
    PillowImage.fromarray(np.arange(4096, dtype=np.uint8).reshape(64, 64)).save(film)
    study = Study(
        id=ATTACK,
        patient_id="p",
        images=(Image(path=film, view="frontal"), Image(path=tmp_path / "gone.png", view="lateral")),
        split="test",
        language="en",
    )

    def said(name: str, words: str, side: str | None = None) -> dict[str, Mention]:
        return {name: Mention(finding=name, polarity="positive", side=side, proof=words)}  # type: ignore[arg-type]

    expected = said("nodule", "a nodule", "left") | said("consolidation", "consolidation") | said("edema", "edema")
    stated = said("nodule", "a nodule", "right") | said("edema", "edema") | said("rib_fracture", "a fracture")
    evidence = (
        {"kind": "disease_queries", "items": [{"finding": "nodule", "probability": 0.9, "picture": "film.png"}]},
        {"kind": "retrieved_context", "items": [{"study_id": ATTACK, "similarity": 0.5, "role": ATTACK}]},
        {"kind": "visual_memory", "items": [{"finding": ATTACK, "pattern": {"study_id": ATTACK}, "weight": 0.5}]},
    )
    report = f"There is a nodule, edema and a fracture. {ATTACK}"
    prediction = Prediction(id=study.id, report=report, confidence=0.5, evidence=evidence, folder=tmp_path)
    outcomes = compare_findings(expected, stated, VOCABULARY)
    column = ReportColumn(system=ATTACK, kind="system", report=report, outcomes=outcomes, prediction=prediction)
    return study_view(
        study,
        group="wrong_side",
        reference=f"A small consolidation. {ATTACK} With a nodule and edema.",
        labelled=expected,
        expected=expected,
        truth=None,
        columns=[column],
        vocabulary=VOCABULARY,
        lookup=EvidenceLookup(find=lambda id_: study, target=("findings",)),
        settings=GallerySettings(),
    )


class Tags(HTMLParser):
    """Collects tags, attributes and the text of marked words."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.marks: list[tuple[str, str]] = []
        self._mark: str | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._mark = dict(attrs).get("class") if tag == "mark" else self._mark

    def handle_data(self, data: str) -> None:
        if self._mark is not None:
            self.marks.append((self._mark, data))
            self._mark = None


def test_generated_text_is_text_and_never_html(view: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "run" / "made"
    results().write(folder)
    page = write_page(results(), {"studies": [view], "chosen": ATTACK, "boxes": False}, folder)
    for path in (page, write_index([folder], tmp_path / "run")):
        html = path.read_text(encoding="utf-8")
        found = Tags(html).tags
        assert sum(tag == "script" for tag, _ in found) == 1, "only our own script"
        assert not any(name.startswith("on") for _, attributes in found for name in attributes)
        assert "&lt;script&gt;" in html


@pytest.fixture
def written(view: dict[str, Any], tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    for name, language in (("alpha", "en"), ("beta", "zh")):
        one = results(name, language)
        one.write(folder / name)
        write_page(one, {"studies": [view], "chosen": "", "boxes": False}, folder / name, parent="../index.html")
    write_index(find_results(folder), folder)
    return folder


def test_pages_need_nothing_from_elsewhere(written: Path) -> None:
    for path in written.rglob("*.html"):
        html = path.read_text(encoding="utf-8")
        assert not re.search(r"https?:|@import|url\(", html)
        for tag, attributes in Tags(html).tags:
            assert tag not in ("link", "iframe", "object", "base")
            source = attributes.get("src")
            assert source is None or source.startswith("data:image/")
            target = attributes.get("href")
            assert target is None or target.startswith("#") or (path.parent / target).resolve().is_file()


def test_the_policy_allows_the_pages_own_script(written: Path) -> None:
    html = (written / "index.html").read_text(encoding="utf-8")
    script = re.search(r"<script>(.*?)</script>", html, flags=re.S)
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script.group(1).encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in html


def test_findings_that_differ_are_marked(written: Path) -> None:
    marks = Tags((written / "alpha" / "index.html").read_text(encoding="utf-8")).marks
    assert {
        ("m-wrong_side", "a nodule"),
        ("m-invented", "a fracture"),
        ("m-missed", "consolidation"),
        ("m-right", "edema"),
    } <= set(marks)


def test_the_index_shows_chinese_first_and_links_every_page(written: Path) -> None:
    html = (written / "index.html").read_text(encoding="utf-8")
    assert html.index('id="beta-test"') < html.index('id="alpha-test"')
    assert 'href="alpha/index.html"' in html
    assert 'href="beta/index.html"' in html


def test_an_index_can_be_written_again_but_not_over_another_page(written: Path) -> None:
    write_index(find_results(written), written)
    (written / "index.html").write_text("<title>mine</title>", encoding="utf-8")
    with pytest.raises(UserError, match="no benchmark wrote"):
        write_index(find_results(written), written)
    assert (written / "index.html").read_text(encoding="utf-8") == "<title>mine</title>"


def test_a_page_without_systems_and_studies(tmp_path: Path) -> None:
    bare = Results(
        dataset="bare", split="test", n=1, patients=1, language="en", rows=results().rows[1:2], vocabulary="other"
    )
    bare.write(tmp_path / "bare")
    write_page(bare, {"studies": [], "chosen": "", "boxes": False}, tmp_path / "bare")
    (tmp_path / "bare" / "gallery.json").unlink()
    assert "No system yet" in write_index([tmp_path / "bare"], tmp_path).read_text(encoding="utf-8")
