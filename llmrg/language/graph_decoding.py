"""From the logits of a graph network to entities and relations that the schema allows."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from llmrg.findings.graphs.graph import Relation
from llmrg.language.graph_network import LINKS, TAGS, allowed_tags

__all__ = ["TokenSpan", "best_relations", "best_spans"]

TokenSpan = tuple[int, int, int]
"""First token, last token, index of the kind."""

_NEVER = -1e9


def best_spans(logits: Tensor, kept: Sequence[bool], continues: Sequence[bool]) -> list[TokenSpan]:
    """Return the entities of the likeliest sequence of tags that is one (Viterbi).

    Args:
        logits: of the tags of a window ``[T, tags]``.
        kept: whether a token stands for characters; others are passed over.
        continues: whether it goes on with the word before: no entity begins or ends in front of it.
    """
    places = [place for place, stands in enumerate(kept) if stands]
    if not places:
        return []
    scores = logits.detach().double().cpu().log_softmax(dim=-1)[places]
    free = torch.where(allowed_tags(), 0.0, _NEVER).double()
    bound = _within_words()
    best = scores[0] + free[0]
    back: list[Tensor] = []
    for row, place in zip(scores[1:], places[1:], strict=True):
        value, before = (best[:, None] + (bound if continues[place] else free)).max(dim=0)
        best = value + row
        back.append(before)
    tag = int(best.argmax())
    tags = [tag]
    for before in reversed(back):
        tag = int(before[tag])
        tags.append(tag)
    return _spans(places, tags[::-1])


def best_relations(logits: Tensor) -> list[Relation]:
    """Return the relations of a window, by index of its entities.

    Of two entities that would modify each other, only the likelier relation stays.

    Args:
        logits: ``[E, E, links]``.
    """
    count = logits.shape[0]
    chosen = logits.argmax(dim=-1).cpu()
    margin = (logits.amax(dim=-1) - logits[..., 0]).detach().cpu()
    found: list[Relation] = []
    for source in range(count):
        for target in range(count):
            kind = LINKS[int(chosen[source, target])]
            if kind is None or source == target:
                continue
            other = LINKS[int(chosen[target, source])]
            weaker = (float(margin[source, target]), target) < (float(margin[target, source]), source)
            if not (other == kind and weaker):
                found.append(Relation(kind, source, target))
    return found


def _within_words() -> Tensor:
    moves = torch.full((len(TAGS), len(TAGS)), _NEVER, dtype=torch.float64)
    moves[0, 0] = 0.0
    for one, before in enumerate(TAGS):
        for two, tag in enumerate(TAGS):
            if tag.startswith("I-") and before[1:] == tag[1:]:
                moves[one, two] = 0.0
    return moves


def _spans(places: Sequence[int], tags: Sequence[int]) -> list[TokenSpan]:
    spans: list[TokenSpan] = []
    for place, tag in zip(places, tags, strict=True):
        if TAGS[tag].startswith("B-"):
            spans.append((place, place, (tag - 1) // 2))
        elif tag and spans:
            first, _, kind = spans[-1]
            spans[-1] = (first, place, kind)
    return spans
