"""Tables of labels as numbers: what each report says of each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from llmrg.errors import UserError
from llmrg.findings.mention import Mention
from llmrg.findings.vocabulary import FindingVocabulary

__all__ = ["STATES", "LabelRow", "LabelStates", "State", "label_states"]

State = Literal["unmentioned", "positive", "negative", "uncertain"]
STATES: tuple[State, ...] = ("unmentioned", "positive", "negative", "uncertain")
"""The four states in the order of CheXbert's classes 0 to 3."""

LabelStates = npt.NDArray[np.int8]
"""``[N, C]``: index into :data:`STATES` by report and class."""

LabelRow = Mapping[str, Mention] | Mapping[str, float | None] | Sequence[float | None]
"""Labels of one report: mentions or 1, 0, -1, None by class name, or a vector in the vocabulary's order."""

_CODES: dict[Any, int] = {name: place for place, name in enumerate(STATES)} | {1: 1, 0: 2, -1: 3, None: 0}


def label_states(
    rows: Sequence[LabelRow] | npt.NDArray[Any], vocabulary: FindingVocabulary, *, name: str = "labels"
) -> LabelStates:
    """Turn labels of any form into states.

    Args:
        rows: one for each report; a class that a mapping lacks, None and NaN are "unmentioned".
        vocabulary: the classes and their order.
        name: what to call the table in errors.

    Returns:
        ``[N, C]`` with C = ``len(vocabulary)``.

    Raises:
        UserError: an unknown class, a vector of another length, or a value that is none of 1, 0, -1, None.
    """
    places = {finding: place for place, finding in enumerate(vocabulary.names)}
    states = np.zeros((len(rows), len(places)), dtype=np.int8)
    for number, (row, labels) in enumerate(zip(states, rows, strict=True)):
        if isinstance(labels, Mapping):
            items: Any = labels.items()
        elif len(labels) == len(places):
            items = zip(places, labels, strict=True)
        else:
            raise UserError(
                f"Row {number} has {len(labels)} values and the vocabulary {vocabulary.name} {len(places)}", where=name
            )
        for finding, value in items:
            if finding not in places:
                raise UserError(
                    f"Unknown finding {finding!r}",
                    where=f"{name}, vocabulary {vocabulary.name}",
                    allowed=places,
                    got=str(finding),
                )
            row[places[finding]] = _code(value.polarity if isinstance(value, Mention) else value, name, number)
    return states


def _code(value: Any, name: str, number: int) -> int:
    if value is None or value != value:  # NaN, as pandas reads an empty cell
        return 0
    if isinstance(value, (bool, np.bool_)) or value not in _CODES:
        raise UserError(f"A label of row {number} is none of 1, 0, -1 and empty", where=name)
    return _CODES[value]
