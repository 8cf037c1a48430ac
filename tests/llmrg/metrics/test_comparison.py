"""Comparing systems: identity, refusals, seeds, and tests that keep their level."""

import json
from dataclasses import replace

import numpy as np
import pytest

from llmrg.errors import UserError
from llmrg.findings.vocabulary import get_vocabulary
from llmrg.metrics.added_scores import add_metrics, headline_figures
from llmrg.metrics.clinical_statistics import ClinicalScore
from llmrg.metrics.comparison import compare_systems, system_figures
from llmrg.metrics.metric import mean_value, scores_as_statistics
from llmrg.metrics.scores import Scores, score_reports
from llmrg.metrics.statistics import difference_interval, paired_bootstrap, paired_randomisation

VOCABULARY = get_vocabulary("chexpert14")
REFERENCES = {f"s{i}": f"the heart is {'large' if i % 3 else 'normal'} and the lungs are clear {i}" for i in range(24)}
PATIENTS = {f"s{i}": f"p{i // 2}" for i in range(24)}
TRUE = [{"Cardiomegaly": 1 if i % 3 else 0, "Edema": None} for i in range(24)]


class Mean:
    """The mean of one number a study."""

    family = "mean"

    def __init__(self, name="mean"):
        self.name = name

    def statistics(self, hypotheses, references):
        return scores_as_statistics(hypotheses)

    def value(self, sums):
        return mean_value(sums)


def numbers(values, *, patients=None, name="mean"):
    """Scores whose one figure is the mean of these numbers."""
    ids = tuple(f"s{i:04}" for i in range(len(values)))
    return Scores(
        n=len(ids),
        language="en",
        metrics={name: float(np.mean(values))},
        intervals={},
        signatures={name: "mean"},
        protocol={},
        ids=ids,
        patients=tuple(patients) if patients is not None else ids,
        reference_hash="0" * 64,
        statistics={"mean": scores_as_statistics(values)},
        formulas={name: Mean(name)},
    )


def reports(said, findings=TRUE, **options):
    scores = score_reports(said, REFERENCES, language="en", patients=PATIENTS, resamples=20, **options)
    score = ClinicalScore("r2gen/14/micro/f1", VOCABULARY)
    order = sorted(range(24), key=lambda i: f"s{i}")
    rows = score.statistics([findings[i] for i in order], [TRUE[i] for i in order])
    return add_metrics(scores, [score], rows, how="labeler:test")


def test_a_system_against_itself():
    system = reports({id_: text[5:] for id_, text in REFERENCES.items()})
    found = compare_systems(system, system, trials=50, resamples=30, names=("a", "b"))
    assert {row.metric for row in found.metrics} >= {"bleu_1", "bleu_4", "rouge_l", "cider", "r2gen/14/micro/f1"}
    assert "mean_length" not in {row.metric for row in found.metrics}
    for row in found.metrics:
        assert (row.difference, row.p, row.p_bootstrap, row.p_holm, row.better) == (0, 1, 1, 1, None)
        assert (row.interval.low, row.interval.high) == (0, 0)
        assert "do not differ" in found.sentence(row.metric)
    json.dumps(found.to_mapping(), allow_nan=False)


def test_a_better_system():
    best = reports(REFERENCES)
    worst = reports(dict.fromkeys(REFERENCES, "no finding"), [{}] * 24)
    found = compare_systems(best, worst, ["bleu_4", "r2gen/14/micro/f1"], trials=999, resamples=99)
    assert (found.n, found.patients, found.runs) == (24, 12, (1, 1))
    row = found["bleu_4"]
    assert row.first == pytest.approx(1)
    assert row.difference == pytest.approx(best.metrics["bleu_4"] - worst.metrics["bleu_4"])
    # A coin for each of 12 patients: two of the 4096 outcomes are as extreme.
    assert row.p < 0.01
    assert row.p_holm == pytest.approx(min(1, 2 * row.p), abs=1e-9)
    assert row.better == "first"
    assert "first is better than second" in found.sentence("bleu_4")
    assert "corrected for 2 metrics" in found.sentence("bleu_4")
    back = compare_systems(worst, best, ["bleu_4"], trials=99, resamples=99)
    assert back["bleu_4"].better == "second"
    assert "second is better than first" in back.sentence("bleu_4")


def test_it_is_the_tests_of_each_metric():
    rng = np.random.default_rng(0)
    one, two = rng.random(40), rng.random(40)
    patients = [str(i // 2) for i in range(40)]
    first, second = numbers(one, patients=patients), numbers(two, patients=patients)
    row = compare_systems(first, second, trials=500, resamples=400, seed=3)["mean"]
    pair = (scores_as_statistics(one), scores_as_statistics(two), mean_value)
    assert row.p == paired_randomisation(*pair, patients=patients, trials=500, seed=3).p_value
    assert row.p_bootstrap == paired_bootstrap(*pair, patients=patients, resamples=400, seed=3).p_value
    interval = difference_interval(*pair, patients=patients, resamples=400, seed=3)
    assert (row.interval.low, row.interval.high) == pytest.approx((interval.low, interval.high))


def test_refusals():
    system = reports(REFERENCES)
    with pytest.raises(UserError, match=r"different studies \(2 stand"):
        compare_systems(system, replace(system, ids=(*system.ids[:-1], "other")))
    with pytest.raises(UserError, match="different references"):
        compare_systems(system, replace(system, reference_hash="f" * 64))
    with pytest.raises(UserError, match="different patients"):
        compare_systems(system, replace(system, patients=system.ids))
    with pytest.raises(UserError, match="different settings"):
        compare_systems(system, reports(REFERENCES, tokenizer="raw"))
    with pytest.raises(UserError, match="'bleu_4'"):
        compare_systems(system, system, ["bleu4"])
    with pytest.raises(UserError, match="without runs"):
        compare_systems(system, [])
    moved = system.statistics["clinical"].copy()
    moved[:, :32] = np.roll(moved[:, :32], 1, axis=0)
    other = replace(system, statistics={**system.statistics, "clinical": moved})
    with pytest.raises(UserError, match="different true findings"):
        compare_systems(system, other)
    assert compare_systems(system, other, ["bleu_1"], trials=5, resamples=5)["bleu_1"].p == 1


def test_an_undefined_figure_is_no_test():
    empty = replace(numbers([1.0]), statistics={"mean": np.zeros((1, 2))})
    with np.errstate(invalid="ignore"):
        found = compare_systems(empty, empty, trials=5, resamples=5)
    row = found["mean"]
    assert (row.first, row.difference, row.p, row.p_holm) == (None, None, None, None)
    assert "not defined" in found.sentence("mean")
    json.dumps(found.to_mapping(), allow_nan=False)


def test_less_is_better_for_invented_priors():
    rng = np.random.default_rng(1)
    base = rng.random(60)
    found = compare_systems(numbers(base, name="invented_priors"), numbers(base + 1, name="invented_priors"), trials=99)
    assert found["invented_priors"].better == "first"


def test_seeds():
    rng = np.random.default_rng(2)
    runs = [numbers(rng.random(50) + shift) for shift in (0.0, 0.1, 0.2)]
    figure = system_figures(runs, resamples=200)["mean"]
    values = [run.metrics["mean"] for run in runs]
    assert figure.value == pytest.approx(np.mean(values))
    assert figure.seeds.sd == pytest.approx(np.std(values, ddof=1))
    # Student's t with 2 degrees of freedom: 4.3027 at 97.5 %.
    half = 4.302653 * figure.seeds.sd / np.sqrt(3)
    assert (figure.seeds.low, figure.seeds.high) == pytest.approx((figure.value - half, figure.value + half))
    assert figure.interval.low < figure.value < figure.interval.high
    single = system_figures(runs[0], resamples=0)["mean"]
    assert (single.seeds.sd, single.interval) == (None, None)


def test_seeds_of_two_systems():
    rng = np.random.default_rng(4)
    base = rng.random(80)
    first = [numbers(base + rng.normal(0, 0.05, 80) + 0.05) for _ in range(3)]
    second = [numbers(base + rng.normal(0, 0.05, 80)) for _ in range(2)]
    found = compare_systems(first, second, trials=999, resamples=300)
    row = found["mean"]
    assert found.runs == (3, 2)
    assert row.difference == pytest.approx(
        np.mean([run.metrics["mean"] for run in first]) - np.mean([run.metrics["mean"] for run in second])
    )
    assert row.p == 0.001
    # Runs given several times weigh no more.
    twice = compare_systems(first * 2, second * 2, trials=999, resamples=300)["mean"]
    assert (twice.p, twice.p_bootstrap, twice.difference) == pytest.approx((row.p, row.p_bootstrap, row.difference))


@pytest.mark.parametrize("copies", [1, 6])
def test_level_of_the_tests(copies):
    """Under the null about 5 % are significant at 0.05, with every study of a patient repeated too.

    Tests that take the repeated studies for independent claim differences several times as often.
    """
    rng = np.random.default_rng(11)
    patients = [str(i) for i in range(30)]
    claims = {"randomisation": 0, "bootstrap": 0, "naive": 0}
    simulations = 240
    for simulation in range(simulations):
        gains = rng.exponential(size=30) * rng.choice([-1, 1], size=30)
        one = scores_as_statistics(np.repeat(gains, copies))
        two = scores_as_statistics(np.zeros(30 * copies))
        owners = [patient for patient in patients for _ in range(copies)]
        alone = [str(i) for i in range(30 * copies)]
        for name, test, who in (
            ("randomisation", paired_randomisation, owners),
            ("bootstrap", paired_bootstrap, owners),
            ("naive", paired_randomisation, alone),
        ):
            options = {"trials" if test is paired_randomisation else "resamples": 199}
            claims[name] += test(one, two, mean_value, patients=who, seed=simulation, **options).p_value <= 0.05
    shares = {name: count / simulations for name, count in claims.items()}
    # Three standard errors of a share of 5 % in 240 are 4.2 %.
    assert shares["randomisation"] < 0.095
    assert shares["randomisation"] > 0.01
    assert shares["bootstrap"] < 0.11
    if copies > 1:
        assert shares["naive"] > 0.25
    else:
        assert shares["naive"] == pytest.approx(shares["randomisation"], abs=0.03)


def test_default_headlines():
    assert headline_figures(VOCABULARY) == ("r2gen/14/macro/f1", "rrg/14/micro/f1")
    assert headline_figures(get_vocabulary("ped_xray")) == ("r2gen/all/micro/f1",)
    with pytest.raises(UserError, match="2 rows"):
        add_metrics(numbers([1.0]), [Mean()], np.zeros((2, 2)), how="")
