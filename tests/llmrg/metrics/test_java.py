"""Talking to programs that die, fall silent or are not there; stand-ins in place of Java."""

import sys
import time

import pytest

from llmrg.errors import UserError
from llmrg.metrics._java import JavaMissingError, find_jar, find_java, java_command, one_line, run_lines, talk
from llmrg.metrics.ptb_jar import ptb_jar

ECHO = "import sys\nfor line in sys.stdin: print('>' + line.strip(), flush=True)"


def program(code):
    return [sys.executable, "-c", code]


def test_every_line_has_its_answer_however_many():
    lines = [f"{place} 心影 \ud800" for place in range(20_000)]
    wanted = [f">{place} 心影 ?" for place in range(20_000)]
    assert talk(program(ECHO), lines, timeout=20) == wanted
    assert run_lines(program(ECHO), lines, timeout=20) == wanted
    assert talk(program(ECHO), [], timeout=20) == run_lines(program(ECHO), [], timeout=20) == []


@pytest.mark.parametrize(
    ("code", "match"),
    [
        ("raise SystemExit(3)", "ended after 0 of 50000"),
        ("import sys\nprint(sys.stdin.readline(), flush=True, end='')", "ended after 1 of 50000"),
        ("import time\ntime.sleep(60)", "silent for 0.5 s after 0"),
        ("import sys, os\nos.write(2, b'x' * 1_000_000)\nprint('half', end='')", "ended after 0"),
    ],
)
def test_a_program_that_dies_or_falls_silent_is_an_error_at_once(code, match):
    started = time.perf_counter()
    with pytest.raises(UserError, match=match):
        talk(program(code), ["line"] * 50_000, timeout=5 if "time" not in code else 0.5)
    assert time.perf_counter() - started < 10


def test_whole_runs_fail_clearly_too():
    with pytest.raises(UserError, match=r"gave no answer in 0\.3 s"):
        run_lines(program("import time\ntime.sleep(60)"), ["a"], timeout=0.3)
    with pytest.raises(UserError, match="status 3 and 0 lines for 1"):
        run_lines(program("raise SystemExit(3)"), ["a"], timeout=9)
    with pytest.raises(UserError, match="cannot be started"):
        run_lines(["/nowhere/java"], ["a"], timeout=9)
    with pytest.raises(UserError, match="cannot be started"):
        talk(["/nowhere/java"], ["a"], timeout=9)


def test_a_text_is_one_line():
    assert one_line(" a\r\nb\0c\u2028d\x85e\tf ") == "a b c d e f"


def test_what_is_missing_is_named(monkeypatch, tmp_path):
    for name in ("LLMRG_JAVA", "JAVA_HOME", "LLMRG_CORENLP_JAR"):
        monkeypatch.delenv(name, raising=False)
    jar = tmp_path / "some.jar"
    with pytest.raises(JavaMissingError, match=r"no file some\.jar"):
        find_jar("meteor/meteor-1.5.jar", variable="LLMRG_METEOR_JAR", given=jar)
    jar.touch()
    monkeypatch.setenv("LLMRG_METEOR_JAR", str(jar))
    assert find_jar("meteor/meteor-1.5.jar", variable="LLMRG_METEOR_JAR") == jar
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(JavaMissingError, match=r"\[java\].*LLMRG_CORENLP_JAR"):
        ptb_jar(["a"])
    monkeypatch.setenv("PATH", "")
    with pytest.raises(JavaMissingError, match="Java is not on this machine"):
        find_java()
    monkeypatch.setenv("LLMRG_JAVA", sys.executable)
    assert java_command("-jar", "x.jar")[0] == sys.executable
    assert "-Duser.language=en" in java_command("-jar", "x.jar")
