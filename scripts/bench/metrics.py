"""How fast a test set is scored: wording, findings under every protocol, and a thousand resamples of patients.

    python scripts/bench/metrics.py                 11,562 pairs of 60 words, as the test set of CXPMRG-Bench
    python scripts/bench/metrics.py --pairs 500     a first look
    python scripts/bench/metrics.py --json          figures alone

Reports are made up from sentences of radiology with numbers, sides and degrees drawn anew: hardly two are equal.
Where pycocoevalcap is installed (the extra [java]; no Java is used), its BLEU, ROUGE-L and CIDEr are timed on the same
tokens, and the figures must agree.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "2")

from llmrg.findings.targets import positive_findings
from llmrg.findings.vocabulary import get_vocabulary
from llmrg.metrics.clinical_efficacy import clinical_grid
from llmrg.metrics.labelling import label_reports
from llmrg.metrics.scores import Scores, score_reports
from llmrg.metrics.tokens import get_tokenizer
from llmrg.version import __version__

WORDS = 60
METRICS = ("bleu", "rouge_l", "cider", "chrf")
SIDES = ("left", "right", "bilateral")
PLACES = ("lower lobe", "upper lobe", "lung base", "perihilar region", "apex", "costophrenic angle", "mid lung zone")
DEGREES = ("mild", "moderate", "small", "trace", "large", "stable", "new", "minimal", "severe")
FINDINGS = (
    "opacity",
    "consolidation",
    "pleural effusion",
    "atelectasis",
    "pneumothorax",
    "edema",
    "nodule",
    "scarring",
)
SENTENCES = (
    "there is {degree} {side} {finding} in the {place}",
    "no {finding} is seen in the {side} {place}",
    "the heart is {degree} enlarged with a ratio of {number}",
    "a {number} mm {finding} projects over the {side} {place}",
    "{side} {finding} has not changed since the examination of {number} days ago",
    "possible {degree} {finding} in the {side} {place} cannot be excluded",
    "the tip of the {side} catheter lies {number} cm above the carina",
    "the {side} {place} is clear without {finding} or {other}",
    "findings suggest {degree} {finding} rather than {other}",
)


def made_up_report(draw: random.Random) -> str:
    """Return a report of 60 words."""
    words: list[str] = []
    while len(words) < WORDS:
        sentence = draw.choice(SENTENCES).format(
            degree=draw.choice(DEGREES),
            side=draw.choice(SIDES),
            finding=draw.choice(FINDINGS),
            other=draw.choice(FINDINGS),
            place=draw.choice(PLACES),
            number=draw.randint(1, 999),
        )
        words += f"{sentence}.".split()
    return " ".join(words[:WORDS])


def timed(seconds: dict[str, float], name: str, work: Callable[[], Any]) -> Any:
    """Do some work and note how long it took."""
    started = time.perf_counter()
    result = work()
    seconds[name] = time.perf_counter() - started
    return result


def run(pairs: int, resamples: int) -> dict[str, Any]:
    """Make up reports, score them, time it."""
    draw = random.Random(0)
    ids = [f"{number:06}" for number in range(pairs)]
    references = {id_: made_up_report(draw) for id_ in ids}
    # One system's output: some reports as they should be, the others another study's.
    reports = {id_: references[id_] if draw.random() < 0.1 else made_up_report(draw) for id_ in ids}
    patients = {id_: f"p{number * 5 // 8}" for number, id_ in enumerate(ids)}
    vocabulary = get_vocabulary("chexpert14")
    seconds: dict[str, float] = {}
    used = sum(os.times()[:4])

    labels = [
        timed(
            seconds,
            f"labelling, {name}",
            lambda texts=texts: label_reports(list(texts.values()), vocabulary="chexpert14", language="en"),
        )
        for name, texts in (("references", references), ("reports", reports))
    ]

    def score() -> Scores:
        true, predicted = (
            {i: positive_findings(m, vocabulary) for i, m in zip(ids, side, strict=True)} for side in labels
        )
        return score_reports(
            reports,
            references,
            language="en",
            metrics=METRICS,
            patients=patients,
            predicted_findings=predicted,
            true_findings=true,
            vocabulary=vocabulary,
            resamples=resamples,
        )

    scores = timed(seconds, "wording and findings, figures and intervals", score)
    timed(
        seconds,
        "findings under every protocol, with intervals",
        lambda: clinical_grid(
            labels[1],
            labels[0],
            vocabulary,
            patients=[patients[id_] for id_ in ids],
            resamples=resamples,
        ),
    )
    labelling = sum(taken for name, taken in seconds.items() if name.startswith("labelling"))
    total = sum(seconds.values())
    used = sum(os.times()[:4]) - used
    return {
        "pairs": pairs,
        "words": WORDS,
        "patients": len(set(patients.values())),
        "resamples": resamples,
        "seconds": seconds,
        "total": total,
        "without_labelling": total - labelling,
        "processor_seconds": used,
        "pycocoevalcap": compare(reports, references, scores),
        "machine": {
            "cores": os.cpu_count(),
            "load": os.getloadavg()[0],
            "python": platform.python_version(),
            "llmrg": __version__,
        },
    }


def compare(reports: dict[str, str], references: dict[str, str], scores: Scores) -> dict[str, Any] | None:
    """Time pycocoevalcap and our own metrics on the same tokens; None where it is not installed."""
    try:
        from pycocoevalcap.bleu.bleu import Bleu
        from pycocoevalcap.cider.cider import Cider
        from pycocoevalcap.rouge.rouge import Rouge
    except ImportError:
        return None
    cut = get_tokenizer("ptb")
    own, other = ({id_: [cut(text)] for id_, text in texts.items()} for texts in (reports, references))
    theirs: dict[str, float] = {}
    bleu = timed(theirs, "bleu", lambda: Bleu(4).compute_score(other, own, verbose=0)[0])
    rouge = timed(theirs, "rouge_l", lambda: Rouge().compute_score(other, own)[0])
    cider = timed(theirs, "cider", lambda: Cider().compute_score(other, own)[0])
    ours: dict[str, float] = {}
    tokens = [[side[id_][0] for id_ in scores.ids] for side in (own, other)]
    for name in ("bleu_4", "rouge_l", "cider"):
        timed(ours, name, lambda name=name: scores.formulas[name].statistics(*tokens))
    figures = dict(zip(("bleu_1", "bleu_2", "bleu_3", "bleu_4"), bleu, strict=True)) | {
        "rouge_l": rouge,
        "cider": cider,
    }
    return {
        "seconds": theirs,
        "ours": ours,
        "ratio": sum(theirs.values()) / sum(ours.values()),
        "largest_difference": max(abs(float(value) - scores.metrics[name]) for name, value in figures.items()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=11_562)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON alone")
    arguments = parser.parse_args()
    found = run(arguments.pairs, arguments.resamples)
    if arguments.json:
        print(json.dumps(found, indent=2))
        return
    print(f"{found['pairs']} pairs of {WORDS} words, {found['patients']} patients, {found['resamples']} resamples")
    for name, taken in found["seconds"].items():
        print(f"  {name:45} {taken:7.2f} s")
    print(f"  {'all':45} {found['total']:7.2f} s")
    print(f"  {'all, labels given':45} {found['without_labelling']:7.2f} s")
    machine = found["machine"]
    print(f"  {'processor time of it':45} {found['processor_seconds']:7.2f} s")
    print(f"  {machine['cores']} cores, {machine['load']:.1f} processes wanted them on average")
    coco = found["pycocoevalcap"]
    if coco is None:
        print("pycocoevalcap is not installed: pip install '.[java]' to time it beside")
        return
    print("pycocoevalcap on the same tokens (BLEU, ROUGE-L, CIDEr; no intervals)")
    for name, taken in coco["seconds"].items():
        print(f"  {name:45} {taken:7.2f} s")
    print(f"  {'all three':45} {sum(coco['seconds'].values()):7.2f} s")
    print(f"  {'the same three here':45} {sum(coco['ours'].values()):7.2f} s, {coco['ratio']:.1f} times as fast")
    print(f"  largest difference of a figure: {coco['largest_difference']:.1e}")


if __name__ == "__main__":
    main()
