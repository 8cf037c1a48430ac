"""Where each observation lies."""

from __future__ import annotations

from llmrg.findings.graphs._head import Head
from llmrg.findings.graphs._token import Token

__all__ = ["PlaceEdges", "find_places"]

PlaceEdges = list[tuple[int, int]]
"""Places that modify places, by token index."""

_NP = frozenset({"shape", "degree", "disease", "change", "normal", "place", "skip", "lesion", "of"})
_ACCOMPANIED = frozenset({"with", "along with", "accompanied by", "plus", "伴", "伴有", "并伴", "合并"})
"""List marks that join observations, but no places."""
_NEAR = 12
"""Characters between a place and the rest of its noun phrase, at most."""
_STRONGER = frozenset(["明显", "显著", "较明显", "较重", "重", "严重", "较多", "更多", "较大", "较厚"])
_FITTING: dict[str, frozenset[str]] = {
    "lung": frozenset({"lung", "airway", "hilum", "zone", ""}),
    "pleura": frozenset({"pleura", ""}),
    "bone": frozenset({"bone", ""}),
    "device": frozenset(),
    "heart": frozenset(),
}


def find_places(tokens: list[Token], heads: list[Head], language: str) -> tuple[PlaceEdges, set[int]]:
    """Give each head its places.

    Args:
        tokens: of one sentence.
        heads: of the same; their ``places`` are filled in.
        language: ``zh`` or ``en``.

    Returns:
        Edges between places, and places that are none (the lesser side of a comparison).
    """
    return _Places(tokens, heads, language).run()


class _Places:
    def __init__(self, tokens: list[Token], heads: list[Head], language: str) -> None:
        self._tokens = tokens
        self._heads = heads
        self._zh = language == "zh"
        self._edges: PlaceEdges = []
        self._dropped: set[int] = set()
        self._taken: set[int] = set()
        self._adjectives: set[int] = set()
        self._groups = self._find_groups()

    def run(self) -> tuple[PlaceEdges, set[int]]:
        self._emphasise()
        for head in self._heads:
            if self._tokens[head.token].role == "margin":
                continue
            places = [] if self._zh else self._own(head) or self._told(head) or self._behind(head)
            places = places or self._subject(head) or (self._behind(head) if self._zh else [])
            if not places:
                places = self._carried(head)
            elif not self._zh and not any(self._serves_list(place) for place in places):
                places = [*places, *self._introduced(head)]
            head.places = list(dict.fromkeys(places))
        self._place_tips()
        return self._edges, self._dropped

    def _place_tips(self) -> None:
        """Let a device lie where the clause behind it says that its tip does."""
        for index, token in enumerate(self._tokens):
            if token.role != "place":
                continue
            before = next((one for one in reversed(self._tokens[:index]) if self._zh or one.role != "skip"), None)
            if before is None or before.role != "at" or self._clause_has_head(token.clause):
                continue
            heads = [head for head in self._heads if head.token < index]
            if heads and self._tokens[heads[-1].token].role == "margin":
                heads.pop()
            if heads and self._is_device(heads[-1]):
                heads[-1].places = list(dict.fromkeys((*heads[-1].places, *self._groups[index])))

    def _is_device(self, head: Head) -> bool:
        return any(self._tokens[one].region == "device" for one in (head.token, *(edge[0] for edge in head.edges)))

    def _find_groups(self) -> dict[int, list[int]]:
        """Return, for each place, all places that are joined to it by list marks."""
        groups: dict[int, list[int]] = {}
        last: int | None = None
        for index, token in enumerate(self._tokens):
            if token.role != "place":
                if token.role not in ("list", "skip"):
                    last = None
                continue
            between = self._tokens[last + 1 : index] if last is not None else []
            joined = any(one.role == "list" and one.text not in _ACCOMPANIED for one in between)
            joined = joined or (last is not None and self._zh and self._tokens[last].end == token.start)
            if joined and last is not None:
                groups[last].append(index)
                groups[index] = groups[last]
            else:
                groups[index] = [index]
            last = index
        return groups

    def _region(self, place: int) -> str:
        return self._tokens[place].region

    def _organ(self, place: int) -> bool:
        return self._tokens[place].region not in ("", "zone")

    # -- emphasis ----------------------------------------------------------------------------------------------------

    def _emphasise(self) -> None:
        """Join a place that is named for emphasis to the place of the whole."""
        for index, token in enumerate(self._tokens):
            if token.role != "place":
                continue
            following = self._tokens[index + 1] if index + 1 < len(self._tokens) else None
            before = next((one for one in reversed(self._tokens[:index]) if one.role != "skip"), None)
            marked = following is not None and following.role == "emphasis" and following.clause == token.clause
            if not self._zh and before is not None and before.role in ("emphasis", "at") and not marked:
                marked, lesser = before.role == "emphasis", "than" in before.text
                if marked and lesser:
                    self._dropped.add(index)
                    continue
            if self._zh and not marked:
                marked = self._bare_emphasis(index)
            if not marked:
                continue
            whole = self._whole(index)
            if whole is not None:
                self._edges.append((index, whole))
                self._taken.add(index)

    def _bare_emphasis(self, index: int) -> bool:
        """右侧明显: a clause of a place and a degree alone."""
        clause = self._tokens[index].clause
        rest = [t for t in self._tokens if t.clause == clause and t.role not in ("comma", "end", "skip", "verb")]
        return (
            clause > 0
            and len(rest) == 2
            and rest[0] is self._tokens[index]
            and rest[1].role == "degree"
            and rest[1].text in _STRONGER
            and rest[1].start - rest[0].end <= 1
        )

    def _whole(self, index: int) -> int | None:
        """Return the place of the observation in front."""
        for place in range(index - 1, -1, -1):
            if self._tokens[place].role == "place" and place not in self._dropped:
                return place
        return None

    # -- the places of a head ----------------------------------------------------------------------------------------

    def _own(self, head: Head) -> list[int]:
        """Return the adjectives of place of an English noun phrase, or what an attributive state stands before."""
        if head.own_places:
            head.own_places = list(dict.fromkeys(one for place in head.own_places for one in self._groups[place]))
            self._adjectives.update(head.own_places)
            return self._combine(head.own_places, self._further(head.own_places[-1]))
        found: list[int] = []
        if self._tokens[head.token].role in ("disease", "change", "normal"):
            return []
        for index in range(head.token - 1, -1, -1):
            token = self._tokens[index]
            if token.role not in _NP or token.clause != self._tokens[head.token].clause or self._is_head(index):
                break
            if token.role == "of" or self._tokens[index + 1].start - token.end > _NEAR:
                break
            if token.role == "place" and index not in self._dropped:
                if self._closed(index, head.token):
                    break
                found = self._groups[index] + found
        if not found:
            return []
        self._adjectives.update(found)
        behind = self._behind(head, sides=True)
        if self._tokens[head.token].region == "device":
            return self._take(list(dict.fromkeys((*found, *behind))))
        whole = any(self._organ(place) and self._serves_list(place) for place in found)
        if whole and all(self._organ(place) for place in behind):
            behind = []
        return self._combine(found, behind)

    def _told(self, head: Head) -> list[int]:
        """Return the place in front that a state tells of: trachea deviated by a mass in the right lung."""
        own = self._tokens[head.token]
        before = self._tokens[head.token - 1] if head.token else None
        alone = before is not None and before.role == "place" and before.clause == own.clause
        return self._subject(head) if own.role in ("disease", "normal") and alone else []

    def _further(self, place: int) -> list[int]:
        """Return the place that a preposition joins to a place: blunted angle on the right."""
        for index in range(place + 1, len(self._tokens)):
            token = self._tokens[index]
            if token.clause != self._tokens[place].clause or token.role not in ("at", "of", "skip", "place"):
                return []
            if token.role == "place":
                return [index]
        return []

    def _introduced(self, head: Head) -> list[int]:
        """Return the place of a clause in front that says nothing else: in the left lung, a pulmonary nodule."""
        clause = self._tokens[head.token].clause
        if self._clause_has_head(clause - 1):
            return []
        return [n for n, token in enumerate(self._tokens) if token.clause == clause - 1 and token.role == "place"]

    def _closed(self, place: int, head: int) -> bool:
        """Whether a place in front of a noun belongs to an earlier phrase: in the left lung patchy opacity."""
        return place > 0 and self._tokens[place - 1].role == "at" and place + 1 != head

    def _is_head(self, index: int) -> bool:
        return any(head.token == index for head in self._heads)

    def _take(self, places: list[int]) -> list[int]:
        self._taken.update(places)
        return places

    def _combine(self, found: list[int], more: list[int]) -> list[int]:
        """Pieces of one place apart from each other: the bare piece says more of the other."""
        self._taken.update(found)
        merged = list(dict.fromkeys((*found, *more)))
        organs = [place for place in merged if self._organ(place)]
        bare = [place for place in merged if not self._organ(place)]
        if organs and bare:
            self._edges += [(piece, organs[0]) for piece in bare]
            self._taken.update(bare)
            return organs
        return merged

    def _behind(self, head: Head, *, sides: bool = False) -> list[int]:
        """Return the place behind a preposition (English, also an adverb of side), of the same clause."""
        own = self._tokens[head.token]
        joined = False
        of_place = False
        for index in range(head.token + 1, len(self._tokens)):
            token = self._tokens[index]
            if token.clause != own.clause or token.role in ("denial", "stop", "margin"):
                return []
            parts = token.text in _ACCOMPANIED or self._predicate(head)
            if token.role == "list" and own.region != "device" and parts:
                return []
            if token.role == "list":
                joined = True
            elif token.role == "at" or (token.role == "of" and not self._zh):
                of_place = True
            elif token.role == "place":
                if index in self._dropped or index in self._adjectives:
                    return []
                adverb = not self._zh and token.text in ("bilaterally", "unilaterally", "bibasally", "diffusely")
                after_preposition = index > 0 and self._tokens[index - 1].role in ("at", "of", "skip") and of_place
                if adverb and self._predicate(head):
                    return self._combine(self._subject(head), [index])
                if after_preposition or adverb or (not self._zh and token.text in ("left", "right") and sides):
                    return self._nested(index)
                if self._zh or not joined:
                    return []
                of_place = False
            elif (self._is_head(index) and not joined) or (self._is_head(index) and sides):
                return []
        return []

    def _predicate(self, head: Head) -> bool:
        """Whether a state tells of a place in front: the lungs are clear."""
        own = self._tokens[head.token]
        if self._zh or own.role not in ("disease", "normal", "change", "shape"):
            return False
        front = [token.role for token in self._tokens[: head.token] if token.clause == own.clause]
        return "verb" in front and "place" in front

    def _nested(self, index: int) -> list[int]:
        """Lower lobe of the right lung, lateral wall on the left: the second place modifies the first."""
        group = self._groups[index]
        last = group[-1]
        joint = ""
        for place in range(last + 1, len(self._tokens)):
            token = self._tokens[place]
            if token.clause != self._tokens[last].clause or token.role not in ("of", "at", "skip", "verb", "place"):
                break
            if token.start - self._tokens[place - 1].end > len(" known "):
                break
            if token.role == "place":
                bare = not self._organ(place) and any(self._organ(one) for one in group)
                if not self._zh and (joint == "of" or bare):
                    self._edges += [(place, one) for one in group]
                    self._taken.add(place)
                break
            joint = token.text if token.role in ("of", "at") else joint
        return self._take(list(group))

    def _subject(self, head: Head) -> list[int]:
        """Return the nearest place in front, in the same clause."""
        own = self._tokens[head.token]
        start = head.token
        if self._zh:
            start = min([head.token, *(edge[0] for edge in head.edges)])
        crossed = False
        for index in range(head.token - 1, -1, -1):
            token = self._tokens[index]
            if token.clause != own.clause:
                break
            if token.role == "place" and index not in self._dropped and index not in self._emphasised:
                if not self._zh and index in self._adjectives and not self._serves_list(index):
                    continue
                if self._zh and own.region == "bone" and self._region(index) not in ("bone", "", "wall"):
                    continue
                group = self._groups[index]
                pieces = self._pieces(group[0], crossed) if self._zh else []
                return self._combine(list(group), pieces) if pieces else list(group)
            crossed = crossed or (index < start and self._is_head(index))
        return []

    @property
    def _emphasised(self) -> set[int]:
        return {source for source, _ in self._edges if not self._zh or self._is_emphasis(source)}

    def _is_emphasis(self, place: int) -> bool:
        following = self._tokens[place + 1] if place + 1 < len(self._tokens) else None
        return following is not None and (following.role == "emphasis" or self._bare_emphasis(place))

    def _serves_list(self, place: int) -> bool:
        """Whether an adjective of place serves the whole list behind it: it names a side."""
        text = self._tokens[place].text
        sided = ("left", "right", "bi", "both", "lll", "lul", "rll", "rul", "rml")
        return text.startswith(sided)

    def _pieces(self, place: int, crossed: bool) -> list[int]:
        """Return bare pieces in front of a place without a side: 左侧少量胸腔积液."""
        if self._tokens[place].text[0] in "左右双两" or not self._region(place):
            return []
        for index in range(place - 1, -1, -1):
            token = self._tokens[index]
            if token.clause != self._tokens[place].clause or self._is_head(index):
                return []
            if token.role == "place":
                return [] if self._region(index) else [index]
            if token.role == "list":
                return []
        return []

    def _carried(self, head: Head) -> list[int]:
        """Return the nearest fitting place of the clauses before."""
        own = self._tokens[head.token]
        if own.role in ("degree",):
            return []
        for index in range(head.token - 1, -1, -1):
            token = self._tokens[index]
            if token.role != "place" or token.clause == own.clause or index in self._dropped:
                continue
            if index in self._emphasised:
                continue
            fitting = _FITTING.get(own.region)
            if own.role == "shape":
                fitting = _FITTING["lung"]
            if not self._located(index) and self._clause_has_head(token.clause):
                continue
            fits = fitting is None or self._region(index) in fitting or (own.region == "lung" and self._vascular(index))
            return list(self._groups[index]) if fits else []
        return []

    def _vascular(self, place: int) -> bool:
        """Pulmonary vessels, as the lungs' own."""
        return self._region(place) == "vessel" and self._tokens[place].text.startswith(("pulmonary v", "肺血管"))

    def _clause_has_head(self, clause: int) -> bool:
        return any(self._tokens[head.token].clause == clause for head in self._heads)

    def _located(self, place: int) -> bool:
        return any(place in head.places for head in self._heads)
