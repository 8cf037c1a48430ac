"""Both labelers on sentences that were written and labelled by hand, blind to them (``sentences/README.md``)."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pytest

from llmrg.findings.labeler import get_labeler
from llmrg.findings.vocabulary import get_vocabulary

SENTENCES = Path(__file__).parent / "sentences"
VALUES = {"positive": 1, "negative": 0, "uncertain": -1}
AT_LEAST = {"zh": 300, "en": 200}


@cache
def rows(language: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SENTENCES / f"{language}.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_sentences_try_every_class_in_every_polarity(language: str) -> None:
    assert len(rows(language)) >= AT_LEAST[language]
    assert len({row["text"] for row in rows(language)}) == len(rows(language))
    assert all(row["synthetic"] is True for row in rows(language))
    tried = {(name, value[0]) for row in rows(language) for name, value in row["labels"].items()}
    names = set(get_vocabulary("chexpert14").names) - {"No Finding"}
    assert tried == {(name, value) for name in names for value in (1, 0, -1)} | {("No Finding", 1)}


@pytest.mark.parametrize("language", ["zh", "en"])
def test_labels(language: Literal["zh", "en"]) -> None:
    labeler = get_labeler(get_vocabulary("chexpert14"), language)
    counts = Counter[str]()
    wrong: list[str] = []
    for row in rows(language):
        said = {
            name: (VALUES[one.polarity], one.side, one.severity) for name, one in labeler.label(row["text"]).items()
        }
        true = {(name, value[0]) for name, value in row["labels"].items()}
        found = {(name, value[0]) for name, value in said.items()}
        counts.update(right=len(true & found), invented=len(found - true), missed=len(true - found))
        for name, polarity in true & found:
            if polarity != 0:
                _, side, severity = row["labels"][name]
                counts.update(affirmed=1, side=said[name][1] == side, severity=said[name][2] == severity)
        if true != found:
            wrong.append(f"{row['text']} missed {sorted(true - found)} invented {sorted(found - true)}")
    f1 = 2 * counts["right"] / (2 * counts["right"] + counts["invented"] + counts["missed"])
    sides, severities = (counts[name] / counts["affirmed"] for name in ("side", "severity"))
    figures = f"{language}: micro-F1 {f1:.4f}, side {sides:.4f}, severity {severities:.4f} of {dict(counts)}\n"
    assert f1 >= 0.97, figures + "\n".join(wrong)
    assert min(sides, severities) >= 0.95, figures
