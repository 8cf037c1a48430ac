"""Targets of the disease queries from mentions."""

from __future__ import annotations

import torch

from llmrg.findings.mention import Mention
from llmrg.findings.vocabulary import get_vocabulary
from llmrg.training.targets import finding_targets

VOCABULARY = get_vocabulary("chexpert14")
NAMES = [finding.name for finding in VOCABULARY.abnormal]


def mention(name: str, polarity: str, side: str | None = None) -> dict[str, Mention]:
    return {name: Mention(finding=name, polarity=polarity, side=side)}  # type: ignore[arg-type]


def test_hedged_findings_are_not_learnt_and_negative_ones_are_absent() -> None:
    sided = next(finding.name for finding in VOCABULARY.abnormal if finding.sided)
    other = next(finding.name for finding in VOCABULARY.abnormal if not finding.sided)
    mentions = mention(sided, "uncertain", "left") | mention(other, "negative") | mention("No Finding", "positive")
    targets = finding_targets(mentions, VOCABULARY)
    assert not targets["present"].any() and not targets["side_known"].any()
    assert targets["observed"].tolist() == [name != sided for name in NAMES]


def test_sides() -> None:
    sided = next(finding.name for finding in VOCABULARY.abnormal if finding.sided)
    expected = {"left": [1, 0], "right": [0, 1], "bilateral": [1, 1], None: [0, 0]}
    for side, wanted in expected.items():
        targets = finding_targets(mention(sided, "positive", side), VOCABULARY)
        row = NAMES.index(sided)
        assert targets["sides"][row].tolist() == wanted
        assert bool(targets["side_known"][row]) == (side is not None)
    unsided = next(finding.name for finding in VOCABULARY.abnormal if not finding.sided)
    assert not finding_targets(mention(unsided, "positive", "left"), VOCABULARY)["side_known"].any()


def test_nothing_mentioned_is_all_zero() -> None:
    targets = finding_targets({}, VOCABULARY)
    assert all(not tensor.any() for name, tensor in targets.items() if name != "observed")
    assert targets["observed"].all()
    assert {name: (tensor.shape, tensor.dtype) for name, tensor in targets.items()} == {
        "present": (torch.Size([len(NAMES)]), torch.float32),
        "observed": (torch.Size([len(NAMES)]), torch.bool),
        "sides": (torch.Size([len(NAMES), 2]), torch.float32),
        "side_known": (torch.Size([len(NAMES)]), torch.bool),
    }
