from __future__ import annotations

from dataclasses import dataclass

import pytest

from llmrg.config import load_config
from llmrg.errors import UserError
from llmrg.language.loading import load_tokenizer
from llmrg.language.prompt import (
    PROMPT_END,
    PromptConfig,
    Segment,
    default_prompt,
    fill,
    prompt_texts,
    resolve_template,
)

CHAT = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% if enable_thinking is defined and not enable_thinking %}"
    "<think>\n\n</think>\n\n{% endif %}{% endif %}"
)


@dataclass(frozen=True)
class Holder:
    prompt: PromptConfig


def test_a_prompt_is_read_from_yaml(tmp_path) -> None:
    (tmp_path / "p.yaml").write_text(
        "prompt:\n  segments:\n  - text: 'Human: <Img>'\n  - source: patches\n  - text: '</Img> {context}'\n",
        encoding="utf-8",
    )
    prompt = load_config(Holder, tmp_path / "p.yaml").prompt
    assert prompt.sources == ("patches",)
    assert prompt.names == {"context"}


def test_a_segment_is_text_or_source() -> None:
    with pytest.raises(ValueError, match="either"):
        Segment()
    with pytest.raises(ValueError, match="either"):
        Segment(text="a", source="b")


def test_a_text_whose_names_are_all_empty_is_left_out() -> None:
    segment = Segment(text="Context: {context} {history}\n")
    assert fill(segment, {"context": "", "history": ""}) == ""
    assert fill(segment, {"context": "cough", "history": ""}) == "Context: cough \n"
    assert fill(Segment(text="Write {JSON} now"), {}) == "Write {JSON} now"
    with pytest.raises(UserError, match="history"):
        fill(segment, {"context": "a"})


def test_values_are_not_read_as_names() -> None:
    assert fill(Segment(text="{context}"), {"context": "{instruction}", "instruction": "x"}) == "{instruction}"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_default_prompts_show_their_sources_and_end_alike(language) -> None:
    sources = ("patches", "disease_queries", "own_source")
    prompt = default_prompt(language, sources)
    assert prompt.sources == sources
    assert prompt.names == {"context"}
    assert prompt.closing == PROMPT_END
    assert all(text.startswith("Human: ") and text.endswith(PROMPT_END) for text in prompt_texts(language))
    assert prompt.with_instruction("Only the heart.").instruction == "Only the heart."
    assert prompt.template == "auto"
    assert default_prompt(language, template="chat").template == "chat"


def test_instruction_needs_a_place() -> None:
    with pytest.raises(UserError, match="instruction"):
        PromptConfig(segments=(Segment(source="patches"),)).with_instruction("x")


def test_chat_template_surrounds_the_segments_with_thinking_off(tiny_checkpoint) -> None:
    tokenizer = load_tokenizer(str(tiny_checkpoint("qwen3")))
    prompt = PromptConfig(segments=(Segment(source="patches"),), template="chat", system="Be brief.")
    with pytest.raises(UserError, match="template"):
        resolve_template(prompt, tokenizer)
    tokenizer.chat_template = CHAT
    before, middle, after = resolve_template(prompt, tokenizer)
    assert before.text == "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n"
    assert middle.source == "patches"
    assert after.text == "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
