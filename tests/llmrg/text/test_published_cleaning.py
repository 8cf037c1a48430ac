"""Published cleanings: vectors from the released code, quirks included."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmrg.errors import UserError
from llmrg.text.published_cleaning import PUBLISHED_CLEANINGS, default_cleaning, get_cleaning

# What the released tokenizers give (R2Gen and R2GenGPT: modules/tokenizers.py, dataset/data_helper.py; KPCL).
VECTORS = {
    "r2gen-iu": [
        ("Fracture of T11. Lungs clear. Nodule 1.5 cm.", "fracture of t1lungs clear . nodule 15 cm ."),
        (
            "1. Heart size normal. 2. No effusion. 3. Low-lying diaphragm (stable): see prior.",
            "heart size normal . no effusion . low-lying diaphragm stable see prior .",
        ),
        ("Lungs are clear.. No pneumothorax", "lungs are clear . no pneumothorax ."),
        (
            "PA view at 10:30, temp <38 = ok; 'mild' edema/effusion.",
            "pa view at 1030 temp 38  ok mild edemaeffusion .",
        ),
        ("", " ."),
        ("No change. . Stable.", "no change .  . stable ."),
    ],
    "r2gen-mimic": [
        (
            "FINDINGS:\nHeart ___ is  normal. No    effusion.\n\n1. Clear.",
            "findings heart  is normal . no effusion . clear .",
        )
    ],
    "r2gengpt-mimic": [
        ("FINDINGS: Heart ___ is normal. Low-lying", "findings : heart  is normal . low-lying ."),
        ("At 10:30 <b>", "at 10 :30 <b> ."),
    ],
    "kpcl": [
        (
            "双肺纹理增多、增粗，未见明显实变影。\n心影大小、形态正常；双膈面光整，双侧肋膈角锐利。",
            "双肺 纹理 增多 ， 增粗 ， 未见 明显 实 变影 . 心影 大小 ， 形态 正常 ； "
            "双膈 面光 整 ， 双侧 肋 膈 角 锐利 .",
        ),
        (
            "右下肺可见斑片状密度增高影，边缘模糊．心影不大。",
            "右下 肺 可见 斑 片状 密度 增高 影 ， 边缘 模糊 . 心影 不大 .",
        ),
    ],
    "none": [(" As it\nis. ", " As it\nis. ")],
}


@pytest.mark.parametrize(("name", "text", "wanted"), [(n, *pair) for n, pairs in VECTORS.items() for pair in pairs])
def test_vectors(name, text, wanted):
    assert get_cleaning(name)(text) == wanted


def test_every_cleaning_has_a_vector_and_unknown_ones_are_named():
    assert VECTORS.keys() == PUBLISHED_CLEANINGS.keys()
    assert (default_cleaning("zh"), default_cleaning("en")) == ("kpcl", "r2gen-mimic")
    with pytest.raises(UserError, match="'kpcl'"):
        get_cleaning("kpc")


@settings(deadline=None)
@given(st.text(st.characters(codec=None), max_size=60), st.sampled_from(sorted(PUBLISHED_CLEANINGS)))
def test_no_text_crashes(text, name):
    assert isinstance(get_cleaning(name)(text), str)
