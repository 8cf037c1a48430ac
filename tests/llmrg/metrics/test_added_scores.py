"""Further figures beside those of wording."""

import pytest

from llmrg.errors import UserError
from llmrg.metrics.added_scores import add_metrics
from llmrg.metrics.invented_priors import PriorScore, prior_statistics
from llmrg.metrics.scores import score_reports
from llmrg.metrics.statistics import bootstrap_interval
from llmrg.metrics.variety import MeanLength

REFERENCES = {f"s{i}": "the heart is large" for i in range(8)}
SAID = {id_: "a new nodule" if i % 3 else "clear" for i, id_ in enumerate(REFERENCES)}


def test_figures_intervals_and_signatures():
    scores = score_reports(SAID, REFERENCES, language="en", resamples=60, seed=4)
    rows = prior_statistics([SAID[id_] for id_ in scores.ids], [REFERENCES[id_] for id_ in scores.ids], language="en")
    shares = [PriorScore(name, "en") for name in ("invented_priors", "kept_comparisons")]
    found = add_metrics(scores, shares, rows, how="facts:references")
    assert found.metrics["invented_priors"] == pytest.approx(5 / 8)
    assert found.metrics["kept_comparisons"] is None
    assert found.metrics["bleu_1"] == scores.metrics["bleu_1"]
    wanted = bootstrap_interval(rows, shares[0].value, patients=scores.ids, resamples=60, seed=4)
    assert found.intervals["invented_priors"] == wanted
    assert "kept_comparisons" not in found.intervals
    assert found.signatures["invented_priors"].startswith("invented_priors|facts:references|n:8|llmrg:")
    assert "invented_priors" not in scores.metrics


def test_refusals():
    scores = score_reports(SAID, REFERENCES, language="en", resamples=0)
    share = PriorScore("invented_priors", "en")
    with pytest.raises(UserError, match="2 rows"):
        add_metrics(scores, [share], share.statistics(["a"] * 2, ["b"] * 2), how="")
    with pytest.raises(UserError, match="one family"):
        add_metrics(scores, [share, MeanLength()], share.statistics(["a"] * 8, ["b"] * 8), how="")
