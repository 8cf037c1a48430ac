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
"""R2GenGPT's instruction (Wang et al. 2023), which the others use, too; the Chinese one is a translation of ours."""

_UNSHOWN = ("disease_queries", "context_residuals")
"""Of R2GenCSR: what predicts findings for the search, and what stands before the prompt."""

_PREFIX: dict[str, tuple[str, ...]] = {
    "r2gengpt": ("patches",),
    "r2gencsr": ("patches",),
    "mambaxray_vl": ("patches",),
    "ammrg": ("patches", "disease_queries", "visual_memory", "report_memory"),
}
"""What may stand, in this order, where R2GenGPT has the film."""


def system_prompt(kind: str, language: Language, sources: Sequence[str]) -> PromptConfig:
    """Return the prompt that a system uses unless its configuration has another.

    AM-MRG's vectors of all sources stand side by side in the place of the film. R2GenCSR's prompt begins with the
    context; what predicts findings for its search is not shown.

    Args:
        kind: the system.
        language: of the words, and of the report asked for.
        sources: its evidence sources, in the order in which they are shown.
    """
    shown = tuple(source for source in sources if source not in _UNSHOWN) if kind == "r2gencsr" else tuple(sources)
    known = tuple(source for source in _PREFIX.get(kind, ()) if source in shown)
    if not shown or shown != known:
        return default_prompt(language, sources)
    segments = (
        *([Segment(source="context_residuals")] if "context_residuals" in sources else []),
        Segment(text="Human: <Img>"),
        *(Segment(source=source) for source in shown),
        Segment(text="</Img> {instruction} \nAssistant:"),
    )
    return PromptConfig(segments=segments, instruction=_R2GENGPT[language])
