"""Figures of docs/graphs.md: the rule extractor on annotated sentences, and its speed.

    python scripts/bench/graphs.py [--sentences tests/llmrg/findings/sentences] [--json]

Speed is measured first, in this fresh process, on phantom reports of random findings that are all different; no
sentence is known yet. Then each half of the sentences is compared: F1 of entities (span and kind), of relations
(kind and both entities) and of the keyword pairs of positive observations.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any, Literal

from phantom_reports import phantom_reports

from llmrg.findings.graphs.extractor import RuleExtractor
from llmrg.findings.graphs.graph import Entity, Relation, ReportGraph
from llmrg.findings.graphs.keywords import keyword_pairs

LANGUAGES: tuple[Literal["zh", "en"], ...] = ("zh", "en")
PHANTOMS = 4000
RUNS = 3
Facts = dict[str, set[object]]


def speed(texts: list[str], language: Literal["zh", "en"]) -> dict[str, float]:
    """Reports a second of processor time, the best of some runs: first with no sentence known, then with all."""
    best = {"cold": 0.0, "warm": 0.0}
    for _ in range(RUNS):
        extractor = RuleExtractor(language)
        for name in best:
            start = time.process_time()
            for text in texts:
                extractor.extract(text)
            best[name] = max(best[name], len(texts) / (time.process_time() - start))
    return best


def annotated(row: dict[str, Any]) -> ReportGraph:
    """The annotated graph of a sentence: each span stands behind the one before."""
    entities: list[Entity] = []
    end = 0
    for words, kind in row["graph"]["entities"]:
        start = row["text"].index(words, end)
        end = start + len(words)
        entities.append(Entity(text=words, start=start, end=end, kind=kind))
    relations = (Relation(kind=kind, source=a, target=b) for kind, a, b in row["graph"]["relations"])
    return ReportGraph(entities=tuple(entities), relations=tuple(relations))


def facts(graph: ReportGraph, language: Literal["zh", "en"]) -> Facts:
    """What is compared."""
    ends = [(one.start, one.end, one.kind) for one in graph.entities]
    return {
        "entities": set(ends),
        "relations": {(one.kind, ends[one.source], ends[one.target]) for one in graph.relations},
        "pairs": set(keyword_pairs(graph, language)),
    }


def agreement(rows: list[dict[str, Any]], language: Literal["zh", "en"]) -> dict[str, float]:
    """Micro-F1 of each kind of fact."""
    extractor = RuleExtractor(language)
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("entities", "relations", "pairs")}
    for row in rows:
        true, found = facts(annotated(row), language), facts(extractor.extract(row["text"]), language)
        for name, counter in counts.items():
            counter.update(both=len(true[name] & found[name]), said=len(found[name]), there=len(true[name]))
    return {"n": len(rows)} | {name: 2 * one["both"] / (one["said"] + one["there"]) for name, one in counts.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=Path, default=Path("tests/llmrg/findings/sentences"))
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures: dict[str, dict[str, float]] = {}
    for language in LANGUAGES:
        texts = phantom_reports(language, PHANTOMS)
        figures[f"speed, {language}"] = {"reports": len(texts), **speed(texts, language)}
    for language in LANGUAGES:
        lines = (arguments.sentences / f"{language}.jsonl").read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        for half in (1, 2):
            figures[f"{language}, half {half}"] = agreement([row for row in rows if row["half"] == half], language)
    if arguments.json:
        print(json.dumps(figures, indent=2))
        return
    for name, values in figures.items():
        print(name + ": " + ", ".join(f"{key} {value:.3f}".removesuffix(".000") for key, value in values.items()))


if __name__ == "__main__":
    main()
