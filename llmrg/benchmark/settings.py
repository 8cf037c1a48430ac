"""What a benchmark compares, and on which studies."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from llmrg.benchmark.evidence_settings import EvidenceSettings
from llmrg.errors import UserError
from llmrg.metrics.wording import DEFAULT_WORDING, WORDING_METRICS
from llmrg.studies.settings import DataConfig

__all__ = ["RESERVED_ROWS", "BenchmarkConfig", "GallerySettings", "SystemEntry"]

RESERVED_ROWS = ("constant", "random", "nearest", "nearest_encoder", "oracle_nearest", "oracle")


@dataclass(frozen=True, kw_only=True)
class SystemEntry:
    """One system to compare.

    A system trained several times (with several seeds) has a list of files or runs; its figures are then means.

    Args:
        name: its row's name.
        predictions: JSON Lines of ``id`` and ``report``, of any model, or JSON as ReXrank has it; taken where given.
        run: run directory; its reports are generated where no predictions are given, and its study encoder may find
            the studies that ``nearest_encoder`` copies.
    """

    name: str
    predictions: Path | tuple[Path, ...] | None = None
    run: Path | tuple[Path, ...] | None = None

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
        if not self.prediction_files and not self.runs:
            raise UserError(f"System {self.name!r} has neither predictions nor a run", where="systems")
        for paths in (self.prediction_files, self.runs):
            twice = next((path for path in paths if paths.count(path) > 1), None)
            if twice is not None:
                raise UserError(f"System {self.name!r} names {twice} twice; seeds are different runs", where="systems")

    @property
    def prediction_files(self) -> tuple[Path, ...]:
        """The predictions, one file a seed."""
        return _several(self.predictions)

    @property
    def runs(self) -> tuple[Path, ...]:
        """The runs, one a seed."""
        return _several(self.run)


def _several(paths: Path | tuple[Path, ...] | None) -> tuple[Path, ...]:
    return () if paths is None else (paths,) if isinstance(paths, Path) else paths


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
        nearest: whether rows are made that read the films of training and test once: ``nearest``, and
            ``nearest_encoder`` of systems that retrieve no studies themselves.
        nearest_limit: training studies that these rows compare with, at most.
        resamples: bootstrap resamples (of patients) for the confidence intervals; 0 leaves them out.
        trials: random swaps (of patients) of each paired test; 0 leaves tests out.
        wording: metrics of wording (:data:`llmrg.metrics.wording.WORDING_METRICS`); ``meteor`` needs Java, and where
            there is none its figure is left out with a note.
        graph_extractor: folder of a trained extractor (``llmrg pretrain graph-extractor``) that reads the graphs of
            both sides; by default the rules do.
        headline: the metrics that count, the first one first: names of ``metrics`` in ``results.json``, clinical
            efficacy by its path (``r2gen/14/macro``). By default those of the language: see
            :func:`llmrg.benchmark.headline.default_headline`.
        protocols: further reference protocols (``words100``, ``llmtok100:TOKENIZER``, ...), shown apart.
        published: published figures to show beside ours: a dataset's name
            (:func:`llmrg.benchmark.published.published_names`) or a YAML file of that form.
        evidence: which figures of evidence are computed, for predictions that carry it.
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
    nearest: bool = True
    nearest_limit: int = 50_000
    resamples: int = 1000
    trials: int = 10_000
    wording: tuple[str, ...] = DEFAULT_WORDING
    graph_extractor: Path | None = None
    headline: tuple[str, ...] | None = None
    protocols: tuple[str, ...] = ()
    published: str | None = None
    evidence: EvidenceSettings = field(default_factory=EvidenceSettings)
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
        if self.nearest_limit < 1:
            raise UserError(f"nearest_limit must be at least 1, not {self.nearest_limit}", where="nearest_limit")
        if min(self.resamples, self.trials, self.gallery.studies) < 0:
            raise UserError("resamples, trials and gallery.studies cannot be negative", where="benchmark")
        for key in ("headline", "protocols"):
            names = list(getattr(self, key) or ())
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise UserError(f"{key} names {twice!r} twice", where=key)
        for name in self.wording:
            if name not in WORDING_METRICS:
                raise UserError(f"Unknown metric {name!r}", where="wording", allowed=WORDING_METRICS, got=name)
        if "bleu" not in self.wording:
            raise UserError("BLEU cannot be left out: the gate asks for it", where="wording")
        if self.headline == ():
            raise UserError("headline names no metric", where="headline", next_step="leave it out for the usual ones")
        if "full" in self.protocols:
            raise UserError("The full references are always scored; protocols names further ones", where="protocols")

    @property
    def name(self) -> str:
        """The dataset's name in tables and results."""
        return self.dataset or self.data.format.replace("-", "_")
