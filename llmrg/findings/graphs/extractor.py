"""Report graphs by rules and a radiology lexicon (``docs/graphs.md`` says which graph a report has)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache

from llmrg.errors import UserError
from llmrg.findings.graphs._asides import is_background, leave_out
from llmrg.findings.graphs._chains import find_heads
from llmrg.findings.graphs._head import Head
from llmrg.findings.graphs._places import find_places
from llmrg.findings.graphs._polarity import apply_denials, apply_hedges
from llmrg.findings.graphs._scanner import scan
from llmrg.findings.graphs._terms import Terms
from llmrg.findings.graphs._token import STEADY, Token
from llmrg.findings.graphs._words_en import ENGLISH_TERMS
from llmrg.findings.graphs._words_zh import CHINESE_TERMS
from llmrg.findings.graphs.graph import (
    BatchGraphExtractor,
    Entity,
    EntityKind,
    GraphExtractor,
    Language,
    Relation,
    ReportGraph,
)

__all__ = ["GRAPH_VERSION", "RuleExtractor", "extract_graphs", "get_extractor", "sentence_spans"]

GRAPH_VERSION = "rules-2"
"""Changes with every change of rules or words that can change a graph."""

_TERMS: dict[str, Terms] = {"zh": CHINESE_TERMS, "en": ENGLISH_TERMS}
_SENTENCES_KEPT = 1 << 16
# A sentence without an end is cut, so that time stays in proportion to length.
_SENTENCE = {
    "zh": re.compile(r"[^。；;！!\n\r]{1,500}[。；;！!]*"),
    "en": re.compile(r"(?:[^.!?;\n]|\.(?=\S)(?![A-Z])|(?<=\d)\.(?=\d)|\n(?=[a-z])){1,1500}[.!?;]*"),
}
_NUMBERED = re.compile(r"\s*[(（]?\d{1,2}\s*[.．、)）]\s*(?!\d)")
_DECIDING = frozenset({"lesion", "shape", "disease", "change"})
_AFFIRMED = frozenset(
    {
        "shadow",
        "异常",
        "病变",
        "异常改变",
        "异常征象",
        "异常发现",
        "abnormality",
        "abnormalities",
        "process",
        "processes",
    }
    | {"disease", "pathology", "injury", "trauma"}
)
_STATEMENTS = frozenset({"disease", "normal", "change", "shape"})


@cache
def get_extractor(language: Language) -> GraphExtractor:
    """Return the rule extractor of a language.

    Raises:
        UserError: there is none for it.
    """
    if language not in _TERMS:
        raise UserError("No graph extractor for this language", allowed=tuple(_TERMS), got=str(language))
    return RuleExtractor(language)


def extract_graphs(extractor: GraphExtractor, texts: Sequence[str]) -> list[ReportGraph]:
    """Return the graphs of reports, in order; in batches where the extractor can.

    Args:
        extractor: rules, or a trained extractor.
        texts: the reports.
    """
    if isinstance(extractor, BatchGraphExtractor):
        return extractor.extract_many(texts)
    return [extractor.extract(text) for text in texts]


class RuleExtractor:
    """Tokens of a lexicon, attached to each other by rules, sentence by sentence.

    Args:
        language: ``zh`` or ``en``.
    """

    def __init__(self, language: Language) -> None:
        self.language = language
        terms = _TERMS[language]

        @lru_cache(maxsize=_SENTENCES_KEPT)
        def read(sentence: str) -> ReportGraph:
            return _sentence_graph(sentence, terms)

        self._read = read

    @property
    def version(self) -> str:
        """Name and version, for signatures and caches."""
        return f"llmrg-graph-{GRAPH_VERSION}-{self.language}"

    def extract(self, text: str) -> ReportGraph:
        """Return the graph of a report.

        Args:
            text: a report, or a section of one.

        Returns:
            Its graph; offsets count the characters of the text as it is.
        """
        entities: list[Entity] = []
        relations: list[Relation] = []
        for shift, end in sentence_spans(text, self.language):
            words = text[shift:end]
            graph = self._read(words)
            first = len(entities)
            entities += [
                Entity(one.text, one.start + shift, one.end + shift, one.kind, one.uncertain) for one in graph.entities
            ]
            relations += [Relation(one.kind, one.source + first, one.target + first) for one in graph.relations]
        return ReportGraph(tuple(entities), tuple(relations))


def sentence_spans(text: str, language: Language) -> Iterator[tuple[int, int]]:
    """Return the offsets of the sentences of a report, list numbers left out.

    Args:
        text: a report, or a section of one.
        language: ``zh`` or ``en``.
    """
    for match in _SENTENCE[language].finditer(text):
        start, end = match.span()
        numbered = _NUMBERED.match(text, start, end)
        yield (numbered.end() if numbered and numbered.end() < end else start), end


def _lower(sentence: str) -> str:
    lowered = sentence.lower()
    if len(lowered) == len(sentence):
        return lowered
    return "".join(one.lower() if len(one.lower()) == 1 else one for one in sentence)


def _sentence_graph(sentence: str, terms: Terms) -> ReportGraph:
    text = _lower(sentence)
    if is_background(text, terms.language):
        return ReportGraph((), ())
    hedges = list(terms.hedges.finditer(text))
    tokens = leave_out(text, scan(text, terms), terms.language, hedges)
    heads = find_heads(tokens, terms.language)
    place_edges, dropped = find_places(tokens, heads, terms.language)
    apply_denials(tokens, heads, terms.language)
    apply_hedges(text, tokens, heads, hedges)
    kinds: dict[int, EntityKind] = {
        index: "Anatomy" for index, token in enumerate(tokens) if token.role == "place" and index not in dropped
    }
    modifies: list[tuple[int, int]] = [edge for edge in place_edges if not dropped & set(edge)]
    located: list[tuple[int, int]] = []
    doubtful: set[int] = set()
    for head in heads:
        chain = _chain_kinds(head, tokens)
        if chain is None:
            continue
        own, edges = chain
        kinds.update({index: kind for index, kind in own.items() if kinds.get(index) in (None, "NO") or kind != "NO"})
        modifies += edges
        located += [(head.token, place) for place in head.places if place not in dropped]
        if head.uncertain:
            doubtful.update(index for index, kind in own.items() if kind in ("DPO", "DNO"))
    return _build(sentence, tokens, kinds, modifies, located, doubtful)


def _chain_kinds(head: Head, tokens: list[Token]) -> tuple[dict[int, EntityKind], list[tuple[int, int]]] | None:
    """Return the kinds and the modify edges of a chain; None where nothing decides."""
    edges = list(dict.fromkeys(head.edges))
    nodes = {head.token, *(source for source, _ in edges)}
    kinds: dict[int, EntityKind] = {}
    role = tokens[head.token].role
    lesion = role in ("lesion", "shadow") or tokens[head.token].text in _AFFIRMED
    for index in nodes:
        onto = {tokens[target].role for source, target in edges if source == index}
        quiet = lesion or bool(onto & _STATEMENTS)
        kinds[index] = _modifier_kind(tokens[index], lesion=quiet if index != head.token else lesion)
    if role in ("shadow", "neutral", "margin"):
        kinds[head.token] = "NO"
        decided = any(kind != "NO" for kind in kinds.values())
        if not decided and head.denied_by is None and not head.denied_states:
            if role != "shadow" and tokens[head.token].text not in _AFFIRMED:
                return None
            kinds[head.token] = "DPO"
    if head.gone_by is not None:
        kinds = dict.fromkeys(kinds, "NO")
        kinds[head.gone_by] = "DNO"
    if head.denied_by is not None:
        kinds = dict.fromkeys(kinds, "NO")
        kinds[head.denied_by] = "DNO"
        edges.append((head.denied_by, head.token))
    for state, cue in head.denied_states.items():
        kinds[state] = "NO"
        kinds[cue] = "DNO"
        edges.append((cue, state))
    return kinds, edges


def _modifier_kind(token: Token, *, lesion: bool) -> EntityKind:
    if token.role == "change":
        return "NO" if lesion else "DPO"
    if token.role == "normal":
        return "NO" if lesion and token.text in STEADY else "DNO"
    if token.role in _DECIDING:
        return "DPO"
    return "DNO" if token.role in ("gone", "denial", "denied") else "NO"


def _build(
    sentence: str,
    tokens: list[Token],
    kinds: dict[int, EntityKind],
    modifies: list[tuple[int, int]],
    located: list[tuple[int, int]],
    doubtful: set[int],
) -> ReportGraph:
    order = sorted(kinds)
    number = {index: place for place, index in enumerate(order)}
    entities = tuple(
        Entity(
            sentence[tokens[index].start : tokens[index].end],
            tokens[index].start,
            tokens[index].end,
            kinds[index],
            index in doubtful,
        )
        for index in order
    )
    relations = [Relation("modify", number[a], number[b]) for a, b in dict.fromkeys(modifies) if a != b]
    relations += [Relation("located_at", number[a], number[b]) for a, b in dict.fromkeys(located)]
    return ReportGraph(entities, tuple(relations))
