"""A causal language model that reads vectors and writes reports."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

from llmrg.artefacts import text_hash
from llmrg.errors import UserError
from llmrg.language._adapters import tuned
from llmrg.language.chat_template import prefix_ids, turn_end
from llmrg.language.decoding import GeneratedTokens, OnToken, decode_tokens
from llmrg.language.divided import full_size, is_divided, largest_of_all, put_tensors, whole_copies
from llmrg.language.loading import load_causal_model, load_tokenizer, weights_reference
from llmrg.language.settings import DecodingConfig, LanguageModelConfig

__all__ = ["IGNORED", "LanguageModel", "positions"]

IGNORED = -100
"""Label of a position that the loss passes over."""

logger = logging.getLogger(__name__)


class LanguageModel(nn.Module):
    """A native transformers causal LM and its tokenizer, frozen, with LoRA, or tuned in full.

    Args:
        config: the settings.
        network: the causal LM; read from ``config.path`` if not given.
        tokenizer: its tokenizer; read from ``config.path`` if not given. Without one (a model that is only planned)
            what needs words is refused.

    Raises:
        UserError: the path holds no usable model, or ``lora_targets`` names no layer of it.
    """

    def __init__(
        self,
        config: LanguageModelConfig,
        *,
        network: PreTrainedModel | None = None,
        tokenizer: PreTrainedTokenizerBase | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        if network is None:
            tokenizer = tokenizer or load_tokenizer(config.path, revision=config.revision)
            network = load_causal_model(config)
        self._tokenizer = tokenizer
        self._reference: dict[str, str | None] | None = None
        self.network: nn.Module = tuned(network, config)
        self._configured_stops = _configured_stops(network)
        self._turn_end = turn_end(tokenizer) if tokenizer is not None else None
        self._prefix_ids = prefix_ids(tokenizer) if tokenizer is not None else ()
        if config.gradient_checkpointing:
            self.activation_checkpointing_enable()

    @classmethod
    def planned(cls, config: LanguageModelConfig, architecture: Mapping[str, Any]) -> Self:
        """Build the model without weights or tokenizer on the meta device, to count parameters and memory.

        Args:
            config: the settings; ``path`` is only a name here and ``quantisation`` is not applied.
            architecture: keys of the transformers configuration, ``model_type`` among them.
        """
        values = dict(architecture)
        try:
            plan = AutoConfig.for_model(values.pop("model_type"), **values)
        except (KeyError, ValueError) as error:
            raise UserError("Unknown model_type of the planned language model", where=config.path) from error
        with torch.device("meta"):
            return cls(config, network=AutoModelForCausalLM.from_config(plan))

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The tokenizer, whose padding is defined."""
        if self._tokenizer is None:
            raise UserError("A planned language model has no tokenizer", where=self.config.path)
        return self._tokenizer

    @property
    def causal(self) -> PreTrainedModel:
        """The transformers model, with the adapters in place."""
        unwrap = getattr(self.network, "get_base_model", None)
        return cast(PreTrainedModel, unwrap() if unwrap is not None else self.network)

    @property
    def hidden_size(self) -> int:
        """Width of the token space."""
        return full_size(self.causal.get_input_embeddings().weight)[1]

    @property
    def max_positions(self) -> int | None:
        """Longest sequence that the model was made for; None where its configuration sets no limit."""
        limit = getattr(self.causal.config.get_text_config(), "max_position_embeddings", None)
        return int(limit) if limit else None

    @property
    def eos_token_id(self) -> int:
        """The tokenizer's end-of-text."""
        return cast(int, self.tokenizer.eos_token_id)

    @property
    def turn_end_id(self) -> int:
        """What closes a report that answers a chat template: its end of a turn, if the model ends texts with it.

        In most families that is :attr:`eos_token_id`; in GLM-4, Gemma and Phi-3 it is not.
        """
        ends = self._turn_end is not None and self._turn_end in self._configured_stops
        return cast(int, self._turn_end) if ends else self.eos_token_id

    @property
    def stop_token_ids(self) -> tuple[int, ...]:
        """Every token at which generation stops: the model's, the tokenizer's and the chat template's."""
        own = self._tokenizer.eos_token_id if self._tokenizer is not None else None
        return tuple(sorted({int(i) for i in (*self._configured_stops, own, self._turn_end) if i is not None}))

    @property
    def prefix_ids(self) -> tuple[int, ...]:
        """The tokens every prompt starts with: a BOS, several (GLM-4) or none (Qwen)."""
        return self._prefix_ids

    @property
    def dtype(self) -> torch.dtype:
        """Type of the word embeddings, in which prompts are assembled."""
        return cast(torch.dtype, self.causal.get_input_embeddings().weight.dtype)

    @property
    def device(self) -> torch.device:
        """Where the word embeddings are."""
        return cast(torch.device, self.causal.get_input_embeddings().weight.device)

    def embed(self, ids: Tensor) -> Tensor:
        """Look up word embeddings: ids ``[...]`` to vectors ``[..., hidden_size]``."""
        return cast(Tensor, self.causal.get_input_embeddings()(ids))

    def forward(
        self,
        *,
        inputs_embeds: Tensor,
        attention_mask: Tensor,
        labels: Tensor | None = None,
        position_ids: Tensor | None = None,
        num_items_in_batch: Tensor | int | None = None,
        **_: Any,
    ) -> tuple[Tensor | None, Tensor]:
        """Compute the loss on labelled positions, and logits only where they are needed for it.

        Args:
            inputs_embeds: ``[B, L, hidden_size]``.
            attention_mask: ``[B, L]``, 1 for tokens and 0 for padding on either side.
            labels: ``[B, L]``, aligned with the inputs; a label is predicted from the position before it.
            position_ids: ``[B, L]``; counted from the attention mask if not given.
            num_items_in_batch: number of labels that the summed loss is divided by (all micro-batches of a step, as
                transformers' Trainer counts them); None: those of this batch, so that the loss is their mean.

        Returns:
            The loss (float32) and the logits ``[N, vocabulary]`` that predict the N labels, row by row; without labels
            None and all logits ``[B, L, vocabulary]``.

        Raises:
            UserError: a row is longer than the model's positions.
        """
        if self.max_positions is not None and attention_mask.shape[1] > self.max_positions:
            self._check_length(int(attention_mask.sum(dim=1).max()))
        position_ids = positions(attention_mask) if position_ids is None else position_ids
        options: dict[str, Any] = {}
        if labels is not None:
            labelled = labels[:, 1:] != IGNORED
            options["logits_to_keep"] = functional.pad(labelled, (0, 1), value=False)
        logits = self.causal(
            inputs_embeds=inputs_embeds.to(self.dtype),
            attention_mask=attention_mask,
            position_ids=position_ids,
            use_cache=False,
            **options,
        ).logits
        if labels is None:
            return None, logits
        targets = labels[:, 1:][labelled]
        total = functional.cross_entropy(logits.float(), targets, reduction="sum")
        if num_items_in_batch is None:
            count: Tensor | int = max(targets.numel(), 1)
        elif isinstance(num_items_in_batch, Tensor):
            count = num_items_in_batch.to(total.device)
        else:
            count = num_items_in_batch
        return total / count, logits

    @torch.no_grad()
    def generate(
        self,
        inputs_embeds: Tensor,
        attention_mask: Tensor,
        decoding: DecodingConfig,
        *,
        seeds: Sequence[int] | None = None,
        on_token: OnToken | None = None,
    ) -> list[GeneratedTokens]:
        """Write one report for each row of left-padded prompts.

        Args:
            inputs_embeds: ``[B, P, hidden_size]``.
            attention_mask: ``[B, P]``.
            decoding: strategy and limits.
            seeds: one a row, for sampling; by default ``decoding.seed`` for every row. A row's report depends on its
                own seed and prompt alone, not on the batch.
            on_token: called with (row, token id) as tokens are chosen; not with beam search.

        Raises:
            UserError: streaming was asked of beam search, or prompt and report may exceed the model's positions.
        """
        self._check_length(int(attention_mask.sum(dim=1).max()), decoding.max_new_tokens)
        with self._evaluating():
            tokens = decode_tokens(
                self.causal,
                inputs_embeds.to(self.dtype),
                attention_mask,
                decoding,
                stop_ids=self.stop_token_ids,
                pad_id=cast(int, self.tokenizer.pad_token_id),
                seeds=seeds,
                on_token=on_token,
            )
            log_probabilities = self._score(inputs_embeds, attention_mask, tokens)
        return [
            GeneratedTokens(ids=ids, log_probabilities=scores, finished=bool(ids) and ids[-1] in self.stop_token_ids)
            for ids, scores in zip(tokens, log_probabilities, strict=True)
        ]

    def text(self, ids: Sequence[int]) -> str:
        """Decode generated tokens, without special tokens, stops and outer white space."""
        kept = [token for token in ids if token not in self.stop_token_ids]
        text = self.tokenizer.decode(kept, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return cast(str, text).strip()

    def activation_checkpointing_enable(
        self, activation_checkpointing_kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> None:
        """Recompute activations in the backward pass; arguments as transformers' Trainer hands them over."""
        how = {"use_reentrant": False, **(activation_checkpointing_kwargs or {})}
        if how["use_reentrant"]:
            self.causal.enable_input_require_grads()
        self.causal.activation_checkpointing_enable(activation_checkpointing_kwargs=how, **options)

    def gradient_checkpointing_enable(self, **kwargs: Any) -> None:
        """The same under its older name, by which wrappers that are no transformers model are called."""
        how = kwargs.pop("gradient_checkpointing_kwargs", None)
        self.activation_checkpointing_enable(activation_checkpointing_kwargs=how, **kwargs)

    def activation_checkpointing_disable(self) -> None:
        """Keep activations again."""
        self.causal.activation_checkpointing_disable()

    def gradient_checkpointing_disable(self) -> None:
        """The same under its older name."""
        self.activation_checkpointing_disable()

    def reference(self) -> dict[str, str | None]:
        """Name and hash the checkpoint this model was read from (see :func:`weights_reference`); read once.

        Beside the files' hashes it has ``conventions``, that of what makes prompts and ends reports: prefix, chat
        template and stops.
        """
        if self._reference is None:
            made = [self.prefix_ids, self.eos_token_id, self.stop_token_ids, self.tokenizer.chat_template]
            self._reference = {**weights_reference(self.config), "conventions": text_hash(map(repr, made))}
        return dict(self._reference)

    def check_reference(self, expected: Mapping[str, str | None]) -> None:
        """Refuse to go on with another base model than the one a run was trained with.

        Raises:
            UserError: weights, configuration, tokenizer or its conventions differ from ``expected``.
        """
        found = self.reference()
        parts = ["weights", "config", "tokenizer", *(["conventions"] if "conventions" in expected else [])]
        differing = [part for part in parts if found[part] != expected.get(part)]
        if differing:
            raise UserError(
                f"The language model is not the one the run was trained with: {', '.join(differing)} differ",
                where=self.config.path,
                next_step=f"use {expected.get('path')} at revision {expected.get('revision')}",
            )

    def trainable_state_dict(self) -> dict[str, Tensor]:
        """Return copies of the weights that learn (adapters, or everything under full tuning), on the CPU."""
        return whole_copies({name: weight for name, weight in self.named_parameters() if weight.requires_grad})

    def load_trainable_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Put back what :meth:`trainable_state_dict` returned.

        Raises:
            UserError: names or shapes do not fit this model and tuning.
        """
        own = {name: parameter for name, parameter in self.named_parameters() if parameter.requires_grad}
        wrong = sorted(own.keys() ^ state.keys()) or [n for n in own if full_size(own[n]) != state[n].shape]
        if wrong:
            raise UserError(
                f"The saved language model weights do not fit this model: {len(wrong)} differ, first {wrong[0]!r}",
                where=self.config.path,
                next_step="load them with the language model settings they were trained with",
            )
        put_tensors(own, state)

    def _score(
        self, inputs_embeds: Tensor, attention_mask: Tensor, tokens: Sequence[Sequence[int]]
    ) -> list[list[float]]:
        """Log-probability of each chosen token under the model's own distribution (no penalty, no temperature)."""
        result: list[list[float]] = []
        vocabulary = full_size(self.causal.get_input_embeddings().weight)[0]
        longest = max((len(ids) for ids in tokens), default=0)
        if is_divided(self):  # then every process must run the network equally often
            longest = largest_of_all(longest, device=self.device)
        rows = max(1, 2**26 // max(1, longest * vocabulary))
        for start in range(0, len(tokens), rows):
            part = tokens[start : start + rows]
            ids = nn.utils.rnn.pad_sequence([torch.tensor(i, dtype=torch.long) for i in part], batch_first=True)
            lengths = torch.tensor([len(i) for i in part])
            written = (torch.arange(ids.shape[1])[None] < lengths[:, None]).to(self.device)
            ids = ids.to(self.device)
            prompt = inputs_embeds[start : start + rows].to(self.dtype)
            prompt_mask = attention_mask[start : start + rows]
            ignored = torch.full(prompt_mask.shape, IGNORED, device=self.device)
            _, logits = self.forward(
                inputs_embeds=torch.cat([prompt, self.embed(ids)], dim=1),
                attention_mask=torch.cat([prompt_mask, written.to(prompt_mask.dtype)], dim=1),
                labels=torch.cat([ignored, ids.masked_fill(~written, IGNORED)], dim=1),
            )
            chosen = ids[written].unsqueeze(1)
            scores = torch.log_softmax(logits.float(), dim=-1).gather(1, chosen).squeeze(1).cpu()
            result.extend(row.tolist() for row in scores.split(lengths.tolist()))
        return result

    def _check_length(self, tokens: int, more: int = 0) -> None:
        if self.max_positions is not None and tokens + more > self.max_positions:
            raise UserError(
                f"The language model reads at most {self.max_positions} positions; this input has {tokens}"
                + (f", and the report may have {more} more" if more else ""),
                where=self.config.path,
                next_step="lower decoding.max_new_tokens or max_report_tokens, or shorten the prompt (fewer sources, "
                "pooled patches, less context)",
            )

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        was_training = self.training
        self.eval()
        try:
            yield
        finally:
            self.train(was_training)


def positions(attention_mask: Tensor) -> Tensor:
    """Number the tokens of each row from 0, whatever padding surrounds them: ``[B, L]`` to ``[B, L]``."""
    return (attention_mask.long().cumsum(dim=1) - 1).clamp_min(0)


def _configured_stops(network: PreTrainedModel) -> tuple[int, ...]:
    configured = network.generation_config.eos_token_id if network.generation_config is not None else None
    ids = configured if isinstance(configured, list) else [configured]
    return tuple(int(i) for i in ids if i is not None)
