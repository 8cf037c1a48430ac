"""The Chinese labeler on machine-translated reports (never tuned to) and its speed on different reports."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[3] / "scripts" / "bench"))

import labelers_zh
from phantom_reports import phantom_reports


def test_stays_above_the_keyword_baseline() -> None:
    data = Path(os.environ.get("LLMRG_TEST_DATA") or "absent")
    if not (data / "iu_xray" / "openi_zh.csv").is_file():
        pytest.skip("needs LLMRG_TEST_DATA with iu_xray/openi_zh.csv")
    rows = labelers_zh.translated(data)
    assert len(rows) > 2000
    assert labelers_zh.agreement(rows)["micro"] > 0.658


def test_speed_on_different_reports() -> None:
    texts = phantom_reports("zh", 1000)
    assert len(set(texts)) == 1000
    assert labelers_zh.speed(texts, "radiograph")["cold"] > 1000  # 2,000 are promised; half for a busy machine
