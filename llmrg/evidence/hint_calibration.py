"""Calibration of the disease queries for the diagnosis hints: Platt scaling a finding, and a threshold for F1."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["HintCalibration", "expected_f1_threshold", "fit_platt"]

PRIOR = 1.0
"""Precision of the Gaussian priors that pull a finding with few positives towards the query's own probability."""
LOWEST = 1e-6
_GRID = torch.arange(0.1, 0.901, 0.01, dtype=torch.float64)


def fit_platt(
    probabilities: Tensor, present: Tensor, observed: Tensor, *, prior: float = PRIOR
) -> tuple[Tensor, Tensor]:
    """Fit scale and shift of each finding's logit (Platt 1999), the most likely ones under Gaussian priors.

    The prior's means are 1 and 0, the query's own probability, so that a finding without any example keeps it. The
    loss is convex; Newton's steps are halved until it falls. A scale below 0.05 would turn the order of studies around
    or wipe it out, and is raised to that.

    Args:
        probabilities: [N, F] of presence, as the queries give them.
        present: [N, F] in {0, 1}.
        observed: [N, F] bool, False where the label says nothing.
        prior: precision of both priors; must be positive.

    Returns:
        Scale [F] and shift [F], float32.
    """
    logits = torch.logit(probabilities.double().clamp(LOWEST, 1 - LOWEST))
    target, weight = present.double(), observed.double()
    scale, shift = torch.ones_like(logits[0]), torch.zeros_like(logits[0])

    def loss(scale: Tensor, shift: Tensor) -> Tensor:
        score = logits * scale + shift
        every = nn.functional.binary_cross_entropy_with_logits(score, target, reduction="none")
        return (every * weight).sum(0) + prior * ((scale - 1) ** 2 + shift**2) / 2

    for _ in range(50):
        found = (logits * scale + shift).sigmoid()
        error, spread = (found - target) * weight, found * (1 - found) * weight
        by_scale, by_shift = (error * logits).sum(0) + prior * (scale - 1), error.sum(0) + prior * shift
        a, b, c = (spread * logits**2).sum(0) + prior, (spread * logits).sum(0), spread.sum(0) + prior
        determinant = a * c - b * b
        step_scale, step_shift = (
            (c * by_scale - b * by_shift) / determinant,
            (a * by_shift - b * by_scale) / determinant,
        )
        length = torch.ones_like(scale)
        before = loss(scale, shift)
        for _ in range(30):
            worse = loss(scale - length * step_scale, shift - length * step_shift) > before
            if not bool(worse.any()):
                break
            length = torch.where(worse, length / 2, length)
        scale, shift = scale - length * step_scale, shift - length * step_shift
        if float(torch.stack([step_scale, step_shift]).abs().max()) < 1e-9:
            break
    return scale.clamp(min=0.05).float(), shift.float()


def expected_f1_threshold(probabilities: Tensor, observed: Tensor) -> float:
    """Choose the one threshold of highest expected micro F1, if the probabilities are true.

    They stand for the labels: counting true labels instead follows the accidents of a small split. The best
    threshold is half the F1 that it reaches (Lipton, Elkan & Naryanaswamy, ECML 2014), hence never above 0.5.

    Args:
        probabilities: [N, F], calibrated.
        observed: [N, F] bool, False where nothing is to be said.

    Returns:
        Between 0.1 and 0.9; the highest of equals.
    """
    flat = probabilities.double()[observed.bool()]
    ordered = flat.sort(descending=True).values
    total = ordered.sum()
    sums = torch.cat([ordered.new_zeros(1), ordered.cumsum(0)])
    counts = torch.searchsorted(-ordered, -_GRID, right=True)  # how many reach each threshold
    expected = 2 * sums[counts] / (counts + total).clamp(min=1e-12)
    best = (expected >= expected.max() - 1e-12).nonzero().max()
    return round(float(_GRID[best]), 4)


class HintCalibration(nn.Module):
    """Calibrated probabilities of presence and the threshold from which a finding is named; part of the run.

    Until it is fitted the probabilities stay as they are.

    Args:
        findings: F.
        threshold: from which a finding is named; None fits it for F1.
    """

    scale: Tensor
    shift: Tensor
    named_from: Tensor

    def __init__(self, *, findings: int, threshold: float | None) -> None:
        super().__init__()
        self.fits_threshold = threshold is None
        self.register_buffer("scale", torch.ones(findings))
        self.register_buffer("shift", torch.zeros(findings))
        self.register_buffer("named_from", torch.tensor(0.5 if threshold is None else threshold))

    @torch.no_grad()
    def fit(self, probabilities: Tensor, present: Tensor, observed: Tensor) -> None:
        """Fit it anew on predictions for studies that nothing was learnt from.

        Args:
            probabilities: [N, F] of presence.
            present: [N, F] in {0, 1}.
            observed: [N, F] bool, False where the report hedges.
        """
        scale, shift = fit_platt(probabilities.cpu(), present.cpu(), observed.cpu())
        self.scale.copy_(scale)
        self.shift.copy_(shift)
        if self.fits_threshold:
            calibrated = self(probabilities.to(self.scale.device)).cpu()
            self.named_from.fill_(expected_f1_threshold(calibrated, observed.cpu()))

    def forward(self, probabilities: Tensor) -> Tensor:
        """Return calibrated probabilities [..., F]."""
        logits = torch.logit(probabilities.float().clamp(LOWEST, 1 - LOWEST))
        return torch.sigmoid(logits * self.scale + self.shift)
