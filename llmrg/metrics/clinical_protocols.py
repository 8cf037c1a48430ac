"""The ways in which the literature computes clinical efficacy from label rows, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from llmrg.errors import UserError
from llmrg.findings.vocabulary import FindingVocabulary

__all__ = [
    "AVERAGES",
    "CHEXPERT_FIVE",
    "PROTOCOLS",
    "Average",
    "Cell",
    "Protocol",
    "class_subsets",
    "default_headline",
    "find_cell",
    "grid_cells",
]

Average = Literal["micro", "macro", "weighted", "binary-mean", "example"]
AVERAGES: tuple[Average, ...] = ("micro", "macro", "weighted", "binary-mean", "example")
Uncertain = Literal["negative", "positive"]

CHEXPERT_FIVE = ("Cardiomegaly", "Edema", "Consolidation", "Atelectasis", "Pleural Effusion")
"""The classes that CheXpert's competition scored; ``5`` in tables of the literature."""

_CHEXPERT = "chexpert14"


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """One published way from label rows to precision, recall and F1.

    Args:
        name: as results name it.
        uncertain: what an uncertain label counts as; an unmentioned class always counts as negative.
        classes: ``14`` and ``5`` for chexpert14; any other vocabulary is scored over ``all`` its entries instead.
        averages: how classes become one figure, the protocol's own first. ``micro`` adds up the counts; ``macro`` is
            the mean over classes, also of classes that never occur; ``weighted`` weighs them by support;
            ``binary-mean`` scores each class as a binary task of its own and takes the mean; ``example`` scores each
            report and takes the mean over reports.
        empty: score of a report without any positive class on both sides (``example`` only).
        general: whether it is defined for other vocabularies than chexpert14.
        source: who computes it so.
    """

    name: str
    uncertain: Uncertain
    classes: tuple[str, ...]
    averages: tuple[Average, ...]
    empty: float = 0.0
    general: bool = True
    source: str


PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            name="r2gen",
            uncertain="negative",
            classes=("14", "5"),
            averages=("macro", "micro", "weighted"),
            source="R2Gen, R2GenCMN; CXPMRG-Bench, AM-MRG and R2GenGPT on CheXpert Plus (best reading: macro of 14)",
        ),
        Protocol(
            name="micro14-pos",
            uncertain="negative",
            classes=("14",),
            averages=("micro",),
            general=False,
            source="R2GenRL, ECRG; MLRG, PriorRG and SEI say so but call f1chexbert, which is rrg/14/micro",
        ),
        Protocol(name="wcl", uncertain="positive", classes=("14",), averages=("binary-mean",), source="WCL, ORGan"),
        Protocol(
            name="rrg",
            uncertain="positive",
            classes=("14", "5"),
            averages=("micro", "macro", "weighted", "example"),
            source="f1chexbert: Miura et al., RGRG, RadEval, MAIRA, Libra, RaDialog, CheXagent, CheXpert Plus tutorial",
        ),
        Protocol(
            name="example",
            uncertain="negative",
            classes=("14", "5"),
            averages=("example",),
            source="cvt2distilgpt2, Nicolson et al. (scikit-learn's samples average, zero_division 0)",
        ),
        Protocol(
            name="example1",
            uncertain="positive",
            classes=("14", "5"),
            averages=("example",),
            empty=1.0,
            source="RadEval (two empty reports agree)",
        ),
        Protocol(
            name="example1-pos",
            uncertain="negative",
            classes=("14", "5"),
            averages=("example",),
            empty=1.0,
            source="example with two empty reports in agreement",
        ),
    )
}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One row of the grid: a protocol with a set of classes and an average.

    Args:
        protocol: its protocol.
        classes: ``14``, ``5`` or ``all``.
        average: how classes or reports become one figure.
    """

    protocol: Protocol
    classes: str
    average: Average

    @property
    def key(self) -> str:
        """``protocol/classes/average``, for example ``r2gen/14/macro``."""
        return f"{self.protocol.name}/{self.classes}/{self.average}"


def class_subsets(vocabulary: FindingVocabulary) -> dict[str, tuple[int, ...]]:
    """Return the sets of classes that protocols speak of: places in the vocabulary by the set's name."""
    whole = tuple(range(len(vocabulary)))
    if vocabulary.name != _CHEXPERT:
        return {"all": whole}
    return {"14": whole, "5": tuple(vocabulary.names.index(name) for name in CHEXPERT_FIVE)}


def grid_cells(vocabulary: FindingVocabulary) -> tuple[Cell, ...]:
    """Return every row of a vocabulary's grid, in the order of tables."""
    subsets = class_subsets(vocabulary)
    return tuple(
        Cell(protocol=protocol, classes=classes, average=average)
        for protocol in PROTOCOLS.values()
        if protocol.general or vocabulary.name == _CHEXPERT
        for classes in (protocol.classes if vocabulary.name == _CHEXPERT else tuple(subsets))
        for average in protocol.averages
    )


def default_headline(vocabulary: FindingVocabulary) -> str:
    """Return the row that tables of this vocabulary lead with.

    ``r2gen/14/macro`` for chexpert14, as the CheXpert Plus tables of the literature read best; ``r2gen/all/micro``
    elsewhere: small vocabularies of rare findings make a mean over classes jump.
    """
    return "r2gen/14/macro" if vocabulary.name == _CHEXPERT else "r2gen/all/micro"


def find_cell(key: str, vocabulary: FindingVocabulary) -> Cell:
    """Return the grid row of that key.

    Raises:
        UserError: the vocabulary's grid has no such row.
    """
    cells = {cell.key: cell for cell in grid_cells(vocabulary)}
    if key not in cells:
        raise UserError(
            f"Unknown clinical protocol {key!r}", where=f"vocabulary {vocabulary.name}", allowed=cells, got=key
        )
    return cells[key]
