"""What ``llmrg rexrank`` does."""

from __future__ import annotations

from pathlib import Path

from llmrg.benchmark.predictions import read_predictions
from llmrg.benchmark.rexrank import study_ids, write_submission

__all__ = ["submit"]


def submit(studies: Path, predictions: Path, out: Path) -> int:
    """Write a submission of predictions that answer exactly the studies of a ReXrank file.

    Args:
        studies: ReXrank's file of studies.
        predictions: JSON Lines of ``id`` and ``report``, or an earlier submission.
        out: the JSON file to write.

    Returns:
        How many studies it holds.

    Raises:
        UserError: unreadable files, or ids that are missing, unknown or twice there.
    """
    found = read_predictions(predictions, required=study_ids(studies))
    return write_submission(studies, {id_: one.report for id_, one in found.items()}, out)
