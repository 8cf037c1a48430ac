"""Hospital sentences, labelled by hand after ``label_conventions.md`` (CheXpert-14)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from llmrg.findings.labeler import get_labeler
from llmrg.findings.vocabulary import get_vocabulary

SENTENCES = [
    ("Heart size normal and lungs are clear.", "CM0 LO0 NF+"),
    ("No acute cardiopulmonary process.", "NF+"),
    ("Normal chest radiograph.", "NF+"),
    ("The lungs are clear.", "LO0"),
    ("Lungs are clear without focal consolidation, effusion, or pneumothorax.", "LO0 CO0 PE0 PX0"),
    ("No focal consolidation, pleural effusion or pneumothorax.", "CO0 PE0 PX0"),
    ("There is no evidence of pneumothorax.", "PX0"),
    ("No pneumothorax is seen.", "PX0"),
    ("Pneumothorax is not identified.", "PX0"),
    ("The cardiomediastinal silhouette is within normal limits.", "EC0"),
    ("The heart and mediastinum are unremarkable.", "EC0 CM0"),
    ("The heart is mildly enlarged.", "CM+1"),
    ("Stable mild cardiomegaly.", "CM+1"),
    ("The heart is not enlarged.", "CM0"),
    ("Borderline heart size.", "CM?"),
    ("Heart size is at the upper limits of normal.", "CM0"),
    ("Enlarged cardiac silhouette with pulmonary vascular congestion.", "CM+ ED+"),
    ("Cardiomegaly without overt edema.", "CM+ ED0"),
    ("Mild interstitial pulmonary edema.", "ED+1"),
    ("There is widening of the superior mediastinum.", "EC+"),
    ("Left pleural effusion with adjacent atelectasis.", "PE+L AT+L"),
    ("Right effusion is also present.", "PE+R"),
    ("Small bilateral pleural effusions.", "PE+B1"),
    ("Small left and moderate right pleural effusions.", "PE+B"),
    ("Blunting of the left costophrenic angle.", "PE+L"),
    ("The costophrenic angles are sharp.", "PE0"),
    ("Small pericardial effusion.", ""),
    ("Minimal patchy airspace disease within the lingula, may reflect atelectasis or consolidation.", "LO+L AT? CO?"),
    ("Streaky bibasilar opacities, likely atelectasis.", "LO+B AT?"),
    ("Right lower lobe consolidation and small left effusion.", "CO+R PE+L1"),
    ("Consolidation in the right upper lobe, consistent with pneumonia.", "CO+R PN+"),
    ("Left basilar opacity, atelectasis versus pneumonia.", "LO+L AT? PN?"),
    ("Opacity in the right lower lobe concerning for pneumonia.", "LO+R PN?"),
    ("No focal airspace opacity to suggest pneumonia.", "LO0 PN0"),
    ("Cannot exclude a small right pleural effusion.", "PE?R"),
    ("A small left pleural effusion cannot be excluded.", "PE?L1"),
    ("Possible left lower lobe pneumonia.", "PN?L"),
    ("Question of small apical pneumothorax on the right.", "PX?R"),
    ("Large right hydropneumothorax.", "PX+R3 PE+R3"),
    ("Tiny left apical pneumothorax.", "PX+L1"),
    ("The left pneumothorax has resolved.", "PX0"),
    ("Improving right pleural effusion.", "PE+R"),
    ("No change in the left pleural effusion.", "PE+L"),
    ("No new consolidation.", "CO0"),
    ("A 1.2 cm nodule in the right upper lobe.", "LL+R"),
    ("Nodular opacity in the left mid lung.", "LL+L LO+L"),
    ("No suspicious pulmonary nodule or mass.", "LL0"),
    ("Consolidative opacity in the left base.", "CO+L LO+L"),
    ("Biapical pleural thickening.", "PO+B"),
    ("Calcified pleural plaques on the left.", "PO+L"),
    ("Old healed right rib fractures.", "FR+R"),
    ("No acute displaced rib fracture.", "FR0"),
    ("The osseous structures are intact.", ""),
    ("Right IJ central venous catheter with tip in the SVC.", "SD+"),
    ("Endotracheal tube terminates 4 cm above the carina.", "SD+"),
    ("Left-sided pacemaker with leads in the right atrium.", "SD+"),
    ("The nasogastric tube has been removed.", "SD0"),
    ("1.NO EVIDENCE OF PNEUMOTHORAX.\n\n2.STABLE SMALL LEFT EFFUSION.", "PX0 PE+L1"),
    ("No pneumothorax, but there is a small right effusion.", "PX0 PE+R1"),
    ("Cardiac silhouette is normal size. Tortuous aorta.", "CM0"),
    ("Atelectasis rather than pneumonia.", "AT+ PN0"),
    ("Hazy infiltrate in both lower lobes.", "LO+B"),
    ("Complete collapse of the left lung.", "AT+L"),
    ("The lungs are hyperinflated.", ""),
    ("Vague nodular-like opacity in the right midlung.", "LL+R LO+R"),
    ("Stable, nonenlarged heart. The chest tube tip projects over the pleural cavity.", "SD+"),
    ("Considering differences in technique, stable mild cardiomegaly.", "CM+1"),
    ("No active disease.", "NF+"),
    ("Increased bronchovascular markings.", ""),
    ("Patchy opacities in the left upper and right lower lobes.", "LO+B"),
    ("Bilateral lower lobe infiltrates, right greater than left.", "LO+B"),
    ("Low lung volumes with bibasilar atelectasis. No edema.", "AT+B ED0"),
]


@pytest.mark.parametrize(("text", "expected"), SENTENCES)
def test_english_sentences(check_sentence: Callable[[str, str, str], None], text: str, expected: str) -> None:
    check_sentence("en", text, expected)


@pytest.mark.parametrize(
    ("text", "polarity"),
    [
        ("Mildly increased lung markings bilaterally.", "positive"),
        ("The bronchovascular markings are prominent.", "positive"),
        ("Pulmonary vascularity is within normal limits.", "negative"),
        ("The lungs are clear.", None),
    ],
)
def test_lung_markings(text: str, polarity: str | None) -> None:
    mention = get_labeler(get_vocabulary("ped_xray"), "en").label(text).get("increased_lung_markings")
    assert (mention.polarity if mention else None) == polarity
