"""Resident memory of reading and of training's data path as studies grow: made-up rows, a few real films.

    python scripts/bench/memory.py [--studies 10000 100000 1000000] [--plot docs/memory.svg] [--json]

Each size runs in a process of its own: it imports what a training imports, reads a CSV table of that many studies
(format ``table``), makes the training material (patients checked, reports found, films of a sample opened, hash over
all training studies) and draws batches in random order, labels read from the reports. No model is built, and no films
are kept in memory (training keeps up to 1 GiB of them, whatever the number of studies). Figures are
``/proc/self/status``: RssAnon (memory of our own) and VmRSS (with pages of mapped files), and VmHWM, the highest VmRSS.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FILMS = 64
TEXTS = (
    "The heart is enlarged. There is a small left pleural effusion.",
    "No focal consolidation, effusion or pneumothorax. Normal heart size.",
    "Patchy right lower lobe opacity, which may be pneumonia. No effusion.",
)


def main() -> None:
    """Measure every size, print and plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--batches", type=int, default=200)
    parser.add_argument("--plot", type=Path, help="SVG file")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one, arguments.batches)))
        return
    rows = []
    with tempfile.TemporaryDirectory(prefix="llmrg-memory-") as folder:
        for count in arguments.studies:
            root = Path(folder) / str(count)
            write_dataset(root, count)
            command = [sys.executable, __file__, "--one", str(root), "--batches", str(arguments.batches)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            rows.append({"studies": count, **json.loads(done.stdout.splitlines()[-1])})
            if not arguments.json:
                print(describe(rows[-1]), flush=True)
    if arguments.json:
        print(json.dumps(rows, indent=1))
    if arguments.plot:
        plot(rows, arguments.plot)


def write_dataset(root: Path, count: int) -> None:
    """Write a table of made-up studies, two films each, about 200 bytes of text, and the few films they share."""
    import numpy as np
    from PIL import Image

    (root / "images").mkdir(parents=True)
    generator = np.random.default_rng(0)
    for number in range(FILMS):
        pixels = generator.integers(0, 256, (64, 64), dtype=np.uint8)
        Image.fromarray(pixels).save(root / "images" / f"{number}.png")
    draw = random.Random(0)
    numbers = list(range(count))
    draw.shuffle(numbers)  # ids do not come in their order
    with (root / "metadata.csv").open("w", encoding="utf-8") as file:
        file.write("study_id,patient_id,image,view,age,sex,indication,findings\n")
        for number in numbers:
            text = f"{TEXTS[number % 3]} {TEXTS[number // 3 % 3]} Study {number}."
            films = f"{number % FILMS}.png|{(number + 1) % FILMS}.png"
            file.write(f's{number:07d},p{number // 2:07d},{films},PA|L,{number % 90},F,cough,"{text}"\n')


def measure(root: Path, batches: int) -> dict[str, float]:
    """Read and draw batches in this process; memory in MB, time in seconds of the processor."""
    import torch
    from torch.utils.data import DataLoader

    import llmrg.training.run  # noqa: F401 (what a training imports)
    from llmrg.studies.augmentation import AugmentationConfig
    from llmrg.studies.dataset import collate_studies
    from llmrg.studies.reading import read_studies
    from llmrg.studies.settings import DataConfig
    from llmrg.studies.study_table import StudyTable
    from llmrg.training import material as material_module

    config = DataConfig(format="table", root=root, language="en", vocabulary="chexpert14", image_size=64)
    figures = {f"start_{name}": value for name, value in memory().items()}
    begin = time.process_time()

    def read_and_measure(data: DataConfig) -> StudyTable:
        table = read_studies(data)
        figures["read_seconds"] = time.process_time() - begin
        figures.update({f"read_{name}": value for name, value in memory().items()})
        return table

    material_module.read_studies = read_and_measure
    material = material_module.read_material(config, cache_bytes=0)
    figures["material_seconds"] = time.process_time() - begin - figures["read_seconds"]
    figures |= {f"material_{name}": value for name, value in memory().items()}
    dataset = material.training_set(augmentation=AugmentationConfig(), seed=0)
    generator = torch.Generator().manual_seed(0)
    loader = DataLoader(dataset, batch_size=16, shuffle=True, generator=generator, collate_fn=collate_studies)
    begin = time.process_time()
    for number, _ in enumerate(loader, start=1):
        if number == batches:
            break
    figures["studies_a_second"] = 16 * number / (time.process_time() - begin)
    figures |= {f"batches_{name}": value for name, value in memory().items()}
    return figures


def memory() -> dict[str, float]:
    """Memory of this process, MB."""
    wanted = {"RssAnon": "anonymous", "VmRSS": "resident", "VmHWM": "highest"}
    found = {}
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in wanted:
            found[wanted[name]] = int(value.split()[0]) * 1024 / 1e6
    return found


def describe(row: dict[str, float]) -> str:
    """One line a size."""
    steps = ", ".join(
        f"{step} {row[f'{step}_anonymous']:.0f} ({row[f'{step}_resident']:.0f})"
        for step in ("start", "read", "material", "batches")
    )
    return (
        f"{row['studies']:>9,} studies: MB of our own (resident): {steps}; highest {row['batches_highest']:.0f}; "
        f"{row['studies'] / row['read_seconds']:,.0f} rows read a CPU second, "
        f"material {row['material_seconds']:.0f} CPU s, {row['studies_a_second']:.0f} studies a CPU second in batches"
    )


def plot(rows: list[dict[str, float]], path: Path) -> None:
    """Draw memory against the number of studies."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "llmrg"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 3.2))
    counts = [row["studies"] for row in rows]
    for step, label in (
        ("start", "imports alone"),
        ("read", "after reading"),
        ("material", "training material made"),
        ("batches", "drawing batches"),
    ):
        axes.plot(counts, [row[f"{step}_anonymous"] for row in rows], marker="o", markersize=4, label=label)
    axes.set_xscale("log")
    axes.set_ylim(0, 1.1 * max(row["batches_anonymous"] for row in rows))
    axes.set_xlabel("studies")
    axes.set_ylabel("RssAnon, MB")
    axes.legend(loc="lower right", fontsize=8)
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
