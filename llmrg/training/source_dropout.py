"""Source dropout: studies of a training epoch for which an evidence source falls silent, so that none is leaned on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from llmrg.errors import UserError
from llmrg.systems.report_generator import SILENT

__all__ = ["SourceDropout"]


@dataclass(frozen=True, kw_only=True)
class SourceDropout:
    """Draws the sources that the decoder does not hear of one study; never all of them.

    Args:
        probabilities: of each source to fall silent, in the system's order.
    """

    probabilities: tuple[float, ...]

    @classmethod
    def of(cls, dropout: float | Mapping[str, float], sources: Sequence[str]) -> SourceDropout | None:
        """Make the draw of a configuration; None where no source ever falls silent.

        Args:
            dropout: one probability for all sources, or one by source (0 for those not named).
            sources: of the system, in order.

        Raises:
            UserError: a source that the system lacks.
        """
        if isinstance(dropout, Mapping):
            for name in dropout:
                if name not in sources:
                    raise UserError(
                        f"The system has no evidence source {name!r}",
                        where="training.source_dropout",
                        allowed=tuple(sources),
                        got=name,
                    )
            found = tuple(float(dropout.get(source, 0.0)) for source in sources)
        else:
            found = (float(dropout),) * len(sources)
        return cls(probabilities=found) if any(found) and len(found) > 1 else None

    def __call__(self, generator: np.random.Generator) -> dict[str, Tensor]:
        """Draw for one study: ``silent_sources`` [S] bool, in the system's order.

        Where all would fall silent, one of them is heard, each as likely as the others.

        Args:
            generator: of this study in this epoch.
        """
        silent = generator.random(len(self.probabilities)) < np.array(self.probabilities)
        heard = int(generator.integers(len(silent)))
        if silent.all():
            silent[heard] = False
        return {SILENT: torch.from_numpy(silent)}
