"""Programs in Java that metrics need: where they are, and how one talks to them without ever waiting for good."""

from __future__ import annotations

import importlib.util
import os
import queue
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, NamedTuple, cast

from llmrg.errors import UserError

__all__ = [
    "CORENLP_JAR",
    "METEOR_JAR",
    "Jar",
    "JavaMissingError",
    "find_jar",
    "find_java",
    "java_command",
    "one_line",
    "run_lines",
    "talk",
]

# A comma as decimal sign would come back from a program that follows the user's locale.
_LOCALE = ("-Duser.language=en", "-Duser.country=US", "-Dfile.encoding=UTF-8")
_NOT_ONE_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class Jar(NamedTuple):
    """A jar: its place inside the package pycocoevalcap, and the environment variable that names another one."""

    inside: str
    variable: str


METEOR_JAR = Jar("meteor/meteor-1.5.jar", "LLMRG_METEOR_JAR")
CORENLP_JAR = Jar("tokenizer/stanford-corenlp-3.4.1.jar", "LLMRG_CORENLP_JAR")


class JavaMissingError(UserError):
    """Java or one of its programs is not on this machine."""


def find_java() -> str:
    """Return the path of ``java``: the variable ``LLMRG_JAVA``, else ``JAVA_HOME``, else the search path.

    Raises:
        JavaMissingError: there is none.
    """
    home = os.environ.get("JAVA_HOME")
    for place in (os.environ.get("LLMRG_JAVA"), str(Path(home, "bin", "java")) if home else None, "java"):
        found = shutil.which(place) if place else None
        if found:
            return found
    raise JavaMissingError(
        "Java is not on this machine", next_step="install a Java runtime, or set LLMRG_JAVA to its `java`"
    )


def find_jar(inside: str, *, variable: str, given: str | Path | None = None) -> Path:
    """Return the path of a jar: the one given, else the environment variable's, else pycocoevalcap's.

    Args:
        inside: its place inside the package pycocoevalcap.
        variable: the environment variable.
        given: a path that goes before both.

    Raises:
        JavaMissingError: there is no such file.
    """
    named = given or os.environ.get(variable)
    if named:
        if Path(named).is_file():
            return Path(named)
        raise JavaMissingError(f"There is no file {Path(named).name}", where=str(named))
    package = importlib.util.find_spec("pycocoevalcap")
    for folder in (package.submodule_search_locations or ()) if package else ():
        if Path(folder, inside).is_file():
            return Path(folder, inside)
    raise JavaMissingError(
        f"{Path(inside).name} is not on this machine",
        next_step=f"pip install '.[java]', or set {variable} to the file",
    )


def java_command(*arguments: str) -> list[str]:
    """Return the command line that starts Java with these arguments, whatever the user's locale."""
    return [find_java(), "-Xmx2G", *_LOCALE, *arguments]


def one_line(text: str) -> str:
    """Return a text as one line: line breaks and control characters become a space."""
    return _NOT_ONE_LINE.sub(" ", text).strip()


def run_lines(command: Sequence[str], lines: Sequence[str], *, timeout: float) -> list[str]:
    """Give a program all lines at once and return its lines, as many.

    Args:
        command: what to start.
        lines: without line breaks.
        timeout: seconds that it may take.

    Raises:
        UserError: it fails, takes too long or answers another number of lines.
    """
    try:
        done = subprocess.run(command, input=_bytes(lines), capture_output=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired as error:
        raise UserError(f"The Java program gave no answer in {timeout:g} s", where=_named(command)) from error
    except OSError as error:
        raise UserError("Java cannot be started", where=_named(command)) from error
    answer = done.stdout.decode("utf-8", "replace").split("\n")
    if answer and not answer[-1]:
        answer.pop()
    if done.returncode or len(answer) != len(lines):
        raise UserError(
            f"The Java program ended with status {done.returncode} and {len(answer)} lines for {len(lines)}",
            where=_named(command),
        )
    return answer


def talk(command: Sequence[str], lines: Sequence[str], *, timeout: float) -> list[str]:
    """Start a program that answers each line with a line, and return its answers.

    Writing and reading go on side by side, so that neither pipe fills up.

    Args:
        command: what to start.
        lines: questions, without line breaks.
        timeout: seconds that the program may be silent.

    Raises:
        UserError: it dies or falls silent.
    """
    with tempfile.TemporaryFile() as complaints:
        try:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints)
        except OSError as error:
            raise UserError("Java cannot be started", where=_named(command)) from error
        answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        questions, replies = cast(IO[bytes], process.stdin), cast(IO[bytes], process.stdout)
        threads = [
            threading.Thread(target=_write, args=(questions, _bytes(lines)), daemon=True),
            threading.Thread(target=_read, args=(replies, answers), daemon=True),
        ]
        for thread in threads:
            thread.start()
        found: list[str] = []
        try:
            while len(found) < len(lines):
                answer = answers.get(timeout=timeout)
                if not answer.endswith(b"\n"):
                    raise UserError(
                        f"The Java program ended after {len(found)} of {len(lines)} answers", where=_named(command)
                    )
                found.append(answer.decode("utf-8", "replace").strip())
        except queue.Empty as error:
            raise UserError(
                f"The Java program fell silent for {timeout:g} s after {len(found)} of {len(lines)} answers",
                where=_named(command),
            ) from error
        finally:
            process.kill()
            process.wait()
            for thread in threads:
                thread.join()
            replies.close()
        return found


def _bytes(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")


def _write(pipe: IO[bytes], content: bytes) -> None:
    try:
        with pipe:
            pipe.write(content)
    except OSError:  # the reader notices that the program is gone
        return


def _read(pipe: IO[bytes], answers: queue.SimpleQueue[bytes]) -> None:
    for line in pipe:
        answers.put(line)
    answers.put(b"")


def _named(command: Sequence[str]) -> str:
    return next((Path(word).name for word in command if word.endswith(".jar")), Path(command[0]).name)
