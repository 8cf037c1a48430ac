"""What a tokenizer's own conventions ask of a prompt: its prefix, its chat template, its end of a turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from transformers import PreTrainedTokenizerBase

from llmrg.errors import UserError

__all__ = ["ChatFrame", "chat_frame", "prefix_ids", "starts_with_space", "turn_end"]

_HOLE = "⁣PROMPT⁣"
_ANSWER = "⁣ANSWER⁣"
_DATE = datetime(2024, 7, 26)
"""What templates that write the date are told, so that a study gets the same report tomorrow."""


@dataclass(frozen=True, kw_only=True)
class ChatFrame:
    """The words of a chat template around the user's message.

    Args:
        before: from the start of the text to the message, the tokenizer's prefix included where the template writes it.
        after: from the message to the start of the answer.
    """

    before: str
    after: str


def chat_frame(tokenizer: PreTrainedTokenizerBase, *, system: str | None = None) -> ChatFrame:
    """Write a tokenizer's chat template around a message: thinking off, and always on the same day.

    A system message that the template does not take stands at the start of the user's message.

    Args:
        tokenizer: with a chat template.
        system: the system message; None leaves it to the template, which may have its own.

    Raises:
        UserError: the tokenizer has no chat template, or one that cannot be used.
    """
    if not tokenizer.chat_template:
        raise UserError(
            "The prompt asks for a chat template, but the tokenizer has none",
            where=str(tokenizer.name_or_path),
            next_step="set template: plain in the prompt",
        )
    user = {"role": "user", "content": _HOLE}
    if system:
        try:
            text = _render(tokenizer, [{"role": "system", "content": system}, user])
        except Exception:  # templates refuse roles by raising what they like
            text = ""
        if _HOLE in text and system.strip() in text:
            return _split(tokenizer, text)
    try:
        text = _render(tokenizer, [user])
    except Exception as error:
        raise UserError("The tokenizer's chat template cannot be used", where=str(tokenizer.name_or_path)) from error
    frame = _split(tokenizer, text)
    return ChatFrame(before=f"{frame.before}{system}\n\n", after=frame.after) if system else frame


def turn_end(tokenizer: PreTrainedTokenizerBase) -> int | None:
    """Find the special token by which a chat template closes an answer.

    It is the first thing after an answer that another question follows (in GLM-4's, the mark of that question).

    Returns:
        Its id; None without a template, or where no special token stands there.
    """
    if not tokenizer.chat_template:
        return None
    question, answer = {"role": "user", "content": _HOLE}, {"role": "assistant", "content": _ANSWER}
    try:
        text = _render(tokenizer, [question, answer, question], ask=False)
    except Exception:  # a template for one question alone
        return None
    following = tokenizer(text.partition(_ANSWER)[2].strip(), add_special_tokens=False).input_ids
    if not following or following[0] in prefix_ids(tokenizer):
        return None
    known = tokenizer.added_tokens_decoder.get(following[0])
    return int(following[0]) if known is not None and known.special else None


def prefix_ids(tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """Return the ids that a tokenizer puts before every text: none (Qwen), one (Llama) or more (GLM)."""
    whole = list(tokenizer("a").input_ids)
    bare = list(tokenizer("a", add_special_tokens=False).input_ids)
    for start in range(len(whole) - len(bare) + 1):
        if whole[start : start + len(bare)] == bare:
            return tuple(whole[:start])
    return ()


def starts_with_space(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Tell whether a tokenizer puts a space before every text, as SentencePiece does (Llama 2, Mistral)."""
    first = tokenizer.convert_ids_to_tokens(tokenizer("a", add_special_tokens=False).input_ids)[0]
    return str(first).startswith("▁")


def _render(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Mapping[str, str]], *, ask: bool = True) -> str:
    rendered = tokenizer.apply_chat_template(
        [dict(message) for message in messages],
        chat_template=_same_day() + tokenizer.get_chat_template(),
        tokenize=False,
        add_generation_prompt=ask,
        enable_thinking=False,
        thinking=False,
    )
    return cast(str, rendered)


def _same_day() -> str:
    """A template's own ``strftime_now``, in place of the one that transformers gives it."""
    directives = [f"%{letter}" for letter in "aAbBdfHIjmMpSyY"]
    replaced = "".join(f".replace({name!r}, {_DATE.strftime(name)!r})" for name in directives)
    return "{% macro strftime_now(format) %}{{ format" + replaced + " }}{% endmacro %}"


def _split(tokenizer: PreTrainedTokenizerBase, text: str) -> ChatFrame:
    before, hole, after = text.partition(_HOLE)
    if not hole:
        raise UserError("The tokenizer's chat template drops the message", where=str(tokenizer.name_or_path))
    return ChatFrame(before=before, after=after)
