"""What an evidence source is and what it gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from llmrg.language.token_space import TokenSpace
from llmrg.studies.batches import StudyBatch
from llmrg.vision.features import VisualFeatures

__all__ = ["Evidence", "EvidenceSource", "Record"]

Record = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a source tells the decoder about a batch, and where it came from.

    Legend: B studies, K tokens, D_text width of the decoder's word embeddings.

    Args:
        kind: name of the source (``patches``, ``disease_queries``, ...).
        embeddings: [B, K, D_text], or None where the source speaks in words or only to other sources.
        words: one text a study, which fills the source's name in braces in the prompt.
        mask: [B, K] bool.
        losses: the source's own losses, batch means, by name.
        state: tensors that later sources read (query tokens, probabilities, attention).
        records: one readable record a study, filled only when asked for.
    """

    kind: str
    embeddings: Tensor | None = None
    words: Sequence[str] | None = None
    mask: Tensor | None = None
    losses: Mapping[str, Tensor] = field(default_factory=dict)
    state: Mapping[str, Tensor] = field(default_factory=dict)
    records: Sequence[Record] = ()

    def silenced(self, rows: Tensor | None = None) -> Evidence:
        """Return it as if the source had nothing to say: all tokens masked, words empty, no records.

        The prompt keeps its form, as for a study for which too little could be retrieved. What later sources read of
        this one (``state``) stays: only what the decoder hears of this source itself is gone.

        Args:
            rows: [B] bool, the studies for which it falls silent; None: all. Where it falls silent for some alone,
                records are left out for all.
        """
        if rows is None:
            mask = None if self.mask is None else torch.zeros_like(self.mask)
            words = None if self.words is None else [""] * len(self.words)
        else:
            mask = None if self.mask is None else self.mask & ~rows.to(self.mask.device).unsqueeze(1)
            words = None
            if self.words is not None:
                words = ["" if silent else said for silent, said in zip(rows.tolist(), self.words, strict=True)]
        return replace(self, mask=mask, words=words, records=())


class EvidenceSource(Protocol):
    """The extension point of the LLM systems: a module that turns features into evidence.

    A source with losses of its own may have ``loss_items(batch) -> Mapping[str, Tensor]``: what each of them is a mean
    over, counted from the batch's targets alone, so that micro-batches and processes are weighted exactly. Losses it
    does not count are weighted by the number of studies.
    """

    kind: str

    def __call__(
        self,
        features: VisualFeatures,
        batch: StudyBatch,
        space: TokenSpace,
        earlier: Mapping[str, Evidence],
        *,
        with_records: bool = False,
    ) -> Evidence:
        """Give evidence; ``earlier`` holds that of the sources before this one, by kind."""
        ...
