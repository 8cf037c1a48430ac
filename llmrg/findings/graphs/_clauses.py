"""Clauses that only say more of the observation before them."""

from __future__ import annotations

from llmrg.findings.graphs._head import Head
from llmrg.findings.graphs._token import STEADY, Token

__all__ = ["settle_clauses"]

_SAYS = frozenset({"lesion", "shadow", "shape", "disease", "change", "normal"})
_EMPTY = frozenset({"comma", "end", "skip", "verb"})


def settle_clauses(tokens: list[Token], heads: list[Head], *, chinese: bool) -> None:
    """Let "stable" and changes say more of what else is said, and let a denial without an object stand for itself.

    Args:
        tokens: of one sentence.
        heads: of the same; changed in place.
        chinese: whether the sentence is Chinese.
    """
    for head in [one for one in heads if tokens[one.token].text in STEADY or _changes(tokens, one.token)]:
        target = _observation(tokens, heads, head)
        if target is not None:
            target.edges += [(head.token, target.token), *head.edges]
            heads.remove(head)
    if chinese:
        _add_bare_denials(tokens, heads)


def _changes(tokens: list[Token], index: int) -> bool:
    """Whether a change is told and not denied."""
    clause = [one.role for one in tokens[:index] if one.clause == tokens[index].clause]
    return tokens[index].role == "change" and "denial" not in clause


def _observation(tokens: list[Token], heads: list[Head], head: Head) -> Head | None:
    """Return what a word of change tells of: enlarged but stable, thickening at the apex, unchanged."""
    own = tokens[head.token]
    steady = own.text in STEADY
    around = [other for other in heads if other is not head and abs(tokens[other.token].clause - own.clause) <= 1]
    around = [one for one in around if tokens[one.token].role in _SAYS and tokens[one.token].text not in STEADY]
    front = [other for other in around if other.token < head.token]
    if not steady:
        front = [other for other in front if tokens[other.token].clause < own.clause]
    if front and not _has_subject(tokens, front[-1].token, head.token):
        return front[-1]
    behind = [other for other in around if other.token > head.token and _joined(tokens, head.token, other.token)]
    return behind[0] if steady and behind and not front else None


def _joined(tokens: list[Token], first: int, second: int) -> bool:
    roles = [one.role for one in tokens[first + 1 : second]]
    return "list" in roles and all(role in ("list", "skip", "at") for role in roles)


def _has_subject(tokens: list[Token], first: int, second: int) -> bool:
    between = [one for one in tokens[first + 1 : second] if one.clause == tokens[second].clause]
    return any(one.role in ("place", "neutral") for one in between)


def _add_bare_denials(tokens: list[Token], heads: list[Head]) -> None:
    """左侧未见: a clause of a place and a denial alone, which denies what the clause before says."""
    for index, token in enumerate(tokens):
        if token.role != "denial":
            continue
        rest = [one.role for one in tokens if one.clause == token.clause and one.role not in _EMPTY]
        if sorted(rest) == ["denial", "place"]:
            heads.append(Head(index))
