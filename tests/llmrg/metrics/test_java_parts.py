"""Java and its jars: which variable names what, what is used, and what is said where one points nowhere."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from llmrg.metrics import _java
from llmrg.metrics.java_parts import JavaPart, java_parts

VARIABLES = ("LLMRG_JAVA", "LLMRG_METEOR_JAR", "LLMRG_CORENLP_JAR")


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine with neither Java nor jars."""
    for name in (*VARIABLES, "JAVA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(_java.importlib.util, "find_spec", lambda name: None)


def parts() -> dict[str, JavaPart]:
    return {part.variable: part for part in java_parts()}


def test_nothing_is_there() -> None:
    assert tuple(parts()) == VARIABLES
    for name, part in parts().items():
        assert (part.value, part.path, part.misled) == (None, None, False)
        assert name in part.lack


def test_what_is_named_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    jar = tmp_path / "meteor.jar"
    jar.touch()
    monkeypatch.setenv("LLMRG_METEOR_JAR", str(jar))
    monkeypatch.setenv("LLMRG_JAVA", sys.executable)  # any program will do
    found = parts()
    assert found["LLMRG_METEOR_JAR"].path == jar
    assert found["LLMRG_JAVA"].path == Path(sys.executable)
    assert not any(part.misled for part in found.values())


def test_what_points_nowhere_misleads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, str(tmp_path / "gone"))
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\n")
    java.chmod(0o755)
    found = parts()
    assert all(part.misled for part in found.values())
    assert found["LLMRG_JAVA"].path == java  # of the search path
    assert found["LLMRG_METEOR_JAR"].path is None
