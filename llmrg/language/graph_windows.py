"""Reports as windows of tokens whose place in the report is known to the character."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

__all__ = ["SpanMap", "Window", "Windows"]

# Where a long report may be cut, the best places first: lines and sentences, clauses, words.
_BORDERS = (
    re.compile(r"(?<=[。；;！!？?\n])|(?<=[.])(?=\s)"),
    re.compile(r"(?<=[，,：:、])"),
    re.compile(r"(?<=\s)"),
)
_LATIN = 0x250
"""Code points below are of Latin script, whose words have spaces between them."""


@dataclass(frozen=True)
class Window:
    """A stretch of a report as an encoder reads it.

    Args:
        ids: tokens, special ones included.
        starts: offset of the first character of each token in the report; -1 for tokens that stand for none.
        ends: offset behind the last; -1 likewise.
        continues: whether a token goes on with the word or character of the token before, so that no entity can
            begin there.
    """

    ids: tuple[int, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    continues: tuple[bool, ...]

    @property
    def kept(self) -> tuple[bool, ...]:
        """Whether a token stands for characters."""
        return tuple(start >= 0 for start in self.starts)


class SpanMap:
    """Finds the tokens of a window that are exactly a span of characters.

    Args:
        window: the window.
    """

    def __init__(self, window: Window) -> None:
        self._first: dict[int, int] = {}
        self._last: dict[int, int] = {}
        kept = [place for place, start in enumerate(window.starts) if start >= 0]
        for place, after in zip(kept, [*kept[1:], None], strict=True):
            if not window.continues[place]:
                self._first.setdefault(window.starts[place], place)
            if after is None or not window.continues[after]:
                self._last[window.ends[place]] = place

    def tokens(self, start: int, end: int) -> tuple[int, int] | None:
        """Return first and last token of the characters from ``start`` to ``end``; None where borders cut a token."""
        first, last = self._first.get(start), self._last.get(end)
        return None if first is None or last is None or first > last else (first, last)


class Windows:
    """Cuts reports into windows.

    Args:
        tokenizer: a backend tokenizer (of the ``tokenizers`` library); it is copied.
        max_tokens: longest window, special tokens included.

    Raises:
        ValueError: no room for any text between the special tokens.
    """

    def __init__(self, tokenizer: Tokenizer, *, max_tokens: int) -> None:
        self.tokenizer = Tokenizer.from_str(tokenizer.to_str())
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        self.tokenizer.encode_special_tokens = True  # one that is written in a report is ordinary text
        self.max_tokens = max_tokens
        if max_tokens < self.tokenizer.num_special_tokens_to_add(is_pair=False) + 8:
            raise ValueError(f"max_tokens is too small: {max_tokens}")

    def cut(self, text: str) -> list[Window]:
        """Return the windows of a report, in order, without those that hold no token.

        A report that is too long is cut in two where a sentence ends near its middle, and so on; one without any end
        of sentence, clause or word between two characters. Every character belongs to one window.
        """
        plain = text.encode("utf-8", "replace").decode("utf-8")  # lone surrogates; as many characters as before
        windows: list[Window] = []
        stretches = [(0, len(plain))]
        while stretches:
            start, end = stretches.pop()
            window = self._window(plain, start, end)
            if len(window.ids) > self.max_tokens and end - start > 1:
                middle = _middle(plain, start, end)
                stretches += [(middle, end), (start, middle)]
            elif any(window.kept) and len(window.ids) <= self.max_tokens:
                windows.append(window)
        return windows

    def _window(self, text: str, start: int, end: int) -> Window:
        encoded = self.tokenizer.encode(text[start:end])
        starts, ends, continues = [], [], []
        before = -1
        for (first, last), special in zip(encoded.offsets, encoded.special_tokens_mask, strict=True):
            first, last = _trimmed(text, start + first, start + last)
            if special or first == last:
                starts.append(-1)
                ends.append(-1)
                continues.append(False)
                continue
            starts.append(first)
            ends.append(last)
            continues.append(before > first or (before == first and _in_word(text, first)))
            before = last
        return Window(tuple(encoded.ids), tuple(starts), tuple(ends), tuple(continues))


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end


def _in_word(text: str, place: int) -> bool:
    pair: Sequence[str] = text[max(0, place - 1) : place + 1]
    return len(pair) == 2 and all(one.isalpha() and ord(one) < _LATIN for one in pair)


def _middle(text: str, start: int, end: int) -> int:
    """Return the best place to cut, well inside of the stretch; the middle where there is none."""
    centre, room = (start + end) // 2, max(1, (end - start) // 4)
    for border in _BORDERS:
        places = [match.start() for match in border.finditer(text, start + 1, end)]
        inside = [place for place in places if start < place < end and abs(place - centre) <= room]
        if inside:
            return min(inside, key=lambda place: abs(place - centre))
    return centre
