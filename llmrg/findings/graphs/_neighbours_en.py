"""English words and commas whose role hangs on their neighbours."""

from __future__ import annotations

from llmrg.findings.graphs._token import STEADY, Token

__all__ = ["settle_english"]

_CHEST_FILMS = ("chest radiographs", "chest x-rays", "chest radiograph", "chest x-ray", "chest xray", "chest film")
_TOWARDS = frozenset({"to", "to the", "toward", "towards", "from"})
_MOVED = ("shift", "deviat", "displac", "midline shift")
_FORMER = frozenset({"lesion", "degree", "shape", "place", "shadow"})
_ADJECTIVES = frozenset({"shape", "degree", "disease", "change", "normal"})


def settle_english(tokens: list[Token]) -> None:
    """Decide the words and commas whose role hangs on their neighbours.

    Args:
        tokens: of one sentence; roles change in place.
    """
    _join_places(tokens)
    _join_adjectives(tokens)
    for before, token, after in zip([None, *tokens], tokens, [*tokens[1:], None], strict=False):
        if token.text == "but" and before and after and after.role in ("change", "degree", "normal"):
            # enlarged but stable, persistent but resolving
            plain = before.role in ("change", "degree", "disease", "normal")
            token.role = "skip" if plain and (after.role != "normal" or after.text in STEADY) else token.role
        elif token.text in ("prior", "previous") and (after is None or after.role not in _FORMER):
            token.role = "skip"
        elif token.text in ("finding", "findings") and _denied(tokens, token):
            token.role = "neutral"
        elif token.text == "worse" and (after is None or after.role not in ("place", "at", "skip")):
            token.role = "change"
        elif token.text == "soft tissue" and after and after.text.startswith(("mass", "densit", "nodul", "opacit")):
            token.role = "shape"
        elif token.text == "compression" and after and after.text.startswith("fracture"):
            token.role = "degree"
        elif token.role == "skip" and token.text in _CHEST_FILMS and _normal_film(tokens, token):
            token.role, token.region, token.end, token.text = "place", "wall", token.start + len("chest"), "chest"
        elif token.role == "place" and before and before.text in _TOWARDS and _moved(tokens, before):
            # shift to the right: a direction, no place
            token.role = "skip" if token.text in ("left", "right", "left side", "right side") else token.role


def _normal_film(tokens: list[Token], film: Token) -> bool:
    front = [one for one in tokens if one.end <= film.start and one.role not in ("skip", "list")]
    return bool(front) and front[-1].role == "normal"


def _denied(tokens: list[Token], noun: Token) -> bool:
    """No acute finding: whether a denial has nothing else to deny."""
    front = [one.role for one in tokens if one.end <= noun.start]
    front = front[len(front) - front[::-1].index("denial") :] if "denial" in front else ["denial"]
    return all(role in ("degree", "place", "skip") for role in front)


def _moved(tokens: list[Token], preposition: Token) -> bool:
    front = [one for one in tokens if one.end <= preposition.start and one.role not in ("skip", "of", "place")]
    return bool(front) and front[-1].text.startswith(_MOVED)


def _join_places(tokens: list[Token]) -> None:
    """Heart, mediastinum, and hila: the commas of a list of places, which ends with "and"."""
    start = 0
    while start < len(tokens):
        commas: list[Token] = []
        place = start
        while tokens[place].role == "place" and place + 2 < len(tokens):
            mark = place + 1
            if tokens[mark].text == "," and tokens[mark + 1].text in ("and", "or") and mark + 2 < len(tokens):
                commas.append(tokens[mark])
                mark += 1
            following = tokens[mark + 1] if mark + 1 < len(tokens) else None
            if following is None or following.role != "place" or tokens[mark].text not in (",", "and", "or"):
                break
            if tokens[mark].text != ",":
                for comma in commas:
                    comma.role = "list"
                break
            commas.append(tokens[mark])
            place = mark + 1
        start = max(place, start) + 1


def _join_adjectives(tokens: list[Token]) -> None:
    """Tortuous, calcified aorta: a comma between adjectives at the start of a clause."""
    opening = True
    for number, token in enumerate(tokens):
        if token.role in ("comma", "end", "stop"):
            after = tokens[number + 1 : number + 3]
            front = number > 0 and tokens[number - 1].role in _ADJECTIVES
            if token.text == "," and opening and front and after and after[0].role in _ADJECTIVES:
                named = len(after) > 1 and after[1].role in ("place", "lesion", "shadow", "neutral", *_ADJECTIVES)
                if named and after[0].text not in STEADY:
                    token.role = "skip"
                    continue
            opening = True
        elif token.role not in (*_ADJECTIVES, "skip"):
            opening = False
