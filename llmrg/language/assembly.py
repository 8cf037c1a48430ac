"""From prompt segments, evidence vectors and reports to the decoder's input."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from llmrg.errors import UserError
from llmrg.language.chat_template import starts_with_space
from llmrg.language.context import clean_prompt_text
from llmrg.language.llm import IGNORED, LanguageModel, positions
from llmrg.language.prompt import PromptConfig, Segment, fill, resolve_template, takes_chat
from llmrg.language.token_space import encode_ordinary, encode_words

__all__ = ["Assembled", "EncodedReports", "PromptAssembler", "encode_reports"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class EncodedReports:
    """Target reports as tokens.

    Args:
        ids: ``[B, R]``, padded on the right; each report that was not cut ends with end-of-text.
        mask: ``[B, R]`` (bool), true for tokens.
        truncated: how many reports were cut to the length limit (those lack end-of-text, so that the model does not
            learn to stop in mid-sentence).
    """

    ids: Tensor
    mask: Tensor
    truncated: int = 0

    @property
    def labels(self) -> Tensor:
        """``[B, R]``: the ids, with :data:`IGNORED` at padding (what transformers' Trainer counts as items)."""
        return self.ids.masked_fill(~self.mask, IGNORED)


@dataclass(frozen=True, kw_only=True)
class Assembled:
    """The decoder's input: prompts padded on the left, then reports padded on the right.

    Args:
        inputs_embeds: ``[B, P + R, D]`` (R is 0 without reports).
        attention_mask: ``[B, P + R]``.
        labels: ``[B, P + R]``, :data:`IGNORED` except on report tokens and end-of-text; None without reports.
        position_ids: ``[B, P + R]``.
        prompt_length: P.
        truncated: reports cut to the length limit.
    """

    inputs_embeds: Tensor
    attention_mask: Tensor
    labels: Tensor | None
    position_ids: Tensor
    prompt_length: int
    truncated: int = 0


def encode_reports(
    tokenizer: PreTrainedTokenizerBase, reports: Sequence[str], *, max_tokens: int | None = None, warn: bool = True
) -> EncodedReports:
    """Tokenise target reports (in a collate function, so that labels can be counted before the forward pass).

    Args:
        tokenizer: of the decoder.
        reports: target texts; special tokens written in them are read as ordinary characters.
        max_tokens: longest report, end-of-text included; longer ones are cut, counted and warned of.
        warn: False where the caller has warned already, for all batches together.
    """
    if tokenizer.eos_token_id is None:
        raise UserError("The tokenizer has no end-of-text token")
    rows = []
    truncated = 0
    for report in reports:
        ids = [*encode_ordinary(tokenizer, report), int(tokenizer.eos_token_id)]
        if max_tokens is not None and len(ids) > max_tokens:
            truncated += 1
            ids = ids[:max_tokens]
        rows.append(torch.tensor(ids, dtype=torch.long))
    if truncated and warn:
        logger.warning("%d of %d reports are longer than %d tokens and were cut", truncated, len(rows), max_tokens)
    lengths = torch.tensor([len(row) for row in rows])
    ids_ = nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=int(tokenizer.pad_token_id or 0))
    return EncodedReports(ids=ids_, mask=torch.arange(ids_.shape[1])[None] < lengths[:, None], truncated=truncated)


class PromptAssembler:
    """Fills a prompt for each study of a batch and appends the target reports.

    Args:
        language_model: the decoder; not owned.
        prompt: the prompt.
        by_language: prompts of studies in certain languages; ``prompt`` serves all others.

    Raises:
        UserError: the prompt asks for a chat template that the tokenizer lacks.
    """

    def __init__(
        self,
        language_model: LanguageModel,
        prompt: PromptConfig,
        *,
        by_language: Mapping[str, PromptConfig] | None = None,
    ) -> None:
        self._model = language_model
        self.prompt = prompt
        self.by_language = dict(by_language or {})
        tokenizer = language_model.tokenizer
        prompts = {"": prompt, **self.by_language}
        self._prefix = list(language_model.prefix_ids)
        prefix = "".join(tokenizer.convert_ids_to_tokens(self._prefix))
        self._segments = {
            language: _without_prefix(resolve_template(given, tokenizer), prefix) for language, given in prompts.items()
        }
        self._ends = {
            language: language_model.turn_end_id if takes_chat(given, tokenizer) else language_model.eos_token_id
            for language, given in prompts.items()
        }
        self._spaced = starts_with_space(tokenizer)
        added = tokenizer.added_tokens_decoder.values()
        self._special = sorted({str(token) for token in added} | set(tokenizer.all_special_tokens))
        self._literals: dict[tuple[str, bool], list[int]] = {}

    def prompt_of(self, language: str) -> PromptConfig:
        """Return the prompt of studies in a language."""
        return self.by_language.get(language, self.prompt)

    def assemble(
        self,
        sources: Mapping[str, tuple[Tensor, Tensor]],
        texts: Sequence[Mapping[str, str]],
        reports: EncodedReports | Sequence[str] | None = None,
        *,
        max_report_tokens: int | None = None,
        languages: Sequence[str] | None = None,
    ) -> Assembled:
        """Build the decoder's input.

        Args:
            sources: for each source the prompt names, vectors ``[B, K, D]`` and mask ``[B, K]``; masked vectors are
                left out.
            texts: for each study, the values of the names in braces; they are cleaned here.
            reports: target reports (training), or None (generation).
            max_report_tokens: limit for reports given as text.
            languages: of each study; None takes the one prompt for all.

        Raises:
            UserError: the prompt names a source or a text that is not given.
        """
        languages = [""] * len(texts) if languages is None else languages
        asked = [name for language in dict.fromkeys(languages) for name in self.prompt_of(language).sources]
        missing = [name for name in asked if name not in sources]
        if missing:
            raise UserError(
                f"The prompt names the evidence source {missing[0]!r}, which the system lacks",
                allowed=sources,
                got=missing[0],
            )
        prompts, prompt_mask = self._prompts(sources, texts, languages)
        if reports is None:
            return Assembled(
                inputs_embeds=prompts,
                attention_mask=prompt_mask.long(),
                labels=None,
                position_ids=positions(prompt_mask),
                prompt_length=prompts.shape[1],
            )
        if not isinstance(reports, EncodedReports):
            reports = encode_reports(self._model.tokenizer, reports, max_tokens=max_report_tokens)
        if reports.ids.shape[0] != len(texts):
            raise ValueError(f"{reports.ids.shape[0]} reports for {len(texts)} studies")
        ids, written = self._closed(reports, languages).to(self._model.device), reports.mask.to(self._model.device)
        mask = torch.cat([prompt_mask, written], dim=1)
        ignored = torch.full(prompt_mask.shape, IGNORED, device=self._model.device)
        return Assembled(
            inputs_embeds=torch.cat([prompts, self._model.embed(ids)], dim=1),
            attention_mask=mask.long(),
            labels=torch.cat([ignored, ids.masked_fill(~written, IGNORED)], dim=1),
            position_ids=positions(mask),
            prompt_length=prompts.shape[1],
            truncated=reports.truncated,
        )

    def words(self, texts: Mapping[str, str], language: str = "") -> str:
        """Return the words of one study's prompt, sources shown as ``<name>`` (for records and for reading)."""
        values = self._values(texts, language)
        segments = self._segments[self._key(language)]
        return "".join(f"<{s.source}>" if s.source is not None else fill(s, values) for s in segments)

    def _key(self, language: str) -> str:
        return language if language in self.by_language else ""

    def _prompts(
        self,
        sources: Mapping[str, tuple[Tensor, Tensor]],
        texts: Sequence[Mapping[str, str]],
        languages: Sequence[str],
    ) -> tuple[Tensor, Tensor]:
        """Left-padded prompts ``[B, P, D]`` and their mask ``[B, P]`` (bool)."""
        device, dtype = self._model.device, self._model.dtype
        pieces: list[list[list[int] | Tensor]] = []
        for row, (study_texts, language) in enumerate(zip(texts, languages, strict=True)):
            values, key = self._values(study_texts, language), self._key(language)
            study: list[list[int] | Tensor] = [self._prefix]
            continues, space = False, ""
            for segment in self._segments[key]:
                if segment.source is not None:
                    vectors, mask = sources[segment.source]
                    study.append(vectors[row][mask[row].bool()].to(device=device, dtype=dtype))
                    continues, space = False, ""
                elif text := fill(segment, values):
                    text = space + text
                    # Such a tokenizer writes a space together with the word after it: here, or in the report.
                    space = " " if self._spaced and len(text) > 1 and text.endswith(" ") else ""
                    study.append(self._ids(segment.names, text.removesuffix(space), continues=continues))
                    continues = True
            pieces.append(study)
        words = [piece for study in pieces for piece in study if isinstance(piece, list)]
        flat = torch.tensor([token for piece in words for token in piece], dtype=torch.long, device=device)
        embedded = iter(self._model.embed(flat).split([len(piece) for piece in words]))
        rows = [torch.cat([next(embedded) if isinstance(p, list) else p for p in study]) for study in pieces]
        prompts = nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_side="left")
        lengths = torch.tensor([len(row) for row in rows], device=device)
        mask = torch.arange(prompts.shape[1], device=device)[None] >= prompts.shape[1] - lengths[:, None]
        return prompts, mask

    def _values(self, texts: Mapping[str, str], language: str) -> dict[str, str]:
        prompt = self.prompt_of(language)
        limit = prompt.max_context_characters
        return {
            name: clean_prompt_text(text, special_tokens=self._special, max_characters=limit)
            for name, text in {"instruction": prompt.instruction, **texts}.items()
        }

    def _ids(self, names: Sequence[str], text: str, *, continues: bool) -> list[int]:
        """Tokenise a segment's words; special tokens count in the configuration's own words only."""
        continues = continues and self._spaced
        if names:
            return encode_words(self._model.tokenizer, text, ordinary=True, continues=continues)
        key = (text, continues)
        if key not in self._literals:
            self._literals[key] = encode_words(self._model.tokenizer, text, continues=continues)
        return self._literals[key]

    def _closed(self, reports: EncodedReports, languages: Sequence[str]) -> Tensor:
        """Report ids ``[B, R]``, closed as the prompt of their language has it."""
        ends = torch.tensor([self._ends[self._key(language)] for language in languages], device=reports.ids.device)
        last = (reports.mask.sum(dim=1) - 1).clamp_min(0).unsqueeze(1)
        ids, here = reports.ids, reports.ids.gather(1, last).squeeze(1)
        return ids.scatter(1, last, torch.where(here == self._model.eos_token_id, ends, here).unsqueeze(1))


def _without_prefix(segments: tuple[Segment, ...], prefix: str) -> tuple[Segment, ...]:
    """Take the tokens that every text starts with from a prompt's own words (chat templates write them out)."""
    first = segments[0].text
    if not prefix or first is None or not first.startswith(prefix):
        return segments
    rest = first.removeprefix(prefix)
    return (*((Segment(text=rest),) if rest else ()), *segments[1:])
