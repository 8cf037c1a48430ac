"""Platt scaling against another solver, thresholds against brute force, and what the module keeps."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from llmrg.evidence.hint_calibration import HintCalibration, expected_f1_threshold, fit_platt


def sample(seed: int, *, studies: int = 80) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Predictions that are overconfident and shifted, with their labels; findings 2 and 3 have no example."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(-1, 3, size=(studies, 4))
    present = generator.random((studies, 4)) < 1 / (1 + np.exp(-(0.4 * logits + 0.8)))
    observed = generator.random((studies, 4)) < 0.9
    present[:, 2] = False
    observed[:, 3] = False
    return (
        torch.from_numpy(1 / (1 + np.exp(-logits))).float(),
        torch.from_numpy(present).float(),
        torch.from_numpy(observed),
    )


@pytest.mark.parametrize("seed", range(3))
def test_scale_and_shift_are_where_another_solver_finds_the_minimum(seed: int) -> None:
    probabilities, present, observed = sample(seed)
    scale, shift = fit_platt(probabilities, present, observed, prior=1.0)
    p = probabilities.double().numpy().clip(1e-6, 1 - 1e-6)
    for finding in range(3):
        x, y, w = np.log(p / (1 - p))[:, finding], present.numpy()[:, finding], observed.numpy()[:, finding]

        def loss(theta: np.ndarray, x: np.ndarray = x, y: np.ndarray = y, w: np.ndarray = w) -> float:
            score = theta[0] * x + theta[1]
            likelihood = (w * (np.logaddexp(0, score) - y * score)).sum()
            return float(likelihood + ((theta[0] - 1) ** 2 + theta[1] ** 2) / 2)

        best = minimize(loss, np.array([1.0, 0.0]), method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-10})
        assert float(scale[finding]) == pytest.approx(max(best.x[0], 0.05), abs=1e-3)
        assert float(shift[finding]) == pytest.approx(best.x[1], abs=1e-3)


def test_without_an_observed_label_the_probability_stays() -> None:
    scale, shift = fit_platt(*sample(0))
    assert (float(scale[3]), float(shift[3])) == (1.0, 0.0)


def test_the_order_of_studies_is_never_turned_around() -> None:
    probabilities = torch.linspace(0.05, 0.95, 40).unsqueeze(1)
    wrong = (probabilities < 0.5).float()
    scale, _ = fit_platt(probabilities, wrong, torch.ones_like(wrong).bool())
    assert float(scale[0]) == pytest.approx(0.05)


def test_certain_probabilities_are_fitted_too() -> None:
    probabilities = torch.tensor([[0.0], [1.0], [0.0], [1.0]])
    scale, shift = fit_platt(probabilities, torch.tensor([[0.0], [1.0], [1.0], [1.0]]), torch.ones(4, 1).bool())
    assert torch.isfinite(scale).all() and torch.isfinite(shift).all()
    assert 0.05 <= float(scale[0]) < 1 and float(shift[0]) > 0


@given(values=st.lists(st.floats(0.001, 0.999), min_size=1, max_size=12))
def test_no_threshold_has_a_higher_expected_f1(values: list[float]) -> None:
    probabilities = torch.tensor(values, dtype=torch.float64).unsqueeze(1)
    chosen = expected_f1_threshold(probabilities, torch.ones_like(probabilities).bool())

    def expected(threshold: float) -> float:
        named = [value for value in values if value >= threshold]
        return 2 * sum(named) / (len(named) + sum(values))

    grid = [round(0.1 + 0.01 * step, 4) for step in range(81)]
    assert chosen in grid
    # A value that lies on the grid may fall to either side of it in binary.
    assert expected(chosen - 1e-6) >= max(expected(threshold) for threshold in grid) - 1e-3 or any(
        abs(value - step) < 1e-6 for value, step in itertools.product(values, grid)
    )


def test_the_module_keeps_its_fit_and_starts_as_if_there_were_none() -> None:
    probabilities, present, observed = sample(1)
    module = HintCalibration(findings=4, threshold=None)
    assert torch.allclose(module(probabilities), probabilities, atol=1e-5)
    assert float(module.named_from) == 0.5
    module.fit(probabilities, present, observed)
    brier = [
        float((((found - present) ** 2) * observed).sum() / observed.sum())
        for found in (probabilities, module(probabilities))
    ]
    assert brier[1] < brier[0]
    assert float(module.named_from) != 0.5
    other = HintCalibration(findings=4, threshold=None)
    other.load_state_dict(module.state_dict())
    assert torch.equal(other(probabilities), module(probabilities))
    assert len(module.state_dict()) == 3


def test_a_given_threshold_stays() -> None:
    module = HintCalibration(findings=4, threshold=0.3)
    module.fit(*sample(2))
    assert float(module.named_from) == pytest.approx(0.3)
