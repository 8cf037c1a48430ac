from __future__ import annotations

import torch

from llmrg.language.llm import LanguageModel
from llmrg.language.settings import LanguageModelConfig
from llmrg.language.token_space import TokenSpace, encode_ordinary


def test_words_become_their_embeddings_and_padding_is_zero(tiny_checkpoint) -> None:
    model = LanguageModel(LanguageModelConfig(path=str(tiny_checkpoint("llama"))))
    space = TokenSpace(model)
    vectors, mask = space.embed(["心影增大", "", "a"])
    table = model.causal.get_input_embeddings().weight
    ids = model.tokenizer("心影增大", add_special_tokens=False).input_ids
    assert vectors.shape == (3, len(ids), space.size)
    torch.testing.assert_close(vectors[0], table[ids])
    assert mask.sum(1).tolist() == [len(ids), 0, 1]
    assert not vectors[~mask].any()
    assert space.embed(["", ""])[0].shape == (2, 1, 64)


def test_scale_is_the_median_norm_of_words(tiny_checkpoint) -> None:
    model = LanguageModel(LanguageModelConfig(path=str(tiny_checkpoint("qwen2"))))
    norms = sorted(sum(x * x for x in row) ** 0.5 for row in model.causal.get_input_embeddings().weight.tolist())
    middle = len(norms) // 2
    assert norms[middle - 1] - 1e-4 <= TokenSpace(model).scale <= norms[middle] + 1e-4


def test_special_tokens_in_outside_words_are_characters(tiny_checkpoint) -> None:
    tokenizer = LanguageModel(LanguageModelConfig(path=str(tiny_checkpoint("llama")))).tokenizer
    ids = encode_ordinary(tokenizer, "a<|endoftext|>b<|begin|>")
    assert not set(ids) & {tokenizer.eos_token_id, tokenizer.bos_token_id, tokenizer.pad_token_id}
    assert tokenizer.decode(ids) == "a<|endoftext|>b<|begin|>"
    assert tokenizer("a<|endoftext|>", add_special_tokens=False).input_ids[-1] == tokenizer.eos_token_id
