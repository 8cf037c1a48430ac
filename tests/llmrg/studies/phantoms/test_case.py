"""Who is examined and what is wrong."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from llmrg.findings.vocabulary import get_vocabulary
from llmrg.studies.phantoms.case import Cohort, draw_lesions, draw_patient
from llmrg.studies.phantoms.preset import PRESETS, get_preset

_FINDINGS = {finding.observation: finding.sided for finding in get_vocabulary("ped_xray")}


@pytest.mark.parametrize("cohort", ["adult", "paediatric"])
@pytest.mark.parametrize("preset", list(PRESETS))
def test_base_rates_are_those_of_a_clinic(cohort: Cohort, preset: str) -> None:
    n = 3000
    studies = [draw_lesions(np.random.default_rng([7, i]), cohort=cohort, preset=get_preset(preset)) for i in range(n)]
    counts = Counter(lesion.observation for lesions in studies for lesion in lesions)
    assert 0.30 < sum(not lesions for lesions in studies) / n < 0.37
    assert max(len(lesions) for lesions in studies) == 4
    assert set(counts) == set(_FINDINGS)
    common = {"increased_lung_markings", "patchy_opacity"} if cohort == "paediatric" else set()
    for observation, count in counts.items():
        assert 0.06 <= count / n <= (0.24 if observation in common else 0.16), observation
    for lesions in studies:
        assert len({lesion.observation for lesion in lesions}) == len(lesions)
        for lesion in lesions:
            assert (lesion.side is not None) == _FINDINGS[lesion.observation]
            assert lesion.severity == ("mild", "moderate", "severe")[min(2, int(lesion.grade * 3))]


def test_findings_in_the_lung_do_not_hide_each_other() -> None:
    in_lung = {"patchy_opacity", "consolidation", "nodule", "atelectasis", "pleural_thickening"}
    for i in range(2000):
        lesions = draw_lesions(np.random.default_rng(i), cohort="adult", preset=get_preset("bench"))
        places = [(s, x.zone) for x in lesions if x.observation in in_lung for s in x.signs]
        assert len(places) == len(set(places))
        names = {x.observation: x for x in lesions}
        if {"pleural_effusion", "pneumothorax"} <= set(names) and names["pneumothorax"].severity == "severe":
            assert not set(names["pleural_effusion"].signs) & set(names["pneumothorax"].signs)
        assert not {"edema", "increased_lung_markings"} <= set(names)


def test_ages_fit_the_cohort() -> None:
    children = [draw_patient(np.random.default_rng(i), cohort="paediatric") for i in range(300)]
    adults = [draw_patient(np.random.default_rng(i), cohort="adult") for i in range(600)]
    assert {p.age for p in children} == {float(age) for age in range(1, 13)}
    assert 13 <= min(p.age for p in adults) < 18 and max(p.age for p in adults) <= 90
    assert sum(p.age >= 18 for p in adults) / 600 > 0.9
    assert all(p.enlarged_above == 0.5 for p in adults)
    assert all(0.55 <= p.enlarged_above <= 0.6 for p in children)
    assert 70 < min(p.half_width_mm for p in children) < max(p.half_width_mm for p in adults) < 150
