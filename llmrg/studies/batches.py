"""Batches of studies: films as one tensor, 1..N views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from llmrg.studies.study import Study

__all__ = ["VIEW_CODES", "StudyBatch", "collate_films"]

VIEW_CODES: Mapping[str, int] = {"unknown": 0, "frontal": 1, "lateral": 2}


@dataclass(frozen=True, kw_only=True)
class StudyBatch:
    """A batch of studies.

    Legend: B studies, V views (the most any study of the batch has), H x W pixels.

    Args:
        studies: the B studies.
        pixels: [B, V, 1, H, W] uint8; zeros where a view is absent.
        view_mask: [B, V] bool.
        views: [B, V] long, codes of :data:`VIEW_CODES`.
        tensors: what the system's collate added (targets, token ids, context vectors), by name, [B, ...].
    """

    studies: tuple[Study, ...]
    pixels: Tensor
    view_mask: Tensor
    views: Tensor
    tensors: Mapping[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.studies)

    def to(self, device: torch.device | str) -> StudyBatch:
        """Copy every tensor to a device."""
        return replace(
            self,
            pixels=self.pixels.to(device),
            view_mask=self.view_mask.to(device),
            views=self.views.to(device),
            tensors={name: tensor.to(device) for name, tensor in self.tensors.items()},
        )


def collate_films(studies: Sequence[Study], films: Sequence[Sequence[np.ndarray]]) -> StudyBatch:
    """Lay the films of studies with different numbers of views into one tensor.

    Args:
        studies: B studies.
        films: for each study its films (at least one), uint8 [H, W], all of one size, in the order of
            ``study.images``.

    Raises:
        ValueError: no study, a study without films or with more films than images, or films of several sizes.
    """
    if not films or not all(films):
        raise ValueError("every study of a batch needs at least one film")
    sizes = {film.shape for views in films for film in views}
    if len(sizes) > 1:
        raise ValueError(f"the films of a batch differ in size: {sorted(sizes)}")
    if any(len(views) > len(study.images) for study, views in zip(studies, films, strict=True)):
        raise ValueError("a study has more films than images")
    count = max(len(views) for views in films)
    ((height, width),) = sizes
    pixels = torch.zeros(len(studies), count, 1, height, width, dtype=torch.uint8)
    mask = torch.zeros(len(studies), count, dtype=torch.bool)
    codes = torch.zeros(len(studies), count, dtype=torch.long)
    for row, (study, views) in enumerate(zip(studies, films, strict=True)):
        for column, film in enumerate(views):
            pixels[row, column, 0] = torch.from_numpy(np.ascontiguousarray(film))
            mask[row, column] = True
            codes[row, column] = VIEW_CODES[study.images[column].view]
    return StudyBatch(studies=tuple(studies), pixels=pixels, view_mask=mask, views=codes)
