"""The metrics of wording by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from llmrg.errors import UserError
from llmrg.metrics.bleu import Bleu
from llmrg.metrics.chrf import Chrf
from llmrg.metrics.cider import Cider
from llmrg.metrics.meteor import JavaMissingError, Meteor
from llmrg.metrics.metric import Metric
from llmrg.metrics.rouge import RougeL
from llmrg.metrics.variety import MeanLength

__all__ = ["DEFAULT_WORDING", "WORDING_METRICS", "WordingMetric", "text_metrics", "wording_metrics"]

WORDING_METRICS = ("bleu", "rouge_l", "cider", "meteor", "chrf")
"""Names that :func:`wording_metrics` knows."""

DEFAULT_WORDING = ("bleu", "rouge_l", "cider")
"""Those that need nothing but this package and are in every published table."""


class WordingMetric(Metric[str], Protocol):
    """A metric of texts.

    Attributes:
        on_tokens: it takes tokens separated by spaces; otherwise whole texts.
        settings: what a signature says of it beside tokens, references and versions; may be empty.
    """

    @property
    def on_tokens(self) -> bool: ...  # noqa: D102

    @property
    def settings(self) -> str: ...  # noqa: D102


def text_metrics() -> tuple[WordingMetric, ...]:
    """Return the metrics of wording and length that every table has, in its order."""
    return (*(Bleu(order) for order in range(1, 5)), RougeL(), Cider(), MeanLength())


def wording_metrics(names: Sequence[str], *, language: str) -> tuple[tuple[WordingMetric, ...], dict[str, str]]:
    """Return metrics by name, mean length always among them, and why some of those asked for are not there.

    Args:
        names: some of :data:`WORDING_METRICS`; ``bleu`` gives BLEU-1 to BLEU-4.
        language: ``zh`` or ``en``.

    Returns:
        The metrics, and for each one that this machine cannot compute its figure's name and the reason.

    Raises:
        UserError: an unknown name.
    """
    found: list[WordingMetric] = []
    missing: dict[str, str] = {}
    for name in dict.fromkeys(names):
        if name == "bleu":
            found += [Bleu(order) for order in range(1, 5)]
        elif name == "rouge_l":
            found.append(RougeL())
        elif name == "cider":
            found.append(Cider())
        elif name == "chrf":
            found.append(Chrf())
        elif name == "meteor":
            try:
                found.append(Meteor(language=language))
            except JavaMissingError as error:
                missing[name] = str(error)
        else:
            raise UserError(f"Unknown metric {name!r}", allowed=WORDING_METRICS, got=name)
    return (*found, MeanLength()), missing
