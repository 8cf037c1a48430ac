from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
import torch

from llmrg.evidence.patches import Patches
from llmrg.evidence.projection import TokenProjection
from llmrg.studies.batches import StudyBatch
from llmrg.vision.features import VisualFeatures

EXISTS = [[True, True], [True, False]]


@pytest.mark.parametrize("pool", [None, 4, 9])
def test_a_grid_that_is_small_enough_stays(
    pool: int | None, make_films: Callable[..., StudyBatch], make_features: Callable[..., VisualFeatures]
) -> None:
    patches = Patches(width=16, size=24, scale=0.02, pool=pool)
    features = make_features(EXISTS, side=4)
    evidence = patches(features, make_films([2, 1]), None, {}, with_records=True)
    torch.testing.assert_close(evidence.embeddings, patches.projection(features.tokens))
    assert torch.equal(evidence.mask, features.mask)
    assert evidence.records == [{"kind": "patches", "items": []}] * 2
    assert not patches(features, make_films([2, 1]), None, {}).records


def test_a_larger_grid_is_averaged_view_by_view(
    make_films: Callable[..., StudyBatch], make_features: Callable[..., VisualFeatures]
) -> None:
    patches = Patches(width=16, size=24, scale=0.02, pool=2)
    features = make_features(EXISTS, side=6)
    evidence = patches(features, make_films([2, 1]), None, {})
    assert evidence.embeddings.shape == (2, 8, 24)
    assert evidence.mask.tolist() == [[True] * 8, [True] * 4 + [False] * 4]
    tokens = features.tokens.view(2, 2, 6, 6, 16)
    for study, view, row, column in [(0, 0, 0, 1), (0, 1, 1, 0), (1, 0, 1, 1)]:
        mean = tokens[study, view, 3 * row : 3 * row + 3, 3 * column : 3 * column + 3].mean((0, 1))
        place = view * 4 + row * 2 + column
        torch.testing.assert_close(evidence.embeddings[study, place], patches.projection(mean))


def test_projected_vectors_are_as_large_as_words() -> None:
    torch.manual_seed(0)
    found = TokenProjection(width=16, size=64, scale=0.03)(torch.randn(5, 7, 16) * 100)
    torch.testing.assert_close(found.square().mean(-1).sqrt(), torch.full((5, 7), 0.03), rtol=1e-3, atol=1e-5)


def test_the_mean_of_the_views_that_exist(
    make_films: Callable[..., StudyBatch], make_features: Callable[..., VisualFeatures]
) -> None:
    patches = Patches(width=16, size=24, scale=1.0, mean_of_views=True)
    features = make_features(EXISTS, side=3)
    evidence = patches(features, make_films([2, 1]), None, {})
    assert evidence.embeddings.shape == (2, 9, 24)
    assert bool(evidence.mask.all())
    tokens = features.tokens.view(2, 2, 9, 16)
    torch.testing.assert_close(evidence.embeddings[0], patches.projection(tokens[0].mean(0)))
    torch.testing.assert_close(evidence.embeddings[1], patches.projection(tokens[1, 0]))


@pytest.mark.parametrize("mean", [False, True])
def test_class_tokens_stand_in_the_middle_of_each_view(
    mean: bool, make_films: Callable[..., StudyBatch], make_features: Callable[..., VisualFeatures]
) -> None:
    patches = Patches(width=16, size=24, scale=1.0, mean_of_views=mean, class_token=True)
    features = make_features(EXISTS, side=2)
    with pytest.raises(ValueError, match="no class token"):
        patches(features, make_films([2, 1]), None, {})
    features = dataclasses.replace(features, class_tokens=torch.randn(2, 2, 16))
    evidence = patches(features, make_films([2, 1]), None, {})
    place = 2 if mean else 7
    wanted = features.class_tokens[0].mean(0) if mean else features.class_tokens[0, 1]
    torch.testing.assert_close(evidence.embeddings[0, place], patches.projection(wanted))
    assert evidence.mask.sum(1).tolist() == ([5, 5] if mean else [10, 5])
