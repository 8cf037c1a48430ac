from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmrg.benchmark.results import Results, Row, read_results
from llmrg.errors import UserError


def row(name: str, kind: str, f1: float) -> Row:
    metrics = {"clinical_micro_f1": f1, "bleu_4": 0.1, "side_accuracy": None, "per_class": {}}
    return Row(
        system=name, kind=kind, metrics=metrics, confidence_intervals={"clinical_micro_f1": (f1 - 0.1, f1 + 0.1)}
    )  # type: ignore[arg-type]


RESULTS = Results(
    dataset="made",
    split="test",
    n=4,
    patients=3,
    language="en",
    rows=(row("ours|1", "system", 0.8), row("nearest", "baseline", 0.4), row("oracle", "oracle", 0.9)),
)


def test_results_survive_the_file(tmp_path: Path) -> None:
    assert read_results(RESULTS.write(tmp_path)) == RESULTS
    values = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert {"dataset", "split", "n", "language", "rows"} <= values.keys()
    assert [set(one) >= {"system", "kind", "metrics"} for one in values["rows"]] == [True] * 3


def test_the_distance_that_a_row_closes() -> None:
    assert RESULTS.closed(RESULTS.rows[0]) == pytest.approx(0.8)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"rows": [{}]}'])
def test_other_files_are_no_results(tmp_path: Path, text: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="not the results"):
        read_results(path)
