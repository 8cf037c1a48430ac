"""Penn Treebank tokens: what COCO's Java tokenizer is known to do."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrg.metrics.ptb import ptb_tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", ""),
        ("The lungs are clear.", "the lungs are clear"),
        ("CANNOT rule out; doesn't matter", "can not rule out does n't matter"),
        ("Nodule (right), 1.8cm [new]", "nodule -lrb- right -rrb- 1.8 cm -lsb- new -rsb-"),
        ("A 3cm mass; 2.5-cm cyst at T8-T9, 40% loss", "a 3cm mass 2.5-cm cyst at t8-t9 40 % loss"),
        ("Seen by Dr. Wu on 3/4/05: stable...", "seen by dr. wu on 3/4/05 stable"),
        ("The patient's line -- unchanged - ends there.", "the patient 's line unchanged ends there"),
        ("___ year old, +2 edema!", "___ year old +2 edema"),
        ("心影不大，肺野清晰。", "心影不大 ， 肺野清晰 。"),
    ],
)
def test_tokens(text, tokens):
    assert " ".join(ptb_tokens(text)) == tokens


@given(st.text(st.characters(codec=None), max_size=60))
def test_any_text_gives_tokens_without_ascii_space(text):
    assert all(token and " " not in token for token in ptb_tokens(text))


@pytest.mark.parametrize("unit", ["a-", "1.", "a.", "(", "_", "'", "-1,", "can't", "(555) ", "a&1"])
def test_long_odd_texts_take_linear_time(unit):
    started = time.perf_counter()
    ptb_tokens(unit * 20_000)
    assert time.perf_counter() - started < 3
