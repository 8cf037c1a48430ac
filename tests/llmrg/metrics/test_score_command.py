"""``llmrg score``: figures, protocols, files of every form, and every kind of bad input."""

import json

import pytest
from typer.testing import CliRunner

from llmrg.cli import app
from llmrg.errors import UserError
from llmrg.findings.graphs.graph import Entity, ReportGraph
from llmrg.metrics.comparison import compare_systems
from llmrg.metrics.score_command import ScoreSettings, score_files, write_per_report
from llmrg.metrics.score_table import score_lines

REFERENCES = {
    "a": "右侧胸腔积液，左肺清晰。",
    "b": "双肺纹理增多，心影不大。",
    "c": "心影增大，双肺纹理增多。",
}
PREDICTIONS = REFERENCES | {"b": "左侧胸腔积液。"}


def lines(path, reports, **more):
    path.write_text(
        "".join(json.dumps({"id": id_, "report": text} | more) + "\n" for id_, text in reports.items()),
        encoding="utf-8",
    )
    return path


@pytest.fixture
def files(tmp_path):
    return {
        "predictions": lines(tmp_path / "p.jsonl", PREDICTIONS),
        "references": lines(tmp_path / "r.jsonl", REFERENCES),
    }


def command(files, *options):
    result = CliRunner().invoke(
        app, ["score", *(word for name, path in files.items() for word in (f"--{name}", str(path))), *options]
    )
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def test_json_has_figures_signatures_and_intervals(files):
    found = json.loads(command(files, "--language", "zh", "--resamples", "20", "--json"))
    assert {
        "metrics",
        "signature",
        "signatures",
        "intervals",
        "n",
        "reference_hash",
        "clinical",
        "notes",
    } <= found.keys()
    assert found["n"] == 3
    assert found["signature"].startswith("bleu_4|coco1.2|tok:char|case:as-is|ref:full|n:3|llmrg:")
    metrics = found["metrics"]
    assert {"bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider", "chrf", "clinical_micro_f1"} <= metrics.keys()
    # Two of three reports are the references; of the finding classes one effusion is invented, one marking missed.
    assert metrics["clinical_micro_precision"] == pytest.approx(3 / 4)
    assert metrics["clinical_micro_recall"] == pytest.approx(3 / 4)
    assert 0 < metrics["bleu_4"] < 1
    low, high = found["intervals"]["bleu_4"]
    assert low <= metrics["bleu_4"] <= high
    assert metrics.keys() - {"distinct_ratio"} <= found["signatures"].keys()
    assert found["clinical"]["vocabulary"] == "ped_xray"


@pytest.mark.parametrize("tokens", ["raw", "lower", "ptb", "char", "jieba", "jieba-radiology"])
def test_every_tokenizer_is_in_the_signature(files, tokens):
    found = json.loads(
        command(files, "--language", "zh", "--tokens", tokens, "--resamples", "0", "--vocabulary", "none", "--json")
    )
    assert f"|tok:{tokens}" in found["signature"].replace("jieba-0.42.1+radiology-1", "jieba-radiology")
    assert found["intervals"] == {}
    assert "clinical" not in found
    assert any("do not cut Chinese" in note for note in found["notes"]) == (tokens in ("raw", "lower", "ptb"))


def test_the_table_names_everything(files):
    output = command(files, "--language", "zh", "--resamples", "20", "--metrics", "bleu,chrf")
    assert "BLEU-4" in output
    assert "CIDEr" not in output
    assert "20 resamples of 3 studies, seed 0" in output
    assert "bleu_4|coco1.2|tok:char" in output
    assert "vocabulary:ped_xray" in output
    assert " *" in output


def test_protocols_and_training_reports(files, tmp_path):
    training = lines(tmp_path / "t.jsonl", {"x": "双肺纹理增多，心影不大。"})
    settings = ScoreSettings(**files, language="zh", protocol="words100", training=training, resamples=0)
    result = score_files(settings)
    assert "ref:words100(kpcl,min1,vocabulary" in result.signature
    assert "tok:raw" in result.signature
    assert not any("do not cut Chinese" in note for note in result.scores.notes)
    assert (
        result.scores.reference_hash
        != score_files(ScoreSettings(**files, language="zh", resamples=0)).scores.reference_hash
    )


def test_findings_are_read_from_whole_texts_whatever_the_protocol(files):
    whole, cut = (
        score_files(ScoreSettings(**files, language="zh", protocol=name, resamples=0)).scores.metrics
        for name in ("full", "words3")
    )
    assert whole["clinical_micro_f1"] == cut["clinical_micro_f1"]
    assert whole["rouge_l"] != cut["rouge_l"]


def test_patients_are_resampled_where_references_tell_them(files, tmp_path):
    files["references"] = lines(tmp_path / "r2.jsonl", REFERENCES, patient_id="p")
    scores = score_files(ScoreSettings(**files, language="zh", resamples=5)).scores
    assert scores.protocol["clusters"] == 1
    write_per_report(tmp_path / "per.jsonl", scores)
    rows = [json.loads(line) for line in (tmp_path / "per.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["id"] for row in rows] == ["a", "b", "c"]
    assert rows[0]["patient_id"] == "p"
    assert rows[0]["rouge_l"] == pytest.approx(1)
    assert sum(row["rouge_l"] for row in rows) / 3 == pytest.approx(scores.metrics["rouge_l"])


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ('{"id": "a", "report": "x"}\n', "2 ids of the references are missing from the"),
        ('{"id": "a", "report": "x"}\n{"id": "a", "report": "y"}\n', "'a' occurs twice.*line 2"),
        ('{"id": "", "report": "x"}\n', "id is empty"),
        ('{"report": "x"}\n', "lacks 'id'"),
        ('{"id": "a", "report": null}\n', "no text"),
        ('{"id": "a", "report": "x"}\n{"id": "b", "rep', "not JSON.*line 2"),
        ("", "holds no report"),
    ],
)
def test_bad_predictions_are_refused_with_their_place(files, content, match):
    files["predictions"].write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=match):
        score_files(ScoreSettings(**files, language="zh"))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"language": "de"}, "language 'de'"),
        ({"tokens": "jiebe"}, "'jieba'"),
        ({"protocol": "word60"}, "'words60'"),
        ({"metrics": ("blue",)}, "'bleu'"),
        ({"vocabulary": "chexpert"}, "'chexpert14'"),
        ({"headline": "r2gen/14/makro"}, "r2gen"),
        ({"resamples": -1}, "negative"),
        ({"prediction_field": "text"}, "lacks 'text'"),
    ],
)
def test_bad_settings_are_refused(files, options, match):
    with pytest.raises(UserError, match=match):
        score_files(ScoreSettings(**files, **{"language": "zh"} | options))


ODD = ["", " ", "\0", "🫁🫀", "\ud800", "|||", "a\r\nb", "nan", "None", "\u2028", "\ufeff", "肺" * 3000, "x" * 3000]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_odd_texts_have_defined_values(tmp_path, language):
    reports = {str(place): text for place, text in enumerate(ODD)}
    files = {
        "predictions": lines(tmp_path / "p.jsonl", reports),
        "references": lines(tmp_path / "r.jsonl", dict(zip(reports, reversed(ODD), strict=True))),
    }
    result = score_files(ScoreSettings(**files, language=language, resamples=10))
    json.dumps(result.to_mapping(), allow_nan=False)
    assert any("say nan or None" in line for line in score_lines(result))
    same = score_files(ScoreSettings(**files | {"references": files["predictions"]}, language=language, resamples=0))
    assert same.scores.metrics["rouge_l"] == pytest.approx(1)


@pytest.mark.parametrize("texts", [{"a": "心影不大。"}, {"a": ""}, {"a": "", "b": " "}])
@pytest.mark.parametrize("said", ["", "心影不大。"])
def test_one_report_and_nothing_but_empty_reports(tmp_path, texts, said):
    files = {
        "predictions": lines(tmp_path / "p.jsonl", dict.fromkeys(texts, said)),
        "references": lines(tmp_path / "r.jsonl", texts),
    }
    result = score_files(ScoreSettings(**files, language="zh", resamples=10))
    metrics = result.scores.metrics
    json.dumps(result.to_mapping(), allow_nan=False)
    assert metrics["cider"] == 0  # nothing is rare where there is one document, or nothing in them
    if not said:
        assert metrics["bleu_4"] == pytest.approx(0)


def test_graphs_and_priors_where_asked_for(tmp_path):
    files = {
        "predictions": lines(tmp_path / "p.jsonl", {"a": "Small right pleural effusion, unchanged.", "b": "Clear."}),
        "references": lines(tmp_path / "r.jsonl", {"a": "Small right pleural effusion.", "b": "The lungs are clear."}),
    }
    plain = score_files(ScoreSettings(**files, language="en", resamples=5)).scores
    more = score_files(ScoreSettings(**files, language="en", resamples=5, graph=True, priors=True)).scores
    assert not {"graph_f1", "invented_priors"} & plain.metrics.keys()
    assert more.metrics["graph_f1"] == pytest.approx(1)
    assert more.metrics["invented_priors"] == pytest.approx(1 / 2)
    assert more.metrics["kept_comparisons"] is None
    assert "graphs:llmrg-graph" in more.signatures["graph_f1"]
    assert {"graph_f1", "invented_priors"} <= more.intervals.keys()


class OneWord:
    """Reads every report as one lesion."""

    version = "graph-extractor-0123"

    def extract(self, text: str) -> ReportGraph:
        return ReportGraph((Entity(text[:1], 0, 1, "DPO"),))


def test_graphs_of_different_extractors_are_never_compared(tmp_path):
    files = {
        "predictions": lines(tmp_path / "p.jsonl", {"a": "Small right pleural effusion.", "b": "Clear."}),
        "references": lines(tmp_path / "r.jsonl", {"a": "Stable left effusion.", "b": "The lungs are clear."}),
    }
    settings = ScoreSettings(**files, language="en", resamples=0, graph=True)
    rules, trained = score_files(settings).scores, score_files(settings, extractor=OneWord()).scores
    assert trained.metrics["graph_entity_f1"] == pytest.approx(1 / 2)  # S and S, C and T
    assert trained.protocol["graphs"] == OneWord.version
    assert rules.protocol["graphs"].startswith("llmrg-graph-rules")
    with pytest.raises(UserError, match="different settings"):
        compare_systems([rules], [trained], ["graph_f1"], names=("rules", "trained"), trials=10, resamples=10, seed=0)
