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
from collections import Counter
from pathlib import Path

import numpy as np

from llmrg.findings.labeler import RuleLabeler, get_labeler
from llmrg.findings.vocabulary import get_vocabulary
from llmrg.studies.phantoms.truth import FindingTruth, PhantomTruth
from llmrg.studies.phantoms.wording import write_report

PROBLEMS = {
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
CLASSES = sorted(set(PROBLEMS.values()))
VALUES = {"positive": 1, "negative": 0, "uncertain": -1}
PHANTOMS = 4000


def translated(data: Path) -> list[tuple[str, set[str]]]:
    """Machine-translated reports with the classes that the coders gave."""
    with (data / "iu_xray" / "openi_zh.csv").open(encoding="utf-8-sig", newline="") as file:
        texts = {row["uid"]: row["report_zh"] for row in csv.DictReader(file)}
    with (data / "iu_xray" / "indiana_reports.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["uid"] in texts]
    return [
        (texts[row["uid"]], {PROBLEMS[p.strip()] for p in row["Problems"].split(";") if p.strip() in PROBLEMS})
        for row in rows
    ]


def phantoms(count: int) -> list[str]:
    """Reports of phantoms with random findings, all different."""
    rng = np.random.default_rng(0)
    findings = get_vocabulary("ped_xray").findings
    reports: dict[str, None] = {}
    while len(reports) < count:
        drawn = [findings[index] for index in rng.permutation(len(findings))[: int(rng.integers(0, 6))]]
        truth = PhantomTruth(
            study_id="s",
            patient_id="p",
            split="test",
            age_group="adult",
            age=60.0,
            sex="female",
            findings=tuple(
                FindingTruth(
                    observation=finding.observation,
                    side=("left", "right")[int(rng.integers(2))] if finding.sided else None,
                    severity=("mild", "moderate", "severe")[int(rng.integers(3))],
                )
                for finding in drawn
            ),
        )
        report = write_report(truth, language="zh", rng=rng, shifted=bool(rng.integers(2)))
        reports["\n".join(report.values())] = None
    return list(reports)


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


def f1(counts: Counter[str]) -> float:
    """F1 of true positives, false positives and misses."""
    return 2 * counts["tp"] / max(1, 2 * counts["tp"] + counts["fp"] + counts["fn"])


def agreement(rows: list[tuple[str, set[str]]]) -> dict[str, float]:
    """F1 against the coders for each class, and micro-averaged."""
    labeler = get_labeler(get_vocabulary("chexpert14"), "zh")
    counts = {name: Counter[str]() for name in CLASSES}
    for text, true in rows:
        found = {name for name, mention in labeler.label(text).items() if mention.polarity != "negative"}
        for name in CLASSES:
            counts[name][("tn", "fn", "fp", "tp")[2 * (name in found) + (name in true)]] += 1
    return {"micro": f1(sum(counts.values(), Counter[str]())), **{name: f1(counts[name]) for name in CLASSES}}


def sentences(path: Path) -> dict[str, float]:
    """Micro-F1 over class and polarity, and the share of those agreed on that are right to side and degree."""
    labeler = get_labeler(get_vocabulary("chexpert14"), "zh")
    counts: Counter[str] = Counter()
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        said = {name: [VALUES[m.polarity], m.side, m.severity] for name, m in labeler.label(row["text"]).items()}
        true, found = ({(name, value[0]) for name, value in labels.items()} for labels in (row["labels"], said))
        counts.update(tp=len(true & found), fp=len(found - true), fn=len(true - found), n=1)
        counts["exact"] += sum(said[name] == row["labels"][name] for name, _ in true & found)
    return {"n": counts["n"], "f1": f1(counts), "side and degree": counts["exact"] / max(1, counts["tp"])}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--sentences", type=Path)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows = translated(arguments.data)
    texts = {"translated": sorted({text for text, _ in rows}), "phantoms": phantoms(PHANTOMS)}
    figures: dict[str, object] = {
        f"speed, {name}, {vocabulary}": {"reports": len(reports), **speed(reports, vocabulary)}
        for name, reports in texts.items()
        for vocabulary in ("chexpert14", "radiograph")
    }
    figures["translated IU X-ray"] = {"reports": len(rows), **agreement(rows)}
    if arguments.sentences:
        figures["sentences"] = sentences(arguments.sentences)
    if arguments.json:
        print(json.dumps(figures, indent=2))
        return
    for name, values in figures.items():
        assert isinstance(values, dict)
        print(name + ": " + ", ".join(f"{key} {value:.3f}".removesuffix(".000") for key, value in values.items()))


if __name__ == "__main__":
    main()
