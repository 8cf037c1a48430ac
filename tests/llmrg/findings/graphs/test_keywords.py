"""Keywords of graphs: pairs by hand, and what phantom reports must state."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from llmrg.findings.graphs.extractor import get_extractor
from llmrg.findings.graphs.keyword_names import ANATOMY_KEYWORDS, LESION_KEYWORDS
from llmrg.findings.graphs.keywords import keyword_pairs, keyword_statements
from llmrg.studies.phantoms.truth import FindingTruth, PhantomTruth
from llmrg.studies.phantoms.wording import write_report

# The pair that a finding of a phantom stands for (docs/graphs.md, section 4).
PAIRS = {
    "increased_lung_markings": ("Lung", "Texture"),
    "patchy_opacity": ("Lung", "Shadow"),
    "consolidation": ("Lung", "Shadow"),
    "nodule": ("Lung", "Shadow"),
    "atelectasis": ("Lung", "Atelectasis"),
    "edema": ("Lung", "Shadow"),
    "pneumothorax": ("Pleura", "Gas"),
    "pleural_effusion": ("Pleura", "Effusion"),
    "pleural_thickening": ("Pleura", "Enhanced"),
    "cardiomegaly": ("Heart", "Prominence"),
    "rib_fracture": ("Rib", "Fracture"),
}
DEVICES = {
    "endotracheal_tube": ("Trachea", "Intubation"),
    "gastric_tube": ("Belly", "Insert"),
    "central_line": ("Vessels", "Insert"),
    "pacemaker": ("Heart", "Insert"),
}
SIDED = ("patchy_opacity", "consolidation", "nodule", "atelectasis")
SIDED += ("pneumothorax", "pleural_effusion", "pleural_thickening", "rib_fracture")  # type: ignore[assignment]
DENIED = {"Gas", "Effusion", "Fracture", "Atelectasis", "Prominence"}


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("双肺纹理增多。", {("Lung", "Texture"), ("Lung", "Enhanced")}),
        ("心影增大。", {("Heart", "Prominence")}),
        ("右侧气胸。", {("Pleura", "Gas")}),
        ("左侧胸腔积液，右肺下野斑片影。", {("Pleura", "Effusion"), ("Lung", "Shadow")}),
        ("主动脉弓钙化，胸椎侧弯。", {("Aortic arch", "Calcification"), ("Vertebrae", "Side bend")}),
        ("可见导管影。", {("Vessels", "Insert")}),
        ("双肺清晰，未见积液。", set()),
        ("右肺炎症可能。", {("Lung", "Flame")}),
        ("积液较前增多。", {("Pleura", "Effusion")}),
        ("心包积液。", {("Heart", "Effusion")}),
        ("叶间裂少量积液，肺动脉段突出。", {("Fissures", "Effusion"), ("Pulmonary artery", "Prominence")}),
        ("左侧肋膈角变钝，少量胸水。", {("Costophrenic angle", "Blur"), ("Pleura", "Effusion")}),
        ("可见钙化灶影，气管插管影。", {("Lung", "Calcification"), ("Trachea", "Intubation")}),
        ("右膈抬高，膈下游离气体。", {("Diaphragm", "Shift"), ("Diaphragm", "Gas")}),
        ("Small left pleural effusion.", {("Pleura", "Effusion")}),
        ("Mild cardiomegaly. Heart size is increased.", {("Heart", "Prominence")}),
        ("Tortuous aorta. Trachea is deviated.", {("Aorta", "Torque"), ("Trachea", "Shift")}),
        ("No pneumothorax. The lungs are clear.", set()),
        ("Blunting of the right costophrenic angle.", {("Costophrenic angle", "Blur")}),
    ],
)
def test_pairs(text: str, pairs: set[tuple[str, str]]) -> None:
    language: Literal["zh", "en"] = "en" if text.isascii() else "zh"
    assert keyword_pairs(get_extractor(language).extract(text), language) == pairs


def test_tables_are_complete() -> None:
    assert (len(ANATOMY_KEYWORDS), len(LESION_KEYWORDS)) == (24, 24)
    assert not ANATOMY_KEYWORDS.keys() & LESION_KEYWORDS.keys()


def draw_truth(rng: np.random.Generator, number: int) -> PhantomTruth:
    findings = []
    names = sorted([*PAIRS, "support_device"])
    for name in rng.permutation(names)[: rng.integers(0, 6)]:
        side = str(rng.choice(["left", "right", "bilateral"])) if name in SIDED else None
        zone = str(rng.choice(["upper", "middle", "lower"])) if side and rng.random() < 0.8 else None
        kind = {"support_device": str(rng.choice(list(DEVICES))), "atelectasis": str(rng.choice(["plate", "lobar"]))}
        severity = str(rng.choice(["mild", "moderate", "severe"]))
        findings.append(
            FindingTruth(
                observation=str(name),
                side=side,  # type: ignore[arg-type]
                zone=zone,  # type: ignore[arg-type]
                severity=severity,  # type: ignore[arg-type]
                kind=kind.get(str(name)),
            )
        )
    return PhantomTruth(
        study_id=str(number),
        patient_id=str(number),
        split="test",
        age_group="adult" if number % 2 else "paediatric",
        age=30.0,
        sex="female",
        findings=tuple(findings),
    )


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("shifted", [False, True])
def test_phantom_reports(language: Literal["zh", "en"], shifted: bool) -> None:
    rng = np.random.default_rng(41 + shifted)
    found = wanted = 0
    for number in range(200):
        truth = draw_truth(rng, number)
        pairs = {DEVICES[x.kind] if x.kind in DEVICES else PAIRS[x.observation]: x.side for x in truth.findings}
        for text in write_report(truth, language=language, rng=rng, shifted=shifted).values():
            statements = keyword_statements(get_extractor(language).extract(text), language)
            positive = {(one.anatomy, one.lesion, one.side) for one in statements if one.polarity == "positive"}
            for finding in truth.findings:
                pair = DEVICES[finding.kind] if finding.kind in DEVICES else PAIRS[finding.observation]
                wanted += 1
                found += any(one[:2] == pair and finding.side in (None, one[2]) for one in positive)
            lesions = {lesion for _, lesion in pairs}
            invented = {lesion for _, lesion, _ in positive} & DENIED - lesions
            assert not invented, (text, invented)
    assert found >= 0.97 * wanted
