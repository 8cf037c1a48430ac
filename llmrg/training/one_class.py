"""A warning where the training reports state a finding never, or always: nothing can be learnt of it."""

from __future__ import annotations

import logging
from collections import Counter

from llmrg.training.material import TrainingMaterial, seeded_sample

__all__ = ["warn_of_one_class_labels"]

logger = logging.getLogger(__name__)
READ = 5000
"""Reports that are read for it at most."""


def warn_of_one_class_labels(material: TrainingMaterial, *, seed: int) -> dict[str, int]:
    """Name the findings that all, or none, of the training reports state.

    Args:
        material: the studies; of many, a sample is read.
        seed: of the sample.

    Returns:
        Finding to number of the reports read that state it.
    """
    sample = seeded_sample(material.training, READ, seed)
    counts: Counter[str] = Counter()
    for study in sample:
        counts.update(material.positive(study.id))
    names = [finding.name for finding in material.vocabulary.abnormal]
    never = [name for name in names if not counts[name]]
    always = [name for name in names if counts[name] == len(sample)]
    if len(never) == len(names):
        logger.warning(
            "None of %d training reports states a finding of the vocabulary %s: classifier, memories and retrieval can "
            "learn nothing. Check data.target, data.language and data.vocabulary with `llmrg data check`",
            len(sample),
            material.data.vocabulary,
        )
    elif never:
        logger.warning("Never stated by the training reports, and not learnt: %s", ", ".join(never))
    if always:
        logger.warning("Stated by every training report, and not learnt: %s", ", ".join(always))
    return {name: counts[name] for name in names}
