"""The labels of the 48 keywords, and training targets over them."""

from __future__ import annotations

from llmrg.findings.labeler import get_labeler
from llmrg.findings.targets import positive_findings, targets
from llmrg.findings.vocabulary import get_vocabulary

VOCABULARY = get_vocabulary("cn48")


def polarity(text: str, language: str = "zh") -> dict[str, str]:
    mentions = get_labeler(VOCABULARY, language).label(text)
    return {name: mention.polarity for name, mention in mentions.items()}


def test_vocabulary() -> None:
    assert len(VOCABULARY) == len(set(VOCABULARY.names)) == len(VOCABULARY.abnormal) == 48
    assert VOCABULARY["Pleura"].zh == "胸膜"


def test_polarities() -> None:
    assert polarity("左侧胸腔积液，右侧气胸可能。未见骨折。") == {
        "Pleura": "positive",
        "Effusion": "positive",
        "Gas": "uncertain",
        "Bone": "negative",
        "Fracture": "negative",
    }
    assert polarity("Possible pneumothorax.", "en") == {"Pleura": "uncertain", "Gas": "uncertain"}


def test_affirmed_beats_hedged_beats_denied() -> None:
    assert polarity("未见气胸。右侧气胸待排。")["Gas"] == "uncertain"
    assert polarity("未见气胸。右侧气胸待排。右侧气胸。")["Gas"] == "positive"


def test_sides_come_from_the_place() -> None:
    labeler = get_labeler(VOCABULARY, "zh")
    mentions = labeler.label("左侧胸腔积液。右肺斑片影。左肺结节影。心影增大。")
    assert mentions["Effusion"].side == "left"
    assert mentions["Shadow"].side == "bilateral"
    assert mentions["Heart"].side is None


def test_targets() -> None:
    mentions = get_labeler(VOCABULARY, "zh").label("左侧胸腔积液。右侧气胸可能。")
    vectors = targets(mentions, VOCABULARY)
    place = VOCABULARY.names.index
    assert len(vectors.present) == 48
    assert vectors.present[place("Effusion")] == vectors.left[place("Effusion")] == 1
    assert vectors.observed[place("Gas")] == 0
    assert positive_findings(mentions, VOCABULARY) == {"Pleura": "left", "Effusion": "left"}


def test_nothing_said() -> None:
    assert polarity("") == {}
    assert get_labeler(VOCABULARY, "en").label_many(["", "The lungs are clear."])[0] == {}


def test_version_names_method_and_vocabulary() -> None:
    version = get_labeler(VOCABULARY, "zh").version
    assert "graph" in version and "cn48" in version and "zh" in version
