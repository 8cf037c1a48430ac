"""Many reports are labelled as each one is."""

import pytest

from llmrg.errors import UserError
from llmrg.findings.labeler import get_labeler
from llmrg.findings.vocabulary import get_vocabulary
from llmrg.metrics import labelling
from llmrg.metrics.labelling import label_reports

TEXTS = [f"There is a {n} mm nodule in the {side} lung." for n in range(40) for side in ("left", "right")] + [
    "",
    "\ud800",
]


@pytest.mark.parametrize("workers", [1, 2, None])
def test_processes_change_nothing(workers, monkeypatch):
    monkeypatch.setattr(labelling, "_WORTH_PROCESSES", 10)
    monkeypatch.setattr(labelling, "_CHUNK", 7)
    texts = [*TEXTS, *TEXTS[:5]]
    wanted = get_labeler(get_vocabulary("chexpert14"), "en").label_many(texts)
    assert label_reports(texts, vocabulary="chexpert14", language="en", workers=workers) == wanted
    assert label_reports([], vocabulary="chexpert14", language="en", workers=workers) == []


def test_mistakes_are_named():
    with pytest.raises(UserError, match="chexpert14"):
        label_reports(["a"], vocabulary="chexpert15", language="en")
    with pytest.raises(UserError, match="at least one worker"):
        label_reports(["a"], vocabulary="chexpert14", language="en", workers=0)
