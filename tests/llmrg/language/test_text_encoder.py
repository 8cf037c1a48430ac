from __future__ import annotations

import logging

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, BertConfig, BertModel, BertTokenizer

from llmrg.errors import UserError
from llmrg.language.text_encoder import TextEncoder

TEXTS = ["双肺纹理增多，心影不大，右侧胸腔积液。", "", "clear", "The heart is enlarged.", "clear"]


@pytest.mark.parametrize("family", ["qwen3", "gpt_neox"])
def test_vectors_are_the_mean_of_last_hidden_states(tiny_checkpoint, family) -> None:
    path = tiny_checkpoint(family)
    encoder = TextEncoder(path)
    vectors = encoder.encode(TEXTS, batch_size=2)
    assert vectors.shape == (5, encoder.dimension) == (5, 64)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(path).eval(), AutoTokenizer.from_pretrained(path)
    for text, vector in zip(TEXTS, vectors, strict=True):
        ids = tokenizer(text, add_special_tokens=False).input_ids or [tokenizer.eos_token_id]
        with torch.no_grad():
            hidden = model(input_ids=torch.tensor([ids]), output_hidden_states=True).hidden_states[-1][0].double()
        expected = hidden.mean(0) / hidden.mean(0).norm()
        torch.testing.assert_close(vector.double(), expected, atol=1e-5, rtol=1e-4)
    assert torch.equal(vectors[2], vectors[4])


def test_a_true_encoder_works_too(tiny_checkpoint, tmp_path) -> None:
    config = BertConfig(
        vocab_size=400, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    BertModel(config).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(tiny_checkpoint("qwen3")).save_pretrained(tmp_path)
    assert TextEncoder(tmp_path).encode(["a", "b c"]).norm(dim=1).tolist() == pytest.approx([1, 1])


def test_long_texts_are_cut_with_a_warning(tiny_checkpoint, caplog) -> None:
    encoder = TextEncoder(tiny_checkpoint("qwen3"), max_tokens=3)
    with caplog.at_level(logging.WARNING):
        encoder.encode(TEXTS)
    assert "cut" in caplog.text


def test_hash_names_the_weights(tiny_checkpoint) -> None:
    one, same, other = (TextEncoder(tiny_checkpoint(family)).hash for family in ("qwen3", "qwen3", "qwen2"))
    assert one == same != other
    with pytest.raises(UserError, match="nowhere"):
        TextEncoder("/nowhere")


@pytest.fixture
def bert(tmp_path):
    """As Bio_ClinicalBERT comes, but in safetensors: WordPiece, class token and separator, no end-of-text."""
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        "the",
        "heart",
        "is",
        "enlarged",
        "clear",
        "##s",
        "lung",
        ".",
    ]
    (tmp_path / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    BertTokenizer(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=12,
    )
    BertModel(config).save_pretrained(tmp_path)
    return tmp_path


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_an_encoder_with_a_class_token_reads_texts_as_it_was_trained(bert, pooling) -> None:
    texts = ["The heart is enlarged.", "clear lungs", "", "[SEP] clear"]
    vectors = TextEncoder(bert, pooling=pooling).encode(texts, batch_size=3)
    model, tokenizer = BertModel.from_pretrained(bert).eval(), AutoTokenizer.from_pretrained(bert)
    for text, vector in zip(texts[:3], vectors, strict=False):
        with torch.no_grad():
            hidden = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].double()
        assert len(hidden) >= 2
        expected = hidden[0] if pooling == "cls" else hidden.mean(0)
        torch.testing.assert_close(vector.double(), expected / expected.norm(), atol=1e-5, rtol=1e-4)
    assert not torch.allclose(vectors[3], TextEncoder(bert, pooling=pooling).encode(["clear"])[0]), (
        "not obeyed, but read"
    )


def test_position_tables_and_settings_bound_the_length(bert, caplog) -> None:
    long = "the heart is enlarged . " * 5
    encoder = TextEncoder(bert, pooling="cls")
    assert encoder.max_tokens == 12
    with caplog.at_level(logging.WARNING):
        one, same = encoder.encode([long, "the heart is enlarged . " * 2])  # 10 words and two special tokens
    torch.testing.assert_close(one, same)
    assert "1 of 2 texts are longer than 12 tokens" in caplog.text
    short = TextEncoder(bert, pooling="cls", max_tokens=6).encode([long, "the heart is enlarged"])
    torch.testing.assert_close(short[0], short[1])


def test_a_class_token_must_be_there(tiny_checkpoint) -> None:
    with pytest.raises(UserError, match="no class token"):
        TextEncoder(tiny_checkpoint("qwen3"), pooling="cls")
