"""METEOR 1.5 (Denkowski and Lavie 2014) through the Java program that the COCO caption evaluation uses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from llmrg.errors import UserError
from llmrg.metrics._java import METEOR_JAR, JavaMissingError, find_jar, java_command, one_line, talk
from llmrg.metrics.metric import Statistics, require_pairs

__all__ = ["JavaMissingError", "Meteor"]

_COLUMNS = 23
_STAGES = 4
_ALPHA, _BETA, _GAMMA, _DELTA = 0.85, 0.2, 0.6, 0.75
# Of exact, stem, synonym and paraphrase matches.
_WEIGHTS = np.array([1.0, 0.6, 0.8, 0.6])
_BARS = re.compile(r"\|{3,}")


class Meteor:
    """METEOR of a corpus, from counts that the program gives for each report.

    The columns are: words of the report and of the reference; function words of both; for exact, stem, synonym and
    paraphrase matches the matched content words of both and function words of both; chunks (0 for a report that is
    the reference, which costs nothing); matched words of both. With function words weighing 0.25 and content words
    0.75, precision and recall are sums of weighted matches over weighted lengths, and the figure is
    ``P R / (0.85 P + 0.15 R) * (1 - 0.6 (chunks / matches)^0.2)``.

    The program knows English. Of Chinese it compares words for being equal, no more, and its normalisation cuts
    Chinese into characters: a signature says so.

    Args:
        language: ``zh`` or ``en``, for the signature.
        jar: ``meteor-1.5.jar``; by default that of ``LLMRG_METEOR_JAR`` or of the installed pycocoevalcap.
        timeout: seconds that the program may be silent (its start included).

    Raises:
        JavaMissingError: Java or the jar is not on this machine.
    """

    name = "meteor"
    family = "meteor"
    on_tokens = True

    def __init__(self, *, language: str = "en", jar: str | Path | None = None, timeout: float = 120.0) -> None:
        path = find_jar(METEOR_JAR.inside, variable=METEOR_JAR.variable, given=jar)
        self._command = java_command("-jar", str(path), "-", "-", "-stdio", "-l", "en", "-norm")
        self._timeout = timeout
        self.settings = "meteor-1.5-jar,en,norm" + (",exact-match-only" if language == "zh" else "")

    def statistics(self, hypotheses: Sequence[str], references: Sequence[str]) -> Statistics:
        """Return ``[N, 23]``.

        Raises:
            UserError: the program dies, falls silent or answers something else.
        """
        require_pairs(hypotheses, references)
        questions = [
            f"SCORE ||| {_safe(reference)} ||| {_safe(hypothesis)}"
            for hypothesis, reference in zip(hypotheses, references, strict=True)
        ]
        rows = np.zeros((len(questions), _COLUMNS))
        for row, answer in zip(rows, talk(self._command, questions, timeout=self._timeout), strict=True):
            numbers = answer.split()
            if len(numbers) != _COLUMNS:
                raise UserError(f"METEOR answered {len(numbers)} numbers where {_COLUMNS} are due")
            try:
                row[:] = [float(number) for number in numbers]
            except ValueError as error:
                raise UserError("METEOR answered something that is no number") from error
        chunks, own, other = rows[:, -3], rows[:, -2], rows[:, -1]
        chunks[(chunks == 1) & (own == rows[:, 0]) & (other == rows[:, 1])] = 0
        return rows

    def value(self, sums: Statistics) -> Any:
        """Return METEOR for sums of statistics ``[..., 23]``."""
        sums = np.asarray(sums, dtype=np.float64)
        stages = sums[..., 4 : 4 + 4 * _STAGES].reshape(*sums.shape[:-1], _STAGES, 4)
        shares = []
        for side in range(2):
            matched = _DELTA * stages[..., side] + (1 - _DELTA) * stages[..., side + 2]
            words, function = sums[..., side], sums[..., side + 2]
            shares.append(_ratio(matched @ _WEIGHTS, _DELTA * (words - function) + (1 - _DELTA) * function))
        precision, recall = shares
        mean = _ratio(precision * recall, _ALPHA * precision + (1 - _ALPHA) * recall)
        fragmentation = _ratio(sums[..., -3], (sums[..., -2] + sums[..., -1]) / 2)
        return mean * (1 - _GAMMA * fragmentation**_BETA)


def _safe(text: str) -> str:
    return one_line(_BARS.sub(" ", text))


def _ratio(above: Any, below: Any) -> Any:
    above, below = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    return np.divide(above, below, out=np.zeros_like(below), where=below > 0)
