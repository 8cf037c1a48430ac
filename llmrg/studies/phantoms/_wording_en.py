"""English phrases of phantom reports (patterns: see ``_phrases.py``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from llmrg.studies.phantoms._phrases import Degrees, PhraseBook

if TYPE_CHECKING:
    from llmrg.studies.phantoms.truth import FindingTruth

__all__ = ["FIXED", "MAIN", "SHIFTED", "english_slots"]

_PLACES = ("{s} {z} lung zone", "{s} {z} lung")
_SHIFTED_PLACES = ("{z} {s} lung field", "{s} {z} zone")
_DEVICE = {
    "endotracheal_tube": "endotracheal tube",
    "gastric_tube": "nasogastric tube",
    "central_line": "central venous catheter",
    "pacemaker": "pacemaker",
}
_COLLAPSE = {"plate": "plate-like", "lobar": "lobar"}
_PLEURAL = {"upper": "apical", "middle": "lateral", "lower": "basal"}


def english_slots(finding: FindingTruth, *, style: int = 0, shifted: bool = False) -> dict[str, str]:
    """Return the words of a finding's slots.

    Args:
        finding: what is to be said.
        style: which habit of naming a zone.
        shifted: the second set of habits.

    Returns:
        ``in`` (in the left upper lung), ``side`` (left, bilateral), ``on`` (on the left, on both sides), ``s`` (plural
        ending of a bilateral noun), ``is`` (is, are), ``a`` (article of a noun on one side), ``part`` (upper),
        ``kind`` and ``device``; empty where unknown.
    """
    side, zone = finding.side or "", finding.zone or ""
    zone_word = {"middle": "mid"}.get(zone, zone)
    both = side == "bilateral"
    places = _SHIFTED_PLACES if shifted else _PLACES
    if side and zone:
        letter = "" if both else side
        words = " ".join(places[style % len(places)].format(s=letter, z=zone_word).split())
        place = f"in both {words}s" if both else f"in the {words}"
    elif side:
        place = "in both lungs" if both else f"in the {side} lung"
    else:
        place = f"in the {zone_word} lungs" if zone else "in the lungs"
    part = _PLEURAL.get(zone, "") if finding.observation == "pneumothorax" else zone_word
    return {
        "in": place,
        "side": side,
        "on": ("on both sides" if both else f"on the {side}") if side else "",
        "s": "s" if both else " ",
        "is": "are" if both else "is",
        "a": " " if both else "a ",
        "part": part or " ",
        "kind": _COLLAPSE.get(finding.kind or "", " "),
        "device": _DEVICE.get(finding.kind or "", "catheter"),
    }


_MAIN: Mapping[str, Degrees] = {
    "increased_lung_markings": {
        "mild": ("[Mildly|Slightly] increased [lung|bronchovascular] markings [bilaterally|in both lungs]",),
        "moderate": ("[Moderately increased|Increased] [lung|bronchovascular] markings [bilaterally|in both lungs]",),
        "severe": ("[Markedly|Prominently] increased [lung|bronchovascular] markings [bilaterally|in both lungs]",),
    },
    "patchy_opacity": {
        "mild": ("[There is a|A] [small|faint] patchy opacity {in}", "Mild patchy opacity [is seen|is present] {in}"),
        "moderate": ("[There is|] patchy [airspace |]opacity {in}", "Patchy opacity [is seen|is noted] {in}"),
        "severe": ("[There is|] extensive [patchy |airspace |]opacity {in}", "Large hazy opacity [is seen|] {in}"),
    },
    "consolidation": {
        "mild": ("[There is|] a small [area|focus] of consolidation {in}", "Mild consolidation [is seen|] {in}"),
        "moderate": ("[There is|] [focal |]consolidation {in}", "Consolidation [with air bronchograms |]is seen {in}"),
        "severe": ("[There is|] [extensive|dense, large] consolidation {in}", "Large consolidation is seen {in}"),
    },
    "nodule": {
        "mild": ("[There is|] a small [nodule|rounded nodule] {in}", "A small nodule is [seen|noted] {in}"),
        "moderate": ("[There is|] a [round |well-defined |]nodule {in}", "A nodule is [seen|noted] {in}"),
        "severe": ("[There is|] a large [nodule|rounded nodule] {in}", "A large nodule is [seen|noted] {in}"),
    },
    "atelectasis": {
        "mild": ("[There is|] [mild|minimal] {kind} atelectasis {in}",),
        "moderate": ("[There is|] {kind} atelectasis {in}", "Volume loss with {kind} atelectasis {in}"),
        "severe": ("[There is|] [marked|extensive] {kind} atelectasis {in}",),
    },
    "edema": {
        "mild": ("[There is|] mild [pulmonary|interstitial pulmonary] edema", "Findings of mild pulmonary edema"),
        "moderate": (
            "[There is|] [moderate |]pulmonary edema",
            "Indistinct perihilar vessels with moderate pulmonary edema",
        ),
        "severe": ("[There is|] severe [pulmonary|alveolar pulmonary] edema", "Findings of severe pulmonary edema"),
    },
    "pneumothorax": {
        "mild": ("[There is|] {a}small {side} {part} pneumothorax", "{a}small pneumothorax is seen {on}"),
        "moderate": ("[There is|] {a}moderate {side} {part} pneumothorax", "{a}moderate pneumothorax is seen {on}"),
        "severe": ("[There is|] {a}large {side} pneumothorax", "{a}large pneumothorax is seen {on}"),
    },
    "pleural_effusion": {
        "mild": (
            "[There {is}|] {a}small {side} pleural effusion{s}",
            "Blunted costophrenic angle {on}, small effusion",
        ),
        "moderate": ("[There {is}|] {a}moderate {side} pleural effusion{s}", "Moderate pleural effusion {on}"),
        "severe": ("[There {is}|] {a}large {side} pleural effusion{s}", "Large pleural effusion {on}"),
    },
    "pleural_thickening": {
        "mild": ("[There is|] mild {side} {part} pleural thickening", "Mild pleural thickening {on}"),
        "moderate": ("[There is|] [moderate |]{side} {part} pleural thickening", "Pleural thickening is seen {on}"),
        "severe": ("[There is|] marked {side} {part} pleural thickening", "Marked pleural thickening {on}"),
    },
    "cardiomegaly": {
        "mild": ("[There is mild|Mild] cardiomegaly", "The heart is [mildly|slightly] enlarged"),
        "moderate": ("[There is|] [moderate |]cardiomegaly", "The [heart|cardiac silhouette] is enlarged"),
        "severe": ("[There is marked|Severe] cardiomegaly", "The [heart|cardiac silhouette] is markedly enlarged"),
    },
    "rib_fracture": {
        "mild": ("[There {is}|] {a}nondisplaced {side} {part} rib fracture{s}", "Nondisplaced rib fracture{s} {on}"),
        "moderate": ("[There {is}|] {a}{side} {part} rib fracture{s}", "Displaced rib fracture{s} {on}"),
        "severe": (
            "[There {is}|] {a}markedly displaced {side} {part} rib fracture{s}",
            "Displaced rib fracture{s} {on}",
        ),
    },
    "support_device": {
        "any": (
            "A {device} is [in place|present|noted]",
            "[There is a|The] {device}[ is|, which is] in expected position",
        ),
    },
}

_SHIFTED: Mapping[str, Degrees] = {
    "increased_lung_markings": {
        "mild": ("The bronchovascular markings appear slightly prominent",),
        "moderate": ("Prominent [pulmonary|bronchovascular] markings are demonstrated",),
        "severe": ("The pulmonary markings are [markedly|grossly] accentuated",),
    },
    "patchy_opacity": {
        "mild": ("[Subtle|Faint] ill-defined density {in}", "{in}, a subtle hazy opacity is visualized"),
        "moderate": ("[Ill-defined|Hazy] infiltrate demonstrated {in}", "{in}, patchy airspace disease is visualized"),
        "severe": ("Extensive [infiltrate|airspace opacification] demonstrated {in}",),
    },
    "consolidation": {
        "mild": ("{in}, a minor area of consolidation is visualized", "Minor consolidative change {in}"),
        "moderate": ("{in}, airspace consolidation is visualized", "Consolidative change demonstrated {in}"),
        "severe": ("{in}, extensive airspace consolidation is visualized", "Extensive consolidative change {in}"),
    },
    "nodule": {
        "mild": ("Tiny [nodular lesion|pulmonary nodule] projecting {in}", "{in}, a tiny nodule is visualized"),
        "moderate": ("[Nodular lesion|Pulmonary nodule] projecting {in}", "{in}, a pulmonary nodule is visualized"),
        "severe": ("Sizable [nodular lesion|pulmonary nodule] projecting {in}", "{in}, a sizable nodule is visualized"),
    },
    "atelectasis": {
        "mild": ("Slight atelectatic change {in}", "{in}, minor {kind} atelectasis is visualized"),
        "moderate": ("Atelectatic change demonstrated {in}", "{in}, {kind} collapse is visualized"),
        "severe": ("Extensive {kind} collapse demonstrated {in}",),
    },
    "edema": {
        "mild": ("Mild [pulmonary vascular congestion|interstitial edema] is demonstrated",),
        "moderate": ("[Pulmonary vascular congestion|Interstitial edema] is demonstrated",),
        "severe": ("Severe [congestive edema|alveolar edema] is demonstrated",),
    },
    "pneumothorax": {
        "mild": ("Tiny pleural air collection {on} in keeping with pneumothorax", "Slight {side} pneumothorax"),
        "moderate": ("{side}-sided pneumothorax of moderate size", "Pneumothorax demonstrated {on}"),
        "severe": ("Extensive {side}-sided pneumothorax", "Sizable pneumothorax demonstrated {on}"),
    },
    "pleural_effusion": {
        "mild": ("Minor {side}-sided pleural fluid", "Trace pleural fluid {on} blunting the angle"),
        "moderate": ("{side}-sided pleural fluid of moderate amount", "Moderate hydrothorax {on}"),
        "severe": ("Extensive {side}-sided pleural fluid", "Massive pleural fluid collection {on}"),
    },
    "pleural_thickening": {
        "mild": ("Slight thickening of the pleura {on}",),
        "moderate": ("Thickening of the pleura demonstrated {on}", "Thickened {side} {part} pleura"),
        "severe": ("Extensive thickening of the pleura {on}",),
    },
    "cardiomegaly": {
        "mild": ("Heart size slightly increased", "The cardiac shadow is slightly enlarged"),
        "moderate": ("Heart size increased", "The cardiac shadow is enlarged", "Enlarged heart"),
        "severe": ("Heart size greatly increased", "The cardiac shadow is grossly enlarged"),
    },
    "rib_fracture": {
        "mild": ("Undisplaced fracture of the {part} ribs {on}",),
        "moderate": ("Fracture of the {part} ribs {on}", "Fractured {part} ribs {on}"),
        "severe": ("Displaced fracture of the {part} ribs {on}, with marked angulation",),
    },
    "support_device": {"any": ("{device} in situ", "[Satisfactory position of the|Indwelling] {device}")},
}

# The oracle's wording.
_FIXED: Mapping[str, Degrees] = {
    "increased_lung_markings": {
        "mild": ("Mildly increased lung markings in both lungs",),
        "moderate": ("Moderately increased lung markings in both lungs",),
        "severe": ("Markedly increased lung markings in both lungs",),
    },
    "patchy_opacity": {
        "mild": ("Mild patchy opacity {in}",),
        "moderate": ("Patchy opacity {in}",),
        "severe": ("Extensive patchy opacity {in}",),
    },
    "consolidation": {
        "mild": ("Mild consolidation {in}",),
        "moderate": ("Consolidation {in}",),
        "severe": ("Extensive consolidation {in}",),
    },
    "nodule": {"mild": ("Small nodule {in}",), "moderate": ("Nodule {in}",), "severe": ("Large nodule {in}",)},
    "atelectasis": {
        "mild": ("Mild atelectasis {in}",),
        "moderate": ("Moderate atelectasis {in}",),
        "severe": ("Marked atelectasis {in}",),
    },
    "edema": {
        "mild": ("Mild pulmonary edema",),
        "moderate": ("Moderate pulmonary edema",),
        "severe": ("Severe pulmonary edema",),
    },
    "pneumothorax": {
        "mild": ("Small {side} {part} pneumothorax",),
        "moderate": ("Moderate {side} {part} pneumothorax",),
        "severe": ("Large {side} {part} pneumothorax",),
    },
    "pleural_effusion": {
        "mild": ("Small {side} pleural effusion",),
        "moderate": ("Moderate {side} pleural effusion",),
        "severe": ("Large {side} pleural effusion",),
    },
    "pleural_thickening": {
        "mild": ("Mild {side} {part} pleural thickening",),
        "moderate": ("Moderate {side} {part} pleural thickening",),
        "severe": ("Marked {side} {part} pleural thickening",),
    },
    "cardiomegaly": {
        "mild": ("Mild cardiomegaly",),
        "moderate": ("Moderate cardiomegaly",),
        "severe": ("Marked cardiomegaly",),
    },
    "rib_fracture": {"any": ("{side} {part} rib fracture{s}",)},
    "support_device": {"any": ("{device} in place",)},
}

_IMPRESSIONS: Mapping[str, Degrees] = {
    **_FIXED,
    "increased_lung_markings": {"any": ("Increased lung markings[|, as in bronchitis]",)},
    "patchy_opacity": {"any": ("Patchy opacity {in}[|, clinical correlation advised]",)},
    "consolidation": {"any": ("[Consolidation|Focal consolidation] {in}",)},
    "nodule": {"any": ("Nodule {in}[, follow-up advised|, CT advised|]",)},
    "atelectasis": {"any": ("[{kind} atelectasis|Atelectasis] {in}",)},
}

_NORMAL: Mapping[str, Sequence[str]] = {
    "clear": (
        "[The lungs|Both lungs] are clear[|, without {absent}]",
        "[The lungs|Both lungs] are [well expanded and |]clear. No {absent}",
    ),
    "rest": ("[The remaining lung is|The lungs are otherwise] clear",),
    "none": ("[There is no|No|No evidence of] {absent}",),
    "markings": ("[Pulmonary vascularity is normal|Lung markings are normal|Pulmonary vasculature is unremarkable]",),
    "mediastinum": ("[The mediastinum is unremarkable|Mediastinal contours are normal|The trachea is midline]",),
    "hila": ("[Hilar contours are normal|The hila are unremarkable]",),
    "heart": (
        "[The heart size is normal|Heart size is within normal limits|The heart is normal in size]",
        "{adult}The cardiac silhouette is normal in size",
        "{child}The heart is normal in size[ for age|]",
    ),
    "angles": ("[The costophrenic angles are sharp|Costophrenic angles are clear|The pleural spaces are clear]",),
    "other_angle": ("The {other} costophrenic angle is sharp", "No {other} pleural effusion"),
    "bones": (
        "[The bones are intact|Osseous structures are unremarkable|No acute osseous abnormality]",
        "{adult}No acute bony abnormality",
        "{child}The visualized skeleton is unremarkable[ for age|]",
    ),
}

_SHIFTED_NORMAL: Mapping[str, Sequence[str]] = {
    "clear": ("Lung fields are clear and free of {absent}", "No active lung disease. No sign of {absent}"),
    "rest": ("Elsewhere the lungs are clear", "Remainder of the lung fields clear"),
    "none": ("[Negative for|No sign of|Absence of] {absent}",),
    "markings": ("Normal pulmonary vascular pattern",),
    "mediastinum": ("[Normal mediastinal outline|Mediastinum is central and not widened]",),
    "hila": ("Both hila are of normal size",),
    "heart": ("[Normal cardiac size|Cardiac size normal|Heart not enlarged]", "{adult}Cardiothoracic ratio is normal"),
    "angles": ("[Both costophrenic sulci are sharp|Diaphragm smooth with sharp costophrenic angles]",),
    "other_angle": ("{other} costophrenic sulcus is sharp",),
    "bones": ("[Bony thorax is intact|Skeletal structures appear normal|No fracture demonstrated]",),
}

_FIXED_NORMAL: Mapping[str, Sequence[str]] = {
    "clear": ("The lungs are clear",),
    "markings": ("Lung markings are normal",),
    "heart": ("The heart size is normal",),
    "angles": ("The costophrenic angles are sharp",),
    "bones": ("The bones are intact",),
}

_ORDERS = (
    ("lung", "pleura", "heart", "mediastinum", "bones", "device"),
    ("heart", "mediastinum", "lung", "pleura", "bones", "device"),
    ("device", "heart", "lung", "pleura", "mediastinum", "bones"),
)

MAIN = PhraseBook(
    findings=_MAIN,
    impressions=_IMPRESSIONS,
    normal=_NORMAL,
    clean=("[No acute cardiopulmonary process|No acute cardiopulmonary abnormality|Normal chest radiograph]",),
    orders=_ORDERS,
)
SHIFTED = PhraseBook(
    findings=_SHIFTED,
    impressions=_SHIFTED,
    normal=_SHIFTED_NORMAL,
    clean=("[No active cardiopulmonary disease|Unremarkable chest radiograph]",),
    orders=(
        ("bones", "mediastinum", "heart", "pleura", "lung", "device"),
        ("pleura", "lung", "bones", "device", "mediastinum", "heart"),
    ),
)
FIXED = PhraseBook(
    findings=_FIXED,
    impressions=_FIXED,
    normal=_FIXED_NORMAL,
    clean=("No acute cardiopulmonary abnormality",),
    orders=_ORDERS[:1],
)
