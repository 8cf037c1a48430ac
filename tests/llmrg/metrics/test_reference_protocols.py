"""Reference protocols: what is cut is said."""

import json
import math
from collections import Counter

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from llmrg.errors import UserError
from llmrg.metrics.reference_protocols import FULL, get_protocol
from llmrg.metrics.scores import score_reports

TRAINING = ["Lungs are clear. Heart is normal.", "Lungs are clear.", "LUNGS are opaque."]


def test_full_is_the_text_itself():
    protocol = get_protocol("full", language="en")
    assert protocol == FULL
    assert protocol.reference(" A\n1.5 cm ") == protocol.report(" A\n1.5 cm ") == " A\n1.5 cm "


def test_words_keeps_one_word_less_and_hides_rare_words_of_references_alone():
    protocol = get_protocol("words5", language="en", training=TRAINING, threshold=2)
    assert protocol.reference("Lungs are OPAQUE today. Heart") == "lungs are <unk> <unk>"
    assert protocol.report("Lungs are OPAQUE today. Heart") == "lungs are opaque today . heart ."
    assert protocol.report("Lungs <unk> clear") == "lungs <unk> clear ."
    # Twice or more often in training: lungs, are, clear and the full stop; and <unk> itself.
    assert protocol.signature == "words5(r2gen-mimic,min2,vocabulary5)"
    assert protocol.tokenizer == "raw"
    assert protocol.notes(["One two three four"]) == [
        "1 of 1 references are cut by " + protocol.signature + ", which raises BLEU."
    ]
    assert protocol.notes(["One two three"]) == []


def test_without_training_no_word_is_unknown_and_the_signature_says_so():
    protocol = get_protocol("words60", language="en")
    assert protocol.reference("One. " * 50) == " ".join(["one ."] * 29 + ["one"])
    assert protocol.signature == "words60(r2gen-iu,no-vocabulary)"
    assert "rare words" in protocol.notes(["One."])[0]


def test_chinese_words_are_kpcls():
    reports = ["双膈面光整，肋膈角锐利。"]
    protocol = get_protocol("words100", language="zh", training=reports)
    assert protocol.reference(reports[0]) == "双膈 面光 整 ， 肋 膈 角 锐利 <unk>"
    assert protocol.signature == "words100(kpcl,min1,vocabulary10)"


@pytest.fixture
def tokenizer_file(tmp_path):
    words = ["<unk>", "lungs", "are", "clear", ".", "heart"]
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    tokenizer.enable_padding(length=12, pad_id=0, pad_token="<unk>")
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def test_tokens_of_a_language_model(tokenizer_file):
    protocol = get_protocol(f"llmtok4:{tokenizer_file}", language="en", cleaning="r2gen-iu")
    assert protocol.reference("Lungs are clear. Heart") == "lungs are clear ."
    assert protocol.reference("Lungs are") == "lungs are ."
    assert protocol.reference("\ud800") == "\ud800 ."
    assert protocol.report("Lungs are clear. Heart") == "lungs are clear . heart ."
    assert protocol.signature.startswith("llmtok4(r2gen-iu,tokenizer-")
    assert len(protocol.notes(["Lungs are clear. Heart", "Lungs"])) == 1
    assert protocol.notes(["Lungs are clear."]) == []
    chinese = get_protocol(f"llmtok100:{tokenizer_file / 'tokenizer.json'}", language="zh")
    assert chinese.reference("双肺 清晰。") == "双肺 清晰。"


@pytest.mark.parametrize(
    ("name", "options", "match"),
    [
        ("words", {}, "words60"),
        ("word60", {}, "Did you mean 'words60'"),
        ("words1", {}, "fewer than 2"),
        ("llmtok100", {}, "llmtok100:TOKENIZER"),
        ("llmtok100:nowhere", {}, "cannot be read"),
        ("clean-full", {"cleaning": "r2gen"}, "r2gen-iu"),
        ("full", {"cleaning": "kpcl"}, "clean-full"),
        ("words60", {"training": ["once"], "threshold": 5}, "occurs 5 times"),
    ],
)
def test_what_does_not_fit_is_refused(name, options, match):
    with pytest.raises(UserError, match=match):
        get_protocol(name, language="en", **options)


def test_the_protocol_is_in_signature_settings_and_hash():
    texts = {"a": "Lungs are clear. " * 40, "b": "Heart is normal."}
    protocol = get_protocol("words60", language="en", training=list(texts.values()), threshold=1)
    whole, cut = (
        score_reports(texts, texts, language="en", protocol=chosen, resamples=0) for chosen in (FULL, protocol)
    )
    assert f"tok:raw|case:as-is|ref:{protocol.signature}|n:2" in cut.signatures["bleu_4"]
    assert cut.protocol["reference"] == protocol.signature
    assert whole.reference_hash != cut.reference_hash
    # 160 words of the first report stand against 59 of its reference: the report is never cut.
    assert cut.metrics["mean_length"] == (160 + 4) / 2


def best_constant(candidates, references):
    """The report with the best corpus BLEU-4 against all references, counted without any code of ours."""
    length = sum(map(len, references))
    # A clipped match is a k-th occurrence that both sides have, so matches with all references add up by look-up.
    holders = Counter(occurrence for words in references for occurrence in occurrences(words))

    def bleu(candidate):
        words = candidate.split()
        matches = Counter()
        for occurrence in occurrences(words):
            matches[len(occurrence[0])] += holders[occurrence]
        shares = [matches[n] / max(1, len(references) * (len(words) - n + 1)) for n in range(1, 5)]
        return math.prod(shares) ** 0.25 * math.exp(min(0.0, 1 - length / (len(references) * len(words))))

    return max(candidates, key=bleu)


def occurrences(words):
    seen = Counter()
    for n in range(1, 5):
        for start in range(len(words) - n + 1):
            gram = tuple(words[start : start + n])
            seen[gram] += 1
            yield gram, seen[gram]


def test_the_constant_report_of_iu_xray(test_data):
    """The trivial baseline that beats published R2Gen: chosen on validation, scored on test, as R2Gen scores."""
    splits = json.loads((test_data / "iu_xray" / "annotation.json").read_text(encoding="utf-8"))
    reports = {split: [study["report"] for study in studies] for split, studies in splits.items()}
    protocol = get_protocol("words60", language="en", training=reports["train"])
    assert protocol.signature == "words60(r2gen-iu,min3,vocabulary760)"
    assert protocol.report(reports["train"][0]).startswith("the heart size and pulmonary vascularity appear within")
    constant = (
        "the lungs are clear . there is no focal airspace consolidation . no pleural effusion or pneumothorax . heart"
        " size and mediastinal contour are within normal limits . there are degenerative changes of the spine ."
    )
    assert constant == best_constant(
        sorted({protocol.report(report) for report in reports["train"]}),
        [protocol.reference(report).split() for report in reports["val"]],
    )
    wanted = {
        "val": [0.5173, 0.3496, 0.2469, 0.1771, 0.3469, 0.3392],
        "test": [0.5000, 0.3376, 0.2400, 0.1721, 0.3628, 0.2850],
    }
    for split, figures in wanted.items():
        references = {str(place): report for place, report in enumerate(reports[split])}
        scores = score_reports(
            dict.fromkeys(references, constant), references, language="en", protocol=protocol, resamples=0
        )
        names = ["bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider"]
        assert [scores.metrics[name] for name in names] == pytest.approx(figures, abs=5.1e-5)
        assert scores.metrics["distinct_ratio"] == pytest.approx(1 / len(references))
