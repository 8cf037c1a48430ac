from __future__ import annotations

import itertools

import pytest

from llmrg.findings.labeler import get_labeler
from llmrg.findings.vocabulary import get_vocabulary
from llmrg.findings.words import finding_words


def test_words_follow_the_vocabulary_order_and_name_sides() -> None:
    found = {"cardiomegaly": None, "pleural_effusion": "left", "nodule": "bilateral"}
    vocabulary = get_vocabulary("ped_xray")
    assert finding_words(found, vocabulary, "zh") == "双侧结节；左侧胸腔积液；心影增大"
    assert finding_words(found, vocabulary, "en") == "bilateral nodule; left pleural effusion; cardiomegaly"


def test_nothing_is_said_in_words_too() -> None:
    assert finding_words({}, get_vocabulary("ped_xray"), "zh") == "未见异常"
    assert finding_words({}, get_vocabulary("chexpert14"), "en") == "no abnormality"


def test_a_side_of_an_unsided_finding_is_left_out() -> None:
    assert finding_words({"edema": "left"}, get_vocabulary("ped_xray"), "en") == "pulmonary edema"


@pytest.mark.parametrize(("name", "language"), list(itertools.product(("ped_xray", "chexpert14"), ("zh", "en"))))
def test_the_labeler_reads_the_words_back(name: str, language: str) -> None:
    """Words for a finding are words that the labeler knows for it, side included."""
    vocabulary = get_vocabulary(name)
    labeler = get_labeler(vocabulary, language)
    for finding in vocabulary.abnormal:
        side = "left" if finding.sided else None
        mentions = labeler.label(
            finding_words({finding.name: side}, vocabulary, language) + ("。" if language == "zh" else ".")
        )
        assert finding.name in mentions and mentions[finding.name].polarity == "positive", finding.name
        assert mentions[finding.name].side == side, finding.name
