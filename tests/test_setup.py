"""Installing: torchvision imports beside CPU-only torch, tools start, the scripts do what they say."""

from __future__ import annotations

import os
import shutil
import site
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
HOOK = ROOT / "site_hook"


def python(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
        env={**os.environ, **environment},
    )


def test_timm_transformers_and_peft_work_together() -> None:
    done = python(
        "import timm, peft, torch, torchvision\n"
        "from transformers import Qwen2ForCausalLM, SwinModel, Trainer\n"
        "model = timm.create_model('swin_tiny_patch4_window7_224', pretrained=False, num_classes=0).eval()\n"
        "assert model(torch.zeros(1, 3, 224, 224)).shape == (1, 768)\n"
        "from torchvision.transforms import v2\n"
        "assert v2.Resize((8, 8))(torch.zeros(1, 16, 16)).shape == (1, 8, 8)\n"
    )
    assert done.returncode == 0, done.stderr


def test_accelerate_launch_works(tmp_path: Path) -> None:
    (tmp_path / "counting.py").write_text(
        "from accelerate import Accelerator\nprint('processes', Accelerator().num_processes)\n", encoding="utf-8"
    )
    launch = ROOT / "configs" / "launch" / "cpu.yaml"
    done = subprocess.run(
        [BIN / "accelerate", "launch", "--config_file", launch, "-m", "counting"],
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert "processes 1" in done.stdout


def test_the_installed_hook_is_the_one_of_this_checkout() -> None:
    for folder in site.getsitepackages():
        if (Path(folder) / "llmrg_torchvision.pth").exists():
            for source in HOOK.glob("llmrg_torchvision.*"):
                assert (Path(folder) / source.name).read_text(encoding="utf-8") == source.read_text(encoding="utf-8")
            return
    pytest.fail("llmrg_torchvision.pth is not in site-packages: run bash scripts/test.sh")


def test_nothing_is_imported_at_interpreter_start() -> None:
    done = python(
        "import sys\n"
        "assert 'llmrg_torchvision' in sys.modules\n"
        "assert not {'torch', 'torchvision', 'llmrg', 'numpy'} & set(sys.modules)\n"
        "import llmrg_torchvision\n"
        "llmrg_torchvision.install()\n"
        "assert [type(f).__name__ for f in sys.meta_path].count('TorchvisionFinder') == 1\n"
    )
    assert done.returncode == 0, done.stderr


def imitate(folder: Path, body: str, torch: str = "") -> dict[str, str]:
    """Make packages ``torch`` and ``torchvision`` that only imitate an import, and the environment that finds them."""
    for name, text in {
        "torch/__init__.py": "from torch import library\n" + torch,
        "torch/library.py": (
            "defined = []\n"
            "class Library:\n"
            "    def __init__(self, namespace, kind): self.namespace = namespace\n"
            "    def define(self, schema): defined.append(self.namespace + '::' + schema)\n"
        ),
        "torchvision/__init__.py": "import torch\nfrom torchvision import tries\n" + body,
        "torchvision/tries.py": "import builtins\nbuiltins.tries = getattr(builtins, 'tries', 0) + 1\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return {"PYTHONPATH": str(folder)}


BROKEN = "if not torch.library.defined: raise RuntimeError('operator torchvision::nms does not exist')\n"


def test_both_operators_are_defined_where_torchvision_is_broken(tmp_path: Path) -> None:
    done = python(
        "import builtins, torchvision, torch\n"
        "assert builtins.tries == 2\n"
        "rest = '(Tensor dets, Tensor scores, float iou_threshold) -> Tensor'\n"
        "assert torch.library.defined == ['torchvision::nms' + rest, 'torchvision::qnms' + rest]\n",
        **imitate(tmp_path, BROKEN),
    )
    assert done.returncode == 0, done.stderr


def test_nothing_happens_where_torchvision_is_healthy(tmp_path: Path) -> None:
    done = python(
        "import builtins, torchvision, torch\nassert builtins.tries == 1\nassert torch.library.defined == []\n",
        **imitate(tmp_path, ""),
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "body",
    ["raise RuntimeError('another fault')\n", "raise RuntimeError('operator torchvision::nms does not exist')\n"],
)
def test_other_faults_stay_what_they_are(tmp_path: Path, body: str) -> None:
    done = python("import torchvision", **imitate(tmp_path, body))
    assert done.returncode == 1
    assert "RuntimeError" in done.stderr


def test_finding_torchvision_does_not_import_it() -> None:
    done = python(
        "import importlib.util, sys\n"
        "assert importlib.util.find_spec('torchvision').origin.endswith('__init__.py')\n"
        "assert importlib.util.find_spec('no_such_module') is None\n"
        "assert not {'torch', 'torchvision'} & set(sys.modules)\n"
    )
    assert done.returncode == 0, done.stderr


def test_the_wheel_carries_the_hook_and_both_packages(tmp_path: Path) -> None:
    from hatchling.builders.wheel import WheelBuilder

    wheel = next(WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"]))
    names = zipfile.ZipFile(wheel).namelist()
    assert {"llmrg_torchvision.py", "llmrg_torchvision.pth"} <= set(names)
    assert {"llmrg/cli.py", "llmrg/py.typed", "retrieval_index/index.py"} <= set(names)
    assert not [name for name in names if name.startswith(("tests/", "configs/", "runs/", "data/"))]


def test_extras_are_those_of_the_design() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    names = {extra: {requirement.split("==")[0] for requirement in found} for extra, found in extras.items()}
    assert {"faiss-cpu", "deepspeed", "bitsandbytes"} <= names["cpu"]
    assert {"faiss-gpu", "deepspeed", "bitsandbytes"} <= names["gpu"]
    assert names["mamba"] == {"mamba-ssm", "causal-conv1d"}
    assert {"java", "web", "dev"} <= names.keys()


def shell(script: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=cwd,
        env={**os.environ, **environment},
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the files that the scripts read, with a .venv whose python records what pip is asked to do."""
    for name in ("scripts", "site_hook", "configs/launch"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "activate").write_text(f"VIRTUAL_ENV={tmp_path}/.venv\n", encoding="utf-8")
    recorder = tmp_path / ".venv" / "bin" / "python"
    recorder.write_text(
        f'#!/bin/sh\nif [ "$1 $2" = "-m pip" ]; then echo "$@" >>"{tmp_path}/pip.log"; exit 0; fi\n'
        f'exec "{sys.executable}" "$@"\n',
        encoding="utf-8",
    )
    recorder.chmod(0o755)
    (tmp_path / "no_gpu").mkdir()
    (tmp_path / "no_gpu" / "nvidia-smi").write_text("#!/bin/sh\nexit 9\n", encoding="utf-8")
    (tmp_path / "gpu").mkdir()
    (tmp_path / "gpu" / "nvidia-smi").write_text("#!/bin/sh\necho 'GPU 0: some card'\n", encoding="utf-8")
    for folder in ("no_gpu", "gpu"):
        (tmp_path / folder / "nvidia-smi").chmod(0o755)
    return tmp_path


def installs(checkout: Path, *extras: str, hardware: str = "no_gpu", **environment: str) -> list[str]:
    """Run ``prepare_environment`` and return the pip installations it asked for."""
    (checkout / "pip.log").unlink(missing_ok=True)
    done = shell(
        f"set -euo pipefail; . scripts/environment.sh; prepare_environment {' '.join(extras)}",
        checkout,
        **{"PATH": f"{checkout / hardware}:{os.environ['PATH']}", "LLMRG_TORCH_INDEX": "", **environment},
    )
    assert done.returncode == 0, done.stderr
    lines = (checkout / "pip.log").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if " install " in line]


def test_install_follows_the_hardware_and_is_not_repeated(checkout: Path) -> None:
    assert [line.split()[-1] for line in installs(checkout)] == [".[cpu]"]
    assert installs(checkout) == []
    assert [line.split()[-1] for line in installs(checkout, "dev")] == [".[cpu,dev]"]
    assert installs(checkout) == []
    assert installs(checkout, "dev") == []
    assert [line.split()[-1] for line in installs(checkout, hardware="gpu")] == [".[gpu]"]


def test_a_changed_project_file_installs_again(checkout: Path) -> None:
    installs(checkout)
    with (checkout / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    assert len(installs(checkout)) == 1


def test_one_variable_names_another_index_for_torch(checkout: Path) -> None:
    first, second = installs(checkout, LLMRG_TORCH_INDEX="file:///some/index")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = [name for name in project["dependencies"] if name.startswith(("torch==", "torchvision=="))]
    assert len(pins) == 2
    assert first.endswith("--no-deps --index-url file:///some/index " + " ".join(pins))
    assert "file:///some/index" not in second


def test_a_failed_installation_leaves_no_stamp(checkout: Path) -> None:
    recorder = checkout / ".venv" / "bin" / "python"
    recorder.write_text(
        f'#!/bin/sh\ncase "$*" in *" install "*) exit 1;; *"-m pip"*) exit 0;; esac\nexec "{sys.executable}" "$@"\n',
        encoding="utf-8",
    )
    done = shell("set -euo pipefail; . scripts/environment.sh; prepare_environment", checkout)
    assert done.returncode != 0
    assert list((checkout / ".venv").glob("*.stamp")) == []


def test_a_machine_without_a_fitting_python_is_told_so(checkout: Path) -> None:
    shutil.rmtree(checkout / ".venv")
    done = shell("set -e; . scripts/environment.sh; make_environment", checkout, LLMRG_PYTHON="no-such-python")
    assert done.returncode == 2
    assert "Python 3.11 or 3.12" in done.stderr


def test_quickstart_refuses_unknown_arguments() -> None:
    done = shell("bash scripts/quickstart.sh --fast", ROOT)
    assert done.returncode == 2
    assert "--fast" in done.stderr


def test_quickstart_stops_at_a_failing_step_and_names_it(checkout: Path) -> None:
    installs(checkout)
    llmrg = checkout / ".venv" / "bin" / "llmrg"
    llmrg.write_text('#!/bin/sh\necho "no room left" >&2\nexit 2\n', encoding="utf-8")
    llmrg.chmod(0o755)
    done = shell(
        "bash scripts/quickstart.sh",
        checkout,
        PATH=f"{checkout / 'no_gpu'}:{os.environ['PATH']}",
        LLMRG_TORCH_INDEX="",
    )
    assert done.returncode == 2
    assert "no room left" in done.stderr
    assert "Phantoms of ped_xray" in done.stderr
    assert "Result page" not in done.stdout


@pytest.mark.parametrize("script", ["scripts/quickstart.sh", "scripts/test.sh", ".ci/run"])
def test_scripts_name_no_registry_and_can_be_parsed(script: str) -> None:
    text = (ROOT / script).read_text(encoding="utf-8") + (ROOT / "scripts/environment.sh").read_text(encoding="utf-8")
    assert "http" not in text
    assert "pypi" not in text.lower()
    assert shell(f"bash -n {script}", ROOT).returncode == 0
    assert os.access(ROOT / script, os.X_OK)
