from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmrg.errors import UserError
from llmrg.findings.labeler import get_labeler
from llmrg.findings.vocabulary import get_vocabulary

VOCABULARIES = ("ped_xray", "chexpert14")
NORMAL_SENTENCES = {
    "zh": ("气管居中。", "所见骨质未见异常。", "双侧膈面光整。", "未见气胸及胸腔积液。", "心影大小、形态正常。"),
    "en": (
        "The trachea is midline.",
        "The bones are intact.",
        "No pneumothorax or pleural effusion.",
        "The heart is normal in size.",
    ),
}
ABNORMAL_SENTENCES = {
    "zh": (
        "右肺下野见斑片影。",
        "左侧胸腔少量积液。",
        "心影增大。",
        "双肺纹理增多。",
        "左侧第5肋骨骨折。",
        "考虑肺炎。",
    ),
    "en": (
        "Small left pleural effusion.",
        "Patchy opacity in the right lower lung.",
        "Mild cardiomegaly.",
        "Possible pneumonia.",
        "Right rib fracture.",
    ),
}


@settings(max_examples=200, deadline=None)
@given(st.text(), st.sampled_from(VOCABULARIES), st.sampled_from(["zh", "en"]))
def test_never_raises(text: str, vocabulary: str, language: str) -> None:
    mentions = get_labeler(get_vocabulary(vocabulary), language).label(text)  # type: ignore[arg-type]
    assert set(mentions) <= set(get_vocabulary(vocabulary).names)


@settings(max_examples=200, deadline=None)
@given(st.data(), st.sampled_from(["zh", "en"]))
def test_normal_sentences_around_do_not_change_positives(data: st.DataObject, language: str) -> None:
    labeler = get_labeler(get_vocabulary("chexpert14"), language)  # type: ignore[arg-type]
    abnormal = data.draw(st.lists(st.sampled_from(ABNORMAL_SENTENCES[language]), max_size=3))
    normal = st.lists(st.sampled_from(NORMAL_SENTENCES[language]), max_size=3)
    around = "".join if language == "zh" else " ".join
    alone = labeler.label(around(abnormal))
    embedded = labeler.label(around([*data.draw(normal), *abnormal, *data.draw(normal)]))

    def stated(mentions: dict) -> dict:  # type: ignore[type-arg]
        return {
            name: (mention.polarity, mention.side, mention.severity)
            for name, mention in mentions.items()
            if mention.polarity != "negative" and name != "No Finding"
        }

    assert stated(embedded) == stated(alone)


def test_summary_of_several_mentions() -> None:
    labeler = get_labeler(get_vocabulary("chexpert14"), "en")
    mentions = labeler.label(
        "No pneumothorax. Small left pleural effusion. Right pleural effusion. Possible effusion. Pneumothorax?"
    )
    effusion, pneumothorax = mentions["Pleural Effusion"], mentions["Pneumothorax"]
    assert (effusion.polarity, effusion.side, effusion.severity) == ("positive", "left", "mild")
    assert effusion.extent == "bilateral"
    assert pneumothorax.polarity == "uncertain"
    assert effusion.proof.lower() == "effusion"


def test_vocabularies_name_the_same_statement_their_own_way() -> None:
    text = "双肺纹理增多，右肺下野见斑片影。"
    assert set(get_labeler(get_vocabulary("ped_xray"), "zh").label(text)) == {
        "increased_lung_markings",
        "patchy_opacity",
    }
    assert set(get_labeler(get_vocabulary("chexpert14"), "zh").label(text)) == {"Lung Opacity"}


def test_label_many_keeps_order_and_version_names_the_method() -> None:
    labeler = get_labeler(get_vocabulary("ped_xray"), "zh")
    assert [set(mentions) for mentions in labeler.label_many(["左侧气胸", "", "心影增大"])] == [
        {"pneumothorax"},
        set(),
        {"cardiomegaly"},
    ]
    assert "ped_xray" in labeler.version
    assert "zh" in labeler.version


def test_unknown_language() -> None:
    with pytest.raises(UserError):
        get_labeler(get_vocabulary("ped_xray"), "fr")  # type: ignore[arg-type]
