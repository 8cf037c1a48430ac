"""Configuration of a system: which parts make the way from study to report."""

from __future__ import annotations

from dataclasses import dataclass, field

from llmrg.evidence.settings import EvidenceConfig
from llmrg.language.prompt import PromptConfig
from llmrg.language.settings import LanguageModelConfig
from llmrg.vision.settings import BackboneConfig

__all__ = ["SystemConfig"]


@dataclass(frozen=True, kw_only=True)
class SystemConfig:
    """One system.

    Args:
        name: its name in tables.
        vision: the trunk.
        evidence: the evidence sources.
        language_model: the decoder.
        prompt: its prompt; None takes the default one of the language, with all sources in order.
        tune_vision: train trunk and disease queries together with the generator; otherwise they stay as the
            disease-classifier stage left them.
        max_report_tokens: longest target report in tokens; longer ones are cut, counted and warned of.
    """

    name: str = "llmrg"
    vision: BackboneConfig = field(default_factory=BackboneConfig)
    evidence: EvidenceConfig = field(default_factory=EvidenceConfig)
    language_model: LanguageModelConfig
    prompt: PromptConfig | None = None
    tune_vision: bool = True
    max_report_tokens: int = 256
