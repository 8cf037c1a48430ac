"""The English labeler on real text: human coding of IU X-ray, the four reports of the CheXpert labeler, speed."""

from __future__ import annotations

import csv
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from llmrg.findings.labeler import get_labeler
from llmrg.findings.mention import Mention
from llmrg.findings.vocabulary import get_vocabulary

sys.path.append(str(Path(__file__).parents[3] / "scripts" / "bench"))

import labelers
from coded_reports import confusion, f1, stated

VALUES = {"positive": 1.0, "negative": 0.0, "uncertain": -1.0}
# Report and class where the shipped labels and the conventions part, with what the conventions say.
CONVENTIONS = {
    (0, "Cardiomegaly"): 0.0,  # "Heart size normal": rule 4
    (0, "Lung Opacity"): 0.0,  # "lungs are clear": rule 3
    (3, "Lung Opacity"): 0.0,  # "clear lungs": rule 3
}


def _data(*parts: str) -> Path:
    root = os.environ.get("LLMRG_TEST_DATA")
    path = Path(root or "absent").joinpath(*parts)
    if not root or not path.is_file():
        pytest.skip(f"needs LLMRG_TEST_DATA with {'/'.join(parts)}")
    return path


def test_agreement_with_the_coders_on_rows_that_nobody_read() -> None:
    rows = [row for row in labelers.read_rows(_data("iu_xray", "indiana_reports.csv")) if not labelers.is_even(row)]
    counts = confusion(labelers.coded(rows), lambda text: stated(text, "en"))
    assert f1(*counts.values()) >= 0.86
    total = sum(counts.values(), type(counts["Edema"])())
    assert total["tp"] / (total["tp"] + total["fn"]) >= 0.98
    label = get_labeler(get_vocabulary("chexpert14"), "en").label
    found = labelers.causes(rows, label)
    unexplained = found["other, said by the labeler alone"] + found["said by the coders alone"]
    assert 2 * total["tp"] / (2 * total["tp"] + unexplained) >= 0.95


def test_four_reports_of_the_chexpert_labeler() -> None:
    labeler = get_labeler(get_vocabulary("chexpert14"), "en")
    with _data("chexpert_labeler", "labeled_reports.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for index, row in enumerate(rows):
        shipped = {name: float(value) for name, value in row.items() if name != "Reports" and value}
        expected = shipped | {name: value for (number, name), value in CONVENTIONS.items() if number == index}
        assert _values(labeler.label(row["Reports"])) == expected, row["Reports"]


def _values(mentions: Mapping[str, Mention]) -> dict[str, float]:
    return {name: VALUES[mention.polarity] for name, mention in mentions.items()}


def test_speed_on_different_reports() -> None:
    texts = [labelers.report(row) for row in labelers.read_rows(_data("iu_xray", "indiana_reports.csv"))]
    get_labeler.cache_clear()
    labeler = get_labeler(get_vocabulary("chexpert14"), "en")
    start = time.process_time()
    labeler.label_many(texts)
    assert len(texts) / (time.process_time() - start) > 1000  # 2,000 are promised; half for a busy machine
