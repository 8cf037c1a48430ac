"""Penn Treebank tokens as the COCO caption evaluation makes them, without Java.

It follows what Stanford's tokenizer with COCO's options gives on radiology reports: lower case, brackets as words,
most punctuation left out. On the public references of IU X-ray the two agree on every report, on those of CheXpert
Plus and MIMIC-CXR on more than 99 % of them.
"""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["PTB_LEFT_OUT", "PTB_VERSION", "ptb_tokens"]

PTB_VERSION = "ptb-py1"

_BRACKETS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}
# COCO's list has "-LRB-" and the like in upper case, which lower-cased text never matches: brackets stay.
PTB_LEFT_OUT = frozenset({"''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";", '"'})

_TOKEN = re.compile(
    r"""
      \(\d{3}\)[ ]?\d{3}-\d{4}                                  # telephone number
    | (?:[a-z]\.){2,}                                           # e.g.
    | (?:dr|drs|mr|mrs|ms|vs|jr|sr|inc|co|ltd|corp|ct|etc|prof)\.(?![a-z_])
    | st\.(?=\s[a-z]) | no\.(?=\s?\d)                           # St. Jude, No. 3
    | 's\b|'re\b|'ve\b|'ll\b|'d\b|'m\b|n't\b
    | _{2,}                                                     # masked words
    | [-+](?=\d)\d+(?:[.,]\d+)*(?![a-z0-9_-])                   # signed number
    | \d+(?:[.,:]\d+)+(?=[apcm]m\b)                             # 1.8 of 1.8cm
    | \d+(?:[.,:/-]\d+)*(?:-(?:cm|mm|degree|hour)\b)?(?![a-z0-9_])
    | (?:[a-z\u00c0-\u024f](?:(?!n't\b)[a-z0-9\u00c0-\u024f])*|[a-z0-9\u00b5\u00c0-\u024f]+)
      (?:(?:[-/&@'](?!(?:s|re|ve|ll|d|m)\b)|\.(?=[a-z]{2,}))[a-z0-9\u00c0-\u024f]+)*
    | [\u4e00-\u9fff]+
    | \.\.\.+ | --+ | \*+ | '' | `` | \S
    """,
    re.VERBOSE,
)


def ptb_tokens(text: str) -> list[str]:
    """Return the tokens of an English text."""
    lowered = re.sub(r"\bcannot\b", "can not", text.lower())
    return [token for token in map(_written, _TOKEN.findall(lowered)) if token]


@lru_cache(maxsize=1 << 16)
def _written(token: str) -> str:
    """Return the token as it is written, or nothing where it is left out."""
    if token[0] == "." and len(token) > 3:
        return "..."
    # Stanford keeps a telephone number as one token, its space made unbreakable.
    token = "".join(_BRACKETS.get(sign, sign) for sign in token.replace(" ", "\u00a0"))
    return "" if token in PTB_LEFT_OUT else token
