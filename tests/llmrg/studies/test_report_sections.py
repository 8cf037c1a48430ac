from __future__ import annotations

import pytest

from llmrg.studies.report_sections import split_sections

REPORT = """                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)

 INDICATION:  ___ year old woman with ?pleural effusion  // ?pleural effusion

 TECHNIQUE:  Chest PA and lateral

 COMPARISON:  ___

 FINDINGS:

 Cardiac size cannot be evaluated.  Large left pleural effusion is new.
 Ratio 3:1; the tube: in place.

 The upper lungs are clear.

 IMPRESSION:

 1. Large left pleural effusion
"""


def test_a_whole_report() -> None:
    assert dict(split_sections(REPORT)) == {
        "examination": "CHEST (PA AND LAT)",
        "indication": "___ year old woman with ?pleural effusion // ?pleural effusion",
        "technique": "Chest PA and lateral",
        "comparison": "___",
        "findings": "Cardiac size cannot be evaluated. Large left pleural effusion is new. Ratio 3:1; "
        "the tube: in place.\nThe upper lungs are clear.",
        "impression": "1. Large left pleural effusion",
    }
    assert split_sections(REPORT.replace("\n", "\r\n")) == split_sections(REPORT)


@pytest.mark.parametrize(
    ("text", "sections"),
    [
        ("", {}),
        ("Heart is normal.\nLungs are clear.", {}),
        ("FINDINGS:\n\nIMPRESSION: Clear.", {"impression": "Clear."}),
        ("Findings: Clear.\nImpression: Normal.", {"findings": "Clear.", "impression": "Normal."}),
        ("REASON FOR EXAM: Cough.\n\nCONCLUSION: Clear.", {"indication": "Cough.", "impression": "Clear."}),
        ("CLINICAL HISTORY: COPD.\nFINDINGS AND IMPRESSION: Clear.", {"history": "COPD.", "findings": "Clear."}),
        (
            "PA AND LATERAL VIEWS OF THE CHEST: Clear.\n\nIMPRESSION: No change.",
            {"findings": "Clear.", "impression": "No change."},
        ),
        ("FINDINGS: One.\n\nIMPRESSION: Two.\n\nFINDINGS: Three.", {"findings": "One.\nThree.", "impression": "Two."}),
        (
            "WET READ: ___ 8:00 PM\n Edema.\n FINAL REPORT\n FINDINGS: No edema.\n\n ADDENDUM:  Told to Dr. ___.",
            {"findings": "No edema.", "addendum": "Told to Dr. ___."},
        ),
        (
            "FINDINGS: ET tube at 3.5 cm: unchanged.\nNOTE: x",
            {"findings": "ET tube at 3.5 cm: unchanged.", "note": "x"},
        ),
    ],
)
def test_headings(text: str, sections: dict[str, str]) -> None:
    assert dict(split_sections(text)) == sections
