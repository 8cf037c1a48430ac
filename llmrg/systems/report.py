"""What a system returns: a loss while it learns, reports when it writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from llmrg.findings.mention import Mention

__all__ = ["GeneratedReport", "SystemOutput"]


@dataclass(frozen=True, kw_only=True)
class SystemOutput:
    """What a forward pass gives.

    Args:
        loss: total, to be minimised.
        parts: its parts by name, detached.
        logits: [N, vocabulary], the logits of the N target tokens.
    """

    loss: Tensor
    parts: Mapping[str, Tensor]
    logits: Tensor


@dataclass(frozen=True, kw_only=True)
class GeneratedReport:
    """A report a system wrote.

    Args:
        study_id: the study it is of.
        text: the report.
        log_probabilities: of each chosen token.
        finished: whether the end-of-text was reached before the length limit.
        findings: what the labeler reads in the text.
        records: evidence records, one a source, if they were asked for.
        maps: tensors that pictures are made from (``attention`` [F, V, h, w]), if records were asked for.
    """

    study_id: str
    text: str
    log_probabilities: Sequence[float]
    finished: bool
    findings: Mapping[str, Mention]
    records: Sequence[Mapping[str, Any]] = ()
    maps: Mapping[str, Tensor] = field(default_factory=dict)
