"""Drawing tokens from a causal language model: greedy, beam search and sampling, over transformers' ``generate``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    TemperatureLogitsWarper,
    TopPLogitsWarper,
)
from transformers.generation.streamers import BaseStreamer

from llmrg.errors import UserError
from llmrg.language.settings import DecodingConfig

__all__ = ["GeneratedTokens", "IncrementalText", "OnToken", "decode_tokens"]

OnToken = Callable[[int, int], None]
"""Called with (row of the batch, token id) for each token as it is chosen."""


class GeneratedTokens(NamedTuple):
    """One generated report as tokens.

    Args:
        ids: token ids, the end-of-text included where it was reached.
        log_probabilities: of each chosen token, under the model's own distribution.
        finished: whether end-of-text was reached before the length limit.
    """

    ids: list[int]
    log_probabilities: list[float]
    finished: bool


def decode_tokens(
    model: PreTrainedModel,
    inputs_embeds: Tensor,
    attention_mask: Tensor,
    decoding: DecodingConfig,
    *,
    stop_ids: Sequence[int],
    pad_id: int,
    seeds: Sequence[int] | None = None,
    on_token: OnToken | None = None,
) -> list[list[int]]:
    """Draw tokens for each row until a stop token (which is kept) or the length limit.

    Args:
        model: the causal LM, in evaluation mode.
        inputs_embeds: left-padded prompts ``[B, P, D]``.
        attention_mask: ``[B, P]``.
        decoding: strategy and limits.
        stop_ids: tokens that end a report.
        pad_id: fills rows that ended early.
        seeds: one a row, for sampling.
        on_token: streaming callback.

    Raises:
        UserError: streaming was asked of beam search.
    """
    if on_token is not None and decoding.strategy == "beam":
        raise UserError("Beam search cannot stream tokens", next_step="use greedy or sampling")
    options: dict[str, Any] = {}
    if decoding.strategy == "beam":
        options = {"num_beams": decoding.beams, "length_penalty": decoding.length_penalty}
    settings = GenerationConfig(
        do_sample=False,
        max_new_tokens=decoding.max_new_tokens,
        min_new_tokens=decoding.min_new_tokens or None,
        repetition_penalty=decoding.repetition_penalty,
        eos_token_id=list(stop_ids),
        pad_token_id=pad_id,
        **options,
    )
    processors = LogitsProcessorList()
    if decoding.strategy == "sampling":
        row_seeds = list(seeds) if seeds is not None else [decoding.seed] * inputs_embeds.shape[0]
        if len(row_seeds) != inputs_embeds.shape[0]:
            raise ValueError(f"{len(row_seeds)} seeds for {inputs_embeds.shape[0]} rows")
        processors.append(TemperatureLogitsWarper(decoding.temperature))
        if decoding.top_p < 1.0:
            processors.append(TopPLogitsWarper(decoding.top_p))
        processors.append(_SeededSampling(row_seeds))
    drawn = model.generate(
        inputs_embeds=inputs_embeds,
        attention_mask=attention_mask,
        generation_config=settings,
        logits_processor=processors,
        streamer=None if on_token is None else _Streamer(on_token, frozenset(stop_ids)),
    )
    return [_until_stop(row, frozenset(stop_ids)) for row in drawn.tolist()]


class IncrementalText:
    """Turns streamed tokens into text, holding back characters whose bytes are not complete yet.

    Args:
        tokenizer: the tokenizer of the model that streams.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        self._shown = 0

    def push(self, token_id: int) -> str:
        """Add a token and return the text that became complete by it (perhaps none)."""
        self._ids.append(token_id)
        text = str(self._tokenizer.decode(self._ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))
        if text.endswith("�"):
            return ""
        new, self._shown = text[self._shown :], len(text)
        return new


class _SeededSampling(LogitsProcessor):
    """Makes greedy choice a draw from the distribution: the argmax of log-probability plus Gumbel noise.

    Each row has a random stream of its own, so that a study's report does not depend on its neighbours in the batch.
    """

    def __init__(self, seeds: Sequence[int]) -> None:
        self._streams = [torch.Generator().manual_seed(seed % 2**63) for seed in seeds]

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        noise = torch.stack([torch.empty(scores.shape[1]).exponential_(generator=s) for s in self._streams])
        return scores - noise.log().to(scores)


class _Streamer(BaseStreamer):
    def __init__(self, on_token: OnToken, stop_ids: frozenset[int]) -> None:
        self._on_token = on_token
        self._stop_ids = stop_ids
        self._ended: set[int] = set()

    def put(self, value: Tensor) -> None:
        if value.dim() != 1:  # the prompt, which transformers hands over first
            return
        for row, token in enumerate(value.tolist()):
            if row in self._ended:
                continue
            self._on_token(row, token)
            if token in self._stop_ids:
                self._ended.add(row)

    def end(self) -> None:
        return


def _until_stop(ids: Sequence[int], stop_ids: frozenset[int]) -> list[int]:
    kept: list[int] = []
    for token in ids:
        kept.append(token)
        if token in stop_ids:
            break
    return kept
