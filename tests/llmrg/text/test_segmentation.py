"""Chinese words."""

import jieba
import pytest

from llmrg.errors import UserError
from llmrg.text.segmentation import get_segmenter, radiology_words, segmenter_version


def test_the_list_is_chinese_without_repetitions():
    words = radiology_words()
    assert len(words) > 500
    assert len(set(words)) == len(words)
    assert all(len(word) > 1 for word in words)


@pytest.mark.parametrize(
    "word", ["肋膈角", "膈面", "肺纹理", "斑片状", "支气管充气征", "胸腔积液", "主动脉弓", "磨玻璃"]
)
def test_listed_words_stay_whole_in_a_sentence(word):
    for sentence in (f"右侧{word}，未见明显异常", f"可见{word}。", word):
        assert word in get_segmenter("jieba-radiology")(sentence)


def test_each_listed_word_alone_stays_whole():
    cut = get_segmenter("jieba-radiology")
    assert [word for word in radiology_words() if cut(word) != [word]] == []


def test_nothing_is_lost_and_names_are_checked():
    text = "双肺纹理增多，PICC 3.5cm\n心影不大"
    for name in ("jieba", "jieba-radiology"):
        assert "".join(get_segmenter(name)(text)) == text
    assert segmenter_version("jieba") == f"jieba-{jieba.__version__}"
    with pytest.raises(UserError, match="'jieba'"):
        get_segmenter("jiebe")


def test_another_dictionary_in_the_process_changes_nothing():
    before = get_segmenter("jieba")("双膈面光整")
    jieba.add_word("面光整")
    assert get_segmenter("jieba")("双膈面光整") == before
