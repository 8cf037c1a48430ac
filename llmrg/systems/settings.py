"""Configuration of a system: which parts make the way from study to report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from llmrg.config import added_later
from llmrg.errors import UserError
from llmrg.evidence.settings import EvidenceConfig
from llmrg.language.prompt import PromptConfig
from llmrg.language.settings import LanguageModelConfig
from llmrg.systems.published import DIFFERENCES, Setting
from llmrg.systems.variants import Kind, fill_variant, find_variant
from llmrg.vision.settings import BackboneConfig, VisionLoraConfig

__all__ = ["SystemConfig"]


@dataclass(frozen=True, kw_only=True)
class SystemConfig:
    """One system.

    Args:
        name: its name in tables.
        kind: our own system or a published one; it decides the variants, the differences between settings, and the
            prompt.
        variant: of a published system (:data:`llmrg.systems.variants.VARIANTS`): it sets ``tune_vision`` and
            ``vision_lora``. None leaves both as they are given.
        setting: ``faithful`` is the released code's way, ``fixed`` what sense demands; a configuration that is read
            takes its defaults from :data:`llmrg.systems.published.DIFFERENCES`.
        vision: the trunk.
        evidence: the evidence sources.
        language_model: the decoder.
        prompt: its prompt, or one by language (``zh``, ``en``); None takes the default one of each study's language,
            with all sources in order.
        tune_vision: train trunk and disease queries together with the generator; otherwise they stay as the
            disease-classifier stage left them.
        vision_lora: with ``tune_vision``, adapters on the trunk's queries and values learn in place of its weights.
        warm_up: the trunk starts as the disease-classifier stage leaves it, even if no source asks disease queries: for
            trunks without published weights. Where one asks them that is so anyway.
        max_report_tokens: longest target report in tokens; longer ones are cut, counted and warned of.
    """

    name: str = "llmrg"
    kind: Kind = "llmrg"
    variant: str | None = None
    setting: Setting = "fixed"
    vision: BackboneConfig = field(default_factory=BackboneConfig)
    evidence: EvidenceConfig = field(default_factory=EvidenceConfig)
    language_model: LanguageModelConfig
    prompt: PromptConfig | Mapping[str, PromptConfig] | None = None
    tune_vision: bool = True
    vision_lora: VisionLoraConfig | None = None
    warm_up: bool = added_later(False)
    max_report_tokens: int = 256

    @classmethod
    def complete_mapping(cls, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Add what the variant sets, when a configuration is read."""
        return fill_variant(values)

    @property
    def searches(self) -> bool:
        """Whether an evidence source searches the index of training studies."""
        sources, context = self.evidence.sources, self.evidence.context_residuals
        similar = "context_residuals" in sources and context.resolved(self.setting).searches
        return similar or "retrieved_context" in sources

    @property
    def classifies(self) -> bool:
        """Whether the trunk comes from the disease-classifier stage."""
        return self.warm_up or "disease_queries" in self.evidence.sources

    @property
    def vision_tuning(self) -> Literal["frozen", "lora", "full"]:
        """What of the trunk learns together with the generator."""
        if not self.tune_vision:
            return "frozen"
        return "full" if self.vision_lora is None else "lora"

    def __post_init__(self) -> None:
        """Refuse what cannot be built.

        Raises:
            UserError: a prompt of a language that no report is written in, an unknown variant or one that other keys
                contradict, ``faithful`` without released code.
        """
        if self.vision_lora is not None and not self.tune_vision:
            raise UserError("Adapters in the trunk learn only with tune_vision=true", where="system.vision_lora")
        if self.variant is not None:
            wanted = find_variant(self.kind, self.variant)
            if (wanted.tune_vision, wanted.vision_lora) != (self.tune_vision, self.vision_lora is not None):
                raise UserError(
                    f"The variant {self.variant} trains the trunk otherwise than tune_vision and vision_lora say",
                    where="system.variant",
                    got=self.variant,
                    next_step="leave tune_vision and vision_lora out, or the variant",
                )
        if self.setting == "faithful" and self.kind not in DIFFERENCES:
            raise UserError(
                f"The system {self.kind} has no released code to be faithful to",
                where="system.setting",
                allowed=("fixed",),
                got="faithful",
            )
        for language in self.prompt if isinstance(self.prompt, Mapping) else ():
            if language not in ("zh", "en"):
                raise UserError("No such language", where="system.prompt", allowed=("zh", "en"), got=language)
