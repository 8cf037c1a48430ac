"""Chinese radiographic language: phrases of all findings, and what a normal study reads like."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from llmrg.findings._cues_zh import CUES
from llmrg.findings._phrases_zh import GLOBALLY_NORMAL, LOOKALIKES, NORMALS, PHRASES, Phrase
from llmrg.findings._phrases_zh_wider import WIDER_NORMALS, WIDER_PHRASES

__all__ = ["CHINESE", "ChineseLexicon"]


@dataclass(frozen=True, kw_only=True)
class ChineseLexicon:
    """Patterns over folded text.

    Args:
        phrases: for each observation of the CheXpert classes, the words that name it.
        normals: statements that deny one of these without a negation (心影大小正常).
        wider_phrases: the words of findings beyond these classes.
        wider_normals: statements that deny one of those.
        lookalikes: words that look like one of the CheXpert classes and are none; blotted out before these are read.
        globally_normal: statements that nothing at all is wrong; they say nothing else.
        cues: named groups of what negates (``neg``, ``neg_after``), doubts (``unc``, ``unc_after``), removes
            (``removed``), affirms (``affirm``) or ends the reach of these (``stop``), and ``pseudo`` for none of them.
    """

    phrases: Mapping[str, Phrase]
    normals: Mapping[str, Phrase]
    wider_phrases: Mapping[str, Phrase]
    wider_normals: Mapping[str, Phrase]
    lookalikes: Phrase
    globally_normal: Phrase
    cues: re.Pattern[str]


CHINESE = ChineseLexicon(
    phrases=PHRASES,
    normals=NORMALS,
    wider_phrases=WIDER_PHRASES,
    wider_normals=WIDER_NORMALS,
    lookalikes=LOOKALIKES,
    globally_normal=GLOBALLY_NORMAL,
    cues=CUES,
)
