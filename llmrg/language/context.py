"""Words from outside (clinical context, user prompts, retrieved text), made safe and readable for a prompt."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Literal

from llmrg.studies.study import Context

__all__ = ["clean_prompt_text", "render_context"]

_MARKERS = re.compile(
    r"<\s*[|｜][^<>]{0,60}[|｜]\s*>"  # <|im_start|>, <|endoftext|>, DeepSeek's full-width bars
    r"|</?\s*(?:s|unk|pad|bos|eos|img|image|imagehere|think|tool_call|tool_response)\s*>"
    r"|\[\s*/?\s*(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS)\s*\]|<</?\s*SYS\s*>>"
    r"|</?\s*(?:start|end)_of_turn\s*>|\[(?:gMASK|sMASK|MASK|CLS|SEP|PAD|UNK)\]"
    r"|(?<![A-Za-z])(?:human|assistant)\s*[:：]",
    re.IGNORECASE,
)


def clean_prompt_text(text: str, *, special_tokens: Iterable[str] = (), max_characters: int = 2000) -> str:
    """Strip what could pass for the prompt's own structure, and cut to a length.

    Control characters, invisible formatting, special tokens (of common chat formats and of the tokenizer at hand) and
    role markers go, until none is left (taking one away may put another together); white space becomes single spaces.

    Args:
        text: words from outside.
        special_tokens: the tokenizer's added tokens.
        max_characters: longest text kept.
    """
    text = "".join(" " if _breaks(c) else c for c in text if c.isspace() or unicodedata.category(c) not in _INVISIBLE)
    tokens = sorted((t for t in set(special_tokens) if t.strip()), key=len, reverse=True)
    previous = None
    while previous != text:
        previous = text
        text = _MARKERS.sub(" ", text)
        for token in tokens:
            text = text.replace(token, " ")
        text = " ".join(text.split())
    return text[:max_characters].rstrip()


def render_context(context: Context, language: Literal["zh", "en"]) -> str:
    """Write the clinical context as one line of words; empty where nothing is known."""
    zh = language == "zh"
    parts: list[tuple[str, str]] = []
    if context.age is not None and context.age >= 0:
        parts.append(("年龄" if zh else "Age", _age(context.age, zh)))
    if context.sex:
        names = {"female": "女", "male": "男"}
        parts.append(("性别" if zh else "Sex", names.get(context.sex, context.sex) if zh else context.sex))
    if context.indication and context.indication.strip():
        parts.append(("检查目的" if zh else "Indication", context.indication.strip()))
    if context.history and context.history.strip():
        parts.append(("病史" if zh else "History", context.history.strip()))
    if zh:
        return "".join(f"{name}：{value.rstrip('。；')}；" for name, value in parts)[:-1] + ("。" if parts else "")
    return " ".join(f"{name}: {value.rstrip('.')}." for name, value in parts)


_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def _breaks(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) in {"Zl", "Zp"}


def _age(years: float, zh: bool) -> str:
    if years >= 2:
        return f"{int(years)}岁" if zh else f"{int(years)} years"
    months = round(years * 12)
    if months >= 1:
        return f"{months}个月" if zh else f"{months} month{'s' if months != 1 else ''}"
    days = max(0, round(years * 365.25))
    return f"{days}天" if zh else f"{days} day{'s' if days != 1 else ''}"
