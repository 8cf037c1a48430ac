"""How hard the drawn films are to read."""

from __future__ import annotations

from dataclasses import dataclass

from llmrg.errors import UserError

__all__ = ["PRESETS", "Preset", "get_preset"]


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Strength of findings and of everything that gets in their way.

    Args:
        name: its name on the command line.
        severities: share of mild, moderate and severe findings.
        floor: how far the look of mild findings is lifted towards that of severe ones, 0 to 1.
        contrast: factor on the attenuation of findings.
        pose: spread of rotation (degrees), shift (half thorax widths) and log zoom.
        turn: spread of the patient's own rotation, as shift of the mediastinum in half thorax widths.
        habitus: 0 to 1, spread of body proportions.
        clutter: 0 to 1, strength of end-on vessels, scapulae, breast shadows, bowel gas, folds.
        exposure: 0 to 1, spread of contrast, brightness, scatter and collimation.
        noise: relative quantum noise at 224 px.
    """

    name: str
    severities: tuple[float, float, float]
    floor: float
    contrast: float
    pose: tuple[float, float, float]
    turn: float
    habitus: float
    clutter: float
    exposure: float
    noise: float


PRESETS: dict[str, Preset] = {
    "easy": Preset(
        name="easy",
        severities=(0.2, 0.5, 0.3),
        floor=0.35,
        contrast=1.35,
        pose=(1.0, 0.02, 0.02),
        turn=0.01,
        habitus=0.35,
        clutter=0.2,
        exposure=0.25,
        noise=0.012,
    ),
    "bench": Preset(
        name="bench",
        severities=(0.3, 0.45, 0.25),
        floor=0.15,
        contrast=1.15,
        pose=(3.0, 0.06, 0.06),
        turn=0.03,
        habitus=1.0,
        clutter=1.0,
        exposure=1.0,
        noise=0.03,
    ),
}


def get_preset(name: str) -> Preset:
    """Return a preset by name.

    Raises:
        UserError: the name is unknown.
    """
    if name not in PRESETS:
        raise UserError(f"Unknown phantom preset {name!r}", where="preset", allowed=PRESETS, got=name)
    return PRESETS[name]
