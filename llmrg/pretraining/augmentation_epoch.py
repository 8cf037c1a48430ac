"""Tell the training studies which epoch's augmentation, and which studies of a mixture, to draw."""

from __future__ import annotations

import math
from typing import Any

from torch.utils.data import DataLoader
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

__all__ = ["AugmentationEpoch"]


class AugmentationEpoch(TrainerCallback):
    """Sets the epoch of a dataset that has one (:class:`llmrg.studies.dataset.StudyDataset`).

    accelerate's data loaders do so too, but not where a resumed training skips the batches of an epoch it has seen, nor
    where several processes share the batches; the films of a resumed training would then be others.
    """

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Set the epoch by the steps that were taken, before the loader hands the dataset to its workers."""
        loader: DataLoader[Any] | None = kwargs.get("train_dataloader")
        dataset: Any = getattr(loader, "dataset", None)
        if loader is not None and hasattr(dataset, "set_epoch"):
            steps = math.ceil(len(loader) / args.gradient_accumulation_steps)
            dataset.set_epoch(state.global_step // max(1, steps))
