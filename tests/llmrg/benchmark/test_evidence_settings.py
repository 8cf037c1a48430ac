"""What a configuration may ask of the evidence."""

from __future__ import annotations

import pytest

from llmrg.benchmark.evidence_settings import DeletionSettings, EvidenceSettings
from llmrg.config import load_config, to_mapping
from llmrg.errors import UserError


def test_deletion_is_off_unless_sources_are_named() -> None:
    assert EvidenceSettings().deletion.sources == ()
    given = load_config(EvidenceSettings, None, ["deletion.sources=all", "deletion.studies=8"])
    assert given.deletion == DeletionSettings(sources="all", studies=8)
    given = load_config(EvidenceSettings, None, ["deletion.sources=[patches, retrieved_context]", "pointing=false"])
    assert given.deletion.sources == ("patches", "retrieved_context")
    assert not given.pointing
    assert to_mapping(given)["deletion"] == {"sources": ["patches", "retrieved_context"], "studies": 64}


@pytest.mark.parametrize(
    "override",
    ["deletion.studies=0", "deletion.sources=[patches, patches]", "deletion.sources=patches", "threshold=0", "bins=1"],
)
def test_nonsense_is_refused(override: str) -> None:
    with pytest.raises(UserError):
        load_config(EvidenceSettings, None, [override])
