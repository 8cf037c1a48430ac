"""Figures of docs/labelers.md: the English labeler against the human coding of IU X-ray, a keyword baseline, speed.

    python scripts/bench/labelers.py [--data ../shared/data] [--sentences FILE.jsonl] [--json]

Speed is measured first, in this fresh process, on the different reports of ``iu_xray/annotation.json``: no sentence is
known yet. The rows of ``iu_xray/indiana_reports.csv`` are halved by the first byte of the sha256 of their ``uid``: even
rows were read while the rules were written, odd rows are only counted. ``--sentences`` takes hand-labelled sentences,
one JSON object a line: ``{"text": ..., "labels": {class: [1 | 0 | -1, side, degree]}}``.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from coded_reports import CLASSES, classes_of, confusion, f1, sentences, stated

from llmrg.findings.labeler import get_labeler
from llmrg.findings.mention import Mention
from llmrg.findings.vocabulary import get_vocabulary

# Main headings of the coding (column MeSH) for observations of the wider vocabulary.
WIDER = {
    "emphysema": r"(?i)emphysema|obstructive",
    "hyperinflation": r"hyperdistention|hyperlucent|Diaphragm/.*flattened",
    "low_lung_volume": r"hypoinflation|Volume Loss",
    "calcification": r"Granuloma|Calcinosis/(?:lung|lymph|media)",
    "scarring": r"Cicatrix|Fibrosis",
    "hernia": r"^Hernia",
    "scoliosis": r"Scoliosis",
    "degenerative_spine": r"degenerative|Osteophyte|Spondylosis",
    "elevated_diaphragm": r"Diaphragm.*elevated|Eventration",
    "aortic_change": r"(?i)aorta",
    "hilar_enlargement": r"hilum.*(?:enlarged|prominent)",
}
# Why the labeler may say more than the coders did, in the order of asking.
CAUSES: tuple[tuple[str, Callable[[str, Mention, str], bool]], ...] = (
    ("blunted angle (convention 5)", lambda name, m, _: name == "Pleural Effusion" and "blunt" in m.proof.lower()),
    ("hydropneumothorax (convention 5)", lambda _, m, __: "hydro" in m.proof.lower()),
    ("nodular opacity (convention 2)", lambda name, m, _: name == "Lung Lesion" and "nodular" in m.proof.lower()),
    ("congestion, failure (convention 6)", lambda name, m, _: name == "Edema" and "edema" not in m.proof.lower()),
    ("infection as pneumonia (CheXpert)", lambda name, m, _: name == "Pneumonia" and "infect" in m.proof.lower()),
    (
        "large heart coded as Cardiac Shadow",
        lambda name, _, problems: name == "Cardiomegaly" and "Cardiac Shadow" in problems,
    ),
    ("nodule coded as granuloma", lambda name, _, problems: name == "Lung Lesion" and "Granulo" in problems),
    ("opacity coded as Density", lambda name, _, problems: name == "Lung Opacity" and "Density" in problems),
    ("hedged (convention 10)", lambda _, m, __: m.polarity == "uncertain"),
)


class Keywords:
    """The baseline: a keyword a class, and a negation word in front of it in the same clause."""

    WORDS: Mapping[str, str] = {
        "Atelectasis": r"atelecta",
        "Cardiomegaly": (
            r"cardiomegaly|(?:enlarged|large) (?:heart|cardiac)|heart (?:is |size is |size )?(?:\w+ )?enlarged"
            r"|cardiac (?:silhouette|enlargement)(?: is)?(?: \w+)? enlarged"
        ),
        "Consolidation": r"consolidat",
        "Edema": r"edema",
        "Fracture": r"fractur",
        "Lung Lesion": r"nodule|\bmass(?:es)?\b",
        "Lung Opacity": r"opaci|infiltrat|airspace disease|air space disease",
        "Pleural Effusion": r"effusion",
        "Pneumonia": r"pneumonia",
        "Pneumothorax": r"pneumothora",
    }
    CLAUSE = re.compile(r"[.;\n]|\bbut\b")
    BEFORE = re.compile(r"\b(?:no|not|without|negative|free|clear of|resolved|absent)\b")
    AFTER = re.compile(r"not (?:seen|identified)|resolved")

    def __init__(self) -> None:
        self.patterns = {name: re.compile(words) for name, words in self.WORDS.items()}

    def stated(self, text: str) -> set[str]:
        """Classes with a keyword that no negation word of its clause denies."""
        found = set()
        for clause in self.CLAUSE.split(text.lower()):
            for name, pattern in self.patterns.items():
                match = pattern.search(clause)
                if match is None or self.BEFORE.search(clause[: match.start()]):
                    continue
                if not self.AFTER.search(clause[match.end() :]):
                    found.add(name)
        return found


def read_rows(path: Path) -> list[dict[str, str]]:
    """Rows of the coded reports."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def is_even(row: Mapping[str, str]) -> bool:
    """Whether a row is in the half that the rules were developed on."""
    return hashlib.sha256(row["uid"].encode()).digest()[0] % 2 == 0


def report(row: Mapping[str, str]) -> str:
    """Findings and impression."""
    return f"{row['findings']}\n{row['impression']}"


def coded(rows: Iterable[Mapping[str, str]]) -> list[tuple[str, set[str]]]:
    """Reports with the classes that the coders gave."""
    return [(report(row), classes_of(row["Problems"])) for row in rows]


def causes(rows: Iterable[Mapping[str, str]], label: Callable[[str], Mapping[str, Mention]]) -> Counter[str]:
    """Disagreements by cause."""
    found: Counter[str] = Counter()
    for row in rows:
        mentions, true = label(report(row)), classes_of(row["Problems"])
        for name in CLASSES:
            mention = mentions.get(name)
            if mention is not None and mention.polarity != "negative" and name not in true:
                names = (cause for cause, applies in CAUSES if applies(name, mention, row["Problems"]))
                found[next(names, "other, said by the labeler alone")] += 1
            elif name in true and (mention is None or mention.polarity == "negative"):
                found["said by the coders alone"] += 1
    return found


def hedges(rows: Iterable[Mapping[str, str]], label: Callable[[str], Mapping[str, Mention]]) -> dict[str, str]:
    """How many of the findings that a report only considers the coders counted, by class."""
    total, counted = Counter[str](), Counter[str]()
    for row in rows:
        unsure = {name for name, mention in label(report(row)).items() if mention.polarity == "uncertain"}
        total.update(unsure.intersection(CLASSES))
        counted.update(unsure & classes_of(row["Problems"]))
    return {name: f"{counted[name]}/{total[name]}" for name in total}


def speed(texts: list[str], vocabulary: str) -> dict[str, float]:
    """Reports a second: first pass over different reports, then again with all sentences known."""
    labeler = get_labeler(get_vocabulary(vocabulary), "en")
    figures = {}
    for name in ("cold", "warm"):
        start = time.process_time()
        labeler.label_many(texts)
        figures[name] = len(texts) / (time.process_time() - start)
    return figures


def measure(data: Path) -> dict[str, object]:
    """All figures."""
    annotation = json.loads((data / "iu_xray" / "annotation.json").read_text(encoding="utf-8"))
    texts = sorted({row["report"] for part in annotation.values() for row in part})
    figures: dict[str, object] = {
        "reports": len(texts),
        "speed": {v: speed(texts, v) for v in ("chexpert14", "radiograph")},
    }
    rows = read_rows(data / "iu_xray" / "indiana_reports.csv")
    label = get_labeler(get_vocabulary("chexpert14"), "en").label
    wider = get_labeler(get_vocabulary("radiograph"), "en").label

    for half, part in (("even", [r for r in rows if is_even(r)]), ("odd", [r for r in rows if not is_even(r)])):
        pairs = coded(part)
        counts = confusion(pairs, lambda text: stated(text, "en"))
        found = causes(part, label)
        agreed = sum(counts.values(), Counter[str]())
        other = found["other, said by the labeler alone"] + found["said by the coders alone"]
        figures[half] = {
            "rows": len(part),
            "classes": {name: {**counts[name], "f1": f1(counts[name])} for name in CLASSES},
            "micro": f1(*counts.values()),
            "certain only": f1(*confusion(pairs, lambda text: stated(text, "en", unsure=False)).values()),
            "keywords": f1(*confusion(pairs, Keywords().stated).values()),
            "causes": dict(found.most_common()),
            "hedged statements that were coded": hedges(part, label),
            "micro without conventions and hedges": 2 * agreed["tp"] / (2 * agreed["tp"] + other),
            "wider": {name: f1(count_wider(part, wider, name, heading)) for name, heading in WIDER.items()},
        }
    return figures


def count_wider(
    rows: Iterable[Mapping[str, str]], label: Callable[[str], Mapping[str, Mention]], name: str, heading: str
) -> Counter[str]:
    """Agreement of one wider observation with the coders' headings."""
    counts: Counter[str] = Counter()
    for row in rows:
        mention = label(report(row)).get(name)
        found = mention is not None and mention.polarity != "negative"
        true = any(re.search(heading, entry) for entry in row["MeSH"].split(";"))
        counts[("tn", "fn", "fp", "tp")[2 * found + true]] += 1
    return counts


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--sentences", type=Path)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = measure(arguments.data)
    if arguments.sentences:
        found = sentences(arguments.sentences, "en")
        figures["sentences"] = {name: found[name] for name in ("f1", "exact", "n")}
    if arguments.json:
        print(json.dumps(figures, indent=2))
        return
    print_plain(figures)


def print_plain(figures: Mapping[str, object], indent: str = "") -> None:
    """Print nested figures, one a line."""
    for name, value in figures.items():
        if isinstance(value, dict) and any(isinstance(part, dict) for part in value.values()):
            print(f"{indent}{name}")
            print_plain(value, indent + "  ")
        elif isinstance(value, dict):
            print(f"{indent}{name}: " + ", ".join(f"{key} {shown(part)}" for key, part in value.items()))
        else:
            print(f"{indent}{name}: {shown(value)}")


def shown(value: object) -> str:
    """A figure in few digits."""
    return (f"{value:.3f}" if value <= 1 else f"{value:.0f}") if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
