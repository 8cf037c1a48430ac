"""The trained graph extractor that a command or a benchmark was told to read with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from llmrg.errors import UserError

if TYPE_CHECKING:
    from llmrg.findings.graphs.graph import GraphExtractor

__all__ = ["load_graph_extractor"]


def load_graph_extractor(directory: Path | None, *, language: str) -> GraphExtractor | None:
    """Load a trained extractor, onto the GPU where there is one; None where no folder was named.

    Args:
        directory: folder that ``llmrg pretrain graph-extractor`` made.
        language: of the reports that it is to read.

    Raises:
        UserError: no extractor there, or one of another language.
    """
    if directory is None:
        return None
    import torch

    from llmrg.language.graph_extractor import TrainedGraphExtractor

    extractor = TrainedGraphExtractor.load(directory, device="cuda" if torch.cuda.is_available() else "cpu")
    if extractor.language != language:
        raise UserError(
            "The extractor was trained on reports of another language",
            where=str(directory),
            allowed=[extractor.language],
            got=language,
        )
    return extractor
