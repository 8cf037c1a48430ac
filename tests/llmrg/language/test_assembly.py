from __future__ import annotations

import logging

import pytest
import torch

from llmrg.errors import UserError
from llmrg.language.assembly import PromptAssembler, encode_reports
from llmrg.language.llm import IGNORED, LanguageModel
from llmrg.language.prompt import PromptConfig, Segment
from llmrg.language.settings import LanguageModelConfig
from llmrg.language.token_space import encode_ordinary

PROMPT = PromptConfig(segments=(Segment(text="See "), Segment(source="patches"), Segment(text=" for {context}.")))
TEXTS = [{"context": "咳嗽"}, {"context": ""}, {"context": "a <|endoftext|> b"}]


@pytest.fixture
def sources() -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    vectors = torch.randn(3, 4, 64, generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([[1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 0, 0]], dtype=torch.bool)
    return {"patches": (vectors, mask), "unused": (vectors, mask)}


@pytest.mark.parametrize("family", ["qwen3", "llama"])
def test_every_position_holds_what_the_prompt_says(tiny_checkpoint, sources, family) -> None:
    model = LanguageModel(LanguageModelConfig(path=str(tiny_checkpoint(family))))
    table = model.causal.get_input_embeddings().weight
    reports = ["心影不大。", "", "clear"]
    x = PromptAssembler(model, PROMPT).assemble(sources, TEXTS, reports)
    words = model.tokenizer("See ", add_special_tokens=False).input_ids
    start = [] if family == "qwen3" else [model.tokenizer.bos_token_id]
    for row, context in enumerate(["咳嗽", "", "a b"]):
        tail = encode_ordinary(model.tokenizer, f" for {context}.") if context else []
        shown = sources["patches"][0][row][sources["patches"][1][row]]
        target = [*encode_ordinary(model.tokenizer, reports[row]), model.eos_token_id]
        expected = torch.cat([table[start + words], shown, table[tail], table[target]])
        kept = x.attention_mask[row].bool()
        torch.testing.assert_close(x.inputs_embeds[row][kept], expected)
        assert x.labels[row][kept].tolist() == [IGNORED] * (len(expected) - len(target)) + target
        assert x.labels[row][x.prompt_length :][: len(target)].tolist() == target
        assert (x.labels[row][~kept] == IGNORED).all()
        assert x.position_ids[row][kept].tolist() == list(range(len(expected)))
        assert kept[x.prompt_length - 1]  # prompts are padded on the left, reports on the right
    assert x.inputs_embeds.requires_grad is False


def test_without_reports_only_the_prompt(tiny_checkpoint, sources) -> None:
    model = LanguageModel(LanguageModelConfig(path=str(tiny_checkpoint("qwen3"))))
    assembler = PromptAssembler(model, PROMPT)
    full = assembler.assemble(sources, TEXTS, ["a", "b", "c"])
    x = assembler.assemble(sources, TEXTS)
    assert x.labels is None
    torch.testing.assert_close(x.inputs_embeds, full.inputs_embeds[:, : full.prompt_length])
    assert assembler.words(TEXTS[0]) == "See <patches> for 咳嗽."


def test_each_study_is_prompted_in_its_language(tiny_checkpoint, sources) -> None:
    """Rows of one batch are what each prompt gives alone; a language without a prompt of its own takes the first."""
    model = LanguageModel(LanguageModelConfig(path=str(tiny_checkpoint("qwen3"))))
    other = PromptConfig(
        segments=(Segment(source="patches"), Segment(text="请看{context}{instruction}")), instruction="写。"
    )
    assembler = PromptAssembler(model, PROMPT, by_language={"zh": other})
    mixed = assembler.assemble(sources, TEXTS, ["a", "b", "c"], languages=["zh", "en", "zh"])
    for row, prompt in enumerate((other, PROMPT, other)):
        alone = PromptAssembler(model, prompt).assemble(sources, TEXTS, ["a", "b", "c"])
        for found, expected in ((mixed.inputs_embeds, alone.inputs_embeds), (mixed.labels, alone.labels)):
            torch.testing.assert_close(
                found[row][mixed.attention_mask[row].bool()], expected[row][alone.attention_mask[row].bool()]
            )
    assert assembler.words(TEXTS[0], "zh") == "<patches>请看咳嗽写。"
    assert assembler.words(TEXTS[0], "en") == assembler.words(TEXTS[0]) == "See <patches> for 咳嗽."
    assert assembler.prompt_of("zh") is other
    lacking = PromptAssembler(model, PROMPT, by_language={"zh": PromptConfig(segments=(Segment(source="maps"),))})
    lacking.assemble(sources, TEXTS, languages=["en"] * 3)
    with pytest.raises(UserError, match="'maps'"):
        lacking.assemble(sources, TEXTS, languages=["en", "zh", "en"])


def test_gradients_reach_the_sources(tiny_checkpoint, sources) -> None:
    model = LanguageModel(LanguageModelConfig(path=str(tiny_checkpoint("qwen3"))))
    vectors, mask = sources["patches"]
    vectors.requires_grad_()
    x = PromptAssembler(model, PROMPT).assemble({"patches": (vectors, mask)}, TEXTS, ["a", "b", "c"])
    model(inputs_embeds=x.inputs_embeds, attention_mask=x.attention_mask, labels=x.labels)[0].backward()
    assert torch.equal(vectors.grad.abs().sum(-1) > 0, mask)


def test_a_cut_report_has_no_end_is_counted_and_warned_of(tiny_checkpoint, caplog) -> None:
    tokenizer = LanguageModel(LanguageModelConfig(path=str(tiny_checkpoint("qwen3")))).tokenizer
    with caplog.at_level(logging.WARNING):
        encoded = encode_reports(tokenizer, ["a b c d e f g h", "a"], max_tokens=3)
    assert encoded.truncated == 1
    assert "1 of 2" in caplog.text
    assert tokenizer.eos_token_id not in encoded.labels[0].tolist()
    assert encoded.labels[1].tolist()[1:] == [tokenizer.eos_token_id, IGNORED]
    assert encode_reports(tokenizer, ["x<|endoftext|>y"]).ids[0].tolist().count(tokenizer.eos_token_id) == 1


def test_padding_that_is_the_end_token_is_still_no_label(tiny_checkpoint) -> None:
    tokenizer = LanguageModel(LanguageModelConfig(path=str(tiny_checkpoint("qwen3")))).tokenizer
    tokenizer.pad_token = tokenizer.eos_token
    labels = encode_reports(tokenizer, ["abcdef", "a"]).labels
    assert (labels[1] == tokenizer.eos_token_id).sum() == 1


def test_what_the_prompt_needs_must_be_there(tiny_checkpoint, sources) -> None:
    assembler = PromptAssembler(LanguageModel(LanguageModelConfig(path=str(tiny_checkpoint("qwen3")))), PROMPT)
    with pytest.raises(UserError, match="patches"):
        assembler.assemble({}, TEXTS)
    with pytest.raises(UserError, match="context"):
        assembler.assemble(sources, [{}, {}, {}])
