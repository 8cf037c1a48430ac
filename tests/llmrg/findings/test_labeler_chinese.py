"""Hospital sentences, labelled by hand after ``label_conventions.md`` (CheXpert-14)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from llmrg.findings.labeler import get_labeler
from llmrg.findings.vocabulary import get_vocabulary

SENTENCES = [
    ("双肺野清晰，心影大小、形态正常。", "LO0 CM0 NF+"),
    ("心肺膈未见明显异常。", "NF+"),
    ("胸部平片未见明显异常。", "NF+"),
    ("双肺未见明显实质性病变。", "LO0"),
    ("两肺未见活动性病变，心影不大。", "LO0 CM0 NF+"),
    ("双肺纹理增多、增粗，未见明显实质性病变。", "LO0"),
    ("双肺纹理增粗、紊乱，右下肺可见斑片状模糊影，边界不清。", "LO+R"),
    ("左肺上野见大片状密度增高影，密度不均匀。", "LO+L3"),
    ("双肺散在斑片状模糊影，以右肺为著，考虑炎症。", "LO+ PN?"),
    ("右肺中叶实变影，内见支气管充气征。", "CO+R"),
    ("双肺未见明显渗出、实变及结节影。", "LO0 CO0 LL0"),
    ("未见气胸及胸腔积液。", "PX0 PE0"),
    ("未见气胸，胸腔积液。", "PX0 PE0"),
    ("未见明显气胸，左侧胸腔少量积液。", "PX0 PE+L1"),
    ("右侧肋膈角变钝。", "PE+R"),
    ("左侧肋膈角欠锐利，右侧肋膈角锐利。", "PE+L"),
    ("双侧肋膈角锐利，膈面光整。", "PE0"),
    ("左侧膈面及肋膈角消失，左侧胸腔大量积液。", "PE+L3"),
    ("右侧液气胸。", "PX+R PE+R"),
    ("右侧气胸，肺组织压缩约30%。", "PX+R"),
    ("右侧胸腔外带见无肺纹理透亮区，为少量气胸。", "PX+R1"),
    ("左侧胸腔积液较前吸收。", "PE0"),
    ("左侧胸腔积液较前减少。", "PE+L"),
    ("右肺炎症较前部分吸收。", "PN+R"),
    ("气胸征象未见。", "PX0"),
    ("心影明显增大，心胸比约0.65。", "CM+3"),
    ("心影轻度增大。", "CM+1"),
    ("心影不大，纵隔不宽。", "CM0 EC0"),
    ("心影未见增大，主动脉结无突出。", "CM0"),
    ("心脏增大，双肺淤血。", "CM+ ED+"),
    ("双肺门影增大模糊，呈蝶翼状，考虑肺水肿。", "ED?"),
    ("两肺呈间质性肺水肿表现。", "ED+"),
    ("纵隔增宽，气管右移。", "EC+"),
    ("上纵隔未见增宽。", "EC0"),
    ("左肺下叶不张。", "AT+L"),
    ("右肺上叶膨胀不全。", "AT+R"),
    ("右肺下叶盘状肺不张，未见胸腔积液。", "AT+R PE0"),
    ("右肺上野见一类圆形结节影，边界清楚，直径约1.5cm。", "LL+R"),
    ("左肺门旁见肿块影，不除外占位。", "LL+L"),
    ("右肺结节，建议CT检查。", "LL+R"),
    ("右上肺结节，考虑良性病变可能。", "LL+R"),
    ("右肺下野小结节，肺癌待排。", "LL+R"),
    ("左侧胸膜增厚、粘连。", "PO+L"),
    ("右侧胸膜钙化。", "PO+R"),
    ("未见胸膜增厚。", "PO0"),
    ("左侧第5、6后肋骨折，断端错位。", "FR+L"),
    ("右侧锁骨陈旧性骨折。", "FR+R"),
    ("所见肋骨未见明显骨折征象。", "FR0"),
    ("肋骨骨质未见异常。", ""),
    ("可见气管插管影，末端位于隆突上方2cm。", "SD+"),
    ("右侧PICC置管在位。", "SD+"),
    ("胸腔引流管已拔除。", "SD0"),
    ("心脏起搏器置入术后。", "SD+"),
    ("心包积液。", ""),
    ("支气管炎。", ""),
    ("支气管肺炎可能。", "PN?"),
    ("右下肺炎症，建议治疗后复查。", "PN+R"),
    ("左下肺感染不除外。", "PN?L"),
    ("右下肺斑片影，肺炎？", "LO+R PN?"),
    ("不能排除少量胸腔积液。", "PE?"),
    ("右侧胸腔少量积液不除外。", "PE?R1"),
    ("左肺斑片影，性质待查。", "LO+L"),
    ("双肺下叶斑片影，符合炎症改变。", "LO+B PN+B"),
    ("双下肺磨玻璃影及网格影。", "LO+B"),
    ("左上肺条索影，考虑陈旧性病变。", "LO+L"),
    ("肺结核，左肺上叶渗出性病变。", "LO+L"),
    ("双侧胸腔积液，右侧为著。", "PE+B"),
    ("左侧胸腔见引流管影，左侧少量气胸。", "SD+ PX+L1"),
    ("1.双肺感染；2.左侧胸腔少量积液；3.心影增大。", "PN+B PE+L1 CM+"),
    ("与前片比较，右侧气胸消失。", "PX0"),
    ("两肺透亮度增高，膈肌低平。", ""),
    ("胸廓对称，气管居中。", ""),
    ("皮下气肿。", ""),
    ("未见新发病灶。", ""),
    ("双肺野透光度良好，未见异常密度影，心影大小正常，双膈光整。", "LO0 CM0 NF+"),
]


@pytest.mark.parametrize(("text", "expected"), SENTENCES)
def test_chinese_sentences(check_sentence: Callable[[str, str, str], None], text: str, expected: str) -> None:
    check_sentence("zh", text, expected)


@pytest.mark.parametrize(
    ("text", "polarity"),
    [
        ("双肺纹理增多、增粗、模糊。", "positive"),
        ("双肺纹理稍增多。", "positive"),
        ("双肺纹理增强，走行紊乱。", "positive"),
        ("支气管血管束增重。", "positive"),
        ("双肺纹理清晰，走行自然。", "negative"),
        ("双肺纹理未见明显增多。", "negative"),
        ("双肺野清晰。", None),
    ],
)
def test_lung_markings(text: str, polarity: str | None) -> None:
    mention = get_labeler(get_vocabulary("ped_xray"), "zh").label(text).get("increased_lung_markings")
    assert (mention.polarity if mention else None) == polarity
