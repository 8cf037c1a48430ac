"""Synthetic sentences on findings beyond the CheXpert classes, and that these leave the classes alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from llmrg.findings._phrases_zh import GLOBALLY_NORMAL, LOOKALIKES, NORMALS, PHRASES
from llmrg.findings._phrases_zh_wider import WIDER_NORMALS, WIDER_PHRASES
from llmrg.findings._statement_zh import fold
from llmrg.findings.labeler import get_labeler
from llmrg.findings.vocabulary import get_vocabulary
from llmrg.studies.phantoms.truth import FindingTruth, PhantomTruth
from llmrg.studies.phantoms.wording import write_report

SENTENCES = [
    ("两肺气肿，肺大泡形成。", "emphysema+B"),
    ("未见肺气肿征象。", "emphysema0"),
    ("皮下气肿。", "subcutaneous_emphysema+"),
    ("双肺透亮度增高，膈肌低平，肋间隙增宽。", "hyperinflation+"),
    ("桶状胸，双肺过度充气。", "hyperinflation+"),
    ("双肺透亮度正常。", "hyperinflation0 patchy_opacity0"),
    ("双肺容积减小，吸气不足。", "low_lung_volume+B"),
    ("右肺体积缩小。", "low_lung_volume+R"),
    ("右上肺钙化灶。", "calcification+R"),
    ("肺门淋巴结钙化。", "calcification+"),
    ("左上肺纤维灶，陈旧性病变。", "scarring+L"),
    ("未见纤维化。", "scarring0"),
    ("双肺间质性改变。", "interstitial_changes+"),
    ("间质性肺炎可能。", "interstitial_changes? pneumonia?"),
    ("右上肺空洞形成。", "cavity+R nodule+R"),
    ("支气管炎。", "bronchitis+"),
    ("毛细支气管炎不除外。", "bronchitis?"),
    ("支气管扩张可能。", "bronchiectasis?"),
    ("右上肺结核。", "tuberculosis+R"),
    ("结核待排。", "tuberculosis?"),
    ("右肺门增大、增浓。", "hilar_enlargement+R"),
    ("双肺门不大。", "hilar_enlargement0"),
    ("双肺门未见增大。", "hilar_enlargement0"),
    ("纵隔气肿。", "pneumomediastinum+"),
    ("颈部皮下积气，未见纵隔积气。", "pneumomediastinum0 subcutaneous_emphysema+"),
    ("膈下未见游离气体。", "free_air0"),
    ("右膈下新月形游离气体影。", "free_air+R"),
    ("气管居中，纵隔无移位。", "mediastinal_shift0"),
    ("纵隔向左移位。", "mediastinal_shift+"),
    ("气管右偏。", "mediastinal_shift+"),
    ("气管、纵隔居中。", "mediastinal_shift0"),
    ("主动脉迂曲增宽，主动脉结钙化。", "aortic_change+"),
    ("主动脉结无突出。", "aortic_change0"),
    ("主动脉未见异常。", "aortic_change0"),
    ("右膈抬高。", "elevated_diaphragm+R"),
    ("左侧膈肌升高。", "elevated_diaphragm+L"),
    ("双膈位置正常。", "elevated_diaphragm0"),
    ("食管裂孔疝可能。", "hernia?"),
    ("左侧膈疝。", "hernia+"),
    ("胸椎右侧弯。", "scoliosis+"),
    ("脊柱未见侧弯。", "scoliosis0"),
    ("胸椎骨质增生、退行性变。", "degenerative_spine+"),
    ("左肺上叶切除术后。", "postoperative+"),
    ("冠脉搭桥术后改变。", "postoperative+"),
    ("食管异物，硬币可能。", "foreign_body+"),
    ("左主支气管异物待排。", "foreign_body?"),
    ("未见不透X线异物。", "foreign_body0"),
    ("胸主动脉硬化。", "aortic_change+"),
    ("右肺门淋巴结肿大可能。", "hilar_enlargement?R"),
    ("两肺蜂窝状改变，肺纤维化。", "interstitial_changes+ scarring+B"),
]
OBSERVATIONS = [finding.observation for finding in get_vocabulary("ped_xray")]
PATIENT: dict[str, Any] = {
    "study_id": "s",
    "patient_id": "p",
    "split": "train",
    "age_group": "adult",
    "age": 60.0,
    "sex": "female",
}
POLARITIES = {"positive": "+", "negative": "0", "uncertain": "?"}
SIDES = {None: "", "left": "L", "right": "R", "bilateral": "B"}


@pytest.mark.parametrize(("text", "expected"), SENTENCES)
def test_wider_findings(text: str, expected: str) -> None:
    mentions = get_labeler(get_vocabulary("radiograph"), "zh").label(text)
    read = {name + POLARITIES[mention.polarity] + SIDES[mention.side] for name, mention in mentions.items()}
    assert read == set(expected.split())


def test_every_wider_finding_has_a_sentence() -> None:
    classes = {finding.observation for name in ("chexpert14", "ped_xray") for finding in get_vocabulary(name)}
    stated = {code.rstrip("LRB")[:-1] for _, codes in SENTENCES for code in codes.split()}
    assert {finding.observation for finding in get_vocabulary("radiograph")} - classes <= stated


@pytest.mark.parametrize("text", [text for text, _ in SENTENCES])
def test_classes_read_alike_in_both_vocabularies(text: str) -> None:
    chexpert = get_vocabulary("chexpert14")
    observations = {finding.name: finding.observation for finding in chexpert.abnormal}
    wide = get_labeler(get_vocabulary("radiograph"), "zh").label(text)
    for name, mention in get_labeler(chexpert, "zh").label(text).items():
        if name in observations:
            other = wide.pop(observations[name])
            assert (other.polarity, other.severity) == (mention.polarity, mention.severity)
    assert not set(wide) & set(observations.values())


def _reports() -> list[str]:
    rng = np.random.default_rng(3)
    truths = [
        PhantomTruth(
            **PATIENT, findings=tuple(FindingTruth(observation=o, side="left", severity=d) for o in OBSERVATIONS)
        )
        for d in ("mild", "moderate", "severe")
    ]
    return [
        text
        for truth in truths
        for shifted in (False, True)
        for _ in range(20)
        for text in write_report(truth, language="zh", rng=rng, shifted=shifted).values()
    ]


def test_triggers_never_hide_a_phrase() -> None:
    sources = (PHRASES, NORMALS, WIDER_PHRASES, WIDER_NORMALS, {"": GLOBALLY_NORMAL}, {"": LOOKALIKES})
    texts = [fold(text) for text in (*(text for text, _ in SENTENCES), *_reports())]
    for source in sources:
        for name, (triggers, pattern) in source.items():
            for text in texts:
                if pattern.search(text):
                    assert not triggers.isdisjoint(text), (name, pattern.search(text))
