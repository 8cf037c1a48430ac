"""Models of ``llmrg score``: what is missing is said before anything is read."""

from pathlib import Path

import pytest

from llmrg.commands.score_models import load_bertscore, load_chexbert
from llmrg.errors import UserError


def test_bertscore_needs_a_named_encoder(tmp_path):
    with pytest.raises(UserError, match="--bertscore-model"):
        load_bertscore(None, layer=None, idf=False)
    with pytest.raises(UserError, match="local encoder"):
        load_bertscore(tmp_path / "nowhere", layer=None, idf=False)


@pytest.mark.parametrize(
    ("checkpoint", "tokenizer", "language", "vocabulary", "match"),
    [
        (Path("c.pth"), None, "en", None, "--chexbert-tokenizer"),
        (Path("c.pth"), Path("t"), "zh", None, "English"),
        (Path("c.pth"), Path("t"), "en", "ped_xray", "chexpert14"),
        (Path("nowhere.pth"), Path("t"), "en", "chexpert14", "is not there"),
    ],
)
def test_chexbert_needs_its_files(checkpoint, tokenizer, language, vocabulary, match):
    with pytest.raises(UserError, match=match):
        load_chexbert(checkpoint, tokenizer, language=language, vocabulary=vocabulary)


def test_without_a_checkpoint_the_rules_read():
    assert load_chexbert(None, None, language="zh", vocabulary=None) is None
