"""Who is examined and what is wrong: drawn before any geometry, so that it is the same at every size and shift."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from llmrg.findings.mention import Severity, Side
from llmrg.studies.phantoms.preset import Preset
from llmrg.studies.phantoms.truth import Zone

__all__ = ["NORMAL_SHARE", "Cohort", "Lesion", "Patient", "draw_lesions", "draw_patient"]

Cohort = Literal["paediatric", "adult"]

NORMAL_SHARE = 1 / 3

# Relative frequency of each observation among findings; with 1 to 4 findings in two studies of three, a weight of
# 1.0 comes to about one study in ten.
_WEIGHTS: Mapping[Cohort, Mapping[str, float]] = {
    "adult": {
        "increased_lung_markings": 0.95,
        "patchy_opacity": 1.2,
        "consolidation": 1.0,
        "nodule": 0.95,
        "atelectasis": 1.0,
        "edema": 0.85,
        "pneumothorax": 0.8,
        "pleural_effusion": 1.2,
        "pleural_thickening": 0.9,
        "cardiomegaly": 1.1,
        "rib_fracture": 0.85,
        "support_device": 1.15,
    },
    "paediatric": {
        "increased_lung_markings": 1.9,
        "patchy_opacity": 1.6,
        "consolidation": 1.1,
        "nodule": 0.75,
        "atelectasis": 0.9,
        "edema": 0.7,
        "pneumothorax": 0.75,
        "pleural_effusion": 0.95,
        "pleural_thickening": 0.75,
        "cardiomegaly": 0.9,
        "rib_fracture": 0.75,
        "support_device": 0.95,
    },
}
_AFFINITY: Mapping[tuple[str, str], float] = {
    ("edema", "cardiomegaly"): 2.0,
    ("edema", "pleural_effusion"): 1.6,
    ("cardiomegaly", "pleural_effusion"): 1.3,
    ("rib_fracture", "pneumothorax"): 2.0,
    ("patchy_opacity", "increased_lung_markings"): 1.3,
    ("support_device", "pneumothorax"): 1.3,
    ("edema", "increased_lung_markings"): 0.0,  # the same thickened vessels: reports name one of the two
}
_COUNTS = (0.42, 0.34, 0.17, 0.07)
_SEVERITIES: tuple[Severity, ...] = ("mild", "moderate", "severe")
_ZONES: tuple[Zone, ...] = ("upper", "middle", "lower")
_BILATERAL = {
    "patchy_opacity": 0.3,
    "consolidation": 0.12,
    "atelectasis": 0.12,
    "pleural_effusion": 0.3,
    "pleural_thickening": 0.2,
}
_SIDED = frozenset(_BILATERAL) | {"nodule", "pneumothorax", "rib_fracture"}
_ZONE_WEIGHTS: Mapping[str, tuple[float, float, float]] = {
    "patchy_opacity": (0.25, 0.35, 0.4),
    "consolidation": (0.3, 0.3, 0.4),
    "nodule": (0.4, 0.35, 0.25),
    "atelectasis": (0.2, 0.3, 0.5),
    "pleural_thickening": (0.4, 0.35, 0.25),
    "rib_fracture": (0.25, 0.45, 0.3),
}
# Those that fill the most of a lung choose their place first.
_PLACING = (
    "pleural_effusion",
    "pneumothorax",
    "consolidation",
    "atelectasis",
    "patchy_opacity",
    "pleural_thickening",
    "nodule",
    "rib_fracture",
    "edema",
    "increased_lung_markings",
    "cardiomegaly",
    "support_device",
)
_DEVICES = ("endotracheal_tube", "gastric_tube", "central_line", "pacemaker")


@dataclass(frozen=True, kw_only=True)
class Patient:
    """Who is examined."""

    age: float
    sex: Literal["female", "male"]

    @property
    def half_width_mm(self) -> float:
        """Half the inner width of the thorax, in mm: the unit of chest coordinates."""
        growth = min(max((self.age - 1) / 17, 0.0), 1.0)
        return 78 + ((142 if self.sex == "male" else 132) - 78) * growth

    @property
    def enlarged_above(self) -> float:
        """Cardiothoracic ratio above which a heart counts as enlarged at this age."""
        return 0.5 if self.age >= 13 else 0.55 if self.age >= 2 else 0.58


@dataclass(frozen=True, kw_only=True)
class Lesion:
    """A finding before it is drawn.

    Args:
        observation: what it is.
        side: side of the patient, where it has one.
        zone: third of the lung, where it has one.
        severity: degree.
        grade: 0 to 1, the degree as a number: each third of the range is one severity.
        kind: which of several looks it has.
    """

    observation: str
    side: Side | None
    zone: Zone | None
    severity: Severity
    grade: float
    kind: str | None = None

    @property
    def signs(self) -> tuple[int, ...]:
        """Signs of the frontal chest coordinate where it lies: -1 the patient's right, +1 the left."""
        return {"left": (1,), "right": (-1,), "bilateral": (-1, 1), None: ()}[self.side]


def draw_patient(rng: np.random.Generator, *, cohort: Cohort) -> Patient:
    """Draw age and sex: 1 to 12 years in a paediatric cohort; adults with a few adolescents otherwise."""
    if cohort == "paediatric":
        age = float(rng.integers(1, 13))
    elif rng.random() < 0.05:
        age = float(rng.integers(13, 18))
    else:
        age = float(np.clip(np.round(rng.normal(60, 17)), 18, 90))
    return Patient(age=age, sex="female" if rng.random() < 0.45 else "male")


def draw_lesions(rng: np.random.Generator, *, cohort: Cohort, preset: Preset) -> tuple[Lesion, ...]:
    """Draw the findings of one study: none in a third of studies, else one to four that can be told apart.

    Returns:
        Findings, the most severe first. Two findings of the lung never share the same third of the same lung.
    """
    chosen = _choose(rng, cohort)
    taken: set[tuple[int, Zone]] = set()
    lesions = []
    for observation in (name for name in _PLACING if name in chosen):
        lesion = _place(rng, observation, preset, taken)
        if lesion is not None:
            lesions.append(lesion)
    return tuple(sorted(lesions, key=lambda lesion: -_SEVERITIES.index(lesion.severity)))


def _choose(rng: np.random.Generator, cohort: Cohort) -> set[str]:
    if rng.random() < NORMAL_SHARE:
        return set()
    weights = dict(_WEIGHTS[cohort])
    chosen: set[str] = set()
    for _ in range(1 + int(rng.choice(len(_COUNTS), p=_COUNTS))):
        names = list(weights)
        p = np.array([weights[name] for name in names])
        name = names[int(rng.choice(len(names), p=p / p.sum()))]
        chosen.add(name)
        del weights[name]
        for (a, b), factor in _AFFINITY.items():
            other = b if a == name else a if b == name else None
            if other in weights:
                weights[other] *= factor
    return chosen


def _place(rng: np.random.Generator, observation: str, preset: Preset, taken: set[tuple[int, Zone]]) -> Lesion | None:
    level = int(rng.choice(3, p=preset.severities))
    grade = (level + float(rng.random())) / 3
    kind: str | None = None
    side: Side | None = None
    zone: Zone | None = None
    if observation == "support_device":
        kind = _DEVICES[int(rng.choice(4, p=(0.25, 0.3, 0.25, 0.2)))]
    if observation == "atelectasis":
        kind = "plate" if level < 2 else "lobar"
    if observation in _SIDED:
        options: list[tuple[Side, Zone | None, float]] = []
        both = _BILATERAL.get(observation, 0.0)
        for choice, weight in (("left", (1 - both) / 2), ("right", (1 - both) / 2), ("bilateral", both)):
            signs = {"left": (1,), "right": (-1,), "bilateral": (-1, 1)}[choice]
            zones: tuple[Zone | None, ...] = _ZONES if observation in _ZONE_WEIGHTS else (None,)
            for i, candidate in enumerate(zones):
                cells = _cells(observation, signs, candidate, level)
                if not cells & taken or observation == "rib_fracture":
                    share = _ZONE_WEIGHTS[observation][i] if candidate else 1.0
                    options.append((choice, candidate, weight * share))  # type: ignore[arg-type]
        total = sum(weight for _, _, weight in options)
        if not options or total <= 0:
            return None
        pick = int(rng.choice(len(options), p=np.array([weight for _, _, weight in options]) / total))
        side, zone, _ = options[pick]
        signs = {"left": (1,), "right": (-1,), "bilateral": (-1, 1)}[side]
        if observation != "rib_fracture":
            taken |= _cells(observation, signs, zone, level)
    return Lesion(observation=observation, side=side, zone=zone, severity=_SEVERITIES[level], grade=grade, kind=kind)


def _cells(observation: str, signs: tuple[int, ...], zone: Zone | None, level: int) -> set[tuple[int, Zone]]:
    zones: tuple[Zone, ...]
    if observation == "pleural_effusion":
        zones = ("lower", "middle") if level == 2 else ("lower",)
    elif observation == "pneumothorax":
        zones = _ZONES if level == 2 else ("upper", "middle")
    elif observation == "consolidation" and level > 0:
        zones = ("middle", "lower") if zone in ("middle", "lower") else ("upper", "middle")
    else:
        zones = (zone,) if zone else ()
    return {(sign, z) for sign in signs for z in zones}
