from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
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
from llmrg.benchmark.results import Results, Row, read_results
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


NO_STUDIES = {"studies": [], "chosen": "", "boxes": False}
VOID = {"meta", "input", "img", "br", "link", "hr"}
DRAWN_ALONE = {"circle", "path", "line", "rect", "polyline"}


class Document(HTMLParser):
    """Checks that tags close in order and collects ids, headings, captions and words."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.levels: list[int] = []
        self.tables = self.captions = 0
        self.text: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if values.get("id"):
            self.ids.append(str(values["id"]))
        target = values.get("aria-labelledby") or str(values.get("href") or "").removeprefix("#")
        if target and not target.endswith(".html"):
            self.targets.append(target)
        self.tables += tag == "table"
        self.captions += tag == "caption"
        if re.fullmatch(r"h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID | DRAWN_ALONE, f"<{tag}/> does not close itself in HTML"

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(path: Path) -> tuple[Document, str]:
    document = Document(path.read_text(encoding="utf-8"))
    assert document.open == [], "all tags are closed"
    return document, " ".join(" ".join(document.text).split()).replace("\u00a0", " ")


@pytest.mark.parametrize("dataset", ["ped_xray", "chexpert_plus"])
def test_the_whole_page_is_well_formed_and_has_every_section(
    rich_results: Callable[..., Results], view: dict[str, Any], tmp_path: Path, dataset: str
) -> None:
    made = rich_results(dataset)
    made.write(tmp_path / dataset)
    page = write_page(made, {"studies": [view], "chosen": "", "boxes": True}, tmp_path / dataset)
    document, text = read(page)
    anchor = f"{dataset.replace('_', '-')}-test"
    sections = {name.removeprefix(f"{anchor}-") for name in document.ids if name.startswith(anchor)}
    expected = {
        "summary", "table", "ranking", "classes", "tests", "clinical", "lengths", "honesty", "evidence", "agreement",
        "studies", "published", "method",
    }  # fmt: skip
    assert sections == expected - ({"agreement"} if dataset == "ped_xray" else set())
    assert len(set(document.ids)) == len(document.ids), "no id stands twice"
    assert set(document.targets) <= set(document.ids), "every link and label has its target"
    assert document.tables == document.captions, "every table says what it is"
    assert document.levels[0] == 1
    steps = zip(document.levels, document.levels[1:], strict=False)
    assert all(after <= before + 1 for before, after in steps), "no heading level is skipped"
    for words in ("82.0", "79.0–84.0", "sd 1.2", "34.5", "41 of 240", "0.061", "r2gen", "words100", made.signature):
        assert words in text
    if dataset == "chexpert_plus":
        for words in ("Published under another protocol", "CXPMRG-Bench", "Mean kappa 0.81", "0.377"):
            assert words in text
    read(write_index([tmp_path / dataset], tmp_path))


def test_hostile_names_stay_text_everywhere(rich_results: Callable[..., Results], tmp_path: Path) -> None:
    made = rich_results(systems=(ATTACK, "b"), classes=(ATTACK, "\"'><b>x"))
    hostile = replace(made, title=ATTACK, dataset=ATTACK, signature=ATTACK, protocol={ATTACK: ATTACK}, labeler=ATTACK)
    page = write_page(hostile, NO_STUDIES, tmp_path)
    html = page.read_text(encoding="utf-8")
    read(page)
    assert sum(tag == "script" for tag, _ in Tags(html).tags) == 1
    assert not any(tag == "img" and "src" in attributes for tag, attributes in Tags(html).tags)
    assert not any(name.startswith("on") for _, attributes in Tags(html).tags for name in attributes)


def test_the_gallery_is_filtered_without_a_script(view: dict[str, Any], tmp_path: Path) -> None:
    page = write_page(results(), {"studies": [view], "chosen": "", "boxes": True}, tmp_path)
    html = page.read_text(encoding="utf-8")
    radios = {attributes["id"] for _, attributes in Tags(html).tags if attributes.get("name") == "show"}
    assert radios == {"show-all", "show-wrong_side", "show-invented", "show-missed", "show-right"}
    for name in radios - {"show-all"}:
        assert f"body:has(#{name}:checked) .study:not(" in html


def test_results_of_the_first_version_are_still_shown(tmp_path: Path) -> None:
    old = {
        "dataset": "old", "split": "test", "n": 2, "patients": 2, "language": "zh", "vocabulary": "ped_xray",
        "rows": [
            {"system": "a", "kind": "system", "metrics": {"clinical_micro_f1": 0.5, "bleu_4": 0.25, "per_class": {}},
             "confidence_intervals": {"bleu_4": [0.2, 0.3]}},
            {"system": "nearest", "kind": "baseline", "metrics": {"clinical_micro_f1": 0.6, "bleu_4": None}},
        ],
    }  # fmt: skip
    (tmp_path / "results.json").write_text(json.dumps(old), encoding="utf-8")
    document, text = read(write_page(read_results(tmp_path / "results.json"), NO_STUDIES, tmp_path))
    assert {name.removeprefix("old-test-") for name in document.ids if name.startswith("old")} == {
        "summary", "table", "ranking", "method",
    }  # fmt: skip
    assert "the baseline nearest has more: 60.0 %" in text


def test_eight_systems_and_many_classes_stay_small(rich_results: Callable[..., Results], tmp_path: Path) -> None:
    classes = tuple(f"第{place}类 class {place}" for place in range(48))
    made = rich_results(systems=tuple(f"系统 {place}" for place in range(8)), classes=classes)
    page = write_page(made, NO_STUDIES, tmp_path)
    read(page)
    assert page.stat().st_size < 1_000_000, "24 studies of some 50 kB each go with it"


def test_datasets_of_one_anchor_do_not_share_ids(tmp_path: Path) -> None:
    for name in ("儿科甲", "儿科乙"):
        results(name).write(tmp_path / name)
        write_page(results(name), NO_STUDIES, tmp_path / name)
    document, _ = read(write_index(find_results(tmp_path), tmp_path))
    assert len(set(document.ids)) == len(document.ids)


@pytest.mark.parametrize("part", ["tests", "published", "leakage", "agreement", "reference_lengths", "headline", "n"])
def test_a_page_without_one_of_its_parts(rich_results: Callable[..., Results], tmp_path: Path, part: str) -> None:
    none: dict[str, Any] = {"tests": (), "published": (), "headline": ("absent",), "n": 0}
    changed: Any = {part: none.get(part)}
    read(write_page(replace(rich_results("chexpert_plus"), **changed), NO_STUDIES, tmp_path))


@pytest.mark.parametrize("part", ["clinical", "lengths", "seeds", "gate", "protocols", "evidence", "metrics"])
def test_a_page_of_rows_without_one_of_their_parts(
    rich_results: Callable[..., Results], tmp_path: Path, part: str
) -> None:
    empty: Any = {} if part in ("protocols", "evidence", "metrics") else None
    made = rich_results()
    rows = tuple(replace(row, **{part: empty}) for row in made.rows)
    read(write_page(replace(made, rows=rows), NO_STUDIES, tmp_path))
    mixed = (rows[0], *made.rows[1:])
    read(write_page(replace(made, rows=mixed), NO_STUDIES, tmp_path))


def test_words_can_be_read_on_their_grounds(tmp_path: Path) -> None:
    """WCAG 2.2, 1.4.3: contrast of at least 4.5 to 1, on screen in both schemes and on paper."""
    html = write_page(results(), NO_STUDIES, tmp_path).read_text(encoding="utf-8")
    blocks = re.findall(r"(?s):root {(.*?)}", html)
    schemes = [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6})", block)) for block in blocks]
    assert len(schemes) == 3
    words = [(word, ground) for word in ("ink", "soft", "accent") for ground in ("paper", "card")]
    words += [("ink", "accent-soft"), ("soft", "accent-soft"), ("paper", "ink"), ("ink", "invented-bg")]
    words += [(name, f"{name}-bg") for name in ("wrong", "invented", "missed", "right")]
    words += [(name, "card") for name in ("wrong", "invented", "missed", "right")]
    for scheme in schemes:
        for word, ground in words:
            light, dark = sorted((luminance(scheme[word]), luminance(scheme[ground])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (word, ground, scheme[word], scheme[ground])


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
