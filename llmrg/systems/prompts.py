"""The prompts of published systems, and their Chinese equivalents."""

from __future__ import annotations

from collections.abc import Sequence

from llmrg.language.prompt import PromptConfig, Segment, default_prompt
from llmrg.studies.study import Language

__all__ = ["system_prompt"]

_R2GENGPT: dict[Language, str] = {
    "en": "Generate a comprehensive and detailed diagnosis report for this chest xray image.",
    "zh": "请为这张胸部X线影像写一份全面而详细的诊断报告。",
}
"""R2GenGPT's instruction (Wang et al. 2023), which MambaXray-VL uses, too; the Chinese one is a translation of ours."""

_UNSHOWN = ("disease_queries", "context_residuals")
"""Of R2GenCSR: what predicts findings for the search, and what stands before the prompt."""


def system_prompt(kind: str, language: Language, sources: Sequence[str]) -> PromptConfig:
    """Return the prompt that a system uses unless its configuration has another.

    R2GenCSR's begins with the context; what predicts findings for its search is not shown.

    Args:
        kind: the system.
        language: of the words, and of the report asked for.
        sources: its evidence sources, in the order in which they are shown.
    """
    shown = tuple(source for source in sources if source not in _UNSHOWN) if kind == "r2gencsr" else tuple(sources)
    if kind not in ("r2gengpt", "r2gencsr", "mambaxray_vl") or shown != ("patches",):
        return default_prompt(language, sources)
    segments = (
        *([Segment(source="context_residuals")] if "context_residuals" in sources else []),
        Segment(text="Human: <Img>"),
        Segment(source="patches"),
        Segment(text="</Img> {instruction} \nAssistant:"),
    )
    return PromptConfig(segments=segments, instruction=_R2GENGPT[language])
