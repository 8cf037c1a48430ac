from __future__ import annotations

from pathlib import Path

import pytest
from transformers import TrainingArguments

from llmrg.pretraining.arguments import OneDeviceArguments


@pytest.mark.parametrize(("seen", "used"), [(0, 0), (1, 1), (8, 1)])
def test_a_process_uses_one_device(tmp_path: Path, seen: int, used: int) -> None:
    """Eight visible GPUs neither wrap the model nor multiply the batch."""
    arguments = OneDeviceArguments(output_dir=str(tmp_path), use_cpu=True, per_device_train_batch_size=4)
    stock = TrainingArguments(output_dir=str(tmp_path), use_cpu=True, per_device_train_batch_size=4)
    for given in (arguments, stock):
        _ = given.device  # sets the count, which the test then replaces
        given._n_gpu = seen
    assert stock.n_gpu == seen
    assert arguments.n_gpu == used
    assert arguments.train_batch_size == 4
