"""What a benchmark compares, and on which studies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from llmrg.errors import UserError
from llmrg.studies.settings import DataConfig

__all__ = ["RESERVED_ROWS", "BenchmarkConfig", "GallerySettings", "SystemEntry"]

RESERVED_ROWS = ("constant", "random", "nearest", "nearest_encoder", "oracle")


@dataclass(frozen=True, kw_only=True)
class SystemEntry:
    """One system to compare.

    Args:
        name: its row's name.
        predictions: JSON Lines that ``llmrg generate`` wrote; taken where given.
        run: run directory; its reports are generated where no predictions are given.
    """

    name: str
    predictions: Path | None = None
    run: Path | None = None

    def __post_init__(self) -> None:
        """Refuse a name that belongs to a baseline, and an entry without anything to read."""
        if not self.name.strip():
            raise UserError("A system of the benchmark needs a name")
        if self.name in RESERVED_ROWS:
            raise UserError(
                f"A system cannot be called {self.name!r}: a baseline row has that name",
                where="systems",
                next_step="choose another name",
            )
        if self.predictions is None and self.run is None:
            raise UserError(f"System {self.name!r} has neither predictions nor a run", where="systems")


@dataclass(frozen=True, kw_only=True)
class GallerySettings:
    """Which studies the page shows side by side.

    Args:
        studies: how many, at most; 0 leaves the gallery out.
        film_size: longest edge of an embedded film, pixels.
        picture_size: longest edge of an embedded evidence picture, pixels.
    """

    studies: int = 24
    film_size: int = 384
    picture_size: int = 160


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Systems, a dataset, and where the results go.

    Args:
        data: the dataset that is scored.
        out: folder for ``results.json``, the tables, the page and predictions made here.
        systems: the systems to compare; without any, the baselines stand alone.
        training: the dataset that systems were trained on, where it is another one (a shifted or external test set);
            baselines copy its training reports.
        dataset: the dataset's name in tables; by default the format's name with underscores.
        title: heading of the page; by default made from the dataset's name.
        split: the split that is scored.
        train_split: the only split that baselines take reports from.
        validation_split: the split that chooses the constant report.
        truth: side file with the true findings; by default the one beside the data, if there is one.
        seed: seed of the random row, of subsampling and of the gallery.
        constant_candidates: training reports tried for the constant row, at most.
        constant_references: validation reports they are tried on, at most.
        nearest_limit: training studies that the ``nearest`` row compares with, at most.
        resamples: bootstrap resamples (of patients) for the confidence intervals; 0 leaves them out.
        gallery: which studies the page shows.
    """

    data: DataConfig
    out: Path
    systems: tuple[SystemEntry, ...] = ()
    training: DataConfig | None = None
    dataset: str | None = None
    title: str | None = None
    split: str = "test"
    train_split: str = "train"
    validation_split: str = "val"
    truth: Path | None = None
    seed: int = 0
    constant_candidates: int = 100
    constant_references: int = 100
    nearest_limit: int = 50_000
    resamples: int = 1000
    gallery: GallerySettings = GallerySettings()

    def __post_init__(self) -> None:
        """Refuse double names, a scored training split and sizes without sense."""
        names = [system.name for system in self.systems]
        for name in names:
            if names.count(name) > 1:
                raise UserError(f"Two systems are called {name!r}", where="systems", next_step="name each one apart")
        if self.split in (self.train_split, self.validation_split):
            raise UserError(
                f"The {self.split!r} split cannot be scored: baselines and systems have seen it", where="split"
            )
        for key in ("constant_candidates", "constant_references", "nearest_limit"):
            if getattr(self, key) < 1:
                raise UserError(f"{key} must be at least 1, not {getattr(self, key)}", where=key)
        if self.resamples < 0 or self.gallery.studies < 0:
            raise UserError("resamples and gallery.studies cannot be negative", where="benchmark")

    @property
    def name(self) -> str:
        """The dataset's name in tables and results."""
        return self.dataset or self.data.format.replace("-", "_")
