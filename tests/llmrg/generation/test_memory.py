"""Less at once where memory is short: every item is worked on once more at most, in order."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from llmrg.generation import memory as memory_module
from llmrg.generation.memory import BatchSize, is_memory_shortage


@settings(deadline=None)
@given(
    costs=st.lists(st.integers(1, 9), max_size=20),
    size=st.integers(1, 12),
    room=st.integers(1, 9),
)
def test_every_item_that_fits_alone_is_done_in_order(costs: list[int], size: int, room: int) -> None:
    tried: list[int] = []

    def work(part: Sequence[tuple[int, int]]) -> list[tuple[int, bool]]:
        tried.append(len(part))
        if sum(cost for _, cost in part) > room:
            raise torch.OutOfMemoryError("out of memory")
        return [(number, True) for number, _ in part]

    batches = BatchSize(size, what="numbers")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory_module, "_release", lambda: None)  # collecting garbage takes most of the time
        results = batches.run(list(enumerate(costs)), work, lambda item: (item[0], False))
    assert results == [(number, cost <= room) for number, cost in enumerate(costs)]
    assert tried == sorted(tried, reverse=True) or tried[-1] <= batches.size
    assert 1 <= batches.size <= size
    assert len(tried) <= len(costs) + 5  # 12 is halved at most four times


@pytest.mark.parametrize(
    ("error", "short"),
    [
        (torch.OutOfMemoryError("x"), True),
        (MemoryError(), True),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
            True,
        ),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("CUDA out of memory"), False),
    ],
)
def test_what_is_a_memory_shortage(error: Exception, short: bool) -> None:
    assert is_memory_shortage(error) == short


def test_the_allocator_of_the_processor_says_so_itself() -> None:
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_memory_shortage(raised.value)
