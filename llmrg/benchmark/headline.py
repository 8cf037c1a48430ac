"""The metrics that count in a benchmark."""

from __future__ import annotations

from collections.abc import Collection

from llmrg.errors import UserError
from llmrg.findings.vocabulary import FindingVocabulary

__all__ = ["check_headline", "default_headline"]


def default_headline(language: str, vocabulary: FindingVocabulary) -> tuple[str, ...]:
    """Return the usual headline metrics.

    CheXpert's classes are scored as its published tables read best (``r2gen/14/macro``) and as the rest of the world
    does (``rrg/14/micro``), with wording after them. Other vocabularies: wording (Chinese is counted in characters),
    findings, and the graph's pairs of place and lesion.
    """
    if vocabulary.name == "chexpert14":
        return ("r2gen/14/macro", "rrg/14/micro", "bleu_4", "rouge_l")
    return ("bleu_4", "rouge_l", "clinical_micro_f1", "graph_f1")


def check_headline(names: Collection[str], known: Collection[str]) -> None:
    """Refuse a headline metric that no row has.

    Raises:
        UserError: names the nearest one.
    """
    for name in names:
        if name not in known:
            raise UserError(f"No metric is called {name!r}", where="headline", allowed=sorted(known), got=name)
