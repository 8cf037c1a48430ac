"""Every command of the README is run, in its order, in a sandbox with phantoms and models made small.

The commands run as they are written, in a folder with the checkout's ``configs`` and ``scripts``; ``REDUCTIONS`` is the
whole list of what is changed so that they end in a minute, ``NOT_RUN`` of what is only checked otherwise.
Commands that ``FORKED`` names are forked from a process that has imported torch and transformers (forking.py): a small
command spends most of its time on that.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

QUICK_TRAINING = (
    "stages.language_model.max_steps=4 stages.disease_classifier.epochs=1 training.epochs=1 "
    "training.evaluations=1 training.validation_studies=4 training.tensorboard=false decoding.max_new_tokens=12"
)
TAKES_CONFIGURATION = r"(^llmrg train|-m llmrg\.train|^llmrg pretrain|^llmrg build-memory|^llmrg index build)\b"

SMALL = (
    "batch_size=8",
    *(f"model.{size}" for size in ("hidden_size=64", "layers=2", "heads=2", "intermediate_size=128")),
)

# (pattern of a command, text in it, what takes its place); an empty text appends.
REDUCTIONS: tuple[tuple[str, str, str], ...] = (
    (r"^llmrg data phantom", r"--studies \d+", "--studies 48"),
    (TAKES_CONFIGURATION, "", QUICK_TRAINING),
    (r"^llmrg benchmark", "", "resamples=20 gallery.studies=2"),
    (r"--split test", "", "--limit 3"),
    # A real data set and a real language model are replaced by phantoms in the same layout and the embedded default.
    (r"", r"data\.root=/data/ped_xray", "data.root=data/phantoms/ped_xray"),
    (r"", r"system\.language_model\.path=/models/llm", "system.language_model.path=embedded"),
    (r"configs/systems/", "", "system.vision.architecture=resnet10t system.vision.pretrained=false data.image_size=64"),
    (r"configs/systems/", "", "training.workers=0 stages.disease_classifier.workers=0"),
    (r"configs/systems/", "", " ".join(f"stages.language_model.{size}" for size in SMALL)),
    # What DeepSpeed does is tests/test_launch.py's matter; here the rest of the command is.
    (r"deepspeed_zero2", r"configs/launch/deepspeed_zero2\.yaml --num_processes 4", "configs/launch/cpu.yaml"),
)

NOT_RUN = {
    "bash scripts/quickstart.sh": "test_quickstart_runs_commands_of_the_readme",
    "bash scripts/test.sh": "test_test_script_runs_every_check",
    "bash scripts/bench/phantoms.sh": "test_bench_script_is_sound",
    "source .venv/bin/activate": "the tests run in that environment",
}


# No pipes, lists of commands, variables or patterns of files: what bash would do to the line is nothing.
FORKED = re.compile(r"llmrg (train|pretrain|build-memory|index|export|generate .*--(split|language))\b[^|;&<>$`*]*")


def commands(file: str) -> list[str]:
    """The commands of a file's bash blocks, in their order."""
    text = (ROOT / file).read_text(encoding="utf-8")
    found = []
    for block in re.findall(r"^```bash\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE):
        for line in block.replace("\\\n", " ").splitlines():
            if line.strip() and not line.lstrip().startswith("#"):
                found.append(" ".join(line.split()))
    return found


def reduced(command: str) -> str:
    """The command as the sandbox runs it."""
    for pattern, old, new in REDUCTIONS:
        if re.search(pattern, command):
            command = re.sub(old, new, command) if old else f"{command} {new}"
    return command


RUN = [command for command in commands("README.md") if command not in NOT_RUN]


@pytest.fixture(scope="session")
def readme_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readme")
    for name in ("configs", "scripts", "pyproject.toml"):
        (folder / name).symlink_to(ROOT / name)
    return folder


ENVIRONMENT = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="session")
def forking(readme_sandbox: Path) -> Iterator[subprocess.Popen[str]]:
    """The process that heavy commands are forked from."""
    server = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("forking.py")],
        cwd=readme_sandbox, env={**os.environ, **ENVIRONMENT}, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    with server:
        yield server
        assert server.stdin is not None
        server.stdin.close()


@pytest.mark.slow
@pytest.mark.parametrize("command", RUN)
def test_readme_command(command: str, readme_sandbox: Path, forking: subprocess.Popen[str]) -> None:
    """Later commands use what earlier ones left; run alone (-k), a command runs those before it first."""
    for earlier in RUN[: RUN.index(command) + 1]:
        if earlier not in _done:
            run = _fork if FORKED.fullmatch(reduced(earlier)) else _start
            _done[earlier] = run(reduced(earlier), readme_sandbox, forking)
        done = _done[earlier]
        assert done.returncode == 0, f"{reduced(earlier)}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"


_done: dict[str, subprocess.CompletedProcess[str]] = {}


def _start(command: str, sandbox: Path, _: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", command],
        cwd=sandbox,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, **ENVIRONMENT, "PATH": f"{BIN}:{os.environ['PATH']}"},
    )


def _fork(command: str, sandbox: Path, server: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    assert server.stdin is not None
    assert server.stdout is not None
    arguments = shlex.split(command)[1:]
    said = [sandbox / name for name in ("out.txt", "err.txt")]
    job = {"arguments": arguments, "folder": str(sandbox), "out": str(said[0]), "err": str(said[1])}
    server.stdin.write(json.dumps(job) + "\n")
    server.stdin.flush()
    answer = server.stdout.readline()
    assert answer, "the process that forks commands has ended"
    return subprocess.CompletedProcess(command, int(answer), *(path.read_text(encoding="utf-8") for path in said))


def test_bench_script_is_sound() -> None:
    """Its syntax, and that the configurations it names exist (tests/test_configs.py builds them)."""
    script = ROOT / "scripts" / "bench" / "phantoms.sh"
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
    named = re.findall(r"configs/[\w/]+\.yaml", script.read_text(encoding="utf-8"))
    assert len(named) >= 4
    assert all((ROOT / path).is_file() for path in named)


def test_both_languages_name_the_same_commands() -> None:
    assert commands("README.zh.md") == commands("README.md")


def test_no_block_of_another_kind_hides_commands() -> None:
    for file in ("README.md", "README.zh.md"):
        kinds = set(re.findall(r"^```(\w*)$", (ROOT / file).read_text(encoding="utf-8"), flags=re.MULTILINE))
        assert kinds <= {"", "bash", "python"}


def test_python_blocks_are_code() -> None:
    for file in ("README.md", "README.zh.md"):
        text = (ROOT / file).read_text(encoding="utf-8")
        for block in re.findall(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE):
            compile(block, file, "exec")


@pytest.mark.parametrize("file", ["README.md", "README.zh.md"])
def test_files_that_the_readme_names_exist(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    named = set(re.findall(r"(?:configs|scripts|docs)/[\w./-]+\.(?:yaml|json|sh|md)", text))
    named |= {link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link}
    assert {name for name in named if not (ROOT / name).exists()} == set()


def quickstart_commands() -> list[str]:
    done = subprocess.run(
        ["bash", "scripts/quickstart.sh", "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_quickstart_runs_commands_of_the_readme() -> None:
    """The steps that the README explains are those of the script: same commands, for one data set or both."""
    steps = quickstart_commands()
    names_of_data = re.compile(r"\S*(ped[_-]xray|chexpert[_-]plus)\S*|--seed \d")
    explained = {names_of_data.sub("*", command) for command in RUN if command in steps}
    assert explained == {names_of_data.sub("*", step) for step in steps}
    for step in steps:
        for name in re.findall(r"configs/\S+", step):
            assert (ROOT / name).exists(), name


def test_test_script_runs_every_check() -> None:
    text = (ROOT / "scripts" / "test.sh").read_text(encoding="utf-8")
    for check in ("ruff check", "ruff format --check", "mypy", "lint-imports", "pytest"):
        assert re.search(rf"^check .*{check}", text, flags=re.MULTILINE), check


def test_reductions_are_all_needed() -> None:
    for pattern, old, _ in REDUCTIONS:
        fitting = [command for command in RUN if re.search(pattern, command) and re.search(old, command)]
        assert fitting, (pattern, old)
    assert all(shlex.split(reduced(command)) for command in RUN)


def test_what_is_forked_is_one_plain_command() -> None:
    forked = [command for command in RUN if FORKED.fullmatch(reduced(command))]
    assert len(forked) >= 10
    started = " ".join(command for command in RUN if command not in forked)
    assert "-m llmrg.train" in started
    assert "llmrg generate" in started
    assert all(not FORKED.fullmatch(command) for command in ("llmrg train a | tee b", "llmrg train a && ls", "ls"))
