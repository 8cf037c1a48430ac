from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from llmrg.artefacts import Manifest, atomic_directory
from llmrg.config import load_config, to_mapping
from llmrg.errors import UserError
from llmrg.evidence.encoder import EncoderConfig, StudyEncoder, build_encoder, load_encoder, save_encoder
from llmrg.evidence.qformer import QFormerQueries
from llmrg.evidence.settings import DiseaseQueriesConfig, QFormerConfig
from llmrg.studies.batches import StudyBatch
from llmrg.vision.features import VisualFeatures

F, D, W, HEADS = 5, 16, 12, 3
SMALL = QFormerConfig(layers=3, width=W, inner_width=20)


def build(config: QFormerConfig = SMALL) -> QFormerQueries:
    torch.manual_seed(1)
    queries = QFormerQueries(findings=F, visual_width=D, heads=HEADS, dropout=0.2, config=config).double().eval()
    with torch.no_grad():  # as far from its start as training may take it
        for parameter in queries.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return queries


def doubled(features: VisualFeatures) -> VisualFeatures:
    classes = None if features.class_tokens is None else features.class_tokens.double()
    return dataclasses.replace(features, tokens=features.tokens.double(), class_tokens=classes)


def by_hand(queries: QFormerQueries, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """BERT's layers with cross-attention in every second, study by study and head by head; answers and attention."""
    weights = dict(queries.former.named_parameters())

    def linear(name: str, vectors: Tensor) -> Tensor:
        return vectors @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(name: str, vectors: Tensor) -> Tensor:
        centred = vectors - vectors.mean(-1, keepdim=True)
        scaled = centred / (centred.square().mean(-1, keepdim=True) + 1e-12).sqrt()
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def attend(name: str, states: Tensor, read: Tensor) -> tuple[Tensor, Tensor]:
        query, key, value = (
            linear(f"{name}.attention.{part}", given)
            for part, given in (("query", states), ("key", read), ("value", read))
        )
        heads, looked = [], []
        for part in torch.arange(W).view(HEADS, -1):
            association = (query[:, part] @ key[:, part].T / len(part) ** 0.5).softmax(-1)
            looked.append(association)
            heads.append(association @ value[:, part])
        mixed = linear(f"{name}.output.dense", torch.cat(heads, -1))
        return norm(f"{name}.output.LayerNorm", mixed + states), torch.stack(looked).mean(0)

    answers, attention = [], []
    for read, exists in zip(tokens, mask, strict=True):
        states = norm("layernorm", queries.queries)
        places = torch.zeros(len(states), len(read), dtype=states.dtype)
        for number in range(3):
            layer = f"encoder.layer.{number}"
            states, _ = attend(f"{layer}.attention", states, states)
            if number % 2 == 0:
                states, looked = attend(f"{layer}.crossattention", states, read[exists])
                places[:, exists] = looked
            inner = functional.gelu(linear(f"{layer}.intermediate_query.dense", states))
            states = norm(f"{layer}.output_query.LayerNorm", linear(f"{layer}.output_query.dense", inner) + states)
        answers.append(states)
        attention.append(places)
    return torch.stack(answers), torch.stack(attention)


@pytest.mark.parametrize("judged_by", ["own", "mean"])
def test_answers_are_those_of_the_formula(make_features: Callable[..., VisualFeatures], judged_by: str) -> None:
    queries = build(dataclasses.replace(SMALL, judged_by=judged_by, classifier=(7,)))  # type: ignore[arg-type]
    features = doubled(make_features([[True, True], [True, False]]))
    found = queries(features)
    tokens, attention = by_hand(queries, features.tokens, features.mask)
    torch.testing.assert_close(found.tokens, tokens, atol=1e-10, rtol=0)
    torch.testing.assert_close(found.attention, attention, atol=1e-10, rtol=0)
    judged = functional.layer_norm(
        tokens @ queries.judged.weight.T + queries.judged.bias,
        (D,),
        queries.judged_norm.weight,
        queries.judged_norm.bias,
    )
    if judged_by == "mean":
        judged = judged.mean(1, keepdim=True).expand(-1, F, -1)
    (first, last), (bias, end) = queries.classifiers.weights, queries.classifiers.biases
    for finding in range(F):
        hidden = (judged[:, finding] @ first[finding].T + bias[finding]).clamp(min=0)
        torch.testing.assert_close(found.logits[:, finding], hidden @ last[finding].T + end[finding])


def test_what_is_behind_the_mask_is_not_seen(make_features: Callable[..., VisualFeatures]) -> None:
    queries = build(dataclasses.replace(SMALL, visual_width=24))
    features = doubled(make_features([[True, False]]))
    other = dataclasses.replace(features, tokens=features.tokens + 100.0 * ~features.mask.unsqueeze(-1))
    torch.testing.assert_close(queries(features).logits, queries(other).logits)
    assert float(queries(features).attention[:, :, 4:].abs().max()) == 0


def test_the_mean_of_views_is_one_film(make_features: Callable[..., VisualFeatures]) -> None:
    queries = build(dataclasses.replace(SMALL, views="mean"))
    features = doubled(make_features([[True, True], [True, False]]))
    found = queries(features)
    mean = torch.stack([features.tokens[0].view(2, 4, D).mean(0), features.tokens[1, :4]])
    answers, attention = by_hand(queries, mean, torch.ones(2, 4, dtype=torch.bool))
    torch.testing.assert_close(found.tokens, answers)
    torch.testing.assert_close(found.attention[0], torch.cat([attention[0], attention[0]], -1) / 2)
    torch.testing.assert_close(found.attention[1, :, :4], attention[1])
    torch.testing.assert_close(found.attention.sum(-1), torch.ones(2, F, dtype=torch.float64))


@pytest.mark.parametrize("views", ["all", "mean"])
def test_the_class_token_is_seen_but_no_place(make_features: Callable[..., VisualFeatures], views: str) -> None:
    queries = build(dataclasses.replace(SMALL, views=views, class_token=True))  # type: ignore[arg-type]
    plain = make_features([[True, True], [True, False]])
    with pytest.raises(ValueError, match="class token"):
        queries(doubled(plain))
    classes = torch.randn(2, 2, D, generator=torch.Generator().manual_seed(3))
    features = doubled(dataclasses.replace(plain, class_tokens=classes))
    found = queries(features)
    if views == "all":
        tokens = torch.cat([features.tokens, classes.double()], 1)
        answers, attention = by_hand(queries, tokens, torch.cat([features.mask, torch.tensor([[1, 1], [1, 0]]) > 0], 1))
        torch.testing.assert_close(found.tokens, answers)
        places = attention[..., :8]
        torch.testing.assert_close(found.attention, places / places.sum(-1, keepdim=True))
    absent = classes.clone()
    absent[1, 1] = 50.0
    other = queries(dataclasses.replace(features, class_tokens=absent.double()))
    torch.testing.assert_close(found.logits, other.logits)
    torch.testing.assert_close(found.attention.sum(-1), torch.ones(2, F, dtype=torch.float64))


def test_everything_learns(make_features: Callable[..., VisualFeatures]) -> None:
    queries = build(dataclasses.replace(SMALL, visual_width=8, classifier=(6, 4))).train()
    found = queries(doubled(make_features([[True, True]])))
    (found.logits.square().sum() + found.tokens.square().sum()).backward()
    assert not [name for name, parameter in queries.named_parameters() if parameter.grad is None]


def test_a_copy_answers_for_itself(make_features: Callable[..., VisualFeatures]) -> None:
    queries = build()
    features = doubled(make_features([[True, True]]))
    before = queries(features)
    other = copy.deepcopy(queries)
    with torch.no_grad():
        queries.queries.zero_()
    after = other(features)
    assert torch.equal(before.tokens, after.tokens)
    assert torch.equal(before.attention, after.attention)
    assert not torch.equal(queries(features).tokens, after.tokens)


def test_the_published_size() -> None:
    """BERT-base with cross-attention in six of twelve layers, the text branch's feed-forward nets left out."""
    square, norm, seen = 768 * 768 + 768, 2 * 768, 1408 * 768 + 768
    attention = 4 * square + norm
    feed_forward = 768 * 3072 + 3072 + 3072 * 768 + 768 + norm
    former = norm + 12 * (attention + feed_forward) + 6 * (2 * square + 2 * seen + norm)
    with torch.device("meta"):
        config = QFormerConfig(visual_width=1408, classifier=(384, 48, 48))
        queries = QFormerQueries(findings=14, visual_width=1536, heads=12, config=config)
    assert sum(parameter.numel() for parameter in queries.former.parameters()) == former == 105_137_664
    assert queries.queries.shape == (14, 768)
    classifier = 1536 * 384 + 384 + 384 * 48 + 48 + 48 * 48 + 48 + 48 * 3 + 3
    assert sum(parameter.numel() for parameter in queries.classifiers.parameters()) == 14 * classifier


@pytest.fixture
def encoder(tiny_encoder: StudyEncoder) -> StudyEncoder:
    asked = DiseaseQueriesConfig(head="qformer", heads=2, qformer=QFormerConfig(layers=2, width=8, classifier=(6,)))
    torch.manual_seed(0)
    return build_encoder(dataclasses.replace(tiny_encoder.config, queries=asked)).eval()


def test_saved_and_loaded(encoder: StudyEncoder, make_films: Callable[..., StudyBatch], tmp_path: Path) -> None:
    with atomic_directory(tmp_path / "artefact") as directory:
        digest = save_encoder(encoder, directory)
        Manifest(
            kind="disease_classifier",
            producer="test",
            configuration={},
            encoder_hash=digest,
            split_hash="",
            languages=(),
        ).write(directory)
    loaded, _ = load_encoder(tmp_path / "artefact")
    batch = make_films([2, 1])
    with torch.no_grad():
        (features, before), (_, after) = encoder(batch), loaded.eval()(batch)
    assert torch.equal(before.logits, after.logits)
    assert torch.equal(before.attention, after.attention)
    assert before.tokens.shape == (2, len(encoder.config.findings), 8)
    assert before.attention.shape == (*before.tokens.shape[:2], features.tokens.shape[1])
    found = loaded.encode([batch])
    assert found["tokens"].shape == before.tokens.shape
    assert found["vectors"].shape[1] == encoder.backbone.width + 3 * len(encoder.config.findings)


def test_the_default_head_is_written_as_before(tiny_encoder: StudyEncoder) -> None:
    usual = to_mapping(tiny_encoder.config)["queries"]
    assert set(usual) == {"heads", "dropout", "loss_weight", "smoothing", "sharpness"}
    chosen = DiseaseQueriesConfig(head="qformer", qformer=QFormerConfig(layers=2))
    assert to_mapping(chosen)["qformer"]["layers"] == 2


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["head=qformer", "heads=7"], "768 is not divisible by 7 heads"),
        (["head=qformers"], "queries, qformer"),
        (["qformer.layers=0"], "layers must be at least 1"),
        (["qformer.classifier=[4,0]"], "widths of classifier"),
        (["qformer.views=last"], "views cannot be 'last'"),
    ],
)
def test_mistakes(overrides: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_config(DiseaseQueriesConfig, None, overrides)


def test_a_trunk_without_a_class_token(tiny_encoder: StudyEncoder) -> None:
    asked = DiseaseQueriesConfig(head="qformer", heads=2, qformer=QFormerConfig(width=8, class_token=True))
    config: EncoderConfig = dataclasses.replace(tiny_encoder.config, queries=asked)
    with pytest.raises(UserError, match="no class token"):
        build_encoder(config)
