"""What import-linter cannot say about the house: private files, sizes, names, docstrings, declared dependencies."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
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


def imported_modules(path: Path) -> Iterator[str]:
    """Every module a file imports, also inside functions; ``from a import b`` yields ``a`` and ``a.b``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
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


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_private_files_are_imported_in_their_own_room_only(path: Path) -> None:
    assert private_intrusions(path) == []


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


@pytest.mark.parametrize("path", ALL_PYTHON, ids=relative)
def test_files_are_small(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


def test_no_dumping_grounds() -> None:
    bad = {"utils", "util", "helpers", "helper", "misc", "common", "tools"}
    assert [relative(path) for path in SOURCES if path.stem.strip("_") in bad] == []


@pytest.mark.parametrize("package", sorted({path.parent for path in SOURCES}), ids=relative)
def test_every_package_says_what_it_is(package: Path) -> None:
    assert (package / "__init__.py").exists()
    assert ast.get_docstring(ast.parse((package / "__init__.py").read_text(encoding="utf-8")))


def print_calls(tree: ast.AST) -> list[int]:
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_the_library_neither_prints_nor_asserts_nor_pickles(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert print_calls(tree) == []
    assert [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)] == []
    bare = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler) and node.type is None]
    assert bare == []
    modules = {module.partition(".")[0] for module in imported_modules(path)}
    assert not modules & {"pickle", "dill", "joblib", "shelve", "marshal"}
    assert "trust_remote_code=True" not in path.read_text(encoding="utf-8")


MACHINE_PATH = re.compile(r"""(?<![\w.$}])/(?:home|root|Users|mnt|wangx|work)/\w""")


def test_no_path_of_a_machine() -> None:
    folders = ("llmrg", "retrieval_index", "site_hook", "configs", "scripts", "docs")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    files += [ROOT / "pyproject.toml", ROOT / "README.md", ROOT / "README.zh.md", ROOT / ".ci" / "run"]
    texts = [path for path in files if path.suffix in {".py", ".sh", ".md", ".yaml", ".json", ".toml", ".html", ""}]
    found = [relative(path) for path in texts if MACHINE_PATH.search(path.read_text(encoding="utf-8"))]
    assert found == []


def declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = [*project["dependencies"]]
    for extra, names in project["optional-dependencies"].items():
        if extra != "dev":
            requirements += names
    return {re.split(r"[=<>\[; ]", requirement)[0].lower() for requirement in requirements}


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_every_library_is_declared(path: Path) -> None:
    own = {*PACKAGES, "llmrg_torchvision"}
    used = {module.partition(".")[0] for module in imported_modules(path)} - own - set(sys.stdlib_module_names)
    undeclared = {name for name in used if DISTRIBUTIONS.get(name, name).lower() not in declared()}
    assert undeclared == set()


def test_every_pin_is_exact_and_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    for requirement in [*project["dependencies"], *(name for names in extras.values() for name in names)]:
        assert re.fullmatch(r"[\w.-]+==[\w.]+", requirement), requirement
    for requirement in [*project["dependencies"], *extras["dev"]]:
        name, version = requirement.split("==")
        assert importlib.metadata.version(name).partition("+")[0] == version, requirement
