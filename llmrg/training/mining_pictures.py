"""Pictures of mined regions, to look at: films with their activation maps and the cells that were taken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw

from llmrg.errors import BadStudyError
from llmrg.evidence.encoder import StudyEncoder
from llmrg.generation.pictures import SIDE, attention_overlay
from llmrg.studies.dataset import StudySample, collate_studies
from llmrg.training.material import TrainingMaterial
from llmrg.training.memory_settings import ActivationMapsConfig
from llmrg.training.mining import maps_of, positive_set
from llmrg.vision.regions import strong_cells

__all__ = ["save_mining_pictures"]

_COLOUR = (90, 220, 255)


def save_mining_pictures(
    encoder: StudyEncoder,
    material: TrainingMaterial,
    folder: Path,
    *,
    config: ActivationMapsConfig,
    most: int = 12,
    seed: int = 0,
) -> list[Path]:
    """Draw some training studies, a picture a study and finding: its films as they are, and with map and cells.

    The studies are chosen so that every finding comes in turn.

    Args:
        encoder: trunk and disease queries, in evaluation mode.
        material: the studies.
        folder: where the pictures go; they show films of patients.
        config: how regions are mined.
        most: pictures.
        seed: of the choice.

    Returns:
        The pictures.
    """
    folder.mkdir(parents=True, exist_ok=True)
    dataset = positive_set(material)
    order = np.random.default_rng(seed).permutation(len(dataset)).tolist()
    waiting: dict[str, list[int]] = {finding.name: [] for finding in material.vocabulary.abnormal}
    for row in order:
        for name in material.positive(dataset.studies[row].id):
            if len(waiting[name]) < most:
                waiting[name].append(row)
    saved: list[Path] = []
    while len(saved) < most and any(waiting.values()):
        for name, rows in waiting.items():
            if rows and len(saved) < most:
                try:
                    sample = dataset[rows.pop(0)]
                except BadStudyError:
                    continue
                path = folder / f"{len(saved):03}_{_safe(name)}.png"
                PillowImage.fromarray(_picture(encoder, material, sample, name, config)).save(path)
                saved.append(path)
    return saved


def _picture(
    encoder: StudyEncoder, material: TrainingMaterial, sample: StudySample, name: str, config: ActivationMapsConfig
) -> np.ndarray:
    """The study's films side by side, below them the same with the finding's map and its cells."""
    names = [finding.name for finding in material.vocabulary.abnormal]
    batch = collate_studies([sample])
    found = maps_of(encoder, batch, material, config)
    maps = found.maps[found.finding.index(names.index(name))]
    cells = strong_cells(maps, grid=config.grid, threshold=config.threshold, most=config.cells)
    columns = []
    for film, grid, strong in zip(sample[1], maps.numpy(), cells, strict=True):
        plain = attention_overlay(film, np.zeros_like(grid))
        drawn = PillowImage.fromarray(attention_overlay(film, grid))
        pen = ImageDraw.Draw(drawn)
        for cell in strong:
            left, top, right, bottom = (edge * SIDE / film.shape[0] for edge in cell.box)
            pen.rectangle((left, top, right - 1, bottom - 1), outline=_COLOUR)
        columns.append(np.concatenate([plain, np.asarray(drawn)], axis=0))
    return np.concatenate(columns, axis=1)


def _safe(name: str) -> str:
    return "".join(character if character.isalnum() else "_" for character in name).lower()
