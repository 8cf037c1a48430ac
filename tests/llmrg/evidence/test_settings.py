from __future__ import annotations

import pytest

from llmrg.config import load_config
from llmrg.errors import UserError
from llmrg.evidence.settings import (
    DiseaseQueriesConfig,
    EvidenceConfig,
    MemoryConfig,
    PatchesConfig,
    RetrievedContextConfig,
)


@pytest.mark.parametrize(
    ("schema", "values", "named"),
    [
        (PatchesConfig, {"pool": 0}, "pool"),
        (DiseaseQueriesConfig, {"heads": 0}, "heads"),
        (DiseaseQueriesConfig, {"dropout": 1.0}, "dropout"),
        (DiseaseQueriesConfig, {"smoothing": -0.1}, "smoothing"),
        (DiseaseQueriesConfig, {"sharpness": 0.0}, "sharpness"),
        (MemoryConfig, {"beta": 0.0}, "beta"),
        (MemoryConfig, {"steps": 0}, "steps"),
        (MemoryConfig, {"head_width": 0}, "head_width"),
        (MemoryConfig, {"per_finding": 0}, "per_finding"),
        (MemoryConfig, {"strongest": -1}, "strongest"),
        (RetrievedContextConfig, {"positives": 0, "negatives": 0}, "at least 1"),
        (RetrievedContextConfig, {"positives": -1, "negatives": 3}, "negative"),
        (RetrievedContextConfig, {"candidates": 5}, "candidates"),
        (RetrievedContextConfig, {"threshold": 1.0}, "threshold"),
        (EvidenceConfig, {"sources": ("patchs",)}, "patchs"),
        (EvidenceConfig, {"sources": ("patches", "patches")}, "twice"),
        (EvidenceConfig, {"sources": ("visual_memory", "disease_queries")}, "visual_memory needs disease_queries"),
        (EvidenceConfig, {"sources": ("patches", "retrieved_context")}, "retrieved_context needs disease_queries"),
    ],
)
def test_values_that_cannot_be_meant_are_refused(schema: type, values: dict, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        schema(**values)


def test_a_users_mistake_names_its_key() -> None:
    with pytest.raises(UserError, match=r"visual_memory.*beta"):
        load_config(EvidenceConfig, None, ["visual_memory.beta=-1"])


def test_any_order_that_puts_the_queries_first_will_do() -> None:
    EvidenceConfig(sources=("disease_queries", "retrieved_context", "patches", "report_memory"))
    EvidenceConfig(sources=("patches",))
