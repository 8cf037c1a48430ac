"""METEOR: the jar's own golden scores, odd texts, and what happens without it."""

import json
import os
import stat
import sys

import numpy as np
import pytest

from llmrg.errors import UserError
from llmrg.metrics.meteor import JavaMissingError, Meteor
from llmrg.metrics.scores import score_reports
from llmrg.metrics.tokens import get_tokenizer

ODD = ["", "\0", "a\r\nb", "x ||| y", "||||||", "\ud800", "🫁", "a" * 5000, "1,5 cm", "EVAL ||| 1", "\u2028", " . "]
VARIANTS = {"en_raw": "raw", "en_lower": "lower", "en_ptb": "ptb", "zh_char": "char", "zh_jieba": "jieba"}


def meteor():
    try:
        return Meteor()
    except JavaMissingError as error:
        pytest.skip(str(error))


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Let a Python program answer in Java's place."""

    def install(code):
        java = tmp_path / "java"
        java.write_text(f"#!{sys.executable}\n{code}\n", encoding="utf-8")
        java.chmod(java.stat().st_mode | stat.S_IXUSR)
        jar = tmp_path / "meteor.jar"
        jar.touch()
        monkeypatch.setenv("LLMRG_JAVA", str(java))
        monkeypatch.setenv("LLMRG_METEOR_JAR", str(jar))

    return install


def test_golden_scores(test_data):
    golden = json.loads((test_data / "golden" / "golden_coco.json").read_text(encoding="utf-8"))
    metric = meteor()
    pairs, ends = [], [0]
    for variant, name in VARIANTS.items():
        pairs += [tuple(get_tokenizer(name).all(pair)) for pair in golden[variant[:2]]]
        ends.append(len(pairs))
    rows = metric.statistics(*zip(*pairs, strict=True))  # one start of Java
    for variant, start, end in zip(VARIANTS, ends, ends[1:], strict=False):
        wanted = golden["scores"][variant]
        assert float(metric.value(rows[start:end].sum(axis=0))) == pytest.approx(wanted["meteor"], abs=1e-9)
        assert metric.value(rows[start:end]) == pytest.approx(wanted["meteor_per"], abs=1e-9)


def test_odd_texts_shift_nothing():
    metric = meteor()
    plain = [("the lungs are clear", "the lungs are clear")] * len(ODD)
    pairs = [pair for odd, good in zip(ODD, plain, strict=True) for pair in ((odd, "no effusion"), ("x", odd), good)]
    values = metric.value(metric.statistics(*zip(*pairs, strict=True)))
    assert values[2::3] == pytest.approx(1.0)
    assert (values >= 0).all()


def test_identity_is_one_and_nothing_is_zero():
    metric = meteor()
    rows = metric.statistics(["no acute disease", "", "a"], ["no acute disease", "", "zebra"])
    assert metric.value(rows) == pytest.approx([1.0, 0.0, 0.0])
    assert float(metric.value(np.zeros(23))) == 0.0


def test_without_the_jar_there_is_a_note_and_no_figure(monkeypatch):
    monkeypatch.setenv("LLMRG_METEOR_JAR", os.devnull + "-not-here")
    texts = {"a": "No effusion."}
    scores = score_reports(texts, texts, language="en", metrics=["bleu", "meteor"], resamples=5)
    assert scores.metrics["meteor"] is None
    assert "meteor" not in scores.signatures
    assert "meteor" not in scores.intervals
    assert any("LLMRG_METEOR_JAR" in note or "not-here" in note for note in scores.notes)


def test_chinese_is_said_to_be_compared_for_equality_alone(stand_in):
    stand_in("import sys\nfor _ in sys.stdin: print(' '.join(['2.0'] * 23), flush=True)")
    texts = {"a": "双肺清晰。"}
    scores = score_reports(texts, texts, language="zh", metrics=["meteor"], resamples=0)
    assert "meteor-1.5-jar,en,norm,exact-match-only|tok:char" in scores.signatures["meteor"]


@pytest.mark.parametrize(
    ("code", "match"),
    [
        ("raise SystemExit(1)", "ended after 0 of 1"),
        ("import sys\nfor _ in sys.stdin: print('1957824,35', flush=True)", "answered 1 numbers"),
        ("import sys\nfor _ in sys.stdin: print(' '.join(['1,0'] * 23), flush=True)", "no number"),
        ("import time\ntime.sleep(30)", "silent"),
    ],
)
def test_a_program_that_fails_is_an_error(stand_in, code, match):
    stand_in(code)
    with pytest.raises(UserError, match=match):
        Meteor(timeout=2).statistics(["a"], ["b"])
