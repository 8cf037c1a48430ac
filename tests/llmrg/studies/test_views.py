from __future__ import annotations

from pathlib import Path

import pytest

from llmrg.studies.study import Image
from llmrg.studies.views import normalise_view, order_images, view_of_file


@pytest.mark.parametrize(
    ("name", "view"),
    [
        ("PA", "frontal"),
        ("AP Supine", "frontal"),
        ("ap_portable", "frontal"),
        ("Frontal", "frontal"),
        ("postero-anterior", "frontal"),
        ("L", "lateral"),
        ("LL", "lateral"),
        ("Lateral", "lateral"),
        ("left lateral", "lateral"),
        ("AP lateral decubitus", "frontal"),
        ("lateral decubitus", "unknown"),
        ("正位", "frontal"),
        ("左侧位", "lateral"),
        ("后前位", "frontal"),
        ("oblique", "unknown"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_names_of_views(name: str | None, view: str) -> None:
    assert normalise_view(name) == view


@pytest.mark.parametrize(
    ("name", "view"),
    [
        ("a/IMG-0001-00001.jpg", "frontal"),
        ("a/IMG-0002-00001.jpg", "lateral"),
        ("patient1/study1/view2_lateral.png", "lateral"),
        ("images/p0017_00_AP.jpg", "frontal"),
        ("frontal/scan_l_12.png", "unknown"),
        ("0.png", "unknown"),
    ],
)
def test_views_in_file_names(name: str, view: str) -> None:
    assert view_of_file(name) == view


def _images(*views: str) -> list[Image]:
    return [Image(path=Path(str(number)), view=view) for number, view in enumerate(views)]  # type: ignore[arg-type]


def test_frontal_first_and_stable() -> None:
    ordered = order_images(_images("lateral", "unknown", "frontal", "frontal"))
    assert [image.path.name for image in ordered] == ["2", "3", "0", "1"]


def test_a_limit_keeps_one_of_each_view() -> None:
    assert [i.path.name for i in order_images(_images("frontal", "frontal", "lateral"), limit=2)] == ["0", "2"]
    assert [i.path.name for i in order_images(_images("frontal", "frontal"), limit=1)] == ["0"]
    assert [i.path.name for i in order_images(_images("lateral", "frontal", "frontal", "frontal"), limit=3)] == [
        "1",
        "2",
        "0",
    ]
