"""One study, drawn: its two films and where its findings lie on them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from llmrg.studies.phantoms.anatomy import Anatomy, draw_anatomy, with_lesions
from llmrg.studies.phantoms.case import Cohort, Lesion, Patient, draw_lesions, draw_patient
from llmrg.studies.phantoms.film import draw_exposure, expose
from llmrg.studies.phantoms.frontal import draw_frontal
from llmrg.studies.phantoms.frontal_findings import draw_frontal_finding
from llmrg.studies.phantoms.grid import Box, Grid, Pose
from llmrg.studies.phantoms.lateral import draw_lateral
from llmrg.studies.phantoms.lateral_findings import draw_lateral_finding
from llmrg.studies.phantoms.preset import Preset, get_preset
from llmrg.studies.phantoms.truth import FindingTruth

__all__ = ["DrawnStudy", "StudyPlan", "draw_study"]

# Streams of random numbers, kept apart so that one thing may vary while the others stay.
_PATIENT, _LESIONS, _ANATOMY, _FILM, _SHAPES, _PIXELS = range(6)


@dataclass(frozen=True, kw_only=True)
class StudyPlan:
    """What identifies a study before it is drawn.

    Args:
        seed: of the whole dataset.
        index: number of the study in the dataset.
        patient: number of the patient in the dataset.
        cohort: who is examined.
        preset: ``easy`` or ``bench``.
        shifted: whether to draw from the other population and machine.
        size: of the films in pixels.
    """

    seed: int
    index: int
    patient: int
    cohort: Cohort
    preset: str
    shifted: bool
    size: int


@dataclass(frozen=True, kw_only=True)
class DrawnStudy:
    """A study's films (uint8 ``[size, size]`` by view) and what is on them."""

    patient: Patient
    findings: tuple[FindingTruth, ...]
    cardiothoracic_ratio: float
    films: dict[str, NDArray[np.uint8]]


def draw_study(plan: StudyPlan) -> DrawnStudy:
    """Draw both films of a study; the same plan gives the same pixels, in any process."""

    def stream(kind: int, *more: int) -> np.random.Generator:
        return np.random.default_rng([plan.seed, kind, *more])

    preset = get_preset(plan.preset)
    patient = draw_patient(stream(_PATIENT, plan.patient), cohort=plan.cohort)
    lesions = draw_lesions(stream(_LESIONS, plan.index), cohort=plan.cohort, preset=preset)
    grades = {lesion.observation: preset.floor + (1 - preset.floor) * lesion.grade for lesion in lesions}
    healthy = draw_anatomy(stream(_ANATOMY, plan.patient), patient=patient, preset=preset, shifted=plan.shifted)
    anatomy = with_lesions(healthy, lesions, patient=patient, grades=grades)
    film_stream = stream(_FILM, plan.index, int(plan.shifted))
    anatomy = _turned(anatomy, film_stream, preset)
    vessels = {
        "markings": _vessel_grade(grades, "increased_lung_markings"),
        "edema": _vessel_grade(grades, "edema"),
        "clutter": preset.clutter,
    }
    boxes: dict[str, dict[str, Box]] = {lesion.observation: {} for lesion in lesions}
    sizes: dict[str, float] = {}
    films: dict[str, NDArray[np.uint8]] = {}
    for number, view in enumerate(("frontal", "lateral")):
        pose = _draw_pose(film_stream, preset, patient, view)
        exposure = draw_exposure(film_stream, preset=preset, shifted=plan.shifted, view=view, mirrored=pose.mirrored)
        grid = Grid(size=plan.size, pose=pose)
        shapes = stream(_SHAPES, plan.index, number)
        found: dict[str, Box | None] = {}
        if view == "frontal":
            frontal = draw_frontal(grid, anatomy, shapes, vessels=vessels)
            for lesion in lesions:
                name = lesion.observation
                found[name], sizes[name] = draw_frontal_finding(
                    frontal, lesion, shapes, grade=grades[name], contrast=preset.contrast
                )
            attenuation = frontal.attenuation
        else:
            lateral = draw_lateral(grid, anatomy, shapes, vessels=vessels)
            for lesion in lesions:
                name = lesion.observation
                found[name] = draw_lateral_finding(
                    lateral, lesion, shapes, grade=grades[name], contrast=preset.contrast
                )
            attenuation = lateral.attenuation
        for name, box in found.items():
            if box is not None:
                boxes[name][view] = box
        films[view] = expose(attenuation, stream(_PIXELS, plan.index, number), exposure=exposure)
    findings = tuple(
        _truth(lesion, sizes[lesion.observation], boxes[lesion.observation], patient) for lesion in lesions
    )
    return DrawnStudy(patient=patient, findings=findings, cardiothoracic_ratio=round(anatomy.ratio, 3), films=films)


def _vessel_grade(grades: dict[str, float], observation: str) -> float:
    return 0.4 + 0.6 * grades[observation] if observation in grades else 0.0


def _turned(anatomy: Anatomy, rng: np.random.Generator, preset: Preset) -> Anatomy:
    return replace(anatomy, shift=anatomy.shift + preset.turn * float(rng.normal()))


def _draw_pose(rng: np.random.Generator, preset: Preset, patient: Patient, view: str) -> Pose:
    angle, shift, zoom = preset.pose
    n = rng.normal(size=4).clip(-2, 2)
    grown = min(max((patient.age - 1) / 15, 0.0), 1.0)
    centre_v = -0.1
    span = (2.6 + 0.15 * grown) * float(np.exp(zoom * n[3]))
    centre_u = 0.0 if view == "frontal" else 0.05
    mirrored = view == "lateral" and bool(rng.random() < 0.2 * preset.clutter)
    return Pose(
        angle=float(angle * n[0]),
        centre=(centre_u + shift * float(n[1]), centre_v + shift * float(n[2])),
        span=span,
        mirrored=mirrored,
    )


def _truth(lesion: Lesion, size: float, boxes: dict[str, Box], patient: Patient) -> FindingTruth:
    if lesion.observation == "nodule":
        size = 2 * size * patient.half_width_mm
    return FindingTruth(
        observation=lesion.observation,
        side=lesion.side,
        zone=lesion.zone,
        severity=lesion.severity,
        size=round(size, 3),
        boxes=boxes,
        kind=lesion.kind,
    )
