"""Results with made-up values in every field, as a benchmark of several systems would write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from llmrg.benchmark.published import read_published
from llmrg.benchmark.results import Results, Row, RowKind
from llmrg.findings.vocabulary import get_vocabulary
from llmrg.metrics.clinical_protocols import grid_cells

SYSTEMS = (
    "llmrg",
    "KPCL 基线（ResNet-101，关系记忆，五十一万个参数）",
    "r2gengpt-shallow-chinese-llama-7b-lora-r16-seed-mean",
    "AM-MRG",
)
TRIVIAL = ("constant", "random", "nearest")
RichResults = Callable[..., Results]


@pytest.fixture
def rich_results() -> RichResults:
    """Makes results: ``rich_results(dataset, systems=..., classes=..., seed=...)``."""
    return make_results


def make_results(
    dataset: str = "ped_xray",
    *,
    systems: tuple[str, ...] = SYSTEMS,
    classes: tuple[str, ...] | None = None,
    seed: int = 3,
) -> Results:
    """Results of a benchmark that never was: the shape is that of real ones, the figures are drawn."""
    rng = np.random.default_rng(seed)
    chinese = dataset == "ped_xray"
    vocabulary = get_vocabulary("ped_xray" if chinese else "chexpert14")
    names = classes or tuple(finding.name for finding in vocabulary.abnormal)
    support = {name: int(count) for name, count in zip(names, rng.integers(0, 60, len(names)), strict=True)}
    support[names[0]], support[names[-1]] = 51, 0
    headline = (
        ("bleu_4", "rouge_l", "clinical_micro_f1", "graph_f1")
        if chinese
        else ("r2gen/14/macro", "rrg/14/micro", "bleu_4", "rouge_l")
    )
    quality = {name: 0.82 - 0.05 * place for place, name in enumerate(systems)}
    quality |= {"constant": 0.05, "random": 0.12, "nearest": 0.45, "oracle_nearest": 0.93, "oracle": 1.0}
    edges = list(range(0, 125, 5))
    rows = []
    for name, good in quality.items():
        kind: RowKind = "system" if name in systems else "oracle" if name.startswith("oracle") else "baseline"
        rows.append(_row(name, kind, good, vocabulary.name, support, edges, rng))
    return Results(
        dataset=dataset,
        split="test",
        n=240,
        patients=221,
        language="zh" if chinese else "en",
        rows=tuple(rows),
        title="PED-Xray, made up" if chinese else "CheXpert Plus, made up",
        vocabulary="made up" if classes else vocabulary.name,
        protocol={
            "findings": "read by the labeler in both reports",
            "wording": "against the full reference, never cut",
        },
        signature="bleu_4|tok:char|case:as-is|ref:full|n:240|llmrg:0.1.0",
        labeler="llmrg-rules-3-ped_xray-zh",
        seeds={"baselines": 0, "bootstrap": 0},
        versions={"llmrg": "0.1.0", "numpy": "2.4.6"},
        training_studies=12840,
        headline=headline,
        tests=tuple(_tests(rows, headline, systems)),
        published=read_published("chexpert_plus" if not chinese else "ped_xray"),
        leakage={
            "patients": {"train and val": 0, "train and test": 2, "val and test": 0},
            "duplicate_ids": 0,
            "references_in_training": 41,
            "share": 41 / 240,
            "distinct_references": 187,
            "kept_from_baselines": 3,
        },
        agreement=None if chinese else _agreement(names, rng),
        reference_lengths=_lengths(rng.normal(60, 14, 240), edges),
        reference_hash="sha256:1f0c9d3e7b",
        protocols={"words100": "references and reports cut to 100 words"},
    )


def _row(
    name: str, kind: RowKind, good: float, vocabulary: str, support: Mapping[str, int], edges: list[int], rng: Any
) -> Row:
    per_class = {
        finding: {
            "precision": min(1.0, f1 + 0.04),
            "recall": max(0.0, f1 - 0.04),
            "f1": f1,
            "support": count,
            "interval": [max(0.0, f1 - 0.09), min(1.0, f1 + 0.08)],
        }
        for finding, count in support.items()
        for f1 in [float(np.clip(good + rng.normal(0, 0.12), 0, 1))]
    }
    grid = [
        {
            "protocol": cell.protocol.name,
            "uncertain": cell.protocol.uncertain,
            "classes": int(cell.classes) if cell.classes.isdigit() else cell.classes,
            "average": cell.average,
            "precision": min(1.0, f1 + 0.03),
            "recall": max(0.0, f1 - 0.03),
            "f1": f1,
            "headline": cell.key in ("r2gen/14/macro", "r2gen/all/micro"),
            "intervals": {"f1": [max(0.0, f1 - 0.05), min(1.0, f1 + 0.05)]},
            "source": cell.protocol.source,
        }
        for cell in grid_cells(get_vocabulary(vocabulary))
        for f1 in [float(np.clip(good + rng.normal(0, 0.08), 0, 1))]
    ]
    metrics: dict[str, Any] = {
        **{f"bleu_{order}": (0.2 + 0.18 * good) * (1.9 - 0.22 * order) for order in range(1, 5)},
        "rouge_l": 0.3 + 0.2 * good,
        "meteor": 0.2 + 0.1 * good,
        "cider": 1.1 * good,
        "chrf": 0.4 + 0.2 * good,
        "clinical_micro_f1": good,
        "clinical_micro_precision": min(1.0, good + 0.05),
        "clinical_micro_recall": max(0.0, good - 0.05),
        "clinical_macro_f1_supported": 0.93 * good,
        "side_accuracy": None if name == "constant" else 0.4 + 0.5 * good,
        "graph_f1": 0.9 * good,
        "graph_entity_f1": 0.95 * good,
        "graph_relation_f1": 0.85 * good,
        "distinct_ratio": 0.004 if name == "constant" else 0.43,
        "copied_ratio": 1.0 if name in TRIVIAL else 0.12,
        "invented_priors": 0.0125,
        "mean_length": 61.5,
        **{f"{cell['protocol']}/{cell['classes']}/{cell['average']}": cell["f1"] for cell in grid},
        "per_class": per_class,
    }
    single = [key for key, value in metrics.items() if isinstance(value, float) and key != "distinct_ratio"]
    seeded = name == "llmrg"
    clinical: Any = {
        "vocabulary": vocabulary,
        "n": 240,
        "confidence": 0.95,
        "resamples": 1000,
        "seed": 0,
        "rows": grid,
        "classes": [],
    }
    seeds: Any = {
        "names": ["runs/a", "runs/b", "runs/c"],
        "figures": {
            key: {"mean": metrics[key], "sd": 0.012, "values": [metrics[key] + step for step in (-0.012, 0, 0.012)]}
            for key in single
        },
    }
    return Row(
        system=name,
        kind=kind,
        metrics=metrics,
        confidence_intervals={
            key: (max(0.0, metrics[key] - 0.03), min(1.0, metrics[key] + 0.02) if key != "mean_length" else 66.0)
            for key in single
        },
        clinical=clinical,
        lengths=_lengths(rng.normal(61, 1 if name == "constant" else 11, 240), edges, empty=2 if seeded else 0),
        seeds=seeds if seeded else None,
        gate=None if kind != "system" else _gate(name, good),
        protocols={
            "words100": {
                "metrics": {"bleu_4": metrics["bleu_4"] + 0.01, "rouge_l": metrics["rouge_l"]},
                "confidence_intervals": {"bleu_4": (0.2, 0.4)},
                "signature": "bleu_4|ref:words100",
            }
        },
        evidence=_evidence(list(support)) if seeded else {},
    )


def _gate(name: str, good: float) -> Any:
    passed = good > 0.7
    return {
        "passed": passed,
        "checks": [
            {
                "demand": "at least the constant report",
                "metric": "bleu_4",
                "own": 0.3,
                "limit": 0.29,
                "passed": True,
            },
            {
                "demand": "above the constant report",
                "metric": "clinical_micro_f1",
                "own": good,
                "limit": 0.7,
                "passed": passed,
            },
        ],
        "note": f"{name} {'works' if passed else 'does not work'}",
    }


def _lengths(drawn: Any, edges: list[int], *, empty: int = 0) -> Any:
    lengths = np.maximum(1, np.round(drawn)).astype(int)
    lengths[:empty] = 0
    counts, _ = np.histogram(np.minimum(lengths, edges[-1]), bins=edges)
    return {
        "unit": "characters",
        "edges": edges,
        "counts": [int(count) for count in counts],
        "mean": float(lengths.mean()),
        "median": float(np.median(lengths)),
        "longest": int(lengths.max()),
        "empty": empty,
    }


def _tests(rows: list[Row], headline: tuple[str, ...], systems: tuple[str, ...]) -> list[Any]:
    found = []
    for metric in headline:
        values = {row.system: row.metrics[metric] for row in rows}
        pairs = [(name, "nearest", "baseline") for name in systems]
        pairs += [(a, b, "systems") for place, a in enumerate(systems) for b in systems[place + 1 :]]
        for first, second, purpose in pairs:
            difference = values[first] - values[second]
            clear = abs(difference) > 0.03
            p = 0.0001 if clear else 0.2471
            found.append(
                {
                    "metric": metric,
                    "first": first,
                    "second": second,
                    "purpose": purpose,
                    "difference": difference,
                    "low": difference - 0.03,
                    "high": difference + 0.03,
                    "p": p,
                    "p_holm": min(1.0, 4 * p),
                    "trials": 10000,
                    "better": (first if difference > 0 else second) if clear else None,
                }
            )
    return found


def _agreement(names: tuple[str, ...], rng: Any) -> Any:
    classes = [
        {
            "finding": name,
            "kappa": None if name == names[-1] else float(kappa),
            "agreement": 0.96,
            "kappa_positive": float(kappa) - 0.02,
            "agreement_positive": 0.97,
            "prevalence_first": 0.11,
            "prevalence_second": 0.12,
            "intervals": {} if name == names[-1] else {"kappa": [float(kappa) - 0.06, min(1.0, float(kappa) + 0.04)]},
            "table": [[1] * 4] * 4,
        }
        for name, kappa in zip(names, rng.uniform(0.55, 0.97, len(names)), strict=True)
    ]
    return {
        "n": 236,
        "left_out": 4,
        "vocabulary": "chexpert14",
        "first": "llmrg-rules-3",
        "second": "CheXbert labels of the dataset",
        "mean_kappa": 0.81,
        "mean_kappa_positive": 0.83,
        "overall": {**classes[0], "finding": "all", "kappa": 0.84, "intervals": {"kappa": [0.82, 0.86]}},
        "classes": classes,
    }


def _evidence(names: list[str]) -> dict[str, Any]:
    return {
        "pointing": {
            "rate": 0.71,
            "n": 312,
            "chance": 0.14,
            "interval": [0.66, 0.76],
            "mean_map": 0.52,
            "classes": [{"finding": name, "n": 26, "rate": 0.6, "chance": 0.1, "mean_map": 0.5} for name in names[:5]],
            "near": {"rate": 0.8, "chance": 0.2, "interval": [0.75, 0.84], "tolerance": "half a cell"},
            "views": [{"view": "frontal", "n": 200, "rate": 0.74, "chance": 0.13, "mean_map": 0.55}],
        },
        "overlap": {"mean": 0.32, "n": 312, "chance": 0.09, "interval": [0.3, 0.34], "threshold": 0.5},
        "calibration": {
            "ece": 0.061,
            "n": 2880,
            "interval": [0.05, 0.072],
            "of": "probability of each finding",
            "bins": [
                {"count": count, "confidence": stated, "accuracy": true}
                for count, stated, true in (
                    (1900, 0.03, 0.01), (240, 0.14, 0.11), (120, 0.26, 0.2), (90, 0.35, 0.37), (70, 0.46, 0.4),
                    (60, 0.55, 0.61), (80, 0.66, 0.6), (90, 0.75, 0.7), (110, 0.86, 0.81), (120, 0.96, 0.93),
                )
            ],
        },
        "notes": ["overlap: made up"],
        "deletion": {
            "studies": 64,
            "sources": [
                {
                    "source": "disease_queries", "n": 120, "resting": 0.62, "others": 0.08, "faithfulness": 0.54,
                    "interval": [0.4, 0.66], "f1_lost": 0.21,
                },
                {"source": "retrieved_context", "n": 120, "resting": 0.31, "others": 0.06},
            ]
        },
    }  # fmt: skip
