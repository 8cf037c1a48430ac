"""Figures over several sets are those of one set, wherever the language does not part them."""

from __future__ import annotations

import pytest

from llmrg.errors import UserError
from llmrg.findings.vocabulary import get_vocabulary
from llmrg.metrics.pooling import pooled_figures
from llmrg.metrics.scores import Scores, score_reports

VOCABULARY = get_vocabulary("ped_xray")
WRITTEN = {"a": "heart is large", "b": "no effusion seen", "c": "left effusion", "d": "the lungs are clear today"}
TRUE = {"a": "heart is enlarged", "b": "no effusion is seen", "c": "right effusion", "d": "the lungs are clear"}
FOUND = {"a": {"cardiomegaly": None}, "b": {}, "c": {"pleural_effusion": "left"}, "d": {"nodule": "left"}}
REAL = {"a": {"cardiomegaly": None}, "b": {}, "c": {"pleural_effusion": "right"}, "d": {}}


def score(ids: str, language: str = "en") -> Scores:
    return score_reports(
        {i: WRITTEN[i] for i in ids},
        {i: TRUE[i] for i in ids},
        language=language,
        predicted_findings={i: FOUND[i] for i in ids},
        true_findings={i: REAL[i] for i in ids},
        vocabulary=VOCABULARY,
        resamples=0,
    )


def test_sums_over_parts_are_sums_over_all() -> None:
    whole, pooled = score("abcd").metrics, pooled_figures([score("ac"), score("bd")], VOCABULARY)
    for name in ("bleu_1", "bleu_4", "rouge_l", "mean_length", "clinical_micro_f1", "clinical_macro_f1"):
        assert pooled[name] == pytest.approx(whole[name]), name
    assert pooled["clinical_micro_precision"] == pytest.approx(2 / 3)
    assert pooled["side_accuracy"] == pytest.approx(0.0)


def test_each_set_is_cut_into_tokens_as_its_language_wants() -> None:
    parts = [score("ac"), score("bd", "zh")]
    pooled = pooled_figures(parts)
    lengths = [3, 2, len("noeffusionseen"), len("thelungsarecleartoday")]
    assert pooled["mean_length"] == pytest.approx(sum(lengths) / 4)
    rouge = [part.metrics["rouge_l"] for part in parts]
    assert pooled["rouge_l"] == pytest.approx(sum(rouge) / 2)
    assert min(rouge) < pooled["bleu_1"] < 1


def test_what_cannot_be_pooled() -> None:
    with pytest.raises(UserError, match="scored in the same way"):
        pooled_figures([])
    words = score_reports({"a": "x"}, {"a": "x"}, language="en", resamples=0)
    with pytest.raises(UserError, match="scored in the same way"):
        pooled_figures([score("a"), words], VOCABULARY)
