"""A training that is killed at any moment, and resumed, ends as one that was never stopped, bit by bit.

``LLMRG_TEST_KILLS`` sets another number of kills (the default is 20).
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

KILLING = Path(__file__).with_name("killing.py")
KILLS = int(os.environ.get("LLMRG_TEST_KILLS", "20"))
LOOP = (
    "training.evaluations=6",
    "training.validation_studies=2",
    "training.metric=rouge_l",
    "training.accumulation=2",
    "training.batch_size=4",
    "training.logging_steps=5",
    "training.source_dropout=0.2",
    "training.oversampling={times: 2}",
    "system.evidence.gates=true",
    "system.evidence.diagnosis_hints={calibrate: true, threshold: null}",
    "decoding.max_new_tokens=4",
)


def train_with(tiny_run: Any, folder: Path, moments: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Train once without and once with kills; results of the children."""
    job = {
        "config": str(tiny_run.config),
        "overrides": [f"out={folder / 'killed'}", f"artefacts={tiny_run.artefacts}", *LOOP],
        "reference": str(folder / "whole"),
        "moments": moments,
    }
    done = subprocess.run(
        [sys.executable, KILLING],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "LLMRG_TRACEBACK": "1"},
    )
    assert done.returncode == 0, done.stderr[-5000:]
    results = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [result["code"] for result in results if result["moment"] == {}] == [0, 0], done.stderr[-5000:]
    assert all(result["code"] != 1 for result in results), done.stderr[-5000:]
    return results


def log_of(run: Path) -> list[dict[str, Any]]:
    rows = json.loads((run / "log.json").read_text())
    return [row for row in rows if "train_runtime" not in row]


def require_equal(folder: Path) -> int:
    """Every finished run has the weights, the log and the figures of the one that was never stopped."""
    whole = folder / "whole"
    runs = sorted(path for path in folder.iterdir() if path.name.startswith("killed"))
    for run in runs:
        assert (run / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes(), run.name
        assert log_of(run) == log_of(whole), run.name
    assert not [path.name for path in folder.iterdir() if path.name.startswith(".")]
    return len(runs)


pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processor time is read from /proc")


def test_sigkill_at_random_moments(tiny_run: Any, tmp_path: Path) -> None:
    """Half of them at random times; half inside saving, removing, renaming, flushing, and between steps."""
    stream = random.Random(20)
    moments: list[dict[str, Any]] = []
    for number in range(KILLS):
        timed = {"seconds": round(stream.uniform(0.3, 3.5), 3)}
        counted = {"event": stream.randint(1, 110)}
        moments.append({**(timed if number % 2 else counted), "signal": signal.SIGKILL})
    results = train_with(tiny_run, tmp_path, moments)
    evaluations = [row["eval_rouge_l"] for row in log_of(tmp_path / "whole") if "eval_rouge_l" in row]
    assert len(evaluations) == 6
    assert max(evaluations) not in (evaluations[0], evaluations[-1])  # the best one is another than the last
    assert sum(result["code"] == -signal.SIGKILL for result in results) >= 0.7 * KILLS
    assert require_equal(tmp_path) >= 1


def test_signals_at_random_moments(tiny_run: Any, tmp_path: Path) -> None:
    stream = random.Random(2)
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    moments = [{"event": stream.randint(1, 60), "signal": numbers[n % 3]} for n in range(6)]
    results = train_with(tiny_run, tmp_path, moments)
    for result in results:
        if result["moment"]:
            assert result["code"] in (0, 128 + result["moment"]["signal"]), result
    assert sum(result["code"] > 128 for result in results) >= 4
    assert require_equal(tmp_path) >= 1
