"""What needs no eyes must fail on ``bench``: neither thumbnails nor the nearest film give the findings away."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from llmrg.findings.vocabulary import get_vocabulary
from llmrg.studies.phantoms.dataset import draw_dataset
from llmrg.studies.phantoms.truth import read_truth

_STUDIES, _TRAIN = 600, 450
_LIMIT = 0.55


def _micro_f1(predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    return float(2 * (predicted & truth).sum() / max(1, predicted.sum() + truth.sum()))


@pytest.fixture(scope="module", params=["chexpert-plus"])
def thumbnails(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Frontal films at 32 px, standardised by the training part, and the findings of each study."""
    root = tmp_path_factory.mktemp("bench") / "data"
    draw_dataset(root, format=request.param, studies=_STUDIES, seed=11, size=64, preset="bench", workers=2)
    films, labels = [], []
    names = [finding.observation for finding in get_vocabulary("ped_xray")]
    for truth in read_truth(root).values():
        pattern = "images/image{}/IMG-0001-*.jpg" if request.param == "ped-xray" else "PNG/*/{}/view1_frontal.png"
        (path,) = Path(root).glob(pattern.format(truth.study_id))
        with Image.open(path) as film:
            films.append(np.asarray(film.resize((32, 32), Image.Resampling.BOX), dtype=np.float64).ravel())
        labels.append([name in truth.observations for name in names])
    pixels = np.stack(films)
    train = pixels[:_TRAIN]
    return (pixels - train.mean(axis=0)) / (train.std(axis=0) + 1), np.array(labels)


def test_logistic_regression_on_thumbnails_fails(thumbnails: tuple[NDArray[np.float64], NDArray[np.bool_]]) -> None:
    from sklearn.linear_model import LogisticRegression

    x, y = thumbnails
    scores = np.stack(
        [
            LogisticRegression(C=0.01, max_iter=300).fit(x[:_TRAIN], column[:_TRAIN]).predict_proba(x[_TRAIN:])[:, 1]
            for column in y.T
        ],
        axis=1,
    )
    # The threshold is chosen on the very studies that are scored, which favours the regression.
    best = max(_micro_f1(scores > t, y[_TRAIN:]) for t in np.quantile(scores, np.linspace(0.5, 0.99, 50)))
    assert 0.1 < best < _LIMIT


def test_the_nearest_thumbnail_fails(thumbnails: tuple[NDArray[np.float64], NDArray[np.bool_]]) -> None:
    x, y = thumbnails
    nearest = [int(((x[:_TRAIN] - one) ** 2).sum(axis=1).argmin()) for one in x[_TRAIN:]]
    assert _micro_f1(y[:_TRAIN][nearest], y[_TRAIN:]) < _LIMIT
