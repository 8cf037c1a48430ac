"""Penn Treebank tokens by Stanford's own program in Java, the oracle of :mod:`llmrg.metrics.ptb`."""

from __future__ import annotations

from collections.abc import Sequence

from llmrg.metrics._java import CORENLP_JAR, find_jar, java_command, one_line, run_lines
from llmrg.metrics.ptb import PTB_LEFT_OUT

__all__ = ["PTB_JAR_VERSION", "ptb_jar"]

PTB_JAR_VERSION = "ptb-jar-3.4.1"

_SECONDS = 600.0


def ptb_jar(texts: Sequence[str]) -> list[list[str]]:
    """Return the tokens of English texts as the COCO caption evaluation makes them.

    Raises:
        UserError: Java or the jar (``LLMRG_CORENLP_JAR``, or the installed pycocoevalcap's) is not on this machine,
            or the program fails.
    """
    jar = find_jar(CORENLP_JAR.inside, variable=CORENLP_JAR.variable)
    command = java_command(
        "-cp", str(jar), "edu.stanford.nlp.process.PTBTokenizer", "-preserveLines", "-lowerCase", "-encoding", "UTF-8"
    )
    lines = run_lines(command, [one_line(text) for text in texts], timeout=_SECONDS)
    return [[token for token in line.rstrip("\r").split(" ") if token and token not in PTB_LEFT_OUT] for line in lines]
