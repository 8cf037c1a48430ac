"""From a sentence to tokens: the longest entry at each place, parts of a place put together."""

from __future__ import annotations

import re

from llmrg.findings.graphs._neighbours_en import settle_english
from llmrg.findings.graphs._terms import PLACE_PARTS, Terms, Word
from llmrg.findings.graphs._token import Token
from llmrg.findings.graphs._words_zh import LUNG_TERMS

__all__ = ["scan"]


_AREA = ("区", "区域")
_UNFINISHED_ZH = frozenset("上中下前后内外左右")
_UNFINISHED_EN = frozenset(
    [
        "left",
        "right",
        "upper",
        "lower",
        "mid",
        "middle",
        "lateral",
        "medial",
        "anterior",
        "posterior",
        "superior",
        "inferior",
        "proximal",
        "distal",
        "first",
        "second",
        "third",
        "fourth",
        "fifth",
        "sixth",
        "seventh",
        "eighth",
        "ninth",
        "tenth",
        "eleventh",
        "twelfth",
    ]
)
_ALONE_EN = frozenset({"peripheral", "central", "subpleural", "paratracheal", "cortical", "subdiaphragmatic"})
_INSIDE = frozenset({"内", "中", "前", "后", "上"})
_NUMBER = Word("zone", "number")
_SPINE = Word("organ", "bone")
_STRIPES = frozenset("片线点环带斑条团网")
"""One character that tells the shape of a shadow, where it touches 影."""
_LUNG_ZONES = frozenset({"上肺", "中肺", "下肺"})
_CUES = {
    **{"而非": (1, 0), "并非": (1, 0), "并无": (1, 0), "不考虑": (0, 2), "with no": (5, 0)},
    **{f"未{seen}": (0, len(seen)) for seen in ("发现", "显示", "提示", "出现", "能显示", "探及", "查见", "示")},
    **{f"{cue} {joint}": (0, len(joint) + 1) for cue in ("free", "absence", "lack", "devoid") for joint in ("of",)},
    **{"clear of": (0, 3), "negative for": (0, 4)},
}
"""Denials of which not all is the cue: characters left out in front and behind."""
_SEPARATE = ({"纵隔", "气管"}, {"纵隔", "心影"}, {"纵隔影", "气管"}, {"胸廓", "气管"}, {"膈肌", "肋膈角"})
"""Organs that are two places even where no list mark parts them."""
_TAILS = (" in size", " in extent", " in")


def scan(sentence: str, terms: Terms) -> list[Token]:
    """Return the tokens of a sentence, in order, each with the number of its clause.

    Args:
        sentence: in lower case where the language has one.
        terms: the lexicon.
    """
    tokens = _places(_entries(sentence, terms), sentence, terms.language == "zh")
    if terms.language == "en":
        settle_english(tokens)
    clause = 0
    for token in tokens:
        if token.role in ("comma", "end") or (terms.language == "en" and _starts_clause(token)):
            clause += 1
        token.clause = clause
    return tokens


def _starts_clause(token: Token) -> bool:
    return token.role == "stop" or token.text in ("without", "with no")


def _entries(sentence: str, terms: Terms) -> list[Token]:
    """Return the longest entries from left to right."""
    symbols = [(match.group(), match.start(), match.end()) for match in terms.symbols.finditer(sentence)]
    if terms.language == "en" and "-" in sentence:
        symbols = [piece for symbol in symbols for piece in _pieces(symbol, terms)]
    numbers = {match.start(): match.end() for match in terms.numbers.finditer(sentence)}
    chinese = terms.language == "zh"
    words, longest = terms.words, terms.longest
    tokens: list[Token] = []
    place, count = 0, len(symbols)
    while place < count:
        symbol, start, end = symbols[place]
        if start in numbers:
            spine = sentence[start] in "tlc"
            number = _SPINE if spine else _NUMBER
            tokens.append(Token(number.role, start, numbers[start], sentence[start : numbers[start]], number.region))
            while place < count and symbols[place][1] < numbers[start]:
                place += 1
            continue
        if chinese and symbol in _STRIPES and sentence[end : end + 1] == "影":
            tokens.append(Token("shape", start, end, symbol))
            place += 1
            continue
        size = min(longest.get(symbol, 0), count - place)
        while size:
            if chinese:
                key = sentence[start : start + size]
            else:
                key = symbol if size == 1 else " ".join([one[0] for one in symbols[place : place + size]])
            word = words.get(key)
            if word is not None and not _cuts_bone(word, key, sentence, symbols[place + size - 1][2]):
                end = symbols[place + size - 1][2]
                tokens.append(_token(word, key, start, end, sentence, chinese))
                break
            size -= 1
        place += size or 1
    return tokens


def _pieces(whole: tuple[str, int, int], terms: Terms) -> list[tuple[str, int, int]]:
    """Return a symbol, or the parts of a word with hyphens that no entry begins with."""
    symbol, start, _ = whole
    if "-" not in symbol or symbol in terms.longest or symbol in ("-", "--"):
        return [whole]
    pieces = [(part.group(), start + part.start(), start + part.end()) for part in re.finditer(r"[^-]+|-", symbol)]
    known = [piece for piece in pieces if piece[0] in terms.longest and piece[0] != "-"]
    return [piece for piece in pieces if piece[0] != "-"] if len(known) > 1 else [whole]


def _token(word: Word, key: str, start: int, end: int, sentence: str, chinese: bool) -> Token:
    """Return the token of an entry; of a denial, only the cue is its span."""
    front, behind = _CUES.get(key, (0, 0))
    if not chinese:
        behind = next((len(end) for end in _TAILS if word.role in ("normal", "change") and key.endswith(end)), behind)
    if word.role == "denied" and not chinese:
        behind = max(0, len(key) - len(key.split(" ")[0]))
        if key.startswith("ruled"):
            behind = 0
    return Token(word.role, start + front, end - behind, key if front or behind else sentence[start:end], word.region)


def _cuts_bone(word: Word, key: str, sentence: str, end: int) -> bool:
    """第5前肋骨折 is 第5前肋|骨折, not 第5前肋骨|折, 后肋骨质 is 后肋|骨质, and 右下肺炎 is 右下|肺炎."""
    if word.role == "organ" and key in _LUNG_ZONES and sentence[end : end + 1] == "炎":
        return sentence[end : end + 2] not in ("炎症", "炎性", "炎变")
    if key == "肺炎" and sentence[end : end + 1] in ("性", "变"):
        return True
    if key.endswith("肺间质") and sentence[end : end + 1] == "性":
        return True
    return word.role == "organ" and key[-1] == "骨" and len(key) > 1 and sentence[end : end + 1] in ("折", "质", "皮")


def _places(tokens: list[Token], sentence: str, chinese: bool) -> list[Token]:
    """Join the parts of each place; drop parts that make up none."""
    merged: list[Token] = []
    index = 0
    while index < len(tokens):
        if tokens[index].role not in PLACE_PARTS:
            merged.append(tokens[index])
            index += 1
            continue
        run, index = _run(tokens, index, sentence, chinese)
        following = tokens[index] if index < len(tokens) else None
        merged += _joined(run, following, sentence, chinese)
    return merged


def _run(tokens: list[Token], index: int, sentence: str, chinese: bool) -> tuple[list[Token], int]:
    """Collect the parts from ``index`` on that belong to one place, and return them with the next index."""
    run = [tokens[index]]
    index += 1
    while index < len(tokens):
        token = tokens[index]
        gap = sentence[run[-1].end : token.start]
        if chinese and token.role == run[-1].role == "organ" and {token.text, run[-1].text} in _SEPARATE:
            break
        if token.role in PLACE_PARTS and not gap.strip(" -"):
            run.append(token)
            index += 1
            continue
        after = tokens[index + 1] if index + 1 < len(tokens) else None
        joins = token.role == "list" or (token.text in ("-", "to", ",") and not chinese)
        if (
            joins
            and after
            and after.role in PLACE_PARTS
            and not gap.strip()
            and not sentence[token.end : after.start].strip()
            and _unfinished(run, tokens[index + 1 :], chinese)
        ):
            run.append(after)
            index += 2
            continue
        break
    return run, index


def _unfinished(run: list[Token], rest: list[Token], chinese: bool) -> bool:
    """Whether the last part of a run is no place by itself but shares the organ or zone behind the list mark."""
    last = run[-1]
    if chinese:
        return last.text in _UNFINISHED_ZH and (rest[0].role in ("zone", "side") or rest[0].text[0] in _UNFINISHED_ZH)
    if last.text not in _UNFINISHED_EN and last.region != "number":
        return False
    parts = []
    for token in rest:
        if token.role not in PLACE_PARTS:
            break
        parts.append(token)
    starts = parts[0].text.split()[0]
    return (starts in _UNFINISHED_EN or parts[0].region == "number") and any(
        part.role in ("organ", "tail") for part in parts
    )


def _joined(run: list[Token], following: Token | None, sentence: str, chinese: bool) -> list[Token]:
    """Return the place that the parts make up, or what else they are."""
    if chinese:
        if len(run) == 1 and run[0].text in _AREA:
            return [Token("shadow", run[0].start, run[0].end, run[0].text, "lung")]
        while run and run[0].role == "tail":
            run = run[1:]
        while len(run) > 1 and run[-1].text in _INSIDE and run[-2].role != "side":
            run = run[:-1]
    if not run:
        return []
    organs = [part.region for part in run if part.role == "organ"]
    start, end = run[0].start, run[-1].end
    touches = following is not None and following.start == end
    if chinese and not organs and touches and following is not None and following.text in LUNG_TERMS:
        # A side or zone takes 肺 with it: 右|肺不张 is 右肺|不张.
        end += 1
        following.start, following.text = following.start + 1, following.text[1:]
        organs = ["lung"]
    elif not organs and not any(part.role == "side" for part in run):
        alone = not chinese and (any(part.role == "tail" for part in run) or run[-1].text in _ALONE_EN)
        if not alone or all(part.role == "tail" for part in run):
            return []
    return [Token("place", start, end, sentence[start:end], organs[-1] if organs else "")]
