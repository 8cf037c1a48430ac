"""The small language model of the embedded default, trained on the training split's reports."""

from __future__ import annotations

import logging
import math
import random
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerBase, Trainer, TrainerCallback

from llmrg.artefacts import Manifest, atomic_directory, file_hash
from llmrg.config import to_mapping
from llmrg.errors import UserError
from llmrg.language.embedded import EmbeddedModelConfig, build_model, train_tokenizer
from llmrg.language.llm import IGNORED
from llmrg.language.prompt import PROMPT_END, hint_text, prompt_texts
from llmrg.language.token_space import encode_ordinary
from llmrg.pretraining.arguments import OneDeviceArguments
from llmrg.pretraining.augmentation_epoch import AugmentationEpoch
from llmrg.pretraining.precision import Precision, use_bf16
from llmrg.studies.mixture_draw import MixtureDraw

__all__ = ["LanguageModelPretrainingConfig", "pretrain_language_model"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class LanguageModelPretrainingConfig:
    """How the small language model is trained.

    Args:
        model: its size and vocabulary.
        max_steps: optimiser steps; with ``max_seconds`` whichever comes first.
        max_seconds: wall-clock limit; the learning rate then falls with the clock, and the result depends on the
            machine. None: the same seed gives the same weights.
        batch_size: reports a step.
        learning_rate: peak.
        warmup_share: share of the training in which the learning rate rises.
        weight_decay: of AdamW.
        hint_share: share of the reports that are told their hint, where there are hints.
        prompt_share: share of the batches that start with the words of a whole prompt; the others start at its end.
        max_tokens: longest report, in tokens; longer ones are cut, counted and warned of.
        precision: see :func:`llmrg.pretraining.precision.use_bf16`.
        seed: of weights and order.
    """

    model: EmbeddedModelConfig = field(default_factory=EmbeddedModelConfig)
    max_steps: int = 700
    max_seconds: float | None = None
    batch_size: int = 8
    learning_rate: float = 2e-3
    warmup_share: float = 0.05
    weight_decay: float = 0.01
    hint_share: float = 0.9
    prompt_share: float = 0.15
    max_tokens: int = 512
    precision: Precision = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.max_steps < 1 or self.batch_size < 1 or self.max_tokens < 2:
            raise ValueError("max_steps and batch_size must be positive, max_tokens at least 2")
        if self.max_seconds is not None and self.max_seconds <= 0:
            raise ValueError("max_seconds must be positive")
        if not 0 <= self.hint_share <= 1:
            raise ValueError("hint_share must lie in [0, 1]")
        if not 0 <= self.prompt_share <= 1 or not 0 <= self.warmup_share < 1 or self.learning_rate <= 0:
            raise ValueError("prompt_share must lie in [0, 1], warmup_share in [0, 1), learning_rate above 0")


def pretrain_language_model(
    reports: Sequence[str],
    out: str | Path,
    config: LanguageModelPretrainingConfig,
    *,
    producer: str,
    split_hash: str,
    languages: Sequence[Literal["zh", "en"]],
    hints: Sequence[str] | None = None,
    phrases: Sequence[tuple[str, str]] = (),
    text_languages: Sequence[Literal["zh", "en"]] | None = None,
    draw: MixtureDraw | None = None,
    progress: Callable[[int, int], None] | None = None,
    callbacks: Sequence[TrainerCallback] = (),
    configuration: Mapping[str, Any] | None = None,
) -> Path:
    """Train tokenizer and model on reports and save both as an artefact in the ordinary transformers format.

    Args:
        reports: target texts of the training split, nothing of any other split; empty ones are passed over.
        out: directory of the artefact.
        config: the settings.
        producer: the command that asked for it, for the manifest.
        split_hash: hash of the training split.
        languages: of the reports; the default prompts of these languages are learnt too.
        hints: what each report states, in words (``left pleural effusion``); the model then learns to write from such
            hints, and without them (see ``hint_share``).
        phrases: hints with the one sentence of a training report that says so. They are short and to the point, so the
            small model learns from them in a fraction of the time which words stand for which finding.
        text_languages: of each report, then of each phrase; None takes the first of ``languages`` for all. A text is
            hinted and prompted in its own language.
        draw: which reports and phrases (counted after the reports) an epoch shows; None shows every one once.
        progress: called with (steps done, steps in all) after each step.
        callbacks: further Trainer callbacks.
        configuration: what the manifest states the artefact was made with; None states ``config``.

    Returns:
        ``out``, which the language model's ``path`` can name.

    Raises:
        UserError: no reports.
    """
    if hints is not None and len(hints) != len(reports):
        raise ValueError(f"{len(hints)} hints for {len(reports)} reports")
    said = hints if hints is not None else [""] * len(reports)
    spoken_in = text_languages if text_languages is not None else [languages[0]] * (len(reports) + len(phrases))
    own = list(zip(reports, said, spoken_in[: len(reports)], strict=True))
    kept = [row for row in own if row[0].strip()]
    if draw is not None and len(kept) < len(reports):
        raise ValueError("a draw counts every report, so none may be empty")
    texts = [report for report, _, _ in kept]
    spoken = [hint_text(language, hint) if hint else "" for _, hint, language in kept]
    if not texts:
        raise UserError("There are no reports to train the language model on", next_step="check the training split")
    by_language = {language: prompt_texts(language) for language in languages}
    prompts = [text for language in languages for text in by_language[language]]
    tokenizer = train_tokenizer(
        [*texts, *spoken, *prompts * max(1, len(texts) // (20 * len(prompts)))],
        vocabulary_size=config.model.vocabulary_size,
        max_token_bytes=config.model.max_token_bytes,
    )
    model = build_model(tokenizer, config.model, seed=config.seed)
    told = [
        (hint_text(language, hint), sentence)
        for (hint, sentence), language in zip(phrases, spoken_in[len(reports) :], strict=True)
    ]
    written_in = [*(language for _, _, language in kept), *spoken_in[len(reports) :]]
    encoded = _Reports(texts, spoken, told, written_in, tokenizer, config.max_tokens, draw)
    clock = _Clock(config)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, betas=(0.9, 0.98), weight_decay=config.weight_decay
    )
    with tempfile.TemporaryDirectory(prefix="llmrg-language-model-") as scratch:
        trainer = Trainer(
            model=model,
            args=OneDeviceArguments(
                output_dir=scratch,
                max_steps=config.max_steps,
                per_device_train_batch_size=config.batch_size,
                seed=config.seed,
                data_seed=config.seed,
                max_grad_norm=1.0,
                save_strategy="no",
                logging_steps=10,
                report_to=[],
                disable_tqdm=True,
                log_level="error",
                remove_unused_columns=False,
                bf16=use_bf16(config.precision),
                use_cpu=not torch.cuda.is_available(),
                dataloader_pin_memory=torch.cuda.is_available(),
            ),
            train_dataset=encoded,
            data_collator=_Collate(by_language, tokenizer, config),
            optimizers=(optimizer, LambdaLR(optimizer, clock.rate)),
            callbacks=[_Watch(clock, progress), AugmentationEpoch(), *callbacks],
        )
        trainer.remove_callback(_printer())
        started = time.monotonic()
        trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    details = {
        "reports": len(texts),
        "truncated": encoded.truncated,
        "steps": trainer.state.global_step,
        "loss_per_token": losses[-1] if losses else None,
        "vocabulary": len(tokenizer),
        "hidden_size": config.model.hidden_size,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }
    logger.info(
        "language model: %(reports)d reports, %(steps)d steps, %(parameters)d parameters, loss %(loss_per_token)s",
        details,
    )
    logger.info("language model: %.1f s", time.monotonic() - started)
    out = Path(out)
    with atomic_directory(out) as folder:
        model.to("cpu").save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        details["weights"] = file_hash(folder / "model.safetensors")
        # Tokens are pieces of reports, and a model this small can recite whole ones.
        Manifest(
            kind="language_model",
            producer=producer,
            configuration=dict(configuration) if configuration is not None else to_mapping(config),
            split_hash=split_hash,
            languages=tuple(languages),
            contains_patient_text=True,
            details=details,
        ).write(folder)
    return out


_Sample = tuple[list[int], list[int], bool, str]


class _Reports(Dataset[_Sample]):
    """Hints, texts as token ids (closed by end-of-text unless cut), whether each is a whole report, its language."""

    def __init__(
        self,
        texts: Sequence[str],
        hints: Sequence[str],
        phrases: Sequence[tuple[str, str]],
        languages: Sequence[str],
        tokenizer: PreTrainedTokenizerBase,
        max_tokens: int,
        draw: MixtureDraw | None = None,
    ) -> None:
        self.epoch = 0
        self._languages = languages
        self._draw = draw
        self._drawn: tuple[int, NDArray[np.int64]] | None = None
        end = int(tokenizer.eos_token_id)
        encoded = [[*encode_ordinary(tokenizer, text), end] for text in texts]
        self.truncated = sum(len(ids) > max_tokens for ids in encoded)
        if self.truncated:
            logger.warning("%d reports are longer than %d tokens and were cut", self.truncated, max_tokens)
        self._reports = [ids[:max_tokens] for ids in encoded]
        self._hints = [encode_ordinary(tokenizer, hint) if hint else [] for hint in hints]
        self._phrases = [
            (encode_ordinary(tokenizer, hint), [*encode_ordinary(tokenizer, sentence), end][:max_tokens])
            for hint, sentence in phrases
        ]

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose texts are drawn."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self._languages) if self._draw is None else len(self._draw)

    def __getitem__(self, index: int) -> _Sample:
        if self._draw is not None:
            if self._drawn is None or self._drawn[0] != self.epoch:
                self._drawn = self.epoch, self._draw.epoch(self.epoch)
            index = int(self._drawn[1][index])
        if index < len(self._reports):
            return self._hints[index], self._reports[index], True, self._languages[index]
        hint, sentence = self._phrases[index - len(self._reports)]
        return hint, sentence, False, self._languages[index]


class _Collate:
    """Pads a batch and puts prompt words before its reports.

    A batch shares its prompt (each text has it in its own language), so that long prompts do not fill the others with
    padding; which one is drawn anew for each batch, from a seeded stream.
    """

    def __init__(
        self,
        prompts: Mapping[Any, Sequence[str]],
        tokenizer: PreTrainedTokenizerBase,
        config: LanguageModelPretrainingConfig,
    ) -> None:
        self._prompts = {
            language: [encode_ordinary(tokenizer, prompt.removesuffix(PROMPT_END)) for prompt in own]
            for language, own in prompts.items()
        }
        self._count = min(len(own) for own in self._prompts.values())
        self._tail = encode_ordinary(tokenizer, PROMPT_END)
        self._break = encode_ordinary(tokenizer, "\n")
        self._pad = int(tokenizer.pad_token_id)
        self._share = config.prompt_share
        self._hint_share = config.hint_share
        self._stream = random.Random(config.seed)

    def __call__(self, samples: Sequence[_Sample]) -> dict[str, Tensor]:
        whole = self._stream.random() < self._share
        chosen = self._stream.randrange(self._count) if whole else None
        ids, outside = [], []
        for hint, text, whole_report, language in samples:
            before = self._prompts[language][chosen] if chosen is not None else []
            told = hint if not whole_report or self._stream.random() < self._hint_share else []
            given = [*before, *told, *self._tail] if whole_report else [*told, *self._break]
            ids.append(torch.tensor([*given, *text]))
            outside.append(len(given))
        lengths = torch.tensor([len(row) for row in ids])
        padded = nn.utils.rnn.pad_sequence(ids, batch_first=True, padding_value=self._pad)
        mask = torch.arange(padded.shape[1])[None] < lengths[:, None]
        labels = padded.masked_fill(~mask, IGNORED)
        for row, count in enumerate(outside):
            labels[row, :count] = IGNORED  # prompts come from outside; a model that foretells them writes them too
        return {"input_ids": padded, "attention_mask": mask.long(), "labels": labels}


class _Clock:
    """How far training has come, by steps or by seconds, and the learning rate's factor there."""

    def __init__(self, config: LanguageModelPretrainingConfig) -> None:
        self._config = config
        self._start = time.monotonic()

    def begin(self) -> None:
        self._start = time.monotonic()

    def progress(self, step: int) -> float:
        done = step / self._config.max_steps
        if self._config.max_seconds is not None:
            done = max(done, (time.monotonic() - self._start) / self._config.max_seconds)
        return min(done, 1.0)

    def rate(self, step: int) -> float:
        done, warm = self.progress(step), self._config.warmup_share
        if done < warm:
            return min(1.0, (done + 1 / self._config.max_steps) / warm)
        return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (done - warm) / (1 - warm)))


class _Watch(TrainerCallback):
    def __init__(self, clock: _Clock, progress: Callable[[int, int], None] | None) -> None:
        self._clock = clock
        self._progress = progress

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._clock.begin()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self._progress is not None:
            self._progress(state.global_step, state.max_steps)
        if self._clock.progress(state.global_step) >= 1.0:
            control.should_training_stop = True
            control.should_log = True


def _printer() -> type[TrainerCallback]:
    from transformers import PrinterCallback

    return PrinterCallback
