"""Comparing files of systems: what comes out, what is refused."""

import io
import json
import random
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from llmrg.cli import app
from llmrg.errors import UserError
from llmrg.metrics.compare_command import CompareSettings, compare_files, parse_systems
from llmrg.metrics.comparison_table import comparison_tables
from llmrg.metrics.score_command import ScoreSettings, score_files

SENTENCES = (
    "There is a small left pleural effusion.",
    "The heart is enlarged.",
    "There is no pneumothorax.",
    "Patchy opacity in the right lower lobe, unchanged.",
    "The lungs are clear.",
    "No pleural effusion.",
)


def write(path, reports, *, patients=True, comparison=None):
    rows = []
    for number, (id_, report) in enumerate(reports.items()):
        row = {"id": id_, "report": report}
        if patients:
            row["patient_id"] = f"p{number // 2}"
        if comparison is not None:
            row["comparison"] = comparison
        rows.append(json.dumps(row))
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


@pytest.fixture
def files(tmp_path):
    rng = random.Random(0)
    references = {f"s{i:02}": " ".join(rng.sample(SENTENCES, 3)) for i in range(30)}
    found = {"references": write(tmp_path / "r.jsonl", references, comparison="None.")}
    for name, share in (("good1", 0.8), ("good2", 0.7), ("poor", 0.0)):
        said = {id_: report if rng.random() < share else rng.choice(SENTENCES) for id_, report in references.items()}
        found[name] = write(tmp_path / f"{name}.jsonl", said, patients=False)
    return found


def compare(files, systems, **options):
    scoring = ScoreSettings(predictions=Path(), references=files["references"], language="en", resamples=100)
    return compare_files(CompareSettings(systems=systems, scoring=scoring, trials=200, **options))


def test_systems_of_several_runs(files):
    found = compare(files, {"good": (files["good1"], files["good2"]), "poor": (files["poor"],)})
    assert found.metrics == ("bleu_4", "rouge_l", "cider", "r2gen/14/macro/f1", "rrg/14/micro/f1")
    single = [
        score_files(
            ScoreSettings(
                predictions=files[name], references=files["references"], language="en", metrics=["bleu"], resamples=0
            )
        )
        for name in ("good1", "good2")
    ]
    figure = found.figures["good"]["bleu_4"]
    assert figure.seeds.values == pytest.approx([run.scores.metrics["bleu_4"] for run in single])
    micro = [run.clinical.row("rrg/14/micro").f1 for run in single]
    assert found.figures["good"]["rrg/14/micro/f1"].seeds.values == pytest.approx(micro)
    comparison = found.comparisons[0]
    assert (comparison.first, comparison.second, comparison.runs, comparison.patients) == ("good", "poor", (2, 1), 15)
    assert comparison["bleu_4"].better == "first"
    assert "labeler:llmrg-rules" in found.signatures["rrg/14/micro/f1"]
    json.dumps(found.to_mapping(), allow_nan=False)
    console = Console(width=250, record=True, file=io.StringIO())
    console.print(comparison_tables(found))
    assert "good is better than poor" in console.export_text()


def test_a_baseline_and_chosen_metrics(files):
    systems = {name: (files[name],) for name in ("good1", "good2", "poor")}
    found = compare(files, systems, baseline="poor", metrics=["invented_priors", "wcl/14/binary-mean/recall"])
    assert [(pair.first, pair.second) for pair in found.comparisons] == [("good1", "poor"), ("good2", "poor")]
    # The references' comparison sections say "None.", so every report that says "unchanged" invents.
    said = [json.loads(line)["report"] for line in files["good1"].read_text(encoding="utf-8").splitlines()]
    share = sum("unchanged" in report for report in said) / len(said)
    assert found.figures["good1"]["invented_priors"].value == pytest.approx(share)
    assert len(compare(files, systems, metrics=["rouge_l"]).comparisons) == 3


def test_a_file_against_itself(files):
    found = compare(files, {"a": (files["poor"],), "b": (files["poor"],)})
    assert {row.p for row in found.comparisons[0].metrics} == {1}


def test_refusals(files, tmp_path):
    systems = {"a": (files["good1"],), "b": (files["poor"],)}
    for options, match in (
        ({"baseline": "c"}, "'c' is no system"),
        ({"metrics": ["bleu4"]}, "'bleu4'"),
        ({"metrics": ["r2gen/14/makro/f1"]}, "r2gen/14/macro"),
        ({"metrics": []}, "No figure"),
    ):
        with pytest.raises(UserError, match=match):
            compare(files, systems, **options)
    short = write(tmp_path / "short.jsonl", {"s00": "Clear."})
    with pytest.raises(UserError, match="29 ids"):
        compare(files, {"a": (short,), "b": (files["poor"],)})


def test_the_command(files):
    arguments = ["a=" + str(files["good1"]), "b=" + str(files["poor"]), "--references", str(files["references"])]
    options = ["--language", "en", "--metrics", "bleu_4,invented_priors", "--resamples", "50", "--trials", "99"]
    runner = CliRunner()
    shown = runner.invoke(app, ["compare", *arguments, *options])
    assert shown.exit_code == 0, shown.output
    assert "a minus b" in shown.output
    found = json.loads(runner.invoke(app, ["compare", *arguments, *options, "--baseline", "b", "--json"]).output)
    assert [row["metric"] for row in found["comparisons"][0]["metrics"]] == ["bleu_4", "invented_priors"]
    assert found["systems"]["a"]["bleu_4"]["value"] > found["systems"]["b"]["bleu_4"]["value"]


def test_arguments(tmp_path):
    assert parse_systems(["a=x.jsonl,y.jsonl", "b=z.jsonl"]) == {
        "a": (Path("x.jsonl"), Path("y.jsonl")),
        "b": (Path("z.jsonl"),),
    }
    odd = tmp_path / "x,y.jsonl"
    odd.write_text("")
    assert parse_systems([f"a={odd}", "b=c"])["a"] == (odd,)
    for arguments, match in (
        (["a.jsonl", "b=c"], "NAME=FILE"),
        (["=a", "b=c"], "NAME=FILE"),
        (["a=", "b=c"], "NAME=FILE"),
        (["a=x,", "b=c"], "NAME=FILE"),
        (["a=x", "a=y"], "twice"),
        (["a=x,x", "b=y"], "given twice"),
        (["a=x"], "Two systems"),
    ):
        with pytest.raises(UserError, match=match):
            parse_systems(arguments)
