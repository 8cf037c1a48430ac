from __future__ import annotations

import logging

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, BertConfig, BertModel

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
