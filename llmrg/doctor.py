"""What is installed, what the machine has, and what to do about what is missing."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

__all__ = ["Check", "examine", "healthy", "print_checks"]

Status = Literal["ok", "optional", "problem"]

DISK_NEEDED_GB = 5.0
"""Free space below which the quickstart and a small run may not fit, in 10^9 bytes."""

_SLOW_TO_IMPORT = ("deepspeed", "gradio")


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at.

    Args:
        name: what.
        status: ``ok``; ``optional`` if it is missing and everything else works without it; ``problem`` otherwise.
        found: version or figure.
        advice: what to do about it; empty where nothing is to do.
    """

    name: str
    status: Status
    found: str
    advice: str = ""


def examine(folder: Path | None = None) -> tuple[Check, ...]:
    """Look at the interpreter, the packages, the devices and the disk.

    Args:
        folder: where runs will be written (the disk that is measured); by default the working directory.
    """
    gpu = shutil.which("nvidia-smi") is not None
    checks = [_python, _torch, lambda: _device(gpu), _timm, lambda: _faiss(gpu)]
    checks += [_package(name) for name in ("transformers", "peft", "accelerate", "pydicom", "jieba")]
    checks += [
        _package("deepspeed", optional="training on several GPUs with ZeRO needs it", extra="gpu" if gpu else "cpu"),
        _package("bitsandbytes", optional="4- and 8-bit language models need it", extra="gpu" if gpu else "cpu"),
        _mamba,
        _java,
        *_java_parts(),
        _package("gradio", optional="for the planned web page", extra="web"),
        lambda: _disk(folder or Path()),
    ]
    return tuple(check() for check in checks)


def healthy(checks: tuple[Check, ...]) -> bool:
    """Tell whether no check found a problem."""
    return all(check.status != "problem" for check in checks)


def print_checks(checks: tuple[Check, ...]) -> None:
    """Show the checks as a table on stdout."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    style = {"ok": "green", "optional": "yellow", "problem": "bold red"}
    table = Table(title="llmrg doctor")
    for column in ("what", "state", "found", "what to do"):
        table.add_column(column, overflow="fold")
    for check in checks:
        table.add_row(
            check.name, f"[{style[check.status]}]{check.status}[/]", escape(check.found), escape(check.advice)
        )
    Console().print(table)


def _python() -> Check:
    found = f"{platform.python_version()} at {sys.executable}"
    if (3, 11) <= sys.version_info[:2] <= (3, 12):
        return Check(name="Python", status="ok", found=found)
    return Check(name="Python", status="problem", found=found, advice="use Python 3.11 or 3.12")


def _torch() -> Check:
    torch, problem = _imported("torch")
    if torch is None:
        return Check(name="torch", status="problem", found=problem, advice=_install(""))
    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU build"
    return Check(name="torch", status="ok", found=f"{torch.__version__} ({build}), {torch.get_num_threads()} threads")


def _device(gpu: bool) -> Check:
    torch, _ = _imported("torch")
    if torch is not None and torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        memory = torch.cuda.get_device_properties(0).total_memory / 1e9
        return Check(name="GPU", status="ok", found=f"{len(names)} x {names[0]}, {memory:.0f} GB")
    if gpu:
        advice = "nvidia-smi is there, but torch sees no GPU: install a torch that was built for CUDA"
        return Check(name="GPU", status="problem", found="not usable", advice=advice)
    advice = "none needed for the quickstart; a real language model wants one"
    return Check(name="GPU", status="optional", found="none", advice=advice)


def _timm() -> Check:
    timm, problem = _imported("timm")
    if timm is not None:
        torchvision, _ = _imported("torchvision")
        return Check(
            name="timm, torchvision", status="ok", found=f"{timm.__version__}, {_version('torchvision', torchvision)}"
        )
    hook = importlib.util.find_spec("llmrg_torchvision") is not None
    advice = _install("") if hook else "install llmrg itself with pip: that lets torchvision work beside CPU-only torch"
    return Check(name="timm, torchvision", status="problem", found=problem, advice=advice)


def _faiss(gpu: bool) -> Check:
    faiss, problem = _imported("faiss")
    extra = "gpu" if gpu else "cpu"
    if faiss is None:
        return Check(name="faiss", status="problem", found=problem, advice=_install(extra))
    devices = faiss.get_num_gpus() if hasattr(faiss, "get_num_gpus") else 0
    advice = _install("gpu") if gpu and not devices else ""
    return Check(name="faiss", status="ok", found=f"{faiss.__version__}, {devices} GPU(s)", advice=advice)


def _mamba() -> Check:
    module, problem = _imported("mamba_ssm")
    if module is not None:
        return Check(name="mamba-ssm", status="ok", found=_version("mamba-ssm", module))
    nvcc = shutil.which("nvcc") is not None
    advice = _install("mamba") if nvcc else "only with nvcc; without it the selective scan runs in torch"
    return Check(name="mamba-ssm", status="optional", found=problem, advice=advice)


def _java() -> Check:
    from llmrg.metrics.java_parts import java_parts

    java = java_parts()[0].path
    if java is None:
        return Check(name="java", status="optional", found="none", advice="METEOR of the Java tool needs it")
    try:
        told = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=False)
        lines = (told.stderr or told.stdout).strip().splitlines()
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check(name="java", status="optional", found=str(error), advice="METEOR of the Java tool needs it")
    return Check(name="java", status="ok", found=lines[0] if lines else str(java))


def _java_parts() -> list[Callable[[], Check]]:
    """The Java programs of metrics, by the environment variables that name them."""
    from llmrg.metrics.java_parts import JavaPart, java_parts

    def check(part: JavaPart) -> Check:
        if part.misled:
            used = f"; {part.path} is used instead" if part.path else ""
            found = f"set to {part.value}, which is not there{used}"
            advice = f"correct {part.variable} or unset it; it names {part.purpose}"
            return Check(name=part.variable, status="problem", found=found, advice=advice)
        if part.path is None:
            found = f"not set, and none found: {part.lack}"
            return Check(name=part.variable, status="optional", found=found, advice=f"for {part.purpose}")
        how = "set" if part.value else "not set"
        return Check(name=part.variable, status="ok", found=f"{how}, {part.path} ({part.purpose})")

    return [partial(check, part) for part in java_parts()]


def _disk(folder: Path) -> Check:
    folder = folder.resolve()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 1e9
    found = f"{free:.1f} GB free at {folder}"
    if not os.access(folder, os.W_OK):
        return Check(name="disk", status="problem", found=f"{folder} cannot be written", advice="choose another folder")
    if free < DISK_NEEDED_GB:
        return Check(name="disk", status="problem", found=found, advice=f"free {DISK_NEEDED_GB:.0f} GB")
    return Check(name="disk", status="ok", found=found)


def _package(name: str, *, optional: str = "", extra: str = "") -> Callable[[], Check]:
    def check() -> Check:
        module, problem = _found(name) if name in _SLOW_TO_IMPORT else _imported(name)
        if module is not None:
            return Check(name=name, status="ok", found=_version(name, module))
        if not optional:
            return Check(name=name, status="problem", found=problem, advice=_install(extra))
        return Check(name=name, status="optional", found=problem, advice=f"{optional}: {_install(extra)}")

    return check


def _imported(name: str) -> tuple[Any, str]:
    """Return the module and "", or None and the reason why it cannot be imported."""
    if name not in sys.modules and importlib.util.find_spec(name) is None:
        return None, "not installed"
    try:
        return importlib.import_module(name), ""
    except Exception as error:
        return None, f"installed, but its import fails: {type(error).__name__}: {str(error).splitlines()[0][:200]}"


def _found(name: str) -> tuple[Any, str]:
    spec = importlib.util.find_spec(name)
    return spec, "" if spec else "not installed"


def _version(distribution: str, module: Any) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return str(getattr(module, "__version__", "unknown version"))


def _install(extra: str) -> str:
    return f"pip install -e '.[{extra}]'" if extra else "pip install -e . (or bash scripts/quickstart.sh)"
