"""Which of the 48 keywords of CN-X2RG a graph states (``docs/graphs.md``, section 4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from llmrg.findings.graphs._keyword_rules import KeywordRules
from llmrg.findings.graphs._keywords_en import ENGLISH_RULES
from llmrg.findings.graphs._keywords_zh import CHINESE_RULES
from llmrg.findings.graphs.graph import Language, ReportGraph
from llmrg.findings.graphs.keyword_names import LESION_KEYWORDS
from llmrg.findings.mention import Polarity, Side

__all__ = ["Statement", "keyword_pairs", "keyword_statements"]

_RULES: dict[str, KeywordRules] = {"zh": CHINESE_RULES, "en": ENGLISH_RULES}


_REPLACED = frozenset(
    {"Lung", "Chest", "Hilum", "Costophrenic angle", "Diaphragm", "Diaphragmatic", "Rib", "Trachea", "Bronchi"}
    | {"Vertebrae"}
)
"""Places that give way to the one which a lesion implies: a pneumothorax of the left lung is one of the pleura."""
_NO_SHADOW = frozenset(LESION_KEYWORDS) - {
    "Shadow",
    "Blur",
    "Prominence",
    "Enhanced",
    "Weaken",
    "Texture",
    "Transparency",
}
"""Lesions whose shadow is no finding of its own: 钙化影, 气体影, 导管影."""


_EXTENTS = frozenset({"size", "sizes", "width", "caliber", "大小", "横径", "宽度"})
"""Nouns whose increase is a prominence."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What one observation chain says of an anatomy keyword and a lesion keyword.

    Args:
        anatomy: keyword, None where the chain names no place and none is implied.
        lesion: keyword.
        polarity: positive where a DPO decides, uncertain where that one is hedged, negative where a DNO decides.
        side: that of the place.
        proof: the words of the innermost node.
    """

    anatomy: str | None
    lesion: str
    polarity: Polarity
    side: Side | None
    proof: str


def keyword_pairs(graph: ReportGraph, language: Language) -> frozenset[tuple[str, str]]:
    """Return the (anatomy, lesion) keywords of the positive observations of a graph.

    Hedged observations count, as they are DPO in the schema.

    Args:
        graph: of a report.
        language: of the report.
    """
    return frozenset(
        (one.anatomy, one.lesion)
        for one in keyword_statements(graph, language)
        if one.anatomy is not None and one.polarity != "negative"
    )


def keyword_statements(graph: ReportGraph, language: Language) -> list[Statement]:
    """Return what each observation chain of a graph says in keywords, in reading order.

    Args:
        graph: of a report.
        language: of the report.
    """
    return list(_statements(graph, language))


def _statements(graph: ReportGraph, language: Language) -> Iterator[Statement]:
    modifiers: dict[int, list[int]] = {}
    places: dict[int, list[int]] = {}
    modifying: set[int] = set()
    for edge in graph.relations:
        if edge.kind == "located_at":
            places.setdefault(edge.source, []).append(edge.target)
        elif graph.entities[edge.source].kind != "Anatomy":
            modifiers.setdefault(edge.target, []).append(edge.source)
            modifying.add(edge.source)
        else:
            modifiers.setdefault(edge.target, []).append(edge.source)
    for head, entity in enumerate(graph.entities):
        if entity.kind == "Anatomy" or head in modifying:
            continue
        yield from _chain(graph, head, modifiers, places.get(head, []), language)


def _chain(
    graph: ReportGraph, head: int, modifiers: dict[int, list[int]], places: list[int], language: Language
) -> Iterator[Statement]:
    nodes = _chain_nodes(head, modifiers)
    polarity = _decision(graph, head, modifiers)
    if polarity is None:
        return
    if polarity == "positive" and any(graph.entities[node].uncertain for node in nodes):
        polarity = "uncertain"
    found: dict[str, tuple[str | None, bool]] = {}
    for node in nodes:
        entity = graph.entities[node]
        # What merely tells the degree or change of a finding (较前增多) is no finding of its own.
        if entity.kind == "DNO" or (polarity != "negative" and entity.kind == "NO" and node != head):
            continue
        for lesion, implied, forced in _lesions(entity.text.lower(), language):
            found.setdefault(lesion, (implied, forced))
    if {"Texture", "Prominence"} <= found.keys():  # prominent markings
        found["Enhanced"] = found.pop("Prominence")
    if "Enhanced" in found and any(graph.entities[node].text.lower() in _EXTENTS for node in nodes):
        found["Prominence"] = found.pop("Enhanced")
    if "Shadow" in found and found.keys() & _NO_SHADOW:
        found.pop("Shadow")
    if "Texture" in found and polarity == "negative" and len(found) > 1:
        found.pop("Texture")
    spots: list[tuple[frozenset[str], Side | None]] = []
    for place in places:
        own, side = _anatomy(graph.entities[place].text.lower(), language)
        for piece in modifiers.get(place, ()):
            side = side or _anatomy(graph.entities[piece].text.lower(), language)[1]
        spots.append((own, side))
    proof = graph.entities[head].text
    for lesion, (implied, forced) in found.items():
        for own, side in spots or [(frozenset(), None)]:
            keywords = _placed(own, implied, forced=forced)
            options: list[str | None] = [*sorted(keywords)] or [None]
            for anatomy in options:
                yield Statement(anatomy, lesion, polarity, side, proof)


def _placed(own: frozenset[str], implied: str | None, *, forced: bool) -> frozenset[str]:
    """Return the anatomy keywords of a lesion: its place, or what the lesion itself implies."""
    if implied is not None and (not own or (forced and own <= _REPLACED)):
        return frozenset({implied})
    return own


def _chain_nodes(head: int, modifiers: dict[int, list[int]]) -> list[int]:
    nodes, seen = [head], {head}
    for node in nodes:
        for source in modifiers.get(node, ()):
            if source not in seen:
                seen.add(source)
                nodes.append(source)
    return nodes


def _decision(graph: ReportGraph, head: int, modifiers: dict[int, list[int]]) -> Polarity | None:
    """Return what the outermost deciding node says; among several, disease over normality."""
    said = _branch(graph, head, modifiers, frozenset())
    if not said:
        return None
    return "positive" if "DPO" in said else "negative"


def _branch(graph: ReportGraph, node: int, modifiers: dict[int, list[int]], seen: frozenset[int]) -> set[str]:
    """Return the outermost DPO and DNO of the branches beyond a node, itself where there are none."""
    beyond: set[str] = set()
    for source in modifiers.get(node, ()):
        if source not in seen:
            beyond |= _branch(graph, source, modifiers, seen | {node})
    own = graph.entities[node].kind
    if beyond:
        # A lesion is there whatever else is said of it, unless it is denied, and then it is no DPO.
        return beyond | {own} if own == "DPO" else beyond
    return {own} if own in ("DPO", "DNO") else set()


@lru_cache(maxsize=1 << 14)
def _lesions(text: str, language: Language) -> tuple[tuple[str, str | None, bool], ...]:
    return _RULES[language].lesions(text)


@lru_cache(maxsize=1 << 14)
def _anatomy(text: str, language: Language) -> tuple[frozenset[str], Side | None]:
    rules = _RULES[language]
    return rules.anatomy(text), rules.side(text)
