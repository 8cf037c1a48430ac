"""The doctor names what is there, what is missing and what to do."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path

import pytest

from llmrg import doctor
from llmrg.doctor import Check, examine, healthy, print_checks


@pytest.fixture(scope="module")
def found() -> dict[str, Check]:
    return {check.name: check for check in examine()}


def test_required_parts_are_ok_here(found: dict[str, Check]) -> None:
    for name in ("Python", "torch", "timm, torchvision", "faiss", "transformers", "peft", "accelerate", "jieba"):
        assert found[name].status == "ok", found[name]
    assert found["transformers"].found == importlib.metadata.version("transformers")


def test_every_lack_has_advice(found: dict[str, Check]) -> None:
    for check in found.values():
        assert check.status == "ok" or check.advice, check
    assert {"GPU", "deepspeed", "bitsandbytes", "mamba-ssm", "java", "gradio", "disk"} <= found.keys()


def test_a_missing_package_is_a_problem_unless_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    def only_these(name: str) -> object:
        return None if name in ("faiss", "deepspeed", "gradio") else real(name)

    real = importlib.util.find_spec
    monkeypatch.setattr(doctor.importlib.util, "find_spec", only_these)
    for name in ("faiss", "deepspeed", "gradio"):
        monkeypatch.delitem(doctor.sys.modules, name, raising=False)
    checks = {check.name: check for check in examine()}
    assert checks["faiss"].status == "problem"
    assert "pip install" in checks["faiss"].advice
    assert checks["deepspeed"].status == checks["gradio"].status == "optional"
    assert "[web]" in checks["gradio"].advice
    assert not healthy(tuple(checks.values()))


def test_a_part_whose_import_fails_is_shown_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "timm.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in doctor.sys.modules if name.partition(".")[0] == "timm"]:
        monkeypatch.delitem(doctor.sys.modules, name)
    check = {check.name: check for check in examine()}["timm, torchvision"]
    assert check.status == "problem"
    assert "torchvision::nms" in check.found


def test_a_full_disk_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 1e9})
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: usage)
    check = {check.name: check for check in examine(tmp_path / "not" / "yet")}["disk"]
    assert check.status == "problem"
    assert "1.0 GB free" in check.found


def test_programs_in_java_are_named_with_their_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LLMRG_METEOR_JAR", str(tmp_path / "gone.jar"))
    monkeypatch.delenv("LLMRG_CORENLP_JAR", raising=False)
    jar = tmp_path / "java"
    jar.write_text("#!/bin/sh\n")
    jar.chmod(0o755)
    monkeypatch.setenv("LLMRG_JAVA", str(jar))
    found = {check.name: check for check in (look() for look in doctor._java_parts())}
    assert tuple(found) == ("LLMRG_JAVA", "LLMRG_METEOR_JAR", "LLMRG_CORENLP_JAR")
    assert found["LLMRG_JAVA"].status == "ok" and str(jar) in found["LLMRG_JAVA"].found
    assert found["LLMRG_METEOR_JAR"].status == "problem" and "gone.jar" in found["LLMRG_METEOR_JAR"].found
    assert "METEOR" in found["LLMRG_METEOR_JAR"].advice
    assert found["LLMRG_CORENLP_JAR"].status in ("ok", "optional")
    assert "tokenizer" in found["LLMRG_CORENLP_JAR"].found + found["LLMRG_CORENLP_JAR"].advice


def test_the_table_shows_everything(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    print_checks((Check(name="gradio", status="optional", found="not installed", advice="pip install -e '.[web]'"),))
    out = capsys.readouterr().out
    for part in ("gradio", "optional", "not installed", "pip install -e '.[web]'"):
        assert part in out
