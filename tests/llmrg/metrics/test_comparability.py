"""What may be compared."""

from dataclasses import replace

import pytest

from llmrg.errors import UserError
from llmrg.metrics.comparability import comparable_metrics, require_comparable
from llmrg.metrics.scores import score_reports

TEXTS = {"a": "the heart is large", "b": "the lungs are clear"}


@pytest.fixture
def scores():
    return score_reports(TEXTS, TEXTS, language="en", resamples=0)


def test_shared_figures(scores):
    assert "mean_length" not in comparable_metrics([scores, scores])
    assert comparable_metrics([scores, scores], ["mean_length", "bleu_1", "bleu_1"]) == ["mean_length", "bleu_1"]
    less = replace(scores, formulas={"cider": scores.formulas["cider"]})
    assert comparable_metrics([scores, less]) == ["cider"]
    with pytest.raises(UserError, match="share no metric"):
        comparable_metrics([scores, replace(scores, formulas={})])
    with pytest.raises(UserError, match="'bleu_1'"):
        comparable_metrics([scores, less], ["bleu_1"])


def test_equal_is_allowed_and_the_parties_are_named(scores):
    require_comparable([scores, scores], ["bleu_1"], names=["x", "y"])
    other = score_reports(TEXTS, {**TEXTS, "b": "the lungs are clear "}, language="en", resamples=0)
    with pytest.raises(UserError, match=r"different references .*Where: x and y"):
        require_comparable([scores, other], ["bleu_1"], names=["x", "y"])
    reordered = replace(scores, ids=scores.ids[::-1])
    with pytest.raises(UserError, match="different studies"):
        require_comparable([scores, reordered], ["bleu_1"], names=["x", "y"])
