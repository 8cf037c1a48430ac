"""Figures of docs/labelers.md on Chinese: speed, hand-labelled sentences, the machine-translated IU X-ray.

    python scripts/bench/labelers_zh.py [--data ../shared/data] [--sentences FILE.jsonl] [--json]

Speed is measured first, in this fresh process, on different reports: those of ``iu_xray/openi_zh.csv``, and phantom
reports of random findings. No sentence is known yet. The translated reports are held against the human coding of
``iu_xray/indiana_reports.csv`` (positive and uncertain count alike), as the English ones are. ``--sentences`` takes
one JSON object a line: ``{"text": ..., "labels": {class: [1 | 0 | -1, side, degree]}}``.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from pathlib import Path

from coded_reports import classes_of, confusion, f1, sentences, stated
from phantom_reports import phantom_reports

from llmrg.findings.labeler import RuleLabeler
from llmrg.findings.vocabulary import get_vocabulary

PHANTOMS = 4000


def translated(data: Path) -> list[tuple[str, set[str]]]:
    """Machine-translated reports with the classes that the coders gave."""
    with (data / "iu_xray" / "openi_zh.csv").open(encoding="utf-8-sig", newline="") as file:
        texts = {row["uid"]: row["report_zh"] for row in csv.DictReader(file)}
    with (data / "iu_xray" / "indiana_reports.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["uid"] in texts]
    return [(texts[row["uid"]], classes_of(row["Problems"])) for row in rows]


def fresh(vocabulary: str) -> RuleLabeler:
    """A labeler that knows no sentence."""
    return RuleLabeler(get_vocabulary(vocabulary), "zh")


def speed(texts: list[str], vocabulary: str) -> dict[str, float]:
    """Reports a second of processor time: first over different reports, then with all sentences known."""
    labeler = fresh(vocabulary)
    figures = {}
    for name in ("cold", "warm"):
        start = time.process_time()
        labeler.label_many(texts)
        figures[name] = len(texts) / (time.process_time() - start)
    return figures


def agreement(rows: list[tuple[str, set[str]]]) -> dict[str, float]:
    """F1 against the coders for each class, and micro-averaged."""
    counts = confusion(rows, lambda text: stated(text, "zh"))
    return {"micro": f1(*counts.values()), **{name: f1(count) for name, count in counts.items()}}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--sentences", type=Path)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows = translated(arguments.data)
    texts = {"translated": sorted({text for text, _ in rows}), "phantoms": phantom_reports("zh", PHANTOMS)}
    figures: dict[str, object] = {
        f"speed, {name}, {vocabulary}": {"reports": len(reports), **speed(reports, vocabulary)}
        for name, reports in texts.items()
        for vocabulary in ("chexpert14", "radiograph")
    }
    figures["translated IU X-ray"] = {"reports": len(rows), **agreement(rows)}
    if arguments.sentences:
        found = sentences(arguments.sentences, "zh")
        figures["sentences"] = {name: found[name] for name in ("n", "f1", "side and degree")}
    if arguments.json:
        print(json.dumps(figures, indent=2))
        return
    for name, values in figures.items():
        assert isinstance(values, dict)
        print(name + ": " + ", ".join(f"{key} {value:.3f}".removesuffix(".000") for key, value in values.items()))


if __name__ == "__main__":
    main()
