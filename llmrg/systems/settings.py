"""Configuration of a system: which parts make the way from study to report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from llmrg.errors import UserError
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
        prompt: its prompt, or one by language (``zh``, ``en``); None takes the default one of each study's language,
            with all sources in order.
        tune_vision: train trunk and disease queries together with the generator; otherwise they stay as the
            disease-classifier stage left them.
        max_report_tokens: longest target report in tokens; longer ones are cut, counted and warned of.
    """

    name: str = "llmrg"
    vision: BackboneConfig = field(default_factory=BackboneConfig)
    evidence: EvidenceConfig = field(default_factory=EvidenceConfig)
    language_model: LanguageModelConfig
    prompt: PromptConfig | Mapping[str, PromptConfig] | None = None
    tune_vision: bool = True
    max_report_tokens: int = 256

    def __post_init__(self) -> None:
        """Refuse prompts of languages that no report is written in.

        Raises:
            UserError: names the first such language.
        """
        for language in self.prompt if isinstance(self.prompt, Mapping) else ():
            if language not in ("zh", "en"):
                raise UserError("No such language", where="system.prompt", allowed=("zh", "en"), got=language)
