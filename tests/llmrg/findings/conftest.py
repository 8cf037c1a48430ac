"""Reading of hand-labelled sentences: ``PE+L PX0 PN?`` is effusion positive on the left, no pneumothorax, ..."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from llmrg.findings.labeler import get_labeler
from llmrg.findings.vocabulary import get_vocabulary

CODES = {
    "EC": "Enlarged Cardiomediastinum",
    "CM": "Cardiomegaly",
    "LO": "Lung Opacity",
    "LL": "Lung Lesion",
    "ED": "Edema",
    "CO": "Consolidation",
    "PN": "Pneumonia",
    "AT": "Atelectasis",
    "PX": "Pneumothorax",
    "PE": "Pleural Effusion",
    "PO": "Pleural Other",
    "FR": "Fracture",
    "SD": "Support Devices",
    "NF": "No Finding",
}
_POLARITY = {"+": "positive", "0": "negative", "?": "uncertain"}
_SIDE = {"L": "left", "R": "right", "B": "bilateral"}
_SEVERITY = {"1": "mild", "2": "moderate", "3": "severe"}


@pytest.fixture
def check_sentence() -> Callable[[str, str, str], None]:
    def check(language: str, text: str, expected: str) -> None:
        mentions = get_labeler(get_vocabulary("chexpert14"), language).label(text)  # type: ignore[arg-type]
        wanted = {}
        for code in expected.split():
            name, polarity, side, severity = re.fullmatch(r"([A-Z]{2})([+0?])([LRB]?)([123]?)", code).groups()  # type: ignore[union-attr]
            wanted[CODES[name]] = _POLARITY[polarity]
            mention = mentions.get(CODES[name])
            if mention is not None and side:
                assert mention.side == _SIDE[side], (text, mention)
            if mention is not None and severity:
                assert mention.severity == _SEVERITY[severity], (text, mention)
        assert {name: mention.polarity for name, mention in mentions.items()} == wanted, text

    return check


@pytest.fixture
def read_codes() -> Callable[[str, str], set[str]]:
    """Everything a sentence is read as, in the codes above: class, polarity, side, severity."""

    def read(language: str, text: str) -> set[str]:
        names = {name: code for code, name in CODES.items()}
        marks = {long: short for group in (_POLARITY, _SIDE, _SEVERITY) for short, long in group.items()}
        mentions = get_labeler(get_vocabulary("chexpert14"), language).label(text)  # type: ignore[arg-type]
        return {
            names[name] + "".join(marks[word] for word in (m.polarity, m.side, m.severity) if word)
            for name, m in mentions.items()
        }

    return read
