"""The work of ``llmrg mine-maps``: the artefact, its counts, and pictures to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmrg.artefacts import read_manifest
from llmrg.config import load_config
from llmrg.training.material import read_material
from llmrg.training.mining_pictures import save_mining_pictures
from llmrg.training.run import build_stage
from llmrg.training.settings import TrainConfig
from llmrg.training.stages import StageBuilder

__all__ = ["MinedArtefact", "mine_maps"]

PRODUCER = "llmrg mine-maps"


@dataclass(frozen=True, kw_only=True)
class MinedArtefact:
    """What was mined.

    Args:
        path: the artefact.
        regions: in all.
        counts: by finding: studies, films, films with cells, cells, regions kept.
        unreadable_studies: that were set aside.
        pictures: that were drawn.
    """

    path: Path
    regions: int
    counts: Mapping[str, Mapping[str, int]]
    unreadable_studies: int
    pictures: tuple[Path, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As ``--json`` prints it."""
        return {
            "path": str(self.path),
            "regions": self.regions,
            "unreadable_studies": self.unreadable_studies,
            "counts": {name: dict(counts) for name, counts in self.counts.items()},
            "pictures": [str(path) for path in self.pictures],
        }


def mine_maps(config: str | Path, overrides: Sequence[str] = (), *, pictures: Path | None = None) -> MinedArtefact:
    """Build the artefact ``activation_maps`` of a training.

    Args:
        config: the training's configuration file.
        overrides: ``key.sub=value`` strings.
        pictures: folder for pictures of some training studies; None draws none.

    Raises:
        UserError: the disease classifier is missing, or whatever is wrong with configuration or data.
    """
    settings = load_config(TrainConfig, config, overrides)
    path = build_stage("activation_maps", settings, producer=PRODUCER)
    details = read_manifest(path).details
    drawn: list[Path] = []
    if pictures is not None:
        builder = StageBuilder(config=settings, material=read_material(settings.data), producer=PRODUCER)
        drawn = save_mining_pictures(
            builder.encoder(), builder.material, pictures, config=settings.stages.activation_maps, seed=settings.seed
        )
    return MinedArtefact(
        path=path,
        regions=details["regions"],
        counts=details["counts"],
        unreadable_studies=details["unreadable_studies"],
        pictures=tuple(drawn),
    )
