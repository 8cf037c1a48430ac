"""The Trainer's arguments: one device a process."""

from __future__ import annotations

from transformers import TrainingArguments

__all__ = ["OneDeviceArguments"]


class OneDeviceArguments(TrainingArguments):
    """Arguments of a Trainer whose process uses one device.

    The stock Trainer wraps the model into ``torch.nn.DataParallel`` where one process sees several GPUs. That splits
    batches of studies it does not understand, and multiplies the batch size in silence. Several GPUs are a matter of
    the launcher: one process each.
    """

    @property
    def n_gpu(self) -> int:
        """Number of GPUs of this process: 1, or 0 without any."""
        return min(1, super().n_gpu)
