"""Invented priors: counted by hand."""

import numpy as np
import pytest

from llmrg.errors import UserError
from llmrg.metrics.invented_priors import PriorScore, known_prior, prior_facts, prior_statistics
from llmrg.studies.study import Study

REFERENCES = ["Lungs clear.", "Effusion is unchanged.", "Heart is normal.", "Heart is normal."]
SAID = ["No new opacity.", "Stable effusion.", "Clear.", "Again seen is a nodule."]


def test_the_reference_stands_in():
    rows = prior_statistics(SAID, REFERENCES, language="en")
    facts = prior_facts(rows.sum(axis=0), len(rows))
    assert (facts.without_prior, facts.invented, facts.with_prior, facts.compared) == (3, 2, 1, 1)
    assert (facts.by_data, facts.by_reference) == (0, 4)
    assert facts.share == pytest.approx(2 / 3)
    assert "without an earlier examination" in facts.definition
    score = PriorScore("invented_priors", "en")
    assert score.value(score.statistics(SAID, REFERENCES).sum(axis=0)) == pytest.approx(2 / 3)
    assert PriorScore("reports_comparing", "en").value(rows.sum(axis=0)) == pytest.approx(3 / 4)
    assert PriorScore("kept_comparisons", "en").value(np.stack([rows[0], rows[1]])).tolist() == [
        pytest.approx(np.nan, nan_ok=True),
        1,
    ]


def test_data_decide_before_the_reference():
    rows = prior_statistics(SAID, REFERENCES, language="en", known=[True, False, None, False])
    facts = prior_facts(rows.sum(axis=0), 4)
    assert (facts.without_prior, facts.invented, facts.by_data) == (3, 2, 3)
    chinese = prior_statistics(["较前吸收。"], ["双肺清晰。"], language="zh", known=[True])
    assert prior_facts(chinese.sum(axis=0), 1).share is None


@pytest.mark.parametrize(
    ("prior", "sections", "expected"),
    [
        ("Lungs clear.", {}, True),
        ("Lungs clear.", {"comparison": "None."}, True),
        (None, {"comparison": "None."}, False),
        (" ", {"comparison": "Radiograph dated 2011."}, True),
        (None, {"findings": "Unchanged."}, None),
    ],
)
def test_what_a_study_says(prior, sections, expected):
    study = Study(id="s", patient_id="p", images=(), split="test", language="en", prior=prior, sections=sections)
    assert known_prior(study) is expected


def test_refusals():
    with pytest.raises(UserError, match="1 generated"):
        prior_statistics(["a"], [], language="en")
    with pytest.raises(UserError, match="invented_priors"):
        PriorScore("invented", "en")
