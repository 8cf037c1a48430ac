"""Disease queries: where they look, what they decide, and their losses by hand."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from llmrg.evidence.disease_queries import DiseaseQueries, DiseaseQuerySource, diagnosis_losses
from llmrg.findings.vocabulary import get_vocabulary
from llmrg.studies.batches import StudyBatch
from llmrg.vision.features import VisualFeatures

F, D = 12, 16
FINDINGS = get_vocabulary("ped_xray").abnormal
EXISTS = [[True, True], [True, False], [True, True]]


@pytest.fixture
def queries() -> DiseaseQueries:
    torch.manual_seed(0)
    found = DiseaseQueries(findings=F, width=D, heads=4, sharpness=4.0).double().eval()
    with torch.no_grad():
        for parameter in found.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return found


def double(features: VisualFeatures) -> VisualFeatures:
    return VisualFeatures(
        tokens=features.tokens.double(),
        mask=features.mask,
        pooled=features.pooled.double(),
        grid=features.grid,
        view=features.view,
    )


def reordered(features: VisualFeatures, order: torch.Tensor) -> VisualFeatures:
    return VisualFeatures(
        tokens=features.tokens[:, order],
        mask=features.mask[:, order],
        pooled=features.pooled,
        grid=features.grid,
        view=features.view[:, order],
    )


def test_the_order_of_places_does_not_matter(
    queries: DiseaseQueries, make_features: Callable[..., VisualFeatures]
) -> None:
    features = double(make_features(EXISTS))
    order = torch.randperm(8, generator=torch.Generator().manual_seed(0))
    plain, shuffled = queries(features), queries(reordered(features, order))
    torch.testing.assert_close(shuffled.logits, plain.logits)
    torch.testing.assert_close(shuffled.tokens, plain.tokens)
    torch.testing.assert_close(shuffled.attention, plain.attention[..., order])


def test_absent_views_change_neither_values_nor_gradients(
    queries: DiseaseQueries, make_features: Callable[..., VisualFeatures]
) -> None:
    features = double(make_features([[True, True], [True, True]]))
    garbage = 1e3 * torch.randn(2, 4, D, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    padded = VisualFeatures(
        tokens=torch.cat([features.tokens, garbage], dim=1),
        mask=torch.cat([features.mask, torch.zeros(2, 4, dtype=torch.bool)], dim=1),
        pooled=features.pooled,
        grid=(3, 2, 2),
        view=torch.cat([features.view, torch.tensor([[0, 1, 2, 2]]).expand(2, 4)], dim=1),
    )
    results = []
    for given in (features, padded):
        answers = queries(given)
        loss = answers.logits.square().sum() + answers.tokens.square().sum()
        gradients = torch.autograd.grad(loss, list(queries.parameters()))
        results.append([answers.logits, answers.tokens, answers.attention[..., :8], *gradients])
        assert not answers.attention[..., 8:].any()
    for first, second in zip(*results, strict=True):
        torch.testing.assert_close(first, second)


def test_attention_is_a_distribution_over_the_films_that_exist(
    queries: DiseaseQueries, make_features: Callable[..., VisualFeatures]
) -> None:
    features = double(make_features(EXISTS))
    attention = queries(features).attention
    assert attention.shape == (3, F, 8)
    torch.testing.assert_close(attention.sum(-1), torch.ones(3, F, dtype=torch.float64))
    assert (attention >= 0).all()
    assert not attention[1, :, 4:].any()


def test_logits_are_those_of_the_formula(queries: DiseaseQueries, make_features: Callable[..., VisualFeatures]) -> None:
    """Token classifier, bias and log-mean-exp of local scores, study by study, in numpy."""
    features = double(make_features(EXISTS))
    with torch.no_grad():
        answers = queries(features)
    weights = {name: parameter.detach().numpy() for name, parameter in queries.named_parameters()}
    for study in range(3):
        there = features.mask[study].numpy()
        raw = features.tokens[study].numpy()[there]
        centred = raw - raw.mean(1, keepdims=True)
        normed = centred / np.sqrt((centred**2).mean(1, keepdims=True) + 1e-5)
        tokens = normed * weights["norm.weight"] + weights["norm.bias"]
        for finding in range(F):
            found = answers.tokens[study, finding].numpy()
            for channel in range(3):
                local = tokens @ weights["locate"][finding, channel]
                soft_maximum = math.log(np.mean(np.exp(4.0 * local))) / 4.0
                assert local.mean() - 1e-9 <= soft_maximum <= local.max() + 1e-9
                expected = found @ weights["classify"][finding, channel] + weights["bias"][finding, channel]
                assert float(answers.logits[study, finding, channel]) == pytest.approx(expected + soft_maximum)


def layer_norm(vectors: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    centred = vectors - vectors.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * weight + bias


def test_tokens_are_those_of_the_formula(queries: DiseaseQueries, make_features: Callable[..., VisualFeatures]) -> None:
    """Cross-attention head by head, maxima view by view and the feed-forward block, study by study, in numpy."""
    features = double(make_features(EXISTS))
    with torch.no_grad():
        answers = queries(features)
    w = {name: parameter.detach().numpy() for name, parameter in queries.named_parameters()}
    for study in range(3):
        there = features.mask[study].numpy()
        lateral = features.view[study].numpy()[there] == 2
        places = layer_norm(features.tokens[study].numpy()[there], w["norm.weight"], w["norm.bias"])
        highest = [places[~lateral].max(0), places[lateral].max(0) if lateral.any() else np.zeros(D)]
        seen = np.concatenate(highest) @ w["peaks.weight"].T + w["peaks.bias"]
        keys, values = places @ w["key.weight"].T, places @ w["value.weight"].T + w["value.bias"]
        for finding in range(F):
            mixed = []
            for head in range(4):
                part = slice(4 * head, 4 * head + 4)
                scores = np.exp(keys[:, part] @ w["queries"][finding, part] / 2)  # root of the head's width, 4
                mixed.append(scores / scores.sum() @ values[:, part])
            found = w["queries"][finding] + np.concatenate(mixed) @ w["output.weight"].T + w["output.bias"] + seen
            inner = layer_norm(found, w["feed_forward.0.weight"], w["feed_forward.0.bias"])
            inner = inner @ w["feed_forward.1.weight"].T + w["feed_forward.1.bias"]
            inner = inner * np.array([(1 + math.erf(value / math.sqrt(2))) / 2 for value in inner])
            inner = inner @ w["feed_forward.3.weight"].T + w["feed_forward.3.bias"]
            expected = layer_norm(found + inner, w["token_norm.weight"], w["token_norm.bias"])
            np.testing.assert_allclose(answers.tokens[study, finding].numpy(), expected, rtol=1e-8, atol=1e-9)


def test_it_looks_where_a_finding_shows(make_features: Callable[..., VisualFeatures]) -> None:
    torch.manual_seed(0)
    queries = DiseaseQueries(findings=1, width=D, heads=1).eval()
    features = make_features([[True, True]])
    normed = queries.norm(features.tokens).detach()
    with torch.no_grad():
        queries.locate[0, 0] = normed[0, 5] * 3  # what token 5 looks like speaks for the finding
    assert int(queries(features).attention[0, 0].argmax()) == 5


def test_the_views_are_told_apart(queries: DiseaseQueries, make_features: Callable[..., VisualFeatures]) -> None:
    features = double(make_features([[True, True]]))
    swapped = VisualFeatures(
        tokens=features.tokens, mask=features.mask, pooled=features.pooled, grid=features.grid, view=3 - features.view
    )
    assert not torch.allclose(queries(features).logits, queries(swapped).logits)


def test_heads_must_share_the_width() -> None:
    with pytest.raises(ValueError, match="not divisible by 3"):
        DiseaseQueries(findings=2, width=16, heads=3)


# Losses


def random_targets(rng: np.random.Generator, count: int = 5) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    logits = torch.from_numpy(rng.normal(size=(count, F, 3)))
    present = torch.from_numpy((rng.random((count, F)) < 0.4).astype(np.float64))
    known = torch.from_numpy(rng.random((count, F)) < 0.5) & present.bool()
    sides = torch.from_numpy((rng.random((count, F, 2)) < 0.5).astype(np.float64))
    return logits, {"present": present, "sides": sides, "side_known": known}


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_presence_is_binary_cross_entropy(smoothing: float) -> None:
    logits, targets = random_targets(np.random.default_rng(0))
    probability = 1 / (1 + np.exp(-logits[..., 0].numpy()))
    truth = targets["present"].numpy()
    soft = np.where(truth > 0, 1 - smoothing / 2, smoothing / 2)
    by_hand = -(soft * np.log(probability) + (1 - soft) * np.log(1 - probability)).mean()
    losses = diagnosis_losses(logits, targets, smoothing=smoothing)
    assert float(losses["presence"]) == pytest.approx(by_hand)
    if smoothing == 0:
        assert float(losses["presence"]) == pytest.approx(log_loss(truth.ravel(), probability.ravel()))


def test_side_counts_only_where_it_is_known() -> None:
    logits, targets = random_targets(np.random.default_rng(1))
    known = targets["side_known"].numpy()
    probability = 1 / (1 + np.exp(-logits[..., 1:].numpy()[known]))
    expected = log_loss(targets["sides"].numpy()[known].ravel(), probability.ravel())
    losses = diagnosis_losses(logits, targets)
    assert float(losses["side"]) == pytest.approx(expected)
    elsewhere = logits.clone()
    elsewhere[..., 1:][~targets["side_known"]] = 50.0
    assert float(diagnosis_losses(elsewhere, targets)["side"]) == pytest.approx(expected)


def test_no_known_side_costs_nothing() -> None:
    logits, targets = random_targets(np.random.default_rng(2))
    logits.requires_grad_()
    side = diagnosis_losses(logits, {**targets, "side_known": torch.zeros_like(targets["side_known"])})["side"]
    assert float(side) == 0
    side.backward()
    assert logits.grad is not None
    assert not logits.grad.any()


# The source


@pytest.fixture
def source(queries: DiseaseQueries) -> DiseaseQuerySource:
    torch.manual_seed(0)
    return DiseaseQuerySource(
        queries=queries.float(), findings=FINDINGS, width=D, size=24, scale=0.02, loss_weight=0.5, smoothing=0.1
    )


def with_targets(batch: StudyBatch) -> StudyBatch:
    _, targets = random_targets(np.random.default_rng(0), count=len(batch))
    return StudyBatch(
        studies=batch.studies, pixels=batch.pixels, view_mask=batch.view_mask, views=batch.views, tensors=targets
    )


def test_it_gives_a_token_a_finding_and_its_losses(
    source: DiseaseQuerySource,
    make_films: Callable[..., StudyBatch],
    make_features: Callable[..., VisualFeatures],
) -> None:
    batch, features = with_targets(make_films([2, 1, 2])), make_features(EXISTS)
    evidence = source(features, batch, None, {})
    assert evidence.kind == "disease_queries"
    assert evidence.embeddings.shape == (3, F, 24)
    assert evidence.mask.all()
    assert evidence.mask.shape == (3, F)
    rms = evidence.embeddings.square().mean(-1).sqrt()
    torch.testing.assert_close(rms, torch.full((3, F), 0.02), rtol=1e-3, atol=1e-5)
    answers = source.queries(features)
    torch.testing.assert_close(evidence.state["probabilities"], answers.logits.sigmoid())
    expected = diagnosis_losses(answers.logits, batch.tensors, smoothing=0.1)
    assert float(evidence.losses["diagnosis_presence"]) == pytest.approx(float(expected["presence"]) / 2)
    assert float(evidence.losses["diagnosis_side"]) == pytest.approx(float(expected["side"]) / 2)
    assert not evidence.records
    with torch.no_grad():
        assert not source(features, batch, None, {}).losses
    assert not source(features, make_films([2, 1, 2]), None, {}).losses


def test_records_state_sides_of_sided_findings_alone(
    source: DiseaseQuerySource,
    make_films: Callable[..., StudyBatch],
    make_features: Callable[..., VisualFeatures],
) -> None:
    probabilities = torch.full((1, F, 3), 0.2)
    sided = [row for row, finding in enumerate(FINDINGS) if finding.sided]
    cases = {"left": (0.9, 0.1), "right": (0.3, 0.5), "bilateral": (0.6, 0.7)}
    for row, pair in zip(sided, cases.values(), strict=False):
        probabilities[0, row] = torch.tensor([0.8, *pair])
    (record,) = source._records(probabilities)
    assert record["kind"] == "disease_queries"
    assert [item["finding"] for item in record["items"]] == [finding.name for finding in FINDINGS]
    for row, side in zip(sided, cases, strict=False):
        assert record["items"][row] == {
            "finding": FINDINGS[row].name,
            "probability": 0.8,
            "side": side,
            "picture": None,
        }
    assert all(item["side"] is None for row, item in enumerate(record["items"]) if not FINDINGS[row].sided)
    evidence = source(make_features([[True]]), make_films([1]), None, {}, with_records=True)
    shown = [item["probability"] for item in evidence.records[0]["items"]]
    assert shown == pytest.approx(evidence.state["probabilities"][0, :, 0].tolist(), abs=1e-4)


def test_what_was_decided_is_written_into_the_tokens(
    source: DiseaseQuerySource,
    make_films: Callable[..., StudyBatch],
    make_features: Callable[..., VisualFeatures],
) -> None:
    """The embedding is the projection of the query token plus signed directions of presence, left and right."""
    features = make_features([[True, True]])
    evidence = source(features, make_films([2]), None, {})
    answers = source.queries(features)
    probability = answers.logits.sigmoid()[0]
    for row in range(F):
        present, left, right = (float(value) for value in probability[row])
        signed = torch.tensor([2 * present - 1, 2 * present * left - 1, 2 * present * right - 1])
        expected = source.projection(answers.tokens[0, row] + signed @ source.decisions[row])
        torch.testing.assert_close(evidence.embeddings[0, row], expected)


def test_hedged_presence_is_not_learnt() -> None:
    """Where ``observed`` is False neither value nor gradient depends on the label."""
    torch.manual_seed(3)
    logits = torch.randn(2, F, 3, dtype=torch.float64, requires_grad=True)
    observed = torch.rand(2, F) > 0.3
    present = (torch.rand(2, F) > 0.5).double()
    targets = {
        "present": present,
        "observed": observed,
        "sides": torch.zeros(2, F, 2),
        "side_known": torch.zeros(2, F, dtype=torch.bool),
    }
    loss = diagnosis_losses(logits, targets)["presence"]
    (gradient,) = torch.autograd.grad(loss, logits)
    chosen = observed.numpy()
    expected = log_loss(present.numpy()[chosen], logits[..., 0].sigmoid().detach().numpy()[chosen], labels=[0, 1])
    assert loss.item() == pytest.approx(expected, rel=1e-9)
    assert not gradient[..., 0][~observed].any()
    assert gradient[..., 0][observed].ne(0).all()
