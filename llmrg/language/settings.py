"""Settings of language models and of decoding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from llmrg.errors import UserError

__all__ = ["DECODING_PRESETS", "DecodingConfig", "LanguageModelConfig", "decoding_preset"]


@dataclass(frozen=True, kw_only=True)
class LanguageModelConfig:
    """Which causal language model writes the report, and which of its weights learn.

    Args:
        path: a local directory in the ordinary transformers format, or the name of a hub model.
        revision: commit, tag or branch of a hub model.
        tuning: ``frozen`` (nothing learns), ``lora`` (low-rank adapters) or ``full`` (every weight).
        lora_rank: rank of the adapters.
        lora_alpha: adapters are scaled by ``lora_alpha / lora_rank``.
        lora_dropout: dropout on the input of the adapters.
        lora_targets: names of the linear layers that get adapters; None: every linear layer of attention and MLP.
        modules_to_save: modules that learn in full beside the adapters (``lm_head``, ``embed_tokens``).
        quantisation: ``4bit`` (NF4) or ``8bit`` storage of the frozen weights, by bitsandbytes.
        dtype: type of the weights; ``auto`` keeps the checkpoint's, or float32 where all weights learn.
        gradient_checkpointing: recompute activations in the backward pass to save memory.
    """

    path: str
    revision: str | None = None
    tuning: Literal["frozen", "lora", "full"] = "lora"
    lora_rank: int = 16
    lora_alpha: int = 32
    lora_dropout: float = 0.0
    lora_targets: tuple[str, ...] | None = None
    modules_to_save: tuple[str, ...] = ()
    quantisation: Literal["none", "4bit", "8bit"] = "none"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    gradient_checkpointing: bool = False

    def __post_init__(self) -> None:
        if not self.path.strip():
            raise ValueError("path of the language model is empty")
        if self.tuning == "full" and self.quantisation != "none":
            raise ValueError("quantised weights cannot be tuned in full; use tuning=lora")
        if self.tuning != "lora" and self.modules_to_save:
            raise ValueError("modules_to_save needs tuning=lora")
        if self.lora_rank < 1 or self.lora_alpha <= 0:
            raise ValueError("lora_rank and lora_alpha must be positive")
        if not 0.0 <= self.lora_dropout < 1.0:
            raise ValueError("lora_dropout must lie in [0, 1)")


@dataclass(frozen=True, kw_only=True)
class DecodingConfig:
    """How a report is drawn from the language model.

    In a configuration ``preset: NAME`` (:data:`DECODING_PRESETS`) stands for all values of that preset but the seed,
    and replaces those that stand beside it.

    Args:
        strategy: ``greedy``, ``beam`` or ``sampling``.
        beams: hypotheses kept by beam search.
        max_new_tokens: longest report, in tokens, end-of-text included.
        min_new_tokens: end-of-text is forbidden before so many tokens; 0 lets the model decide.
        temperature: divides the logits when sampling.
        top_p: smallest set of tokens with this probability mass is sampled from; 1 keeps all.
        repetition_penalty: above 1, tokens already written become less likely.
        length_penalty: exponent of the length that divides a beam's score.
        seed: of sampling; with the same seed a study gets the same report in any batch.
    """

    strategy: Literal["greedy", "beam", "sampling"] = "greedy"
    beams: int = 1
    max_new_tokens: int = 256
    min_new_tokens: int = 0
    temperature: float = 1.0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    length_penalty: float = 1.0
    seed: int = 0

    @classmethod
    def complete_mapping(cls, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Put the values of a preset where its name is, when a configuration is read.

        Raises:
            UserError: there is no such preset.
        """
        if values.get("preset") is None:
            return {name: value for name, value in values.items() if name != "preset"}
        return asdict(decoding_preset(str(values["preset"]))) | {k: v for k, v in values.items() if k == "seed"}

    def __post_init__(self) -> None:
        if self.strategy == "beam" and self.beams < 2:
            raise ValueError("beam search needs beams of at least 2")
        if self.strategy != "beam" and self.beams != 1:
            raise ValueError(f"beams={self.beams} needs strategy=beam")
        if self.max_new_tokens < 1 or not 0 <= self.min_new_tokens <= self.max_new_tokens:
            raise ValueError("max_new_tokens must be positive and min_new_tokens between 0 and it")
        if self.temperature <= 0 or not 0 < self.top_p <= 1 or self.repetition_penalty <= 0:
            raise ValueError("temperature and repetition_penalty must be positive, top_p in (0, 1]")


_PUBLISHED = DecodingConfig(
    strategy="beam", beams=3, min_new_tokens=80, max_new_tokens=120, repetition_penalty=2.0, length_penalty=2.0
)
_PUBLISHED_IU = replace(_PUBLISHED, min_new_tokens=40, max_new_tokens=100)

DECODING_PRESETS: dict[str, DecodingConfig] = {
    "greedy": DecodingConfig(),
    "beam": DecodingConfig(strategy="beam", beams=3),
    "sampling": DecodingConfig(strategy="sampling", temperature=0.7, top_p=0.9),
    "published": _PUBLISHED,
    "published_iu": _PUBLISHED_IU,
    "published_iu_beam5": replace(_PUBLISHED_IU, beams=5),
}
"""Decoding by name. ``published``: R2GenGPT, R2GenCSR, MambaXray-VL and AM-MRG on MIMIC-CXR and CheXpert Plus;
``published_iu``: R2GenGPT and AM-MRG on IU X-ray; ``published_iu_beam5``: R2GenCSR and MambaXray-VL on it. Lengths are
part of these three."""


def decoding_preset(name: str) -> DecodingConfig:
    """Return the decoding preset called ``name``.

    Raises:
        UserError: there is no such preset.
    """
    if name not in DECODING_PRESETS:
        raise UserError(f"Unknown decoding preset {name!r}", allowed=DECODING_PRESETS, got=name)
    return DECODING_PRESETS[name]
