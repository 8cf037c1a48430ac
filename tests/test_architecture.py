"""What import-linter cannot say about the house: private files, sizes, names, docstrings, declared dependencies."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("llmrg", "retrieval_index")
MAX_LINES = 500
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
ALL_PYTHON = sorted({*SOURCES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "scripts").rglob("*.py")})

# The name under which a module is imported where it is not the name of the distribution.
DISTRIBUTIONS = {
    "PIL": "pillow",
    "faiss": "faiss-cpu",
    "mamba_ssm": "mamba-ssm",
    "causal_conv1d": "causal-conv1d",
    "sklearn": "scikit-learn",
}


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_name(path: Path) -> str:
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(text(path))))


@cache
def imported_modules(path: Path) -> tuple[str, ...]:
    """Every module a file imports, also inside functions; ``from a import b`` yields ``a`` and ``a.b``."""
    return tuple(_imported_modules(path))


def _imported_modules(path: Path) -> Iterator[str]:
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = module_name(path).split(".")
                package = package if path.name == "__init__.py" else package[:-1]
                base = ".".join([*package[: len(package) - node.level + 1], *([base] if base else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def private_intrusions(path: Path) -> list[str]:
    """Imports of another folder's ``_name`` modules."""
    wrong = []
    for module in imported_modules(path):
        parts = module.split(".")
        if parts[0] not in PACKAGES:
            continue
        for place, part in enumerate(parts):
            inside = relative(path.parent).split("/")[:place] == parts[:place]
            is_module = (ROOT.joinpath(*parts[:place]) / part).with_suffix(".py").exists()
            if part.startswith("_") and not part.startswith("__") and is_module and not inside:
                wrong.append(module)
    return wrong


def test_private_files_are_imported_in_their_own_room_only() -> None:
    wrong = {relative(path): private_intrusions(path) for path in SOURCES}
    assert {path: modules for path, modules in wrong.items() if modules} == {}


def test_an_intrusion_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    for name in ("llmrg/text/_secret.py", "llmrg/text/open.py", "llmrg/text/deep/far.py", "llmrg/metrics/thief.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("def f():\n    from llmrg.text import _secret\n", encoding="utf-8")
    assert private_intrusions(tmp_path / "llmrg/metrics/thief.py") == ["llmrg.text._secret"]
    assert private_intrusions(tmp_path / "llmrg/text/open.py") == []
    assert private_intrusions(tmp_path / "llmrg/text/deep/far.py") == []


def test_the_floors_hold() -> None:
    """import-linter's contracts, as ``bash scripts/test.sh`` checks them."""
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([linter], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


def test_files_are_small() -> None:
    lines = {relative(path): len(text(path).splitlines()) for path in ALL_PYTHON}
    assert {path: count for path, count in lines.items() if count > MAX_LINES} == {}


def test_no_dumping_grounds() -> None:
    bad = {"utils", "util", "helpers", "helper", "misc", "common", "tools"}
    assert [relative(path) for path in SOURCES if path.stem.strip("_") in bad] == []


def test_every_package_says_what_it_is() -> None:
    files = {path.parent / "__init__.py" for path in SOURCES}
    assert [relative(file) for file in files if not (file.exists() and ast.get_docstring(ast.parse(text(file))))] == []


def faults(path: Path) -> list[str]:
    """What no file of the library does, with the line."""
    found = []
    for node in nodes(path):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            found.append(f"print, line {node.lineno}")
        elif isinstance(node, ast.Assert):
            found.append(f"assert, line {node.lineno}")
        elif isinstance(node, ast.ExceptHandler) and node.type is None:
            found.append(f"bare except, line {node.lineno}")
    modules = {module.partition(".")[0] for module in imported_modules(path)}
    found += modules & {"pickle", "dill", "joblib", "shelve", "marshal"}
    return [*found, *(word for word in ("trust_remote_code=True",) if word in text(path))]


def test_the_library_neither_prints_nor_asserts_nor_pickles() -> None:
    wrong = {relative(path): faults(path) for path in SOURCES}
    assert {path: found for path, found in wrong.items() if found} == {}


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("def f():\n    print(1)", "print, line 2"),
        ("assert f()", "assert, line 1"),
        ("try:\n    f()\nexcept:\n    pass", "bare except, line 3"),
        ("def f():\n    from joblib import load", "joblib"),
        ("f(trust_remote_code=True)", "trust_remote_code=True"),
    ],
)
def test_a_fault_would_be_seen(source: str, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    (tmp_path / "a.py").write_text(source, encoding="utf-8")
    assert faults(tmp_path / "a.py") == [fault]


MACHINE_PATH = re.compile(r"""(?<![\w.$}])/(?:home|root|Users|mnt|wangx|work)/\w""")


def test_no_path_of_a_machine() -> None:
    folders = ("llmrg", "retrieval_index", "site_hook", "configs", "scripts", "docs")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    files += [ROOT / "pyproject.toml", ROOT / "README.md", ROOT / "README.zh.md", ROOT / ".ci" / "run"]
    texts = [path for path in files if path.suffix in {".py", ".sh", ".md", ".yaml", ".json", ".toml", ".html", ""}]
    found = [relative(path) for path in texts if MACHINE_PATH.search(path.read_text(encoding="utf-8"))]
    assert found == []


@cache
def declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = [*project["dependencies"]]
    for extra, names in project["optional-dependencies"].items():
        if extra != "dev":
            requirements += names
    return {re.split(r"[=<>\[; ]", requirement)[0].lower() for requirement in requirements}


def test_every_library_is_declared() -> None:
    own = {*PACKAGES, "llmrg_torchvision"}
    used = {(module.partition(".")[0], relative(path)) for path in SOURCES for module in imported_modules(path)}
    foreign = {(name, path) for name, path in used if name not in own and name not in sys.stdlib_module_names}
    assert {name for name, _ in foreign} >= {"torch", "transformers", "numpy", "typer"}
    assert {(name, path) for name, path in foreign if DISTRIBUTIONS.get(name, name).lower() not in declared()} == set()


def test_every_pin_is_exact_and_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    for requirement in [*project["dependencies"], *(name for names in extras.values() for name in names)]:
        assert re.fullmatch(r"[\w.-]+==[\w.]+", requirement), requirement
    for requirement in [*project["dependencies"], *extras["dev"]]:
        name, version = requirement.split("==")
        assert importlib.metadata.version(name).partition("+")[0] == version, requirement
