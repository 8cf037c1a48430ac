"""Mining regions: the places of training films that speak for a finding, cut out and encoded anew (AM-MRG)."""

from __future__ import annotations

import hashlib
import heapq
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from llmrg.evidence.encoder import StudyEncoder
from llmrg.evidence.memory_bank import NOBODY, MemoryBank, Pattern
from llmrg.evidence.mined_regions import save_regions_bank
from llmrg.evidence.region_projection import RegionProjection
from llmrg.studies.batches import StudyBatch
from llmrg.studies.dataset import StudyDataset, collate_studies
from llmrg.studies.study_table import StudyTable
from llmrg.training.encoding import readable_batches
from llmrg.training.material import TrainingMaterial
from llmrg.training.memory_settings import ActivationMapsConfig
from llmrg.vision.activation_maps import ActivationMaps, activation_maps
from llmrg.vision.features import VisualFeatures
from llmrg.vision.regions import Cell, enlarged, strong_cells

__all__ = ["FindingCounts", "MinedRegions", "Region", "maps_of", "mine_regions", "positive_set", "query_tokens"]

logger = logging.getLogger(__name__)
CROPS = 256
"""Regions that are encoded at once."""


@dataclass(frozen=True, kw_only=True)
class Region:
    """A region of a training film.

    Args:
        pattern: study, patient and finding.
        film: place among the study's films.
        view: code of the film's view.
        cell: where on the film.
        piece: the cell's pixels, uint8.
        size: side of the film.
    """

    pattern: Pattern
    film: int
    view: int
    cell: Cell
    piece: np.ndarray
    size: int


@dataclass(kw_only=True)
class FindingCounts:
    """What was found of one finding.

    Args:
        studies: training studies whose reports state it, and whose films could be read.
        films: their films.
        films_with_cells: those with a cell above the threshold.
        cells: all such cells, at most so many a film as the configuration says.
        kept: those in the artefact.
    """

    studies: int = 0
    films: int = 0
    films_with_cells: int = 0
    cells: int = 0
    kept: int = 0


@dataclass(frozen=True, kw_only=True)
class MinedRegions:
    """The regions of the training films and their vectors.

    Args:
        regions: N, finding by finding in the order of the vocabulary, then study by study.
        vectors: [N, W].
        counts: by finding.
        unreadable: studies that were set aside.
    """

    regions: Sequence[Region]
    vectors: Tensor
    counts: Mapping[str, FindingCounts]
    unreadable: int

    def save(self, directory: Path) -> None:
        """Write the bank ``regions`` and ``places.jsonl``, where each of its rows lies; nothing where there is none."""
        if not self.regions:
            return
        bank = MemoryBank(vectors=self.vectors, patterns=tuple(region.pattern for region in self.regions))
        places = [
            {
                "film": region.film,
                "cell": [region.cell.row, region.cell.column],
                "box": list(region.cell.box),
                "strength": round(region.cell.strength, 4),
            }
            for region in self.regions
        ]
        save_regions_bank(bank, places, directory)


def mine_regions(
    encoder: StudyEncoder,
    material: TrainingMaterial,
    projection: RegionProjection,
    *,
    config: ActivationMapsConfig,
    batch_size: int,
    seed: int,
) -> MinedRegions:
    """Map every stated finding on the films of the training split, choose the strong cells, encode them.

    Studies whose films cannot be read are set aside, however many; films without a strong cell contribute nothing.

    Args:
        encoder: trunk and disease queries, in evaluation mode.
        material: only its training split is looked at.
        projection: from the trunk's width to the regions'.
        config: how regions are chosen.
        batch_size: studies at once.
        seed: of the choice where a finding has more regions than are kept; the choice depends on neither order nor
            batch size.
    """
    names = [finding.name for finding in material.vocabulary.abnormal]
    counts = {name: FindingCounts() for name in names}
    chosen = {name: _Sample(config.regions, seed=seed) for name in names}
    dataset = positive_set(material)
    read = 0
    for _, samples in readable_batches(dataset, batch_size, tolerated=len(dataset)):
        batch = collate_studies(samples)
        read += len(batch)
        for region in _regions_of(encoder, batch, material, config, counts):
            counts[region.pattern.finding].cells += 1
            chosen[region.pattern.finding].add(region)
    regions: list[Region] = []
    for name in names:
        kept = chosen[name].regions()
        counts[name].kept = len(kept)
        regions += kept
    if not regions:
        logger.warning("no cell of any training film has a mean above %g: there are no regions", config.threshold)
    return MinedRegions(
        regions=regions,
        vectors=projection(_encoded(encoder, regions)) if regions else torch.empty(0, len(projection.bias)),
        counts=counts,
        unreadable=len(dataset) - read,
    )


def positive_set(material: TrainingMaterial) -> StudyDataset:
    """The training studies whose reports state a finding, without augmentation."""
    rows = [row for row, study in enumerate(material.training) if material.positive(study.id)]
    studies = material.training
    chosen = studies.select(rows) if isinstance(studies, StudyTable) else [studies[row] for row in rows]
    dataset = material.dataset(chosen)
    dataset.extras = {}
    return dataset


def maps_of(
    encoder: StudyEncoder, batch: StudyBatch, material: TrainingMaterial, config: ActivationMapsConfig
) -> ActivationMaps:
    """Map every finding that the reports of a batch state."""
    names = [finding.name for finding in material.vocabulary.abnormal]
    batch = batch.to(next(encoder.parameters()).device)

    def scores(features: VisualFeatures) -> Tensor:
        if encoder.queries is None:
            raise ValueError("this encoder has no disease queries")
        logits: Tensor = encoder.queries(features).logits[..., 0]
        return logits if config.target == "logit" else logits.sigmoid()

    return activation_maps(
        encoder.backbone,
        batch.pixels,
        batch.view_mask,
        batch.views,
        wanted=[[names.index(name) for name in material.positive(study.id)] for study in batch.studies],
        scores=scores,
        method=config.method,
        extent=config.extent,
    )


def query_tokens(
    encoder: StudyEncoder, material: TrainingMaterial, projection: RegionProjection, *, seed: int = 0
) -> MemoryBank:
    """The learnt query tokens of the disease classifier, which come from no study, as wide as the regions.

    Those of a Q-Former, whose width is not the trunk's, are left as they are where that is the width of the regions;
    elsewhere they have an orthogonal map of their own.

    Args:
        encoder: trunk and disease queries.
        material: names the findings.
        projection: from the trunk's width to the regions'.
        seed: of the map of their own.
    """
    if encoder.queries is None:
        raise ValueError("this encoder has no disease queries")
    names = [finding.name for finding in material.vocabulary.abnormal]
    tokens = encoder.queries.queries.detach().float().cpu()
    width, out_width = tokens.shape[1], len(projection.bias)
    if width != encoder.backbone.width:
        projection = RegionProjection("auto", width=width, out_width=out_width, seed=seed)
    with torch.no_grad():
        tokens = projection(tokens)
    patterns = (Pattern(study_id=NOBODY, patient_id=NOBODY, finding=name) for name in names)
    return MemoryBank(vectors=tokens, patterns=tuple(patterns))


def _regions_of(
    encoder: StudyEncoder,
    batch: StudyBatch,
    material: TrainingMaterial,
    config: ActivationMapsConfig,
    counts: Mapping[str, FindingCounts],
) -> Iterator[Region]:
    names = [finding.name for finding in material.vocabulary.abnormal]
    found = maps_of(encoder, batch, material, config)
    for row, finding, maps in zip(found.study, found.finding, found.maps, strict=True):
        study, name = batch.studies[row], names[finding]
        films = [film for film in range(len(maps)) if bool(batch.view_mask[row, film])]
        counts[name].studies += 1
        counts[name].films += len(films)
        strong = strong_cells(maps[films], grid=config.grid, threshold=config.threshold, most=config.cells)
        for film, cells in zip(films, strong, strict=True):
            counts[name].films_with_cells += bool(cells)
            for cell in cells:
                pixels = batch.pixels[row, film, 0].numpy()
                left, top, right, bottom = cell.box
                yield Region(
                    pattern=Pattern(study_id=study.id, patient_id=study.patient_id, finding=name),
                    film=film,
                    view=int(batch.views[row, film]),
                    cell=cell,
                    piece=pixels[top:bottom, left:right].copy(),
                    size=pixels.shape[0],
                )


@torch.no_grad()
def _encoded(encoder: StudyEncoder, regions: Sequence[Region]) -> Tensor:
    """Pooled features of regions [N, D], read as films of their own of the same view."""
    device = next(encoder.parameters()).device
    parts = []
    for start in range(0, len(regions), CROPS):
        some = regions[start : start + CROPS]
        pixels = torch.stack([enlarged(region.piece, size=region.size) for region in some]).unsqueeze(1).to(device)
        views = torch.tensor([[region.view] for region in some], device=device)
        features = encoder.backbone(pixels, torch.ones_like(views, dtype=torch.bool), views)
        parts.append(features.pooled.float().cpu())
    return torch.cat(parts)


class _Sample:
    """The regions of one finding with the smallest hashes, so that the choice is random and the same in any order."""

    def __init__(self, most: int, *, seed: int) -> None:
        self._most, self._seed = most, seed
        self._heap: list[tuple[int, str, Region]] = []

    def add(self, region: Region) -> None:
        place = f"{region.pattern.study_id}\0{region.film}\0{region.cell.row:04}\0{region.cell.column:04}"
        content = f"{self._seed}\0{region.pattern.finding}\0{place}".encode("utf-8", "surrogatepass")
        key = -int.from_bytes(hashlib.sha256(content).digest()[:8])
        if len(self._heap) < self._most:
            heapq.heappush(self._heap, (key, place, region))
        elif key > self._heap[0][0]:
            heapq.heapreplace(self._heap, (key, place, region))

    def regions(self) -> list[Region]:
        return [region for _, _, region in sorted(self._heap, key=lambda entry: entry[1])]
