"""Denied denials, doubt after the finding, what is left of an illness, and doubt about a cause (own wording)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Check = Callable[[str, str, str], None]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The right base is not without opacity.", "LO+R"),
        ("The left costophrenic sulcus is not without fluid.", "PE+L"),
        ("The right pleural space is not entirely free of fluid.", "PE+R"),
        ("The bases are not completely clear of atelectasis.", "AT+B"),
        ("Neither lung is free of edema.", "ED+"),
        ("It is not true that there is no effusion on the left.", "PE+L"),
        ("One cannot say that there is no pneumothorax.", "PX?"),
        ("Absence of a small effusion cannot be established.", "PE?1"),
        ("Absence of effusion and pneumothorax.", "PE0 PX0"),
        ("No effusion and lungs are clear of infiltrate.", "PE0 LO0"),
        ("The pleural space contains no fluid.", "PE0"),
        ("The left costophrenic angle is not sharp.", ""),
    ],
)
def test_denied_denials(check_sentence: Check, text: str, expected: str) -> None:
    check_sentence("en", text, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Apical pneumothorax is therefore hard to exclude on this supine film.", "PX?"),
        ("Trace effusions are, therefore, difficult to exclude.", "PE?1"),
        ("A subtle opacity at the right base is consequently difficult to rule out.", "LO?R"),
        ("An underlying mass is thus not possible to exclude.", "LL?"),
        ("Superimposed pneumonia is accordingly not readily ruled out.", "PN?"),
        ("Edema is therefore difficult to exclude but there is no effusion.", "ED? PE0"),
        ("It is therefore difficult to exclude pneumonia.", "PN?"),
        ("Pneumothorax is therefore easily excluded.", "PX0"),
        ("Repeat film to exclude pneumothorax.", ""),
    ],
)
def test_doubt_after_the_finding(check_sentence: Check, text: str, expected: str) -> None:
    check_sentence("en", text, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Left pleural thickening from prior empyema.", "PO+L"),
        ("Volume loss on the right from previous pneumonia.", ""),
        ("Blunting of the left angle is due to prior effusion and scarring.", "PE0"),
        ("Residual thickening of the pleura following a remote hemothorax.", "PO+"),
        ("Scarring from childhood pneumonia.", ""),
        ("The patient had a left pneumothorax three years ago.", ""),
        ("Right lower lobe opacity following recent pneumonia.", "LO+R PN+R"),
        ("Increased opacity from prior represents pneumonia.", "LO+ PN+"),
        ("Effusion is decreased from prior.", "PE+"),
        ("The prior left effusion is larger.", "PE+L"),
        ("Deformity of the clavicle from a prior fracture.", "FR+"),
    ],
)
def test_what_is_left_of_an_illness(check_sentence: Check, text: str, expected: str) -> None:
    check_sentence("en", text, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Probable infection causing left lower lobe consolidation.", "PN? CO+L"),
        ("Suspected heart failure resulting in bilateral effusions.", "ED? PE+B"),
        ("Possible mucus plug causing left lower lobe collapse.", "AT+L"),
        ("Possibly causing atelectasis.", "AT?"),
        ("No mass causing atelectasis.", "LL0 AT0"),
        ("Consolidation in the right lower lobe, thought to be from pneumonia.", "CO+R PN?R"),
    ],
)
def test_doubt_about_a_cause(check_sentence: Check, text: str, expected: str) -> None:
    check_sentence("en", text, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("不能说右侧没有胸腔积液。", "PE+R"),
        ("左下肺未必没有炎症。", "PN?L"),
        ("无法确定有无气胸。", "PX?"),
        ("无法明确性质的右肺结节。", "LL+R"),
        ("未见气胸及胸腔积液。", "PX0 PE0"),
    ],
)
def test_chinese_denied_denials(check_sentence: Check, text: str, expected: str) -> None:
    check_sentence("zh", text, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("右侧胸腔积液，故难以除外。", "PE?R"),
        ("左侧气胸则较难排除。", "PX?L"),
        ("左侧少量积液，仰卧位摄片难以排除。", "PE?L1"),
        ("左侧气胸可以排除。", "PX0"),
        ("肺炎已基本排除。", "PN0"),
        ("左下肺炎症故不易除外。", "PN?L"),
    ],
)
def test_chinese_doubt_after_the_finding(check_sentence: Check, text: str, expected: str) -> None:
    check_sentence("zh", text, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("左侧胸膜增厚，系既往脓胸所致。", "PO+L"),
        ("右侧胸膜增厚粘连，为陈旧性脓胸后遗改变。", "PO+R"),
        ("脓胸治愈后左侧胸膜增厚。", "PO+L"),
        ("右肺上叶肺炎后瘢痕。", ""),
        ("既往右侧胸腔积液，现仍可见。", "PE+R"),
        ("左肺炎治疗后复查，左下肺斑片影较前减少。", "LO+L PN+L"),
        ("骨折已愈合。", "FR+"),
    ],
)
def test_chinese_what_is_left_of_an_illness(check_sentence: Check, text: str, expected: str) -> None:
    check_sentence("zh", text, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("考虑为炎症引起的右肺中叶实变。", "CO+R PN?R"),
        ("疑为心衰所致的双侧胸腔积液。", "PE+B ED?"),
        ("考虑肿块阻塞导致的左肺不张。", "AT+L LL?L"),
        ("拟诊炎症所致左肺渗出。", "LO+L PN?L"),
        ("考虑心衰所致肺水肿。", "ED?"),
        ("可能导致气胸。", "PX?"),
        ("未见炎症所致的实变。", "CO0 PN0"),
        ("考虑炎症所致，左侧少量积液。", "PN? PE+L1"),
    ],
)
def test_chinese_doubt_about_a_cause(check_sentence: Check, text: str, expected: str) -> None:
    check_sentence("zh", text, expected)
