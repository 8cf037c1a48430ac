"""A trained disease classifier that teaches another trunk."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from llmrg.errors import UserError
from llmrg.evidence.disease_queries import DiseaseAnswers
from llmrg.evidence.encoder import EncoderConfig, load_encoder
from llmrg.studies.batches import StudyBatch
from llmrg.vision.features import VisualFeatures

__all__ = ["Teacher"]


class Teacher(nn.Module):
    """Distillation from a trained encoder: of its visual tokens and of its answers.

    Sources: Romero et al., FitNets, ICLR 2015 (tokens); Hinton et al., 2015 (answers). A Transformer trunk starts
    without any notion of neighbourhood and learns slowly from a dozen labels a study; the teacher tells it something
    at every place.

    Args:
        directory: the teacher's ``disease_classifier`` artefact, made from the same training split.
        student: what the taught encoder is built from.
        width: width of the student's visual tokens.

    Raises:
        UserError: the teacher answers other findings.
    """

    def __init__(self, directory: Path, *, student: EncoderConfig, width: int) -> None:
        super().__init__()
        encoder, self.manifest = load_encoder(directory)
        if encoder.config.vocabulary != student.vocabulary:
            raise UserError(
                f"The teacher knows the findings of {encoder.config.vocabulary!r}, the student those of "
                f"{student.vocabulary!r}",
                where=str(directory),
            )
        self.encoder = encoder.eval().requires_grad_(False)
        self.translate = nn.Linear(width, encoder.backbone.width)

    def train(self, mode: bool = True) -> Teacher:
        """Switch the mode; the taught knowledge stays in evaluation mode."""
        super().train(mode)
        self.encoder.eval()
        return self

    def forward(self, batch: StudyBatch, features: VisualFeatures, answers: DiseaseAnswers) -> Tensor:
        """Compare a student with the teacher.

        Args:
            batch: the studies.
            features: the student's visual tokens.
            answers: the student's answers.

        Returns:
            Mean squared difference of the normalised tokens, plus cross-entropy against the teacher's probabilities.
        """
        with torch.no_grad():
            known, said = self.encoder(batch)
            wanted = _on_grid(known, features.grid)
            wanted = functional.layer_norm(wanted.float(), wanted.shape[-1:])
        translated = self.translate(features.tokens).float()
        translated = functional.layer_norm(translated, translated.shape[-1:])
        difference = (translated - wanted).square().mean(-1)
        mask = features.mask.to(difference.dtype)
        tokens = (difference * mask).sum() / mask.sum().clamp(min=1)
        return tokens + functional.binary_cross_entropy_with_logits(
            answers.logits.float(), said.logits.float().sigmoid()
        )


def _on_grid(features: VisualFeatures, grid: tuple[int, int, int]) -> Tensor:
    """Lay tokens on another grid of the same views: [B, T', D]."""
    if features.grid == grid:
        return features.tokens
    views, height, width = features.grid
    batch, _, depth = features.tokens.shape
    maps = features.tokens.reshape(batch * views, height, width, depth).permute(0, 3, 1, 2)
    resized = functional.interpolate(maps, size=grid[1:], mode="bilinear", align_corners=False)
    return resized.permute(0, 2, 3, 1).reshape(batch, views * grid[1] * grid[2], depth)
