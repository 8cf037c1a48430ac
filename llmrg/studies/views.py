"""Names of views, as datasets write them, and the films of a study put in order."""

from __future__ import annotations

import re
from collections.abc import Sequence

from llmrg.studies.study import Image, ViewName

__all__ = ["normalise_view", "order_images", "view_of_file"]

_FRONTAL = {"frontal", "front", "pa", "ap", "posteroanterior", "anteroposterior", "postero", "antero"}
_LATERAL = {"lateral", "lat", "l", "ll", "rl", "r", "lateralleft", "lateralright"}
_RANK = {"frontal": 0, "lateral": 1, "unknown": 2}


def normalise_view(name: str | None) -> ViewName:
    """Tell frontal from lateral in the way datasets write it (``AP Supine``, ``LL``, ``view1_frontal``, 侧位).

    A projection that is named (PA, AP) wins over a side: a lateral decubitus film taken AP is frontal.
    """
    if not name:
        return "unknown"
    if "正" in name or "后前" in name or "前后" in name:
        return "frontal"
    if "侧" in name:
        return "lateral"
    words = set(re.findall(r"[a-z]+", name.lower()))
    if words & _FRONTAL:
        return "frontal"
    if words & _LATERAL and "decubitus" not in words:
        return "lateral"
    return "unknown"


def view_of_file(name: str) -> ViewName:
    """Tell the view from a file's name where it says so (``view1_frontal.png``, ``p0017_00_AP.jpg``, ``IMG-0002-..``).

    ``IMG-0001`` is the frontal, ``IMG-0002`` the lateral view of PED-Xray. Single letters are not trusted.
    """
    stem = name.replace("\\", "/").rsplit("/", 1)[-1].rsplit(".", 1)[0]
    if "IMG-0001" in stem:
        return "frontal"
    if "IMG-0002" in stem:
        return "lateral"
    words = [word for word in re.findall(r"[a-z]+", stem.lower()) if len(word) > 1]
    return normalise_view(" ".join(words) + "".join(c for c in stem if c in "正侧"))


def order_images(images: Sequence[Image], *, limit: int | None = None) -> tuple[Image, ...]:
    """Put frontal films first, then lateral ones; keep the given order within a view.

    Args:
        images: films of one study.
        limit: films kept at most; one of each view is kept before a second film of the same view.
    """
    ordered = sorted(images, key=lambda image: _RANK[image.view])
    if limit is None or len(ordered) <= limit:
        return tuple(ordered)
    seen: set[str] = set()
    first: list[Image] = []
    further: list[Image] = []
    for image in ordered:
        (further if image.view in seen else first).append(image)
        seen.add(image.view)
    # An unknown film may be any view, so a second frontal or lateral one says no less.
    kept = (first + further)[:limit]
    return tuple(image for image in ordered if any(image is other for other in kept))
