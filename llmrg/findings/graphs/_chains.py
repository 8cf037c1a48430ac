"""From tokens to observation chains: heads, and what modifies them."""

from __future__ import annotations

from llmrg.findings.graphs._clauses import settle_clauses
from llmrg.findings.graphs._head import Head
from llmrg.findings.graphs._token import STEADY, Token

__all__ = ["find_heads"]

_DESCRIBING = frozenset({"shape", "degree"})
_STATES = frozenset({"disease", "change", "normal"})
_NOUNS = frozenset({"lesion", "shadow", "neutral"})
_STRENGTH = frozenset({"明显", "显著"})
_OF_LESIONS = frozenset({"消失", "模糊", "不清", "不清晰", "欠清", "欠清晰", "增高", "增浓", "增强"})
_OF_FRACTURES = frozenset({"错位", "移位", "成角", "分离", "压缩"})
"""Chinese states that tell of a lesion in front of them; others tell of its place."""
_ABNORMAL = frozenset({"异常", "异常改变", "异常征象"})
_OF_ANYTHING = frozenset(
    {"密度", "大小", "形态", "外形", "分布", "轮廓", "结构", "数量", "排列", "size", "configuration"}
)
"""Neutral nouns that, in a clause of their own behind a lesion, tell of the lesion as margin nouns do."""
_OF_ORGANS = frozenset({"位置", "轮廓", "position"})
"""Margin nouns that tell of an organ where their clause names one."""
_PRESSED = frozenset({"受压", "压缩", "被动"})
_COLLAPSED = frozenset({"不张", "膨胀不全", "膨胀不良", "肺不张", "萎陷", "塌陷"})
_ADVERBS = frozenset({"borderline", "somewhat", "more", "less"})
_GROWTH = frozenset({"enlargement", "widening", "expansion"})
_BORDERLINE = frozenset({"borderline", "临界"})
"""A degree in front of a state, else a state in doubt."""
_GAP = {"zh": 2, "en": 16}
"""Characters between two tokens of one noun phrase, at most."""


def find_heads(tokens: list[Token], language: str) -> list[Head]:
    """Return the heads of a sentence in reading order.

    Args:
        tokens: of one sentence.
        language: ``zh`` or ``en``.
    """
    return _Chains(tokens, language).run()


class _Chains:
    def __init__(self, tokens: list[Token], language: str) -> None:
        self._tokens = tokens
        self._zh = language == "zh"
        self._gap = _GAP[language]
        self._heads: list[Head] = []
        self._pending: list[int] = []
        self._nouns: list[Head] = []
        self._subject: Head | None = None
        self._verb = False
        self._goes_on = False

    def run(self) -> list[Head]:
        clause = 0
        for index, token in enumerate(self._tokens):
            if token.clause != clause:
                self._flush(index)
                self._start_clause(index)
                clause = token.clause
            self._take(index, token)
        self._flush(len(self._tokens))
        settle_clauses(self._tokens, self._heads, chinese=self._zh)
        self._heads.sort(key=lambda head: head.token)
        return self._heads

    def _start_clause(self, index: int) -> None:
        self._goes_on = self._only_states(index)
        if not self._goes_on:
            self._nouns = []
            self._subject = None
        self._verb = False

    def _only_states(self, index: int) -> bool:
        """Whether the clause from ``index`` on tells of the noun of the clause before: it has states alone."""
        clause = self._tokens[index].clause
        roles = [
            token.role
            for token in self._tokens[index:]
            if token.clause == clause
            and token.role not in ("comma", "end", "skip", "verb", "list", "denial", "at", "stop")
        ]
        return bool(roles) and all(role in _STATES or role in ("gone", "degree") for role in roles)

    def _take(self, index: int, token: Token) -> None:
        role = token.role
        if role == "place":
            self._take_place(index)
        elif token.text == "转移" and self._lesion_touches(index):
            self._pending.append(index)
            token.role = "degree"
        elif role == "degree":
            if self._says_large(index, token) or self._says_borderline(index, token):
                token.role = "disease"
                self._take_state(index, token)
            elif not self._strengthens(index, token):
                self._pending.append(index)
        elif role == "shape":
            self._take_shape(index)
        elif role in ("lesion", "shadow", "neutral", "margin"):
            self._take_noun(index, token)
        elif role in _STATES:
            self._take_state(index, token)
        elif role == "gone":
            self._take_gone(index)
        elif role == "list":
            if not self._shapes_reach(index):
                self._flush(index)
        elif role == "verb":
            self._flush(index)
            self._verb = True
        elif role in ("at", "denial", "denied", "stop", "emphasis"):
            if not (role == "at" and self._state_of_noun(index)):
                self._flush(index)
            if role == "stop" and not self._goes_on:
                self._nouns, self._subject = [], None

    def _says_large(self, index: int, token: Token) -> bool:
        """Heart is large: a degree of an organ is a state."""
        if token.text != "large" or not self._verb or self._subject is not None:
            return False
        return self._noun_ahead(index) is None and self._has_subject(index)

    def _says_borderline(self, index: int, token: Token) -> bool:
        if token.text not in _BORDERLINE:
            return False
        following = self._tokens[index + 1] if index + 1 < len(self._tokens) else None
        return following is None or following.role not in (*_STATES, "lesion", "shape", "degree")

    def _strengthens(self, index: int, token: Token) -> bool:
        """未见明显: a word that merely strengthens a denial is none of the observation."""
        return self._zh and index > 0 and self._tokens[index - 1].role == "denial" and token.text in _STRENGTH

    # -- looking ahead -----------------------------------------------------------------------------------------------

    def _noun_ahead(self, index: int) -> Token | None:
        """Return the noun that a describing word at ``index`` belongs to, if one follows in its phrase."""
        before = self._tokens[index]
        states, inside = 0, False
        for token in self._tokens[index + 1 :]:
            if token.clause != before.clause or token.start - before.end > self._gap:
                return None
            if token.role in _NOUNS or (token.role == "margin" and not self._zh):
                if before.role == "place" and token.start - before.end > self._gap // 2:
                    return None
                if (self._zh and states and token.role != "shadow") or (inside and token.role != "lesion"):
                    return None
                return token
            if token.role in _STATES:
                states += 1
            elif token.role == "place" and self._zh:
                return None
            elif token.role == "list":
                following = self._after(token)
                if (
                    token.text in ("with", "along with", "accompanied by")
                    or following is None
                    or following.role not in ("shape", "disease", "degree")
                ):
                    return None
            elif token.text == "in" and self._tokens[index].role == "change":
                inside = True
            elif token.role not in ("shape", "degree", "place", "skip", "of"):
                return None
            before = token
        return None

    def _after(self, token: Token) -> Token | None:
        return next((one for one in self._tokens if one.start >= token.end), None)

    def _shapes_reach(self, index: int) -> bool:
        """Whether describing words in front of a list mark belong to a noun behind it."""
        if not self._pending or self._tokens[index].text in ("with", "along with", "accompanied by"):
            return False
        following = self._tokens[index + 1] if index + 1 < len(self._tokens) else None
        if following is None or following.role not in ("shape", "degree", "shadow", "disease", "lesion"):
            return False
        shapes = any(self._tokens[one].role in ("shape", "disease") for one in self._pending)
        if not shapes:
            return False
        if following.role == "lesion":
            return self._touches_shadow(index + 1)
        noun = following if following.role == "shadow" else self._noun_ahead(index + 1)
        return noun is not None and (noun.role == "shadow" or not self._zh)

    def _lesion_touches(self, index: int) -> bool:
        following = self._tokens[index + 1] if index + 1 < len(self._tokens) else None
        touches = following is not None and following.start == self._tokens[index].end
        return touches and following is not None and following.role in ("lesion", "shadow")

    def _touches_disease(self, index: int) -> bool:
        """炎性病变: whether a lesion noun says which kind of 病变 there is."""
        following = self._tokens[index + 1] if index + 1 < len(self._tokens) else None
        return following is not None and following.text == "病变" and following.start == self._tokens[index].end

    def _touches_shadow(self, index: int) -> bool:
        """Whether only describing words stand between a lesion noun and a shadow noun."""
        before = self._tokens[index]
        for token in self._tokens[index + 1 :]:
            if token.start != before.end:
                return False
            if token.role == "shadow":
                return True
            if token.role not in ("shape", "degree", "lesion", "of", "disease"):
                return False
            before = token
        return False

    def _state_of_noun(self, index: int) -> bool:
        """Whether a preposition stands between a state and its noun: normal in size."""
        following = self._tokens[index + 1] if index + 1 < len(self._tokens) else None
        state = self._tokens[self._pending[-1]] if self._pending and not self._zh else None
        if state is None or state.role not in _STATES or following is None:
            return False
        noun = self._noun_ahead(self._pending[-1]) if state.role == "change" else None
        return following.role == "neutral" or (noun is not None and noun.role == "lesion")

    # -- tokens ------------------------------------------------------------------------------------------------------

    def _take_place(self, index: int) -> None:
        joined = bool(index) and self._tokens[index - 1].role == "list"
        if self._zh and not joined:
            self._nouns = []
        if self._zh:
            self._subject = None

    def _take_shape(self, index: int) -> None:
        margin = self._subject is not None and self._tokens[self._subject.token].role == "margin"
        touches = index > 0 and self._tokens[index - 1].end == self._tokens[index].start
        told = self._verb or (margin and touches)
        if self._noun_ahead(index) is None and told and self._subject is not None:
            self._describe(index, self._subject)
        else:
            self._pending.append(index)

    def _take_noun(self, index: int, token: Token) -> None:
        if token.role == "lesion" and self._zh and (self._touches_shadow(index) or self._touches_disease(index)):
            self._pending.append(index)
            return
        if token.text in _GROWTH and self._grows(index):
            token.role = "change"
            self._take_state(index, token)
            return
        if token.role == "neutral" and token.text in _ABNORMAL and self._nouns:
            token.role = "disease"
            self._take_state(index, token)
            return
        self._tell_apart(index, token)
        head = Head(index)
        if token.role == "shadow":
            self._adopt_density(index, head)
        self._consume(head)
        grouped = (
            token.role in ("neutral", "margin")
            and bool(self._nouns)
            and index > 0
            and self._tokens[index - 1].role in ("list", token.role)
            and not self._nouns[-1].states
        )
        if token.role in ("neutral", "margin"):
            self._nouns = [*self._nouns, head] if grouped else [head]
        else:
            self._nouns = []
        self._subject = head
        self._heads.append(head)

    def _grows(self, index: int) -> bool:
        """Enlargement of the pneumothorax: whether a noun tells of the change of a lesion behind it."""
        noun = self._noun_ahead(index)
        if noun is None or noun.role != "lesion":
            return False
        between = [one for one in self._tokens[index + 1 :] if one.end <= noun.start]
        return bool(between) and between[0].role == "of" and sum(one.role == "of" for one in between) == 1

    def _tell_apart(self, index: int, token: Token) -> None:
        """Decide whether a noun tells of an organ (neutral) or of the lesion before it (margin)."""
        clause = [one for one in self._tokens[:index] if one.clause == token.clause]
        placed = any(one.role == "place" for one in clause)
        if token.role == "margin" and token.text in _OF_ORGANS and placed:
            if not any(one.role == "lesion" for one in clause):
                token.role = "neutral"
        elif token.role == "neutral" and token.text in _OF_ANYTHING and not placed:
            before = [head for head in self._heads if self._tokens[head.token].clause < token.clause]
            if before and self._tokens[before[-1].token].role in ("lesion", "shadow", "margin"):
                token.role = "margin"

    def _adopt_density(self, index: int, head: Head) -> None:
        """密度稍增高影: the density with its state says more of the shadow."""
        if not self._zh or len(self._nouns) != 1 or not self._nouns[0].states:
            return
        noun = self._nouns[0]
        if self._tokens[index - 1].end == self._tokens[index].start and index - 1 == noun.states[-1]:
            self._heads.remove(noun)
            head.edges += [*noun.edges, (noun.token, index)]

    def _consume(self, head: Head) -> None:
        """Let the describing words in front modify the head."""
        for place, index in enumerate(self._pending):
            token = self._tokens[index]
            following = self._pending[place + 1] if place + 1 < len(self._pending) else None
            target = head.token
            if token.role == "degree" and following is not None and self._tokens[following].role in _STATES:
                parted = any(one.text == "but" for one in self._tokens[index:following])
                adverb = self._zh or token.text.endswith("ly") or token.text in _ADVERBS
                lesion = self._tokens[head.token].role == "lesion"
                target = target if parted or (lesion and not adverb) else following
            head.edges.append((index, target))
            if token.role in _STATES:
                head.states.append(index)
        self._pending = []

    def _describe(self, index: int, head: Head) -> None:
        for degree in self._pending:
            head.edges.append((degree, index))
        self._pending = []
        head.edges.append((index, head.token))
        head.states.append(index)

    def _take_state(self, index: int, token: Token) -> None:
        following = self._tokens[index + 1] if index + 1 < len(self._tokens) else None
        noun = self._noun_ahead(index)
        borderline = noun is not None and token.text in _BORDERLINE
        if noun is not None and (not self._zh or borderline or (noun.role == "shadow" and token.role != "normal")):
            self._pending.append(index)
            return
        if not self._zh and following is not None and following.clause == token.clause:
            in_size = self._extent_follows(index) and not (token.role == "change" and self._tells_lesion())
            if in_size or self._stands_before_place(index):
                self._pending.append(index)
                return
        if self._zh and token.text in _PRESSED and following is not None and following.text in _COLLAPSED:
            self._pending.append(index)
            return
        if not self._zh and token.role == "change" and self._extent_follows(index):
            self._tokens[index + 2].role = "skip"
        degrees, self._pending = self._pending, []
        targets = self._nouns or self._lesion_subject(index, token)
        for head in targets:
            if token.text == "消失" and self._tokens[head.token].role in ("lesion", "shadow"):
                head.gone_by = index
            head.edges.append((index, head.token))
            head.edges += [(degree, index) for degree in degrees]
            head.states.append(index)
        if not targets or self._joint_subject(index):
            head = Head(index)
            head.edges += [(degree, index) for degree in degrees if not targets]
            self._heads.append(head)

    def _extent_follows(self, index: int) -> bool:
        """Whether a preposition and a neutral noun follow: normal in size."""
        if index + 2 >= len(self._tokens):
            return False
        joint, noun = self._tokens[index + 1 : index + 3]
        return joint.role == "at" and noun.role == "neutral" and noun.clause == self._tokens[index].clause

    def _tells_lesion(self) -> bool:
        return self._subject is not None and self._tokens[self._subject.token].role in ("lesion", "shadow")

    def _stands_before_place(self, index: int) -> bool:
        """Whether a state tells of the organ behind it: enlarged heart, lungs with flattened diaphragms."""
        before = self._tokens[index]
        for token in self._tokens[index + 1 :]:
            if token.clause != before.clause or token.start - before.end > 2:
                return False
            if token.role == "place":
                break
            if token.role not in ("shape", "degree", "disease", "normal", "skip"):
                return False
            before = token
        else:
            return False
        opens = index > 0 and self._tokens[index - 1].role in ("list", "denial", "stop")
        return opens or bool(self._pending) or (not self._verb and not self._has_subject(index))

    def _has_subject(self, index: int) -> bool:
        clause = self._tokens[index].clause
        return any(
            token.clause == clause and token.role in ("place", "lesion", "neutral", "shadow")
            for token in self._tokens[:index]
        )

    def _joint_subject(self, index: int) -> bool:
        """Heart size and mediastinal contours are normal: whether a place joined to the noun shares the state."""
        noun = self._nouns[-1].token if self._nouns else None
        if noun is None or noun + 2 >= len(self._tokens):
            return False
        joint = self._tokens[noun + 1].role == "list" and self._tokens[noun + 2].role == "place"
        return joint and noun + 2 < index

    def _lesion_subject(self, index: int, token: Token) -> list[Head]:
        """Return the lesion that a state tells of, in its clause."""
        head = self._subject
        if head is None:
            return []
        between = self._tokens[head.token + 1 : index]
        if self._zh:
            if any(one.role in ("list", "place") for one in between):
                return []
            noun = self._tokens[head.token]
            if noun.role not in ("lesion", "shadow") and self._tokens[index].clause != noun.clause:
                return []
            if noun.region == "device":
                return [head]
            tells = noun.role == "shadow" or token.role != "disease" or token.text in _OF_LESIONS
            return [head] if tells or (noun.region == "bone" and token.text in _OF_FRACTURES) else []
        if self._goes_on and self._tokens[head.token].clause != token.clause:
            quiet = token.role == "change" or token.text in STEADY or self._tokens[head.token].region == "device"
            return [head] if quiet and self._tells_lesion() else []
        lists = [one for one in between if one.role == "list" and not (token.role == "change" and one.text == "to")]
        return [head] if self._verb and not lists else []

    def _take_gone(self, index: int) -> None:
        following = self._tokens[index + 1] if index + 1 < len(self._tokens) else None
        if following is not None and (following.role == "of" or following.role == "lesion"):
            self._tokens[index].role = "denial"
            self._flush(index)
            return
        degrees, self._pending = self._pending, []
        clause = self._tokens[index].clause
        heads = [head for head in self._heads if self._tokens[head.token].clause == clause]
        if not heads:
            heads = [head for head in self._heads if self._tokens[head.token].clause == clause - 1]
        for head in heads:
            if self._tokens[head.token].role in ("lesion", "shadow") and head.denied_by is None:
                head.gone_by = index
                head.edges += [(index, head.token), *((degree, index) for degree in degrees)]

    # -- what is left over -------------------------------------------------------------------------------------------

    def _flush(self, index: int) -> None:
        """Give describing words and states without a noun their place."""
        pending, self._pending = self._pending, []
        degrees: list[int] = []
        for one in pending:
            token = self._tokens[one]
            if token.role == "degree":
                degrees.append(one)
                continue
            head = Head(one)
            head.edges += [(degree, one) for degree in degrees]
            degrees = []
            head.own_places = [
                place
                for place in range(one + 1, index)
                if self._tokens[place].role == "place" and self._tokens[place].clause == token.clause
            ]
            self._heads.append(head)
            self._subject = self._subject or head
        if degrees and self._subject is not None and self._tells_degree(degrees[0]):
            self._subject.edges += [(degree, self._subject.token) for degree in degrees]

    def _tells_degree(self, index: int) -> bool:
        """Whether a degree behind its noun tells of it: effusion is small, 积液少量."""
        head = self._subject
        if head is None or head.token > index:
            return False
        if self._tokens[head.token].clause != self._tokens[index].clause:
            return self._goes_on
        between = self._tokens[head.token + 1 : index]
        if any(one.role in ("list", "denial") for one in between):
            return False
        said = [one for one in between if one.role not in ("degree", "skip")]
        if any(one.role in ("place", "at") for one in between):
            return not self._zh and bool(said) and said[-1].role == "verb"
        return self._verb or self._tokens[index - 1].end == self._tokens[index].start
