"""The comparison of systems: what is shared, in which order, what is repeated, timed and told. Nothing is trained."""

from __future__ import annotations

import shutil
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llmrg.artefacts import Manifest, atomic_directory, write_text
from llmrg.benchmark.results import Results, Row
from llmrg.errors import UserError

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "scripts" / "bench"))

from comparison.jobs import Job, Plan  # noqa: E402
from comparison.planning import make_plan, write_data_configs  # noqa: E402
from comparison.protocol import PROTOCOL, SMOKE  # noqa: E402
from comparison.report import BEGIN, END, spent_by, write_report  # noqa: E402
from comparison.runner import Finished, Processes, run_jobs  # noqa: E402
from comparison.tables import ablation_table, paired_table, systems_table  # noqa: E402
from comparison.times import Attempt, Times  # noqa: E402

CONFIGS = ROOT / "configs" / "comparison"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return make_plan(PROTOCOL, tmp_path_factory.mktemp("planned"), CONFIGS)


def test_every_training_is_planned_and_what_is_equal_is_shared(made: Plan) -> None:
    assert len(made.trained) == 5 * (3 + 1) + 2 * len({one.variant.name for one in made.trained[20:]})
    models = [key for key, job in made.jobs.items() if job.kind == "language_model"]
    assert [key.split("/")[0] for key in models] == ["zh-1", "en-1", "zh-2", "zh-3"]
    own = {(one.language, one.seed): one for one in made.trained if one.variant.name == PROTOCOL.own}
    for one in made.trained:
        assert one.jobs["language_model"] == own[one.language, one.seed].jobs["language_model"]
        if one.variant.name not in PROTOCOL.systems:
            assert one.jobs["disease_classifier"] == own[one.language, one.seed].jobs["disease_classifier"]
            assert one.variant.removed not in one.config.system.evidence.sources or one.config.system.prompt is not None


def test_what_is_worth_most_comes_first_and_nothing_before_what_it_needs(made: Plan) -> None:
    places = list(made.jobs)
    for job in made.jobs.values():
        assert all(places.index(need) < places.index(job.key) for need in job.needs)
    trained = [(one.language, one.seed, one.variant.name in PROTOCOL.systems) for one in made.trained]
    rounds = list(dict.fromkeys(trained))
    ablation = PROTOCOL.ablation_language
    assert rounds[:4] == [("zh", 1, True), ("en", 1, True), ("zh", 2, True), ("zh", 3, True)]
    assert rounds[4:] == [(ablation, seed, False) for seed in PROTOCOL.ablation_seeds]


def test_another_trunk_has_another_classifier_and_unequal_trials_are_refused(tmp_path: Path) -> None:
    smoke = replace(SMOKE, systems=("one", "other"), own="one", overrides=())
    protocol = smoke.narrowed(languages=("zh",), ablation=False)
    base = f"extends: {CONFIGS / 'llmrg.yaml'}\n"
    (tmp_path / "one.yaml").write_text(base)
    (tmp_path / "other.yaml").write_text(base + "training: {learning_rate: 1e-3}\n")
    made = make_plan(protocol, tmp_path, tmp_path)
    assert len({one.jobs["disease_classifier"] for one in made.trained}) == 1
    (tmp_path / "other.yaml").write_text(base + "system: {vision: {options: {channels: [8, 16, 24, 32]}}}\n")
    made = make_plan(protocol, tmp_path, tmp_path)
    assert len({one.jobs["disease_classifier"] for one in made.trained}) == 2
    (tmp_path / "other.yaml").write_text(base + "training: {validation_studies: 61}\n")
    with pytest.raises(UserError, match=r"other and one differ in training\.validation_studies"):
        make_plan(protocol, tmp_path, tmp_path)


class FakeProcesses(Processes):
    """Leaves what each command would leave; some fail, or are stopped."""

    def __init__(self, jobs: dict[str, Job], codes: dict[str, int] | None = None) -> None:
        super().__init__()
        self.jobs, self.codes = jobs, codes or {}
        self.called: list[str] = []
        self.commands: dict[str, Sequence[str]] = {}

    def run(self, command: Sequence[str], log: Path) -> Finished:
        job = next(job for job in self.jobs.values() if list(job.arguments) == list(command[3:])[: len(job.arguments)])
        self.called.append(job.key)
        self.commands[job.key] = command
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("what went wrong\n")
        code = self.codes.get(job.key, 0)
        if code == 0:
            leave(job)
        return Finished(code=code, wall=60.0, processor=30.0)


def leave(job: Job) -> None:
    if job.kind in ("generate", "benchmark"):
        write_text(job.output, "{}\n")
        return
    with atomic_directory(job.output) as directory:
        Manifest(kind=job.kind, producer="test", details={"key": job.key}).write(directory)


def run(jobs: dict[str, Job], folder: Path, codes: dict[str, int] | None = None) -> tuple[Any, FakeProcesses, Times]:
    processes, times = FakeProcesses(jobs, codes), Times(folder / "times.json")
    outcome = run_jobs(jobs, times, logs=folder / "logs", side_by_side=2, processes=processes, tell=lambda line: None)
    return outcome, processes, times


def test_a_failure_is_named_the_rest_goes_on_and_nothing_is_done_twice(tmp_path: Path) -> None:
    protocol = SMOKE.narrowed(systems=("llmrg", "r2gengpt"), languages=("zh",), ablation=False)
    made = make_plan(protocol, tmp_path, CONFIGS)
    broken = "zh-1/llmrg/memory"
    outcome, processes, _ = run(made.jobs, tmp_path, {broken: 2})
    assert list(outcome.failed) == [broken]
    assert "what went wrong" in outcome.failed[broken]
    lost = {key for key in made.jobs if key.startswith("zh-1/llmrg/")} - {broken}
    assert set(outcome.left) == lost
    assert set(outcome.done) == set(made.jobs) - lost - {broken}

    outcome, processes, times = run(made.jobs, tmp_path)
    assert sorted(processes.called) == sorted([broken, *lost])
    assert not outcome.failed and not outcome.left
    shared = tmp_path / "runs" / "zh-1" / "llmrg" / "artefacts" / "language_model" / "manifest.json"
    assert made.jobs[made.trained[0].jobs["language_model"]].key in shared.read_text()

    own, other = made.trained
    spent = spent_by(own, made, times)
    assert spent is not None and set(spent) == set(own.jobs)
    assert all(pair == (60.0, 30.0) for pair in spent.values())  # the failed attempt does not count
    assert spent["language_model"] == (spent_by(other, made, times) or {})["language_model"]
    assert run(made.jobs, tmp_path)[1].called == []
    shutil.rmtree(tmp_path / "stages")  # nobody needs what led to finished work
    assert run(made.jobs, tmp_path)[1].called == []
    (tmp_path / "predictions" / "zh-1" / "llmrg" / "shifted.jsonl").unlink()
    assert run(made.jobs, tmp_path)[1].called == ["zh-1/llmrg/generate-shifted"]


def test_a_stopped_training_resumes_and_both_parts_count(tmp_path: Path) -> None:
    protocol = SMOKE.narrowed(systems=("r2gengpt",), languages=("zh",), ablation=False)
    made = make_plan(protocol, tmp_path, CONFIGS)
    key = "zh-1/r2gengpt/train"
    run(made.jobs, tmp_path, {key: 128 + signal.SIGTERM})
    _, processes, times = run(made.jobs, tmp_path)
    assert processes.commands[key][-1] == "--resume"
    assert "--resume" not in processes.commands.get("zh-1/r2gengpt/generate-test", ())
    assert (spent_by(made.trained[0], made, times) or {})["train"] == (120.0, 60.0)


def test_a_run_of_another_configuration_is_refused_and_never_removed(tmp_path: Path) -> None:
    protocol = SMOKE.narrowed(systems=("r2gengpt",), languages=("zh",), ablation=False)
    made = make_plan(protocol, tmp_path, CONFIGS)
    leave(made.jobs["zh-1/r2gengpt/train"])
    (made.trained[0].run / "train.yaml").write_text("seed: 12\n")
    outcome, processes, _ = run(make_plan(protocol, tmp_path, CONFIGS).jobs, tmp_path)
    assert "holds a run of another configuration" in outcome.failed["zh-1/r2gengpt/train"]
    assert "zh-1/r2gengpt/train" not in processes.called
    assert (made.trained[0].run / "train.yaml").read_text() == "seed: 12\n"


def test_processes_are_timed_and_stopped(tmp_path: Path) -> None:
    processes = Processes()
    busy = "import time\nuntil = time.process_time() + 0.3\nwhile time.process_time() < until: pass\nprint('said')"
    ended = processes.run([sys.executable, "-c", busy], tmp_path / "log")
    assert ended.code == 0 and ended.processor >= 0.3 and ended.wall >= 0.3
    assert (tmp_path / "log").read_text() == "said\n"
    threading.Timer(0.5, processes.stop).start()
    began = time.monotonic()
    assert (
        processes.run([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path / "log").code == -signal.SIGTERM
    )
    assert time.monotonic() - began < 30
    assert processes.run([sys.executable, "-c", "raise SystemExit(3)"], tmp_path / "log").code < 0  # none begins now


def test_times_of_other_work_are_not_mixed(tmp_path: Path) -> None:
    times = Times(tmp_path / "times.json")
    one = Attempt(job="a", command="", fingerprint="x", begun="", wall=10, processor=5, code=0)
    for attempt in (one, replace(one, fingerprint="y", wall=7), replace(one, fingerprint="y", code=2), one):
        times.add(attempt)
    again = Times(tmp_path / "times.json")
    assert again.attempts == times.attempts
    assert again.seconds("a", "x", resumed=False) == (10, 5)
    assert again.seconds("a", "y", resumed=True) == (7, 5)
    assert not again.succeeded("b", "x")


def row(name: str, kind: Any, f1: float, by_seed: Sequence[float] = ()) -> Row:
    figures = {"clinical_micro_f1": {"values": list(by_seed), "mean": f1, "sd": 0.021, "t_interval": None}}
    return Row(
        system=name,
        kind=kind,
        metrics={"clinical_micro_f1": f1, "bleu_4": 0.2, "rouge_l": 0.3, "cider": 1.5, "graph_f1": None},
        confidence_intervals={"clinical_micro_f1": (f1 - 0.05, f1 + 0.05)},
        seeds={"names": [str(number) for number in range(len(by_seed))], "figures": figures} if by_seed else None,  # type: ignore[typeddict-item]
    )


def paired(first: str, second: str, difference: float, p: float) -> Any:
    ends = {"low": difference - 0.01, "high": difference + 0.02}
    values = {"metric": "clinical_micro_f1", "first": first, "second": second, "purpose": "systems", **ends}
    return {**values, "difference": difference, "p": p, "p_holm": p, "trials": 10, "better": None}


def test_tables_say_who_is_what_and_turn_differences_our_way() -> None:
    results = Results(
        dataset="zh_test", split="test", n=4, patients=4, language="zh",
        rows=(row("b", "system", 0.5), row("a", "system", 0.75, (0.7, 0.8)), row("nearest", "baseline", 0.4)),
        tests=(paired("b", "a", -0.25, 0.0001), paired("b", "nearest", 0.1, 0.2)),
    )  # fmt: skip
    table = systems_table(results, ("a", "b"), seeds={"a": "2 of 3", "b": "1 of 3"}, minutes={"a": (7.96, 7.5)})
    lines = table.splitlines()[2:]
    assert [line.split("|")[1].strip() for line in lines] == ["*nearest*", "**a**", "**b**"]
    assert lines[1] == "| **a** | 2 of 3 | 75.0 (70.0–80.0) | 2.1 | – | 20.0 | 30.0 | 1.50 | 8.0 (7.5) |"
    assert lines[2].endswith("| – |")
    assert paired_table(results, "a").splitlines()[2:] == ["| a − b | F1 | +25.0 | 23.0 to 26.0 | < 0.001 |"]


def test_the_ablation_is_told_by_seed() -> None:
    results = Results(
        dataset="ablation", split="test", n=4, patients=4, language="zh",
        rows=(row("full", "system", 0.75, (0.7, 0.8)), row("without_patches", "system", 0.6)),
        tests=(paired("full", "without_patches", 0.15, 0.04),),
    )  # fmt: skip
    lines = ablation_table(results, {"full": (1, 2), "without_patches": (2,)}).splitlines()
    assert lines[2] == "| **full** | 75.0 (70.0–80.0) | 70.0 | 80.0 | – | – | – |"
    assert lines[3] == "| without patches | 60.0 (55.0–65.0) | – | +20.0 | +15.0 | 14.0 to 17.0 | 0.040 |"


def test_the_report_keeps_the_words_around_it_and_says_what_is_missing(tmp_path: Path) -> None:
    protocol = SMOKE.narrowed(systems=("llmrg", "r2gengpt"), languages=("zh",), ablation=False)
    made = make_plan(protocol, tmp_path, CONFIGS)
    write_data_configs(made, tmp_path)
    assert f"root: {tmp_path / 'data' / 'zh_shifted'}" in (tmp_path / "configs" / "data_zh_shifted.yaml").read_text()
    path = tmp_path / "results.md"
    path.write_text(f"# Results\n\nWords before.\n\n{BEGIN}\nthe former table\n{END}\n\nWords after.\n")
    for _ in range(2):
        write_report(protocol, made, Times(tmp_path / "times.json"), tmp_path, path, command="the command")
    text = path.read_text()
    assert text.startswith("# Results\n\nWords before.\n\n") and text.endswith("\n\nWords after.\n")
    assert "the former table" not in text and text.count(BEGIN) == 1
    assert "0 of 2 planned trainings are done" in text and "Chinese, seed 1: llmrg, r2gengpt" in text
    assert "Not yet run." in text
