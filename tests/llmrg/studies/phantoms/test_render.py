"""What is drawn is what the truth says, where it says so."""

from __future__ import annotations

from functools import cache
from itertools import count

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from llmrg.studies.phantoms import render
from llmrg.studies.phantoms.case import Lesion
from llmrg.studies.phantoms.render import DrawnStudy, StudyPlan, draw_study
from llmrg.studies.phantoms.truth import FindingTruth

_OBSERVATIONS = {
    "increased_lung_markings": (False, None),
    "patchy_opacity": (True, "middle"),
    "consolidation": (True, "upper"),
    "nodule": (True, "middle"),
    "atelectasis": (True, "middle"),
    "edema": (False, None),
    "pneumothorax": (True, None),
    "pleural_effusion": (True, None),
    "pleural_thickening": (True, "middle"),
    "cardiomegaly": (False, None),
    "rib_fracture": (True, "middle"),
    "support_device": (False, None),
}


def _plan(index: int = 0, *, size: int = 128, preset: str = "easy", cohort: str = "adult", seed: int = 2) -> StudyPlan:
    return StudyPlan(
        seed=seed,
        index=index,
        patient=index,
        cohort=cohort,
        preset=preset,
        shifted=False,
        size=size,  # type: ignore[arg-type]
    )


def _forced(
    monkeypatch: pytest.MonkeyPatch,
    observation: str | None,
    *,
    side: str | None = None,
    grade: float = 0.6,
    index: int = 0,
) -> DrawnStudy:
    sided, zone = _OBSERVATIONS[observation] if observation else (False, None)
    lesion = Lesion(
        observation=observation or "",
        side=side if sided else None,  # type: ignore[arg-type]
        zone=zone,  # type: ignore[arg-type]
        severity="moderate",
        grade=grade,
        kind="gastric_tube" if observation == "support_device" else "plate" if observation == "atelectasis" else None,
    )
    monkeypatch.setattr(render, "draw_lesions", lambda *_, **__: (lesion,) if observation else ())
    return draw_study(_plan(index))


def _inside(film: NDArray[np.uint8], finding: FindingTruth, view: str = "frontal") -> NDArray[np.float64]:
    x0, y0, x1, y1 = (round(edge) for edge in finding.boxes[view])
    return film[y0:y1, x0:x1].astype(float)


@pytest.mark.parametrize("observation", [name for name in _OBSERVATIONS if name != "cardiomegaly"])
def test_each_finding_changes_its_box_and_little_else(monkeypatch: pytest.MonkeyPatch, observation: str) -> None:
    healthy = _forced(monkeypatch, None)
    for side in ("left", "right"):
        study = _forced(monkeypatch, observation, side=side)
        (finding,) = study.findings
        assert "frontal" in finding.boxes
        assert ("lateral" in finding.boxes) == (observation != "rib_fracture")
        change = np.abs(study.films["frontal"].astype(float) - healthy.films["frontal"].astype(float))
        x0, y0, x1, y1 = (round(edge) for edge in finding.boxes["frontal"])
        within = change[y0:y1, x0:x1]
        assert np.mean(within > 12) > 0.04, observation
        if _OBSERVATIONS[observation][0]:
            middle = (x0 + x1) / 2
            assert (middle > 64) == (side == "left"), "the patient's left lies at the viewer's right"
            outside = change.copy()
            outside[max(0, y0 - 6) : y1 + 6, max(0, x0 - 6) : x1 + 6] = 0
            assert within.mean() > 3 * outside.mean()


def test_fluid_whitens_and_free_air_blackens_the_lung(monkeypatch: pytest.MonkeyPatch) -> None:
    healthy = _forced(monkeypatch, None).films["frontal"]
    fluid = _forced(monkeypatch, "pleural_effusion", side="left", grade=0.9)
    assert (_inside(fluid.films["frontal"], fluid.findings[0]) - _inside(healthy, fluid.findings[0])).mean() > 20
    air = _forced(monkeypatch, "pneumothorax", side="right", grade=0.5)
    x0, y0, _, y1 = (round(edge) for edge in air.findings[0].boxes["frontal"])
    strip = (slice(y0 + (y1 - y0) // 3, y0 + 2 * (y1 - y0) // 3), slice(x0 + 2, x0 + 7))
    assert air.films["frontal"][strip].mean() < healthy[strip].mean() - 3


@pytest.mark.parametrize("cohort", ["adult", "paediatric"])
def test_the_heart_is_as_wide_as_its_ratio_says(monkeypatch: pytest.MonkeyPatch, cohort: str) -> None:
    """Measured as on a film: the widest heart by the inner width of the cage, on the drawn boxes."""
    for grade, index in zip((0.1, 0.5, 0.9), count()):
        lesions = (Lesion(observation="cardiomegaly", side=None, zone=None, severity="moderate", grade=grade),)
        monkeypatch.setattr(render, "draw_lesions", lambda *_, found=lesions, **__: found)
        study = draw_study(_plan(index, size=512, cohort=cohort))
        ratio = study.cardiothoracic_ratio
        assert ratio > study.patient.enlarged_above + 0.03
        assert study.findings[0].size == ratio
        x0, _, x1, _ = study.findings[0].boxes["frontal"]
        monkeypatch.setattr(
            render,
            "draw_lesions",
            lambda *_, **__: (
                Lesion(observation="increased_lung_markings", side=None, zone=None, severity="mild", grade=0.1),
            ),
        )
        a, _, b, _ = draw_study(_plan(index, size=512, cohort=cohort)).findings[0].boxes["frontal"]
        assert (x1 - x0) / (b - a) == pytest.approx(ratio, rel=0.06)


def test_healthy_hearts_stay_clear_of_the_limit() -> None:
    for index in range(60):
        for cohort in ("adult", "paediatric"):
            study = draw_study(_plan(index, size=32, preset="bench", cohort=cohort))
            if "cardiomegaly" not in {finding.observation for finding in study.findings}:
                assert 0.3 < study.cardiothoracic_ratio <= study.patient.enlarged_above - 0.03


@cache
def _sizes(index: int) -> tuple[DrawnStudy, DrawnStudy]:
    return draw_study(_plan(index, size=128, preset="bench")), draw_study(_plan(index, size=384, preset="bench"))


@pytest.mark.parametrize("index", range(4))
def test_the_same_study_at_another_size_is_the_same_picture(index: int) -> None:
    small, large = _sizes(index)
    for view, film in small.films.items():
        shrunk = np.asarray(Image.fromarray(large.films[view]).resize((128, 128), Image.Resampling.BOX), dtype=float)
        assert np.corrcoef(shrunk.ravel(), film.astype(float).ravel())[0, 1] > 0.97
    for a, b in zip(small.findings, large.findings, strict=True):
        assert (a.observation, a.side, a.severity) == (b.observation, b.side, b.severity)
        assert set(a.boxes) == set(b.boxes)
        for view, box in a.boxes.items():
            assert np.abs(np.array(box) * 3 - b.boxes[view]).max() <= 9


def test_the_largest_film_is_drawn() -> None:
    films = draw_study(_plan(1, size=1280)).films
    assert {film.shape for film in films.values()} == {(1280, 1280)}
    assert all(film.dtype == np.uint8 for film in films.values())
