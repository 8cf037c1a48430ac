"""The words around context vectors, and how both become one sequence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from llmrg.evidence.context_settings import ResolvedContext
from llmrg.language.token_space import TokenSpace

__all__ = ["lay_out", "wrapping"]

Wrapping = Sequence[tuple[str, str]]
"""Words before and after the vector of a negative and of a positive study."""

_RELEASED: Wrapping = (("Note: <Img>", "</Img> normal. "), ("Note: <Img>", "</Img> with desease. "))
"""As R2GenCSR was released, spelling included."""
_SORTED: Mapping[str, Wrapping] = {
    "zh": (("对照：<Img>", "</Img>正常。"), ("对照：<Img>", "</Img>有病变。")),
    "en": (("Note: <Img>", "</Img> normal. "), ("Note: <Img>", "</Img> with disease. ")),
}
_SIMILAR: Mapping[str, Wrapping] = {
    "zh": (("对照：<Img>", "</Img>表现不同。"), ("对照：<Img>", "</Img>表现相似。")),
    "en": (("Note: <Img>", "</Img> with other findings. "), ("Note: <Img>", "</Img> with like findings. ")),
}


def wrapping(context: ResolvedContext, language: str) -> Wrapping:
    """Return the words before and after a vector: of a negative study, then of a positive one.

    In ``faithful`` they are English, whatever the language of the reports.
    """
    if context.faithful:
        return _RELEASED
    return (_SIMILAR if context.searches else _SORTED)["zh" if language == "zh" else "en"]


def lay_out(
    vectors: Tensor,
    valid: Tensor,
    words: Sequence[Wrapping],
    space: TokenSpace,
    *,
    minuend: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Put words around context vectors, negative and positive in turn.

    Legend: B studies, S context vectors a study, K tokens, D_text width of the token space.

    Args:
        vectors: [B, S, D_text]; even places are negative studies, odd ones positive.
        valid: [B, S] bool; the words of a vector that is left out are left out, too.
        words: of each study.
        space: embeds the words.
        minuend: [B, D_text]; words become what is left of it when their embedding is taken away (R2GenCSR's residual
            over the whole sequence). None leaves words as they are.

    Returns:
        Tokens [B, K, D_text] and their mask [B, K].
    """
    found: list[tuple[Tensor, Tensor]] = []
    pieces: dict[tuple[tuple[str, str], ...], tuple[Tensor, Tensor, Tensor]] = {}
    for row, wrap in enumerate(words):
        key = tuple(wrap)
        if key not in pieces:
            pieces[key] = _template(key, vectors.shape[1], space)
        template, places, slots = (part.to(vectors.device) for part in pieces[key])
        template = template.to(vectors.dtype)
        tokens = template if minuend is None else minuend[row] - template
        found.append((tokens.index_copy(0, places, vectors[row]), valid[row][slots]))
    longest = max(len(mask) for _, mask in found)
    return (
        torch.stack([functional.pad(tokens, (0, 0, 0, longest - len(tokens))) for tokens, _ in found]),
        torch.stack([functional.pad(mask, (0, longest - len(mask))) for _, mask in found]),
    )


def _template(wrap: tuple[tuple[str, str], ...], count: int, space: TokenSpace) -> tuple[Tensor, Tensor, Tensor]:
    """Embedded words [K, D_text] with zeros where the vectors stand, those places [S], and the vector of each [K]."""
    texts = [text for pair in wrap for text in pair]
    embedded, mask = space.embed(texts)
    pieces = [row[kept] for row, kept in zip(embedded, mask, strict=True)]
    hole = embedded.new_zeros(1, embedded.shape[-1])
    sequence: list[Tensor] = []
    places, slots = [], []
    length = 0
    for slot in range(count):
        before, after = pieces[2 * (slot % 2)], pieces[2 * (slot % 2) + 1]
        sequence += [before, hole, after]
        places.append(length + len(before))
        own = len(before) + 1 + len(after)
        slots += [slot] * own
        length += own
    return torch.cat(sequence), torch.tensor(places), torch.tensor(slots)
