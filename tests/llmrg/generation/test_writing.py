"""Batches: longest first, seeds by study, halved where memory is short."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from llmrg.errors import BadStudyError
from llmrg.generation.writing import study_seed, write_reports
from llmrg.language.settings import DecodingConfig
from llmrg.studies.dataset import read_films
from llmrg.studies.reading import read_studies
from llmrg.studies.study import Context

DECODING = DecodingConfig(max_new_tokens=4)


@pytest.fixture
def studies(tiny_loaded: Any) -> list[Any]:
    return list(read_studies(tiny_loaded.config.data).split("test"))[:6]


def write(loaded: Any, studies: list[Any], **options: Any) -> list[list[Any]]:
    options = {"decoding": DECODING, "batch_size": 2, **options}
    return list(write_reports(loaded.system, studies, loaded.config.data, **options))


def test_longest_prompts_come_first(tiny_loaded: Any, studies: list[Any]) -> None:
    studies[3] = replace(studies[3], context=Context(indication="发热" * 20))
    studies[1] = replace(studies[1], images=studies[1].images[:1], context=Context(indication="发热" * 40))
    batches = write(tiny_loaded, studies)
    order = [item.study.id for batch in batches for item in batch]
    assert order[0] == studies[3].id
    assert order[-1] == studies[1].id
    assert sorted(order) == sorted(study.id for study in studies)
    assert [len(batch) for batch in batches] == [2, 2, 2]


def test_films_already_read_are_used(tiny_loaded: Any, studies: list[Any]) -> None:
    films = {study.id: read_films(study, tiny_loaded.config.data) for study in studies}
    gone = [replace(study, images=tuple(replace(i, path=i.path / "gone") for i in study.images)) for study in studies]
    texts = {item.study.id: item.report.text for batch in write(tiny_loaded, studies) for item in batch}
    again = {item.study.id: item.report.text for batch in write(tiny_loaded, gone, films=films) for item in batch}
    assert texts == again
    errors = [item.error for batch in write(tiny_loaded, gone) for item in batch]
    assert all(error is not None and error.study_id for error in errors)


def test_a_batch_too_large_for_memory_is_halved(
    tiny_loaded: Any, studies: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = tiny_loaded.system.generate
    sizes: list[int] = []

    def generate(batch: Any, *args: Any, **options: Any) -> Any:
        sizes.append(len(batch))
        if len(batch) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return real(batch, *args, **options)

    expected = [item.report.text for batch in write(tiny_loaded, studies, batch_size=6) for item in batch]
    monkeypatch.setattr(tiny_loaded.system, "generate", generate)
    found = [item.report.text for batch in write(tiny_loaded, studies, batch_size=6) for item in batch]
    assert found == expected
    assert sizes == [6, 3, 2, 2, 2]


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
        MemoryError(),
    ],
)
def test_a_study_too_large_for_memory_is_set_aside_and_the_others_keep_their_order(
    tiny_loaded: Any, studies: list[Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Any
) -> None:
    real, large = tiny_loaded.system.generate, studies[2].id
    expected = [(item.study.id, item.report.text) for batch in write(tiny_loaded, studies) for item in batch]

    def generate(batch: Any, *args: Any, **options: Any) -> Any:
        if any(study.id == large for study in batch.studies):
            raise error
        return real(batch, *args, **options)

    monkeypatch.setattr(tiny_loaded.system, "generate", generate)
    found = [item for batch in write(tiny_loaded, studies, batch_size=4) for item in batch]
    assert [(i.study.id, i.report.text if i.report else None) for i in found] == [
        (study_id, None if study_id == large else text) for study_id, text in expected
    ]
    (bad,) = [item.error for item in found if item.error is not None]
    assert bad.study_id == large
    assert "memory is not enough" in bad.reason
    assert sum("at once; going on with 2" in record.message for record in caplog.records) == 1


def test_other_errors_and_processes_that_work_together_end_it(
    tiny_loaded: Any, studies: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(kind: Any) -> Any:
        def generate(*_: Any, **__: Any) -> Any:
            raise kind("a bug")

        return generate

    monkeypatch.setattr(tiny_loaded.system, "generate", fail(RuntimeError))
    with pytest.raises(RuntimeError, match="a bug"):
        write(tiny_loaded, studies)
    monkeypatch.setattr(tiny_loaded.system, "generate", fail(torch.OutOfMemoryError))
    with pytest.raises(torch.OutOfMemoryError):
        write(tiny_loaded, studies, together=True)
    gone = [replace(studies[0], images=tuple(replace(i, path=i.path / "gone") for i in studies[0].images))]
    with pytest.raises(BadStudyError):
        write(tiny_loaded, gone, together=True)


def test_seeds_differ_by_study_and_by_seed() -> None:
    seeds = {study_seed(seed, f"study {number}") for seed in range(5) for number in range(200)}
    assert len(seeds) == 1000
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert study_seed(1, "检查/1") == study_seed(1, "检查/1")
    torch.Generator().manual_seed(study_seed(2**40, "x"))
