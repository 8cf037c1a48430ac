from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from llmrg.language.embedded import EmbeddedModelConfig, build_model, train_tokenizer
from llmrg.language.token_space import encode_ordinary

REPORTS = ["双肺纹理增多，心影不大，右侧胸腔积液。", "The heart is enlarged. No pneumothorax."] * 5
TOKENIZER = train_tokenizer(REPORTS, vocabulary_size=400)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40))
def test_any_text_survives(text) -> None:
    assert TOKENIZER.decode(encode_ordinary(TOKENIZER, text)) == text


@pytest.mark.parametrize(
    "text", ["🙂👩‍⚕️", "a\x00b", "  two  spaces \r\n", "<|pad|> </s>", "未训练的汉字龘", "1.5cm×3.2 cm"]
)
def test_hard_text_survives_saving_too(tmp_path, text) -> None:
    TOKENIZER.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert loaded.decode(encode_ordinary(loaded, text)) == text
    assert not set(encode_ordinary(loaded, text)) & {loaded.eos_token_id, loaded.pad_token_id}


def test_lone_surrogates_do_not_stop_it() -> None:
    assert TOKENIZER.decode(encode_ordinary(TOKENIZER, "肺\ud800")) == "肺?"


def test_vocabulary_is_bounded_and_shortens_text() -> None:
    tokens = TOKENIZER.get_vocab()
    assert len(tokens) <= 400
    assert max(len(token) for token in tokens if not token.startswith("<|")) <= 18
    assert len(encode_ordinary(TOKENIZER, REPORTS[0])) < len(REPORTS[0])
    assert len({TOKENIZER.eos_token_id, TOKENIZER.pad_token_id}) == 2
    digits = [TOKENIZER.decode([token]) for token in encode_ordinary(TOKENIZER, "123")]
    assert digits == ["1", "2", "3"]


def test_model_has_the_size_asked_for_and_the_seed_decides() -> None:
    config = EmbeddedModelConfig(hidden_size=32, layers=2, heads=2, intermediate_size=48)
    torch.manual_seed(3)
    state = torch.get_rng_state()
    a, b, c = (build_model(TOKENIZER, config, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(state, torch.get_rng_state())
    weights = [m.get_input_embeddings().weight for m in (a, b, c)]
    assert weights[0].shape == (len(TOKENIZER), 32)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize("values", [{"vocabulary_size": 100}, {"hidden_size": 30}, {"layers": 0}])
def test_impossible_sizes_are_refused(values) -> None:
    with pytest.raises(ValueError):
        EmbeddedModelConfig(**values)
