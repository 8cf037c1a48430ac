"""The words and identifiers of a dataset, which an export without data must not hold."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from llmrg.errors import LlmrgError
from llmrg.studies.reading import read_studies
from llmrg.text.sentences import split_sentences

__all__ = ["KnownWords", "read_known_words"]

logger = logging.getLogger(__name__)

SHORTEST = {"zh": 8, "en": 20}
"""Characters of the shortest sentence that is searched; shorter ones are phrases that anybody writes."""


@dataclass(frozen=True, kw_only=True)
class KnownWords:
    """What is searched.

    Args:
        sentences: of reports and clinical context.
        identifiers: of studies and patients.
        studies: how many studies they come from.
    """

    sentences: frozenset[str]
    identifiers: frozenset[str]
    studies: int


def read_known_words(data: Any) -> KnownWords | None:
    """Read the sentences and identifiers of every split of a dataset (or a mixture).

    Args:
        data: its configuration.

    Returns:
        None where the data are not at hand.
    """
    sentences: set[str] = set()
    identifiers: set[str] = set()
    count = 0
    try:
        for config in getattr(data, "datasets", (data,)):
            for study in read_studies(config):
                count += 1
                identifiers |= {study.id, study.patient_id}
                context = (study.context.indication, study.context.history, study.prior)
                for text in (*study.sections.values(), *context):
                    if text:
                        sentences.update(_long_sentences(text, study.language))
    except (LlmrgError, OSError) as error:
        logger.debug("the data cannot be read: %s", type(error).__name__)
        return None
    return KnownWords(sentences=frozenset(sentences), identifiers=frozenset(identifiers), studies=count)


def _long_sentences(text: str, language: Any) -> list[str]:
    return [s for s in map(str.strip, split_sentences(text, language)) if len(s) >= SHORTEST[language]]
