"""Oversampling of studies with rare findings (CN-X2RG: Tang et al., MICCAI workshops 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from llmrg.studies.mixture_draw import MixtureDraw
from llmrg.studies.study_table import study_column
from llmrg.training.material import TrainingMaterial

__all__ = ["OversamplingConfig", "oversampled_draw", "study_copies"]


@dataclass(frozen=True, kw_only=True)
class OversamplingConfig:
    """How often studies with rare findings are shown.

    Args:
        below: a finding with fewer positive studies than this is rare.
        times: copies of a positive study, at most.
        cap: copies of all positive studies of a rare finding together, at most, unless there are more of them.
        same_length: an epoch shows as many studies as without oversampling, drawn from the copies; otherwise all
            copies, as published, and a training takes as much longer.
    """

    below: int = 5000
    times: float = 10
    cap: int = 5000
    same_length: bool = True

    def __post_init__(self) -> None:
        if self.below < 1 or self.cap < 1 or self.times < 1:
            raise ValueError("below, cap and times must be at least 1")


def study_copies(labels: npt.NDArray[np.bool_], config: OversamplingConfig, *, seed: int) -> npt.NDArray[np.int64]:
    """Count the copies of each study: those that its rarest finding asks for.

    A finding with n positive studies asks for ``min(times, cap / n)`` copies of each; fractions are drawn.

    Args:
        labels: [N, F], whether a study states a finding.
        config: the rule.
        seed: of the fractions.

    Returns:
        [N], at least 1 each.
    """
    counts = labels.sum(axis=0)
    rare = (counts > 0) & (counts < config.below)
    asked = np.where(rare, np.clip(config.cap / np.maximum(counts, 1), 1, config.times), 1.0)
    wanted = np.where(labels, asked, 1.0).max(axis=1, initial=1.0)
    drawn = np.random.default_rng([seed, len(labels)]).random(len(labels))
    return np.floor(wanted + drawn).astype(np.int64)


def oversampled_draw(
    material: TrainingMaterial, draw: MixtureDraw | None, config: OversamplingConfig, *, seed: int
) -> MixtureDraw:
    """Draw the studies of an epoch with copies; a pure function of seed and epoch, as without.

    Args:
        material: the training's studies.
        draw: of a mixture, whose members keep their shares; None outside mixtures.
        config: the rule.
        seed: of order and fractions.
    """
    copies = study_copies(_labels(material), config, seed=seed)
    everything = np.arange(len(copies))
    plain = draw or MixtureDraw(rows=(everything,), counts=(len(copies),), seed=seed)
    rows = tuple(np.repeat(own, copies[own]) for own in plain.rows)
    if config.same_length:
        return replace(plain, rows=rows)
    grown = [len(more) / len(own) for more, own in zip(rows, plain.rows, strict=True)]
    counts = [round(count * factor) for count, factor in zip(plain.counts, grown, strict=True)]
    return replace(plain, rows=rows, counts=tuple(counts))


def _labels(material: TrainingMaterial) -> npt.NDArray[np.bool_]:
    """[N, F], the findings that each training report states."""
    places = {finding.name: place for place, finding in enumerate(material.vocabulary.abnormal)}
    ids: Sequence[str] = list(study_column(material.training, "id"))
    found = np.zeros((len(ids), len(places)), dtype=bool)
    for row, study_id in enumerate(ids):
        found[row, [places[name] for name in material.positive(study_id)]] = True
    return found
