"""The study encoder: trunk and disease queries as the disease-classifier stage leaves them.

It is frozen afterwards: it gives the vectors of the retrieval index and of the visual memory, and it is saved in the
run, so that a query is always encoded as the index was.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from llmrg.artefacts import Manifest, file_hash, read_manifest, write_text
from llmrg.config import load_config, to_mapping
from llmrg.errors import UserError
from llmrg.evidence.disease_queries import DiseaseAnswers, DiseaseQueries
from llmrg.evidence.settings import DiseaseQueriesConfig
from llmrg.findings.vocabulary import Finding, get_vocabulary
from llmrg.studies.batches import StudyBatch
from llmrg.vision.backbone import Backbone, build_backbone
from llmrg.vision.features import VisualFeatures
from llmrg.vision.settings import BackboneConfig

if TYPE_CHECKING:
    from llmrg.evidence.qformer import QFormerQueries

__all__ = [
    "EncoderConfig",
    "StudyEncoder",
    "build_encoder",
    "build_queries",
    "load_encoder",
    "retrieval_vectors",
    "save_encoder",
]

WEIGHTS = "encoder.safetensors"
SETTINGS = "encoder.json"


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """What a study encoder is built from.

    Args:
        vision: the trunk.
        queries: the disease queries; None builds a trunk alone, for systems that ask none.
        vocabulary: name of the finding vocabulary.
        image_size: side of the square films.
    """

    vision: BackboneConfig
    queries: DiseaseQueriesConfig | None
    vocabulary: str
    image_size: int

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings that are asked for (all of the vocabulary but ``No Finding``)."""
        return get_vocabulary(self.vocabulary).abnormal


class StudyEncoder(nn.Module):
    """Trunk and disease queries.

    Args:
        backbone: the trunk.
        queries: the disease queries, or None.
        config: what they were built from.
    """

    def __init__(
        self, *, backbone: Backbone, queries: DiseaseQueries | QFormerQueries | None, config: EncoderConfig
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.queries = queries
        self.config = config

    def forward(self, batch: StudyBatch) -> tuple[VisualFeatures, DiseaseAnswers]:
        """Read the films and ask the queries."""
        features = self.backbone(batch.pixels, batch.view_mask, batch.views)
        return features, self.answers(features)

    def answers(self, features: VisualFeatures) -> DiseaseAnswers:
        """Ask the queries.

        Raises:
            ValueError: the encoder was built without queries.
        """
        if self.queries is None:
            raise ValueError("this encoder has no disease queries")
        answers: DiseaseAnswers = self.queries(features)
        return answers

    @torch.no_grad()
    def encode(self, batches: Iterable[StudyBatch]) -> dict[str, Tensor]:
        """Encode studies in evaluation mode; the mode is as before afterwards.

        Args:
            batches: at least one batch.

        Returns:
            ``vectors`` [N, D + 3F] for retrieval (see :func:`retrieval_vectors`), ``pooled`` [N, D], ``tokens``
            [N, F, W] and ``probabilities`` [N, F, 3], float32 on the CPU.
        """
        was_training = self.training
        self.eval()
        device = next(self.parameters()).device
        found: dict[str, list[Tensor]] = {"vectors": [], "pooled": [], "tokens": [], "probabilities": []}
        try:
            for batch in batches:
                features, answers = self(batch.to(device))
                found["vectors"].append(retrieval_vectors(features, answers).cpu())
                found["pooled"].append(features.pooled.float().cpu())
                found["tokens"].append(answers.tokens.float().cpu())
                found["probabilities"].append(answers.logits.float().sigmoid().cpu())
        finally:
            self.train(was_training)
        return {name: torch.cat(parts) for name, parts in found.items()}


def retrieval_vectors(features: VisualFeatures, answers: DiseaseAnswers) -> Tensor:
    """Vectors whose inner product says how alike two studies look and how alike their predicted findings are.

    The normalised pooled features and the normalised finding probabilities, side by side, each with half the weight.

    Returns:
        [B, D + 3F], of unit length, float32.
    """
    pooled = functional.normalize(features.pooled.float(), dim=-1)
    predicted = functional.normalize(answers.logits.float().sigmoid().flatten(1), dim=-1)
    return torch.cat([pooled, predicted], dim=-1) / 2**0.5


def build_encoder(config: EncoderConfig) -> StudyEncoder:
    """Build an encoder with fresh (or the trunk's published) weights.

    Raises:
        UserError: the trunk cannot be built, or the queries cannot be asked of its tokens.
    """
    backbone = build_backbone(config.vision, image_size=config.image_size)
    queries = None if config.queries is None else build_queries(config.queries, backbone, findings=len(config.findings))
    return StudyEncoder(backbone=backbone, queries=queries, config=config)


def build_queries(
    config: DiseaseQueriesConfig, backbone: Backbone, *, findings: int
) -> DiseaseQueries | QFormerQueries:
    """Build fresh disease queries.

    Args:
        config: of the queries.
        backbone: the trunk whose tokens they are asked of.
        findings: how many.

    Raises:
        UserError: they cannot be asked of the trunk's tokens.
    """
    where = "evidence.disease_queries"
    if config.head == "qformer":
        from llmrg.evidence.qformer import QFormerQueries  # takes seconds to import

        if config.qformer.class_token and not backbone.has_class_token:
            raise UserError("The trunk has no class token to look at", where=f"{where}.qformer.class_token")
        return QFormerQueries(
            findings=findings,
            visual_width=backbone.width,
            heads=config.heads,
            dropout=config.dropout,
            config=config.qformer,
        )
    if backbone.width % config.heads:
        raise UserError(
            f"The trunk's width {backbone.width} is not divisible by {config.heads} heads", where=f"{where}.heads"
        )
    return DiseaseQueries(
        findings=findings,
        width=backbone.width,
        heads=config.heads,
        sharpness=config.sharpness,
        dropout=config.dropout,
    )


def save_encoder(encoder: StudyEncoder, directory: Path) -> str:
    """Write weights and settings into ``directory``; return the hash of the weights."""
    weights = {name: tensor.detach().contiguous().cpu() for name, tensor in encoder.state_dict().items()}
    save_file(weights, directory / WEIGHTS)
    settings: dict[str, Any] = to_mapping(encoder.config)
    settings["vision"]["pretrained"] = False
    settings["vision"]["checkpoint"] = None
    write_text(directory / SETTINGS, json.dumps(settings, indent=2, sort_keys=True) + "\n")
    return file_hash(directory / WEIGHTS)


def load_encoder(directory: str | Path) -> tuple[StudyEncoder, Manifest]:
    """Load a disease-classifier artefact.

    Raises:
        UserError: incomplete or damaged artefact, or weights that do not fit its settings.
    """
    directory = Path(directory)
    manifest = read_manifest(directory)
    manifest.require(kind="disease_classifier", where=directory)
    if not (directory / WEIGHTS).is_file():
        raise UserError("The encoder's weights are missing", where=str(directory / WEIGHTS))
    if file_hash(directory / WEIGHTS) != manifest.encoder_hash:
        raise UserError(
            "The encoder's weights are damaged: their hash differs from the manifest's", where=str(directory)
        )
    encoder = build_encoder(load_config(EncoderConfig, directory / SETTINGS))
    try:
        encoder.load_state_dict(load_file(directory / WEIGHTS))
    except (RuntimeError, SafetensorError) as error:
        raise UserError("The encoder's weights do not fit its settings", where=str(directory)) from error
    return encoder, manifest
