"""What the figures of both labelers share: the human coding of IU X-ray, hand-labelled sentences, F1."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

from llmrg.findings.labeler import get_labeler
from llmrg.findings.vocabulary import get_vocabulary

__all__ = ["CLASSES", "classes_of", "confusion", "f1", "sentences", "stated"]

_PROBLEMS = {
    "Cardiomegaly": "Cardiomegaly",
    "Pleural Effusion": "Pleural Effusion",
    "Pneumothorax": "Pneumothorax",
    "Pulmonary Atelectasis": "Atelectasis",
    "Pulmonary Edema": "Edema",
    "Consolidation": "Consolidation",
    "Pneumonia": "Pneumonia",
    "Opacity": "Lung Opacity",
    "Infiltrate": "Lung Opacity",
    "Airspace Disease": "Lung Opacity",
    "Nodule": "Lung Lesion",
    "Mass": "Lung Lesion",
    "Fractures, Bone": "Fracture",
}
CLASSES = tuple(sorted(set(_PROBLEMS.values())))
"""The classes of chexpert14 that the coding knows."""
_VALUES = {"positive": 1, "negative": 0, "uncertain": -1}


def classes_of(problems: str) -> set[str]:
    """Classes that the coders gave, from the column ``Problems``."""
    return {_PROBLEMS[problem.strip()] for problem in problems.split(";") if problem.strip() in _PROBLEMS}


def stated(text: str, language: Literal["zh", "en"], *, unsure: bool = True) -> set[str]:
    """Classes that a labeler reads in a report; hedged ones count unless ``unsure`` is false."""
    counting = ("positive", "uncertain") if unsure else ("positive",)
    mentions = get_labeler(get_vocabulary("chexpert14"), language).label(text)
    return {name for name, mention in mentions.items() if mention.polarity in counting}


def confusion(rows: Iterable[tuple[str, set[str]]], read: Callable[[str], set[str]]) -> dict[str, Counter[str]]:
    """True and false positives and misses of each class, of reports with their coded classes."""
    counts = {name: Counter[str]() for name in CLASSES}
    for text, true in rows:
        found = read(text)
        for name in CLASSES:
            counts[name][("tn", "fn", "fp", "tp")[2 * (name in found) + (name in true)]] += 1
    return counts


def f1(*counts: Counter[str]) -> float:
    """Micro-averaged F1."""
    total = sum(counts, Counter[str]())
    return 2 * total["tp"] / max(1, 2 * total["tp"] + total["fp"] + total["fn"])


def sentences(path: Path, language: Literal["zh", "en"]) -> dict[str, float]:
    """Figures of hand-labelled sentences.

    Returns:
        ``n``; ``f1`` over class and polarity; ``exact``, the share of sentences right to side and degree; ``side and
        degree``, the share of the mentions agreed on that are right in both.
    """
    labeler = get_labeler(get_vocabulary("chexpert14"), language)
    counts: Counter[str] = Counter()
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        said = {name: [_VALUES[m.polarity], m.side, m.severity] for name, m in labeler.label(row["text"]).items()}
        true, found = ({(name, value[0]) for name, value in labels.items()} for labels in (row["labels"], said))
        counts.update(tp=len(true & found), fp=len(found - true), fn=len(true - found), n=1)
        counts["exact"] += said == row["labels"]
        counts["agreed"] += sum(said[name] == row["labels"][name] for name, _ in true & found)
    return {
        "n": counts["n"],
        "f1": f1(counts),
        "exact": counts["exact"] / max(1, counts["n"]),
        "side and degree": counts["agreed"] / max(1, counts["tp"]),
    }
