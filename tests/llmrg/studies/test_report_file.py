"""The reports of a split as a file: every study once, as the annotation has it, readable as references."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmrg.cli import main
from llmrg.errors import UserError
from llmrg.studies.phantoms.dataset import draw_dataset
from llmrg.studies.report_file import write_report_file
from llmrg.studies.settings import DataConfig


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("phantoms") / "ped"
    draw_dataset(root, format="ped-xray", studies=24, seed=4, size=48, preset="easy", workers=1)
    return root


def config(root: Path) -> DataConfig:
    return DataConfig(format="ped-xray", root=root, language="zh", vocabulary="ped_xray")


def test_the_file_holds_the_reports_of_the_annotation(drawn: Path, tmp_path: Path) -> None:
    found = write_report_file(config(drawn), "test", tmp_path / "reports.jsonl")
    annotation = json.loads((drawn / "annotation.json").read_text(encoding="utf-8"))["test"]
    lines = [json.loads(line) for line in (tmp_path / "reports.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {line["id"]: line["report"] for line in lines} == {str(row["id"]): row["report"] for row in annotation}
    assert all(line["language"] == "zh" and line["patient_id"] for line in lines)
    assert found.studies == len(annotation) and found.empty == 0


def test_the_command_and_what_scores_against_it(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "references.jsonl"
    with pytest.raises(SystemExit) as ended:
        main(["data", "reports", "format=ped-xray", f"root={drawn}", "language=zh", "vocabulary=ped_xray",
              "--split", "val", "--out", str(out)])  # fmt: skip
    assert ended.value.code in (0, None) and "reports of" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main(["score", "--predictions", str(out), "--references", str(out), "--language", "zh", "--resamples", "0",
              "--json"])  # fmt: skip
    figures = json.loads(capsys.readouterr().out)["metrics"]
    assert ended.value.code in (0, None)
    assert figures["bleu_4"] == pytest.approx(1) and figures["rouge_l"] == pytest.approx(1)


def test_a_split_without_reports_is_named(drawn: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holdout"):
        write_report_file(config(drawn), "holdout", tmp_path / "reports.jsonl")
    assert not (tmp_path / "reports.jsonl").exists()
