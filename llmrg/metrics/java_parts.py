"""What the metrics that run in Java need of a machine, and which environment variables name it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from llmrg.metrics._java import CORENLP_JAR, METEOR_JAR, Jar, JavaMissingError, find_jar, find_java

__all__ = ["JavaPart", "java_parts"]


@dataclass(frozen=True, kw_only=True)
class JavaPart:
    """One program.

    Args:
        variable: environment variable that names it.
        purpose: what needs it.
        value: what the variable says; None where it is not set.
        path: what is used; None where there is none.
        lack: why there is none, and what to do.
    """

    variable: str
    purpose: str
    value: str | None
    path: Path | None
    lack: str = ""

    @property
    def misled(self) -> bool:
        """Whether the variable is set, but not to what is used."""
        if self.value is None or self.path == Path(self.value):
            return False
        return self.path is None or shutil.which(self.value) != str(self.path)


def java_parts() -> tuple[JavaPart, ...]:
    """Look for the Java runtime and the two jars, as the metrics do."""
    return (
        _part("LLMRG_JAVA", "the `java` that METEOR and the tokenizer ptb-jar start", lambda: Path(find_java())),
        _jar(METEOR_JAR, "METEOR (metric meteor)"),
        _jar(CORENLP_JAR, "Stanford's tokenizer (tokens ptb-jar), which ours (ptb) is checked against"),
    )


def _jar(jar: Jar, purpose: str) -> JavaPart:
    return _part(jar.variable, purpose, lambda: find_jar(jar.inside, variable=jar.variable))


def _part(variable: str, purpose: str, find: Callable[[], Path]) -> JavaPart:
    value = os.environ.get(variable) or None
    try:
        return JavaPart(variable=variable, purpose=purpose, value=value, path=find())
    except JavaMissingError as error:
        return JavaPart(variable=variable, purpose=purpose, value=value, path=None, lack=str(error))
