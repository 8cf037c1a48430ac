"""A trained extractor: what it reads, and what of it lies on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel, CanineConfig, CanineModel, CanineTokenizer, PreTrainedTokenizerFast

from llmrg.errors import UserError
from llmrg.findings.graphs.graph import GraphExtractor
from llmrg.language.graph_encoder import GraphEncoder, GraphEncoderConfig, load_encoder, new_encoder
from llmrg.language.graph_extractor import TrainedGraphExtractor
from llmrg.language.graph_network import GraphNetwork, GraphNetworkConfig

TEXTS = [
    "双肺纹理增多，右肺下叶见片状影😷。心影不大。" * 6,
    "",
    "Ｍild cardiomegaly. No pleural effusion 👩🏽‍⚕️ or pneumothorax.",
    "左侧胸腔积液。",
]
SMALL = GraphEncoderConfig(hidden_size=32, layers=2, heads=2, intermediate_size=32, max_tokens=48)


def untrained(encoder: GraphEncoder | None = None) -> TrainedGraphExtractor:
    """Random weights, large enough to find something."""
    encoder = encoder or new_encoder(SMALL, TEXTS * 2, seed=3)
    torch.manual_seed(4)
    network = GraphNetwork(encoder.model, GraphNetworkConfig(span_size=16)).eval()
    network.tags.weight.data.normal_(std=2.0)
    network.pairs.data.normal_(std=1.0)
    network.uncertain.weight.data.normal_(std=1.0)
    return TrainedGraphExtractor(network, encoder, language="zh")


def bert(folder: Path) -> Path:
    """A tiny BERT in the transformers format."""
    tokenizer = new_encoder(SMALL, TEXTS * 2, seed=0).tokenizer
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=40, **names).save_pretrained(folder)
    size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=tokenizer.get_vocab_size(), max_position_embeddings=64, **size)).save_pretrained(
        folder
    )
    return folder


def test_graphs_are_graphs_of_their_texts_whatever_the_batch() -> None:
    extractor = untrained()
    reader: GraphExtractor = extractor
    graphs = extractor.extract_many(TEXTS)
    assert len(extractor.windows.cut(TEXTS[0])) > 1
    for text, graph in zip(TEXTS, graphs, strict=True):
        graph.check(text)
    assert graphs[1].entities == ()
    assert all(graphs[place].entities for place in (0, 2, 3))
    assert graphs[0].relations and any(entity.uncertain for graph in graphs for entity in graph.entities)
    assert not any(entity.uncertain for graph in graphs for entity in graph.entities if entity.kind == "Anatomy")
    # Windows of a batch are filled up to the longest; what fills up must not count.
    assert [reader.extract(text) for text in TEXTS] == graphs == extractor.extract_many(TEXTS, batch_size=2)
    assert extractor.extract_many([]) == []


def test_a_saved_extractor_reads_bit_for_bit_the_same(tmp_path: Path) -> None:
    encoder = load_encoder(GraphEncoderConfig(path=str(bert(tmp_path / "secret-place"))))
    for name, extractor in (("own", untrained()), ("bert", untrained(encoder))):
        folder = tmp_path / name
        version = extractor.save(folder)
        loaded = TrainedGraphExtractor.load(folder)
        assert loaded.version == version and version.startswith("graph-extractor-")
        assert loaded.language == "zh"
        for text in TEXTS:
            one, two = extractor.extract(text), loaded.extract(text)
            assert one.to_mapping() == two.to_mapping()
        cut = extractor.windows.cut(TEXTS[0])
        ids = torch.tensor([cut[0].ids])
        for own, other in zip(
            extractor.network.read(ids, torch.ones_like(ids)),
            loaded.network.read(ids, torch.ones_like(ids)),
            strict=True,
        ):
            assert torch.equal(own, other)
        assert {path.suffix for path in folder.iterdir()} == {".json", ".safetensors"}
        words = b"".join(path.read_bytes() for path in folder.glob("*.json"))
        assert b"secret-place" not in words and str(tmp_path).encode() not in words


def test_the_version_names_the_files(tmp_path: Path) -> None:
    extractor = untrained()
    one = extractor.save(tmp_path / "a")
    assert extractor.save(tmp_path / "b") == one
    extractor.network.tags.bias.data += 1
    assert extractor.save(tmp_path / "b") != one


def test_a_bert_reads_no_more_than_its_positions(tmp_path: Path) -> None:
    encoder = load_encoder(GraphEncoderConfig(path=str(bert(tmp_path / "bert"))))
    assert encoder.max_tokens == 40
    assert not any(
        parameter.requires_grad for name, parameter in encoder.model.named_parameters() if name.startswith("pooler.")
    )
    untrained(encoder).extract(TEXTS[0]).check(TEXTS[0])


def test_an_encoder_without_fast_tokenizer_is_refused(tmp_path: Path) -> None:
    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    CanineModel(CanineConfig(**size, num_hash_buckets=16)).save_pretrained(tmp_path)
    CanineTokenizer().save_pretrained(tmp_path)
    (tmp_path / "vocab.txt").write_text("", encoding="utf-8")  # which a folder with a language model has
    with pytest.raises(UserError, match="no fast tokenizer"):
        load_encoder(GraphEncoderConfig(path=str(tmp_path)))


def test_what_is_no_extractor_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no trained graph extractor.*pretrain graph-extractor"):
        TrainedGraphExtractor.load(tmp_path)
    untrained().save(tmp_path)
    weights = tmp_path / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="cannot be read"):
        TrainedGraphExtractor.load(tmp_path)
    weights.write_bytes(whole)
    settings = json.loads((tmp_path / "extractor.json").read_text(encoding="utf-8"))
    (tmp_path / "extractor.json").write_text(json.dumps({**settings, "format": 0}), encoding="utf-8")
    with pytest.raises(UserError, match="another version"):
        TrainedGraphExtractor.load(tmp_path)


def test_a_new_encoder_is_drawn_from_its_seed_alone() -> None:
    one, two, other = (new_encoder(SMALL, TEXTS, seed=seed) for seed in (1, 1, 2))
    state = torch.get_rng_state()
    assert Tokenizer.from_str(one.tokenizer.to_str()).get_vocab() == two.tokenizer.get_vocab()
    first, second, third = (
        torch.cat([weight.flatten() for weight in encoder.model.state_dict().values()]) for encoder in (one, two, other)
    )
    assert torch.equal(first, second) and not torch.equal(first, third)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("change", [{"path": " "}, {"max_tokens": 3}, {"hidden_size": 30}, {"dropout": 1}])
def test_settings_are_checked(change) -> None:
    with pytest.raises(ValueError, match=r"must|empty"):
        GraphEncoderConfig(**change)
