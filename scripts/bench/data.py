"""How fast films are read, and how long a training waits for them, from full-size files and from prepared films.

    python scripts/bench/data.py                        2,500 x 2,000 pixels, 16 films of each kind, on one core
    python scripts/bench/data.py --films 4 --steps 2    a first look

Films are phantoms, drawn at 1,280 pixels, enlarged, with the noise of a detector added so that they compress like
films. Everything is read from the page cache: a slow disk makes the files slower still, which are some 50 times larger.
The training is that of a small convolutional net with a head for the findings, through the dataset and the loader of
``llmrg train``, without its cache in memory. Prints a table and all figures as JSON (``--out``: into a file).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pydicom
import torch
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from rich.console import Console
from rich.table import Table
from torch.utils.data import DataLoader

from llmrg.studies.batches import StudyBatch
from llmrg.studies.dataset import StudyDataset, collate_studies
from llmrg.studies.film import read_film
from llmrg.studies.phantoms.render import StudyPlan, draw_study
from llmrg.studies.prepare import prepare_films
from llmrg.studies.prepared import PreparedFilms
from llmrg.studies.reading import read_studies
from llmrg.studies.settings import DataConfig
from llmrg.version import __version__
from llmrg.vision.backbone import build_backbone
from llmrg.vision.settings import BackboneConfig

KINDS = {"png8": "PNG, 8 bits", "png16": "PNG, 16 bits", "jpeg": "JPEG", "dicom": "DICOM, 12 bits, uncompressed"}


def draw_films(count: int, *, height: int, width: int) -> list[np.ndarray]:
    """Draw films of 12 bits, uint16 [height, width]."""
    films: list[np.ndarray] = []
    for index in range((count + 1) // 2):
        plan = StudyPlan(seed=17, index=index, patient=index, cohort="adult", preset="bench", shifted=False, size=1280)
        for view, film in draw_study(plan).films.items():
            large = Image.fromarray(film).convert("F").resize((width, height), Image.Resampling.BICUBIC)
            noise = np.random.default_rng([17, index, len(view)]).normal(0, 20, (height, width))
            films.append(np.clip(np.asarray(large) * 16 + noise, 0, 4095).astype(np.uint16))
    return films[:count]


def write_film(film: np.ndarray, path: Path, kind: str) -> None:
    """Write a 12-bit film as one kind of file."""
    if kind == "dicom":
        write_dicom(film, path)
    elif kind == "png16":
        Image.fromarray(film).save(path)
    elif kind == "png8":
        Image.fromarray((film >> 4).astype(np.uint8)).save(path)
    else:
        Image.fromarray((film >> 4).astype(np.uint8)).save(path, quality=95)


def write_dicom(film: np.ndarray, path: Path) -> None:
    """Write an uncompressed MONOCHROME2 film."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"  # digital X-ray, for presentation
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[path.name])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    data.Modality, data.PhotometricInterpretation = "DX", "MONOCHROME2"
    data.Rows, data.Columns = film.shape
    data.SamplesPerPixel, data.PixelRepresentation = 1, 0
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, 12, 11
    data.PixelData = film.tobytes()
    data.save_as(path, enforce_file_format=True)


def write_dataset(root: Path, films: list[np.ndarray], kind: str, *, size: int) -> DataConfig:
    """Write films of one kind as a plain table, a film a study."""
    suffix = {"jpeg": "jpg", "dicom": "dcm"}.get(kind, "png")
    (root / "images").mkdir(parents=True)
    rows = ["study_id,patient_id,split,image,findings"]
    for number, film in enumerate(films):
        write_film(film, root / "images" / f"{number}.{suffix}", kind)
        rows.append(f"s{number},p{number},train,{number}.{suffix},The lungs are clear.")
    (root / "metadata.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return DataConfig(format="table", root=root, language="en", vocabulary="chexpert14", image_size=size, views=1)


def paths_of(config: DataConfig) -> list[Path]:
    return [image.path for study in read_studies(config) for image in study.images]


def rate(make_reader: Callable[[], Callable[[Path], object]], paths: list[Path], *, seconds: float = 3.0) -> float:
    """Return films a second over passes of all films, each with a reader of its own; making it is not counted."""
    make_reader()(paths[0])  # the first call imports and fills caches
    done, spent = 0, 0.0
    while spent < seconds:
        read = make_reader()
        start = time.perf_counter()
        for path in paths:
            read(path)
        spent += time.perf_counter() - start
        done += len(paths)
    return done / spent


def waiting(config: DataConfig, *, steps: int, batch_size: int, workers: int) -> dict[str, float]:
    """Train a little; return seconds in all, seconds waiting for films, and the share."""
    torch.manual_seed(0)
    trunk = BackboneConfig(architecture="resnet10t", channels=1, mean=0.45, std=0.25, positions=False)
    backbone = build_backbone(trunk, image_size=config.image_size)
    head = torch.nn.Linear(backbone.width, 14)
    optimiser = torch.optim.AdamW([*backbone.parameters(), *head.parameters()], lr=1e-4)
    loader = DataLoader(
        StudyDataset(read_studies(config), config, cache_bytes=0),
        batch_size=batch_size,
        shuffle=True,
        collate_fn=collate_studies,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    batches = endless(loader)

    def step() -> None:
        features = backbone.feature_map(next_films())
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            head(features.mean((1, 2))), torch.zeros(len(features), 14)
        )
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()

    waits: list[float] = []

    def next_films() -> torch.Tensor:
        start = time.perf_counter()
        pixels = next(batches).pixels.flatten(0, 1)
        waits.append(time.perf_counter() - start)
        return pixels

    step()  # warms up
    waits.clear()
    start = time.perf_counter()
    for _ in range(steps):
        step()
    total = time.perf_counter() - start
    return {"steps": steps, "seconds": total, "waiting_seconds": sum(waits), "share": sum(waits) / total}


def endless(loader: DataLoader[Any]) -> Iterator[StudyBatch]:
    """Yield the batches of one epoch after the other."""
    while True:
        yield from loader


def machine() -> dict[str, Any]:
    """Describe where and with what the figures were made."""
    model = ""
    if Path("/proc/cpuinfo").is_file():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "date": datetime.now(tz=UTC).date().isoformat(),
        "machine": model or platform.machine(),
        "cores": cores,
        "load_before": round(os.getloadavg()[0], 1),
        "versions": {
            "llmrg": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "pillow": PIL.__version__,
            "pydicom": pydicom.__version__,
        },
    }


def measure(root: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Draw, write, prepare, read and train."""
    about = machine()
    films = draw_films(options.films, height=options.height, width=options.width)
    reading: dict[str, dict[str, float]] = {}
    configs: dict[str, DataConfig] = {}
    for kind in KINDS:
        configs[kind] = write_dataset(root / kind, films, kind, size=options.size)
        paths = paths_of(configs[kind])
        speed = rate(lambda: partial(read_film, size=options.size, fit="pad"), paths)
        reading[kind] = {"films_per_second": speed, "bytes_per_film": sum(p.stat().st_size for p in paths) / len(paths)}
    start = time.perf_counter()
    prepare_films(configs["png8"], root / "prepared", workers=1)
    preparing = options.films / (time.perf_counter() - start)
    paths = paths_of(configs["png8"])

    def opened() -> Callable[[Path], object]:
        return PreparedFilms(root / "prepared", root=configs["png8"].root, size=options.size, fit="pad").read

    kept = opened()
    speeds = {"prepared_first": rate(opened, paths), "prepared": rate(lambda: kept, paths)}
    for name, speed in speeds.items():
        reading[name] = {"films_per_second": speed, "bytes_per_film": options.size**2}
    training = {
        name: waiting(config, steps=steps, batch_size=options.batch_size, workers=options.workers)
        for name, config, steps in (
            ("png8", configs["png8"], options.steps),
            ("jpeg", configs["jpeg"], options.steps),
            ("prepared", replace(configs["png8"], prepared=root / "prepared"), 4 * options.steps),
        )
    }
    return {
        **about,
        "threads": torch.get_num_threads(),
        "settings": {key: value for key, value in vars(options).items() if key != "out"},
        "reading": reading,
        "prepare_films_per_second": preparing,
        "training": training,
    }


def show(result: dict[str, Any]) -> None:
    """Print the figures as tables."""
    settings = result["settings"]
    names = {**KINDS, "prepared_first": "prepared, first read (hash compared)", "prepared": "prepared, later reads"}
    title = f"Films a second on one core: {settings['height']} x {settings['width']} to {settings['size']} pixels"
    table = Table("", "films/s", "x PNG", "KB a film", title=title, title_justify="left")
    base = result["reading"]["png8"]["films_per_second"]
    for name, figures in result["reading"].items():
        speed = figures["films_per_second"]
        table.add_row(names[name], f"{speed:,.1f}", f"{speed / base:,.1f}", f"{figures['bytes_per_film'] / 1e3:,.0f}")
    waits = Table(
        "training from",
        "waits",
        "ms a step",
        title=f"Training, batch of {settings['batch_size']}",
        title_justify="left",
    )
    for name, figures in result["training"].items():
        milliseconds = 1e3 * figures["seconds"] / figures["steps"]
        waits.add_row(names[name].split(",")[0], f"{figures['share']:.1%}", f"{milliseconds:,.0f}")
    console = Console()
    console.print(table, waits)
    console.print(f"Preparing: {result['prepare_films_per_second']:.1f} films/s on one core.")
    console.print(
        f"{result['date']}, {result['machine']}, {result['cores']} cores (load before: {result['load_before']}), "
        f"{result['threads']} threads, "
        + ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=int, default=16, help="films of each kind")
    parser.add_argument("--height", type=int, default=2500, help="pixels")
    parser.add_argument("--width", type=int, default=2000, help="pixels")
    parser.add_argument("--size", type=int, default=224, help="side of the square that films are brought to, pixels")
    parser.add_argument("--batch-size", type=int, default=8, help="studies a step of the training")
    parser.add_argument(
        "--steps", type=int, default=10, help="steps of the training (four times as many when prepared)"
    )
    parser.add_argument("--workers", type=int, default=0, help="loader processes of the training")
    parser.add_argument("--out", type=Path, help="JSON file for all figures")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="llmrg-bench-") as folder:
        result = measure(Path(folder), options)
    show(result)
    text = json.dumps(result, indent=2) + "\n"
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
