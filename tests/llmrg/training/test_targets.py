"""Targets of the disease queries from mentions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from llmrg.findings.labeler import get_labeler
from llmrg.findings.mention import Mention
from llmrg.findings.vocabulary import get_vocabulary
from llmrg.studies import study_table
from llmrg.studies.study import Study
from llmrg.studies.study_table import StudyTable
from llmrg.training.targets import FindingTargets, LabelledReports, finding_targets

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


def test_reports_are_labelled_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {"en": "Cardiomegaly. No pleural effusion.", "zh": "心影增大。"}
    table = [
        Study(id=f"{i}", patient_id="p", images=(), split="train", language=code, sections={"findings": texts[code]})
        for i, code in enumerate(("en", "zh", "en"))
    ]
    for studies in ([table[:2], table[2:]], [StudyTable.from_studies(table[:2]), StudyTable.from_studies(table[2:])]):
        reports = LabelledReports(studies, VOCABULARY, ("findings",), kept=2)
        assert list(reports) == ["0", "1", "2"]
        assert len(reports) == 3
        for study in (*table, table[0], table[0]):
            assert reports[study.id] == get_labeler(VOCABULARY, study.language).label(study.report())
            wanted = finding_targets(reports[study.id], VOCABULARY)
            found = FindingTargets(reports, VOCABULARY)[study.id]
            assert all(torch.equal(found[name], wanted[name]) for name in wanted)
        with pytest.raises(KeyError):
            reports["3"]
        assert FindingTargets(reports, VOCABULARY).get("3") is None
    # Two texts with one hash are told apart by the text itself.
    monkeypatch.setattr(study_table, "hash_text", lambda text: 7)
    monkeypatch.setattr(study_table, "hash_texts", lambda texts: np.array([7 for _ in texts], dtype=np.uint64))
    reports = LabelledReports([table], VOCABULARY, ("findings",))
    assert reports["1"] == get_labeler(VOCABULARY, "zh").label(texts["zh"])
