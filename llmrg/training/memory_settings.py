"""Configuration of the stages that fill the memories: activation maps, and what the memories are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from llmrg.evidence.region_projection import ProjectionKind
from llmrg.vision.activation_maps import Extent, Method

__all__ = ["ActivationMapsConfig", "MemoryStageConfig"]


@dataclass(frozen=True, kw_only=True)
class ActivationMapsConfig:
    """How regions are mined from the training films (AM-MRG, section 3; its numbers are the defaults).

    Args:
        grid: cells a row and a column of a film; 14 makes cells of 16 pixels at 224.
        threshold: cells whose mean of the map is above it are regions.
        cells: most regions of a film and finding.
        regions: most regions of a finding, chosen at random.
        target: what the maps explain: the classifier's logit, or its probability (whose gradients vanish where the
            classifier is sure; the maps are the same otherwise).
        method: Grad-CAM, or HiResCAM.
        extent: maps are scaled over all films of a study, or each film by itself (as AM-MRG does, where every film of
            a finding has its strongest place, whether the finding is to be seen on it or not).
        projection: brings the regions' vectors to ``width``; it is saved.
        width: of the regions' vectors; None keeps the trunk's.
    """

    grid: int = 14
    threshold: float = 0.75
    cells: int = 6
    regions: int = 500
    target: Literal["logit", "probability"] = "logit"
    method: Method = "grad_cam"
    extent: Extent = "study"
    projection: ProjectionKind = "auto"
    width: int | None = None

    def __post_init__(self) -> None:
        for name in ("grid", "cells", "regions", "width"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
        if not 0 <= self.threshold < 1:
            raise ValueError(f"threshold must lie in [0, 1), not {self.threshold}")


@dataclass(frozen=True, kw_only=True)
class MemoryStageConfig:
    """What the memories are made of.

    Args:
        visual: ``studies``, the answers of the disease queries about whole studies; or ``regions``, mined from
            activation maps, with the query tokens of the disease classifier before them (AM-MRG).
        report: ``sentences`` that state a finding, or whole ``reports`` under each finding they state (AM-MRG).
        report_samples: patterns of the report memory in all, allotted to the findings in proportion to what there is
            of each (AM-MRG: 6000); None keeps ``per_finding`` of each.
    """

    visual: Literal["studies", "regions"] = "studies"
    report: Literal["sentences", "reports"] = "sentences"
    report_samples: int | None = None

    def __post_init__(self) -> None:
        if self.report_samples is not None and self.report_samples < 1:
            raise ValueError(f"report_samples must be at least 1, not {self.report_samples}")
