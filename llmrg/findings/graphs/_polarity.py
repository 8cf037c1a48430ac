"""What is denied, and what is doubtful."""

from __future__ import annotations

import re
from collections.abc import Sequence

from llmrg.findings.graphs._head import Head
from llmrg.findings.graphs._token import Token

__all__ = ["apply_denials", "apply_hedges"]

_STATES = frozenset({"disease", "change", "normal"})
_AFTERWARDS = frozenset({"status post", "s/p", "following", "after"})


def apply_denials(tokens: list[Token], heads: list[Head], language: str) -> None:
    """Let each denial deny the items in its reach.

    Args:
        tokens: of one sentence.
        heads: of the same; ``denied_by`` and ``denied_states`` are filled in.
        language: ``zh`` or ``en``.
    """
    by_token = {head.token: head for head in heads}
    stated: dict[int, list[Head]] = {}
    for head in heads:
        for state in head.states:
            stated.setdefault(state, []).append(head)
    for index, token in enumerate(tokens):
        unanswered = token.role == "denial" and not _deny_ahead(tokens, index, by_token, stated, language)
        if unanswered and _deny_attribute(tokens, index, heads):
            continue
        if (unanswered and language == "zh") or token.role == "denied":
            _deny_back(tokens, index, heads)
        if token.text.startswith("no longer") and not any(index in _cues(head) for head in heads):
            _deny_ahead(tokens, index, by_token, stated, language)


def _cues(head: Head) -> set[int | None]:
    """Return the cues that deny a head or a state of it."""
    return {head.denied_by, *head.denied_states.values()}


def _deny_ahead(
    tokens: list[Token], cue: int, by_token: dict[int, Head], stated: dict[int, list[Head]], language: str
) -> bool:
    clause = tokens[cue].clause
    found = general = False
    for index in range(cue + 1, len(tokens)):
        token = tokens[index]
        if token.clause != clause:
            if not found or general or not _goes_on(tokens, index, by_token, language):
                break
            clause = token.clause
        if token.role == "stop" or (token.role == "denial" and found) or (found and token.text in _AFTERWARDS):
            break
        if language == "zh" and token.role == "verb" and found and token.text.endswith("见"):
            break
        head = by_token.get(index)
        general = general or (language == "zh" and token.text.startswith("异常"))
        for noun in stated.get(index, ()):
            # No increase of the effusion: the change is denied, the lesion stays.
            if (
                index == cue + 1
                and token.role == "change"
                and tokens[noun.token].role == "lesion"
                and noun.token > index
            ):
                noun.denied_states[index] = cue
                found = True
        if head is not None:
            if cue in head.denied_states.values():
                continue
            if head.denied_by is None:
                head.denied_by = cue
            found = True
        for noun in stated.get(index, ()):
            if noun.token < cue:
                noun.denied_states[index] = cue
                found = True
    return found


def _deny_attribute(tokens: list[Token], cue: int, heads: list[Head]) -> bool:
    """No tension: deny a describing word that stands alone behind a lesion, which stays."""
    attribute = cue + 1
    if attribute >= len(tokens) or tokens[attribute].role != "degree" or tokens[attribute].clause != tokens[cue].clause:
        return False
    for head in heads:
        if (attribute, head.token) in head.edges and head.token < cue:
            head.denied_states[attribute] = cue
            return True
    return False


def _goes_on(tokens: list[Token], start: int, by_token: dict[int, Head], language: str) -> bool:
    """Whether the clause from ``start`` on is one more item of a denied list."""
    clause = tokens[start].clause
    words = [(n, token) for n, token in enumerate(tokens[start:], start) if token.clause == clause]
    words = [(n, token) for n, token in words if token.role not in ("comma", "skip")]
    if not words or words[0][1].role in ("end", "stop", "denial"):
        return False
    if not any(n in by_token for n, _ in words):
        return False
    joined = words[0][1].role == "list"
    texts = [token for _, token in words[1 if joined else 0 :]]
    first = texts[0] if texts else None
    if first is None:
        return False
    if language == "zh":
        plain = all(token.role in ("lesion", "shadow", "shape", "list", "place", "neutral", "end") for token in texts)
        sided = any(token.role == "place" and token.text[0] in "左右双两" for token in texts)
        return plain and (joined or not sided)
    if words[0][1].text in ("or", "nor"):
        return True
    for n, token in words:
        if token.role in ("verb", "normal", "denied"):
            return False
        if n in by_token:
            break
    if first.role == "degree" and first.text in ("mild", "small", "minimal", "stable", "moderate", "large", "mildly"):
        return False
    return not (first.role == "place" and first.text.startswith(("left", "right", "bilateral", "both")))


def _deny_back(tokens: list[Token], cue: int, heads: list[Head]) -> None:
    """Deny what stands before a cue: 积液、气胸均未见."""
    clause = tokens[cue].clause
    mine = [head for head in heads if head.token < cue and tokens[head.token].clause == clause]
    if not mine and not any(token.clause == clause and token.role == "place" for token in tokens):
        mine = [head for head in heads if head.token < cue and tokens[head.token].clause == clause - 1]
    for head in mine:
        if head.denied_by is None and tokens[head.token].role not in ("margin", "normal"):
            head.denied_by = cue


def apply_hedges(sentence: str, tokens: list[Token], heads: list[Head], hedges: Sequence[re.Match[str]]) -> None:
    """Mark the heads that a hedge reaches as uncertain.

    Args:
        sentence: in lower case where the language has one.
        tokens: of the sentence.
        heads: of the same.
        hedges: where the sentence doubts.
    """
    for match in hedges:
        kind = match.lastgroup
        if kind not in ("unc", "evoke", "either", "unc_after"):
            continue
        before = [token for token in tokens if token.start < match.start()]
        clause = before[-1].clause if before else 0
        starts = [token for token in tokens if token.clause > clause and token.role in ("comma", "end", "stop")]
        end = next((token.start for token in starts if token.start >= match.end()), len(sentence))
        for head in heads:
            token = tokens[head.token]
            ahead = kind != "unc_after" and match.end() <= token.start < end
            behind = kind in ("unc_after", "either") and token.end <= match.start() and token.clause == clause
            if ahead or behind:
                head.uncertain = True
