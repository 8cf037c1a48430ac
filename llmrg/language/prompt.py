"""Prompts: lists of segments, each literal text or the name of an evidence source."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from transformers import PreTrainedTokenizerBase

from llmrg.errors import UserError
from llmrg.language.chat_template import chat_frame
from llmrg.language.token_space import TokenSpace

__all__ = [
    "PLACEHOLDER",
    "PROMPT_END",
    "PromptConfig",
    "Segment",
    "TokenSpace",
    "default_prompt",
    "fill",
    "hint_text",
    "prompt_texts",
    "resolve_template",
    "takes_chat",
]

PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
PROMPT_END = "\nAssistant: "
"""Words that end the plain default prompts; the report follows."""


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A piece of a prompt.

    Args:
        text: literal words; ``{context}``, ``{instruction}`` and other names in braces are filled for each study, and
            a text whose names all turn out empty for a study is left out for it.
        source: name of an evidence source, whose vectors stand here.
    """

    text: str | None = None
    source: str | None = None

    def __post_init__(self) -> None:
        if (self.text is None) == (self.source is None):
            raise ValueError("a prompt segment has either text or source")

    @property
    def names(self) -> tuple[str, ...]:
        """Names in braces that the text asks for."""
        return tuple(PLACEHOLDER.findall(self.text)) if self.text is not None else ()


@dataclass(frozen=True, kw_only=True)
class PromptConfig:
    """The prompt of a system.

    Args:
        segments: the pieces, in order.
        template: ``plain`` uses the segments as they are; ``chat`` puts them into the tokenizer's chat template as the
            user's message (thinking off where the template knows it); ``auto`` does so where the tokenizer has one.
        system: system message of the chat template.
        opening: words before the segments where they stand in no chat template.
        closing: words after them there.
        instruction: what ``{instruction}`` stands for; a user's own prompt replaces it.
        max_context_characters: longest text that a name in braces may bring in.
    """

    segments: tuple[Segment, ...]
    template: Literal["auto", "plain", "chat"] = "plain"
    system: str | None = None
    opening: str = ""
    closing: str = ""
    instruction: str = ""
    max_context_characters: int = 2000

    def __post_init__(self) -> None:
        if not self.segments:
            raise ValueError("a prompt needs at least one segment")

    @property
    def sources(self) -> tuple[str, ...]:
        """Evidence sources the prompt shows, in order."""
        return tuple(segment.source for segment in self.segments if segment.source is not None)

    @property
    def names(self) -> frozenset[str]:
        """Names in braces the prompt needs, except ``instruction``, which it brings itself."""
        return frozenset(name for segment in self.segments for name in segment.names) - {"instruction"}

    def with_instruction(self, instruction: str) -> PromptConfig:
        """Return the prompt with another instruction (``llmrg generate --prompt``)."""
        if not any("instruction" in segment.names for segment in self.segments):
            raise UserError("This prompt has no place for an instruction", next_step="add {instruction} to a segment")
        return replace(self, instruction=instruction)


_WORDS: dict[str, dict[str, str]] = {
    "zh": {
        "patches": "影像：<Img>",
        "disease_queries": "征象：",
        "visual_memory": "影像记忆：",
        "report_memory": "报告记忆：",
        "retrieved_context": "相似病例：",
        "retrieved_words": "相似病例所见：{retrieved_context}\n",
        "context": "临床信息：{context}\n",
        "diagnosis_hints": "\n初步判断：{diagnosis_hints}",
        "instruction": "请根据胸部X线影像写出影像所见。",
    },
    "en": {
        "patches": "Films: <Img>",
        "disease_queries": "Signs: ",
        "visual_memory": "Remembered films: ",
        "report_memory": "Remembered reports: ",
        "retrieved_context": "Similar studies: ",
        "retrieved_words": "Reports of similar studies: {retrieved_context}\n",
        "context": "Clinical context: {context}\n",
        "diagnosis_hints": "\nFirst impression: {diagnosis_hints}",
        "instruction": "Write the findings of this chest X-ray.",
    },
}


def default_prompt(
    language: Literal["zh", "en"],
    sources: Sequence[str] = ("patches",),
    *,
    template: Literal["auto", "plain", "chat"] = "auto",
) -> PromptConfig:
    """Return the prompt that systems use unless their configuration has another.

    Args:
        language: of the words, and of the report asked for.
        sources: evidence sources, in the order in which they are shown.
        template: plain text (``Human: ... Assistant:``), the tokenizer's chat template, or that where it has one.
    """
    if language not in _WORDS:
        raise UserError(f"No default prompt for language {language!r}", allowed=_WORDS, got=language)
    words = _WORDS[language]
    segments = [Segment(source="context_residuals")] if "context_residuals" in sources else []
    for source in sources:
        if source in ("diagnosis_hints", "context_residuals"):
            continue  # words that stand right before the answer; what brings its own words and stands first
        if source == "patches":
            segments += [Segment(text=words[source]), Segment(source=source), Segment(text="</Img>\n")]
        else:
            segments += [Segment(text=words.get(source, f"{source}: ")), Segment(source=source), Segment(text="\n")]
    if "retrieved_context" in sources:
        segments.append(Segment(text=words["retrieved_words"]))  # left out where the source says nothing in words
    segments += [Segment(text=words["context"]), Segment(text="{instruction}")]
    if "diagnosis_hints" in sources:
        segments.append(Segment(text=words["diagnosis_hints"]))
    return PromptConfig(
        segments=tuple(segments),
        template=template,
        opening="Human: ",
        closing=PROMPT_END,
        instruction=words["instruction"],
    )


def takes_chat(prompt: PromptConfig, tokenizer: PreTrainedTokenizerBase) -> bool:
    """Tell whether a prompt stands in the tokenizer's chat template."""
    return prompt.template == "chat" or (prompt.template == "auto" and bool(tokenizer.chat_template))


def resolve_template(prompt: PromptConfig, tokenizer: PreTrainedTokenizerBase) -> tuple[Segment, ...]:
    """Return the segments with what stands around them: the chat template, or opening and closing words.

    Raises:
        UserError: the prompt asks for a chat template, and the tokenizer has none or one that cannot be used.
    """
    if not takes_chat(prompt, tokenizer):
        around = [(Segment(text=text),) if text else () for text in (prompt.opening, prompt.closing)]
        return (*around[0], *prompt.segments, *around[1])
    frame = chat_frame(tokenizer, system=prompt.system)
    segments, before, after = list(prompt.segments), frame.before, frame.after
    # Words of the configuration that touch the template's are one text with it, and tokenised as one.
    if segments[0].text is not None and not segments[0].names:
        before += str(segments.pop(0).text)
    if segments and segments[-1].text is not None and not segments[-1].names:
        after = f"{segments.pop().text}{after}"
    return (Segment(text=before), *segments, Segment(text=after))


def fill(segment: Segment, values: Mapping[str, str]) -> str:
    """Put values into a text segment; empty if it has names and none of them has a value.

    Raises:
        UserError: a name that ``values`` lacks.
    """
    text = segment.text or ""
    for name in segment.names:
        if name not in values:
            raise UserError(f"The prompt asks for {{{name}}}", allowed=sorted(values), got=name)
    if segment.names and not any(values[name] for name in segment.names):
        return ""
    return PLACEHOLDER.sub(lambda match: values[match.group(1)], text)


def hint_text(language: Literal["zh", "en"], hint: str) -> str:
    """Return the words by which the default prompts hand a diagnosis hint over."""
    return fill(Segment(text=_WORDS[language]["diagnosis_hints"]), {"diagnosis_hints": hint})


def prompt_texts(language: Literal["zh", "en"], contexts: Sequence[str] = ("",)) -> list[str]:
    """Return the words of the default prompts with all sources and with one, so that a model can learn them."""
    every = ("patches", "disease_queries", "visual_memory", "report_memory", "retrieved_context")
    texts = []
    for sources in (every, every[:1], every[:2], ()):
        prompt = default_prompt(language, sources)
        for context in contexts:
            values = {"context": context, "instruction": prompt.instruction, "retrieved_context": ""}
            words = [fill(segment, values) for segment in prompt.segments if segment.source is None]
            texts.append("".join([prompt.opening, *words, prompt.closing]))
    return texts
