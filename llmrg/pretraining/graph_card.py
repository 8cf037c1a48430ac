"""The model card of a trained graph extractor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmrg.pretraining.graph_settings import GraphExtractorConfig

__all__ = ["extractor_card"]

_LANGUAGES = {"zh": "Chinese", "en": "English"}


def extractor_card(config: GraphExtractorConfig, *, version: str, details: Mapping[str, Any]) -> str:
    """Write the card in Markdown with a YAML head.

    Args:
        config: the training.
        version: of the extractor.
        details: counts and figures.
    """
    parts = [name for name in ("validation", "test") if name in details]
    figures = list(details["validation"])
    header = "| figure | " + " | ".join(parts) + " |\n|---|" + "---|" * len(parts)
    rows = "\n".join(
        f"| {name} | " + " | ".join(f"{details[part][name]:.4f}" for part in parts) + " |" for name in figures
    )
    encoder = config.encoder.path or "a small one, trained from nothing on these reports"
    counts = ", ".join(
        f"{details[key]} {words}"
        for key, words in (("reports", "training"), ("validation_reports", "validation"), ("test_reports", "test"))
    )
    dropped = "; ".join(f"{count} {reason}" for reason, count in sorted(details["dropped"].items())) or "nothing"
    vocabulary = (
        "The tokenizer's vocabulary consists of words of the training reports; treat the folder like the reports."
        if config.encoder.path is None
        else "The weights were trained on the reports; no text can be read from the files."
    )
    return f"""---
language: {config.language}
library_name: llmrg
---
# Graph extractor for {_LANGUAGES[config.language]} chest X-ray reports

Finds entities (Anatomy, DPO, DNO, NO) and relations (located_at, modify) in a report; used by
`llmrg graph FILE --extractor DIR`. **Not a medical device.** It is as good as its annotations; expect lower figures on
reports of other hospitals.

| | |
|---|---|
| version | {version} |
| encoder | {encoder} |
| annotations | {config.format}; {counts} reports |
| dropped from the files | {dropped} |
| not learnt | {details["lost_entities"]} entities that end within a token, {details["lost_relations"]} relations |
| parameters | {details["parameters"]:,} |
| epoch | {details["epoch"]:g} of {config.epochs}, chosen on validation by the mean of entity F1 and relation F1 |

{header}
{rows}

{vocabulary}
A licence of the annotations may bind what is made from them.
"""
