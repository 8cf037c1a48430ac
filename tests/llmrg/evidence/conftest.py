"""Tiny studies, batches and features for the tests of evidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from llmrg.evidence.base import Evidence
from llmrg.evidence.encoder import EncoderConfig, StudyEncoder, build_encoder
from llmrg.evidence.settings import DiseaseQueriesConfig
from llmrg.studies.batches import StudyBatch, collate_films
from llmrg.studies.study import Image, Study
from llmrg.vision.features import VisualFeatures
from llmrg.vision.settings import BackboneConfig


@pytest.fixture(scope="session")
def make_films() -> Callable[..., StudyBatch]:
    """Random 32-px films; ``views`` counts those of each study; ``seeds`` decide their looks, study by study."""

    def make(
        views: Sequence[int], *, patients: Sequence[str] | None = None, ids: Sequence[str] | None = None, seed: int = 0
    ) -> StudyBatch:
        studies, films = [], []
        for number, count in enumerate(views):
            rng = np.random.default_rng([seed, number])
            names = ("frontal", "lateral", "unknown")[:count]
            studies.append(
                Study(
                    id=ids[number] if ids else f"study{number}",
                    patient_id=patients[number] if patients else f"patient{number}",
                    images=tuple(Image(path=Path(f"{name}.png"), view=name) for name in names),  # type: ignore[arg-type]
                    split="train",
                    language="zh",
                )
            )
            coarse = rng.integers(0, 256, (count, 4, 4), dtype=np.uint8)
            films.append(list(coarse.repeat(8, axis=1).repeat(8, axis=2)))
        return collate_films(studies, films)

    return make


@pytest.fixture(scope="session")
def make_features() -> Callable[..., VisualFeatures]:
    """Random features of width 16 on a 2 x 2 grid; ``exists`` says which views of each study there are."""

    def make(exists: Sequence[Sequence[bool]], *, width: int = 16, side: int = 2, seed: int = 0) -> VisualFeatures:
        generator = torch.Generator().manual_seed(seed)
        present = torch.tensor(exists)
        batch, views = present.shape
        mask = present.repeat_interleave(side**2, dim=1)
        tokens = torch.randn(batch, views * side**2, width, generator=generator) * mask.unsqueeze(-1)
        codes = torch.arange(1, views + 1).clamp(max=2).expand(batch, views) * present
        return VisualFeatures(
            tokens=tokens,
            mask=mask,
            pooled=tokens.sum(1) / mask.sum(1, keepdim=True),
            grid=(views, side, side),
            view=codes.repeat_interleave(side**2, dim=1),
        )

    return make


@pytest.fixture
def tiny_encoder() -> StudyEncoder:
    """A study encoder of the vocabulary ``ped_xray`` for 32-px films, in evaluation mode."""
    torch.manual_seed(0)
    config = EncoderConfig(
        vision=BackboneConfig(
            architecture="resnet10t",
            options={"channels": [8, 8, 16, 16], "stem_width": 8, "output_stride": 16},
            channels=1,
        ),
        queries=DiseaseQueriesConfig(heads=2, dropout=0.3),
        vocabulary="ped_xray",
        image_size=32,
    )
    return build_encoder(config).eval()


@pytest.fixture(scope="session")
def asked() -> Callable[..., dict[str, Evidence]]:
    """Evidence of disease queries, as later sources read it, from presence probabilities [B, F]."""

    def make(present: torch.Tensor, *, width: int = 16, seed: int = 0) -> dict[str, Evidence]:
        generator = torch.Generator().manual_seed(seed)
        tokens = torch.randn(*present.shape, width, generator=generator)
        state = {"tokens": tokens, "probabilities": present.unsqueeze(-1).repeat(1, 1, 3)}
        return {"disease_queries": Evidence(kind="disease_queries", state=state)}

    return make
