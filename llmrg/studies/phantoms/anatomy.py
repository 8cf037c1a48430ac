"""Proportions of one patient's chest, in half inner thorax widths."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from llmrg.studies.phantoms.case import Lesion, Patient
from llmrg.studies.phantoms.preset import Preset

__all__ = ["Anatomy", "draw_anatomy", "with_lesions"]


@dataclass(frozen=True, kw_only=True)
class Anatomy:
    """A chest in chest coordinates: u to the patient's left, v down, d backwards; 1 is half the inner thorax width.

    Args:
        top: v of the lung apices.
        wide: v where the thorax is widest.
        dome: v of the right and the left dome of the diaphragm.
        cage_power: how boxy the cage is (higher: squarer shoulders).
        depth: half the depth of the thorax.
        ratio: cardiothoracic ratio.
        heart_left: share of the heart's width left of the midline.
        heart_top: v where the heart's left border begins.
        mediastinum: half width of the upper mediastinum.
        knob: radius of the aortic knob (0: not seen).
        thymus: width of the thymic sail beyond the mediastinum (0: none).
        spine: half width of the spine.
        rib_gap: distance between ribs.
        rib_slope: how steeply the posterior ribs fall.
        fat: thickness of the soft tissue outside the cage.
        breast: attenuation of breast shadows (0: none).
        bone: attenuation factor of bone.
        vessels: factor on the width and contrast of vessels.
        shift: shift of the mediastinum to the patient's left.
        collapse: for the right and left lung, part of its width that air in the pleura takes.
    """

    top: float
    wide: float
    dome: tuple[float, float]
    cage_power: float
    depth: float
    ratio: float
    heart_left: float
    heart_top: float
    mediastinum: float
    knob: float
    thymus: float
    spine: float
    rib_gap: float
    rib_slope: float
    fat: float
    breast: float
    bone: float
    vessels: float
    shift: float = 0.0
    collapse: tuple[float, float] = (0.0, 0.0)

    def dome_of(self, sign: int) -> float:
        """Return v of the dome of one side (-1 the patient's right)."""
        return self.dome[(sign + 1) // 2]


def draw_anatomy(rng: np.random.Generator, *, patient: Patient, preset: Preset, shifted: bool) -> Anatomy:
    """Draw the healthy chest of a patient.

    Args:
        rng: source of the patient's own proportions.
        patient: age and sex.
        preset: ``habitus`` sets how far patients differ.
        shifted: draw from another population (shorter, wider chests with a flatter heart and higher domes).
    """
    h = preset.habitus
    grown = min(max((patient.age - 1) / 15, 0.0), 1.0)
    old = min(max((patient.age - 40) / 45, 0.0), 1.0)

    def spread(middle: float, width: float) -> float:
        return float(middle + h * width * np.clip(rng.normal(), -2, 2) / 2)

    build = spread(0.0, 0.16) + (-0.09 if shifted else 0.0)  # long and narrow (+) or short and wide (-)
    height = 0.78 + 0.2 * grown + build
    dome = spread(0.5 + 0.1 * grown + 0.4 * build, 0.07) - (0.05 if shifted else 0.0)
    uneven = spread(0.055, 0.09)
    limit = patient.enlarged_above
    return Anatomy(
        top=-height,
        wide=spread(0.5, 0.1),
        dome=(dome - uneven / 2, dome + uneven / 2),
        cage_power=spread(2.5 - 0.3 * grown + (0.35 if shifted else 0.0), 0.35),
        depth=spread(0.78 - 0.06 * grown + 0.05 * old, 0.08),
        ratio=limit - 0.035 - abs(spread(0.045, 0.05)),
        heart_left=spread(0.66 + (0.05 if shifted else 0.0), 0.05),
        heart_top=spread(-0.16 - 0.08 * (1 - grown), 0.05),
        mediastinum=spread(0.2 - 0.02 * grown, 0.03),
        knob=max(0.0, spread(0.05 + 0.04 * grown + 0.05 * old, 0.03)) if patient.age > 5 else 0.0,
        thymus=float(rng.uniform(0.08, 0.24)) if patient.age <= 2 and rng.random() < 0.7 else 0.0,
        spine=spread(0.115, 0.015),
        rib_gap=spread(0.185 - 0.01 * (1 - grown), 0.015),
        rib_slope=spread(0.32 + 0.18 * grown + (-0.12 if shifted else 0.0), 0.12),
        fat=max(0.08, spread(0.16 + 0.06 * grown + (0.1 if shifted else 0.0), 0.14)),
        breast=max(0.0, spread(0.22, 0.25)) * (0.4 + 0.6 * h) if patient.sex == "female" and patient.age >= 13 else 0.0,
        bone=spread(0.8 + 0.25 * grown - 0.25 * old, 0.2),
        vessels=spread(1.0, 0.25),
    )


def with_lesions(
    anatomy: Anatomy, lesions: tuple[Lesion, ...], *, patient: Patient, grades: dict[str, float]
) -> Anatomy:
    """Return the chest as its findings deform it: heart, diaphragm, mediastinum, collapsed lung.

    Args:
        anatomy: the healthy chest.
        lesions: what is wrong.
        patient: sets the ratio above which the heart is enlarged.
        grades: degree of each observation as drawn, 0 to 1.
    """
    dome, shift, collapse = list(anatomy.dome), anatomy.shift, [0.0, 0.0]
    for lesion in lesions:
        grade = grades[lesion.observation]
        for sign in lesion.signs:
            i = (sign + 1) // 2
            if lesion.observation == "pneumothorax":
                collapse[i] = 0.17 + 0.42 * grade
                shift -= sign * max(0.0, grade - 0.6) * 0.25
            elif lesion.observation == "atelectasis":
                dome[i] -= 0.05 + 0.09 * grade
                if lesion.side != "bilateral":
                    shift += sign * 0.1 * max(0.0, grade - 0.4)
            elif lesion.observation == "pleural_effusion" and grade > 0.75 and lesion.side != "bilateral":
                shift -= sign * 0.1 * (grade - 0.5)
        if lesion.observation == "cardiomegaly":
            anatomy = replace(anatomy, ratio=patient.enlarged_above + 0.035 + 0.14 * grade)
    return replace(anatomy, dome=(dome[0], dome[1]), shift=shift, collapse=(collapse[0], collapse[1]))
