"""Reading of hand-derived graphs: ``增多>纹理 纹理@双肺`` and entities as ``A双肺 O纹理 P增多``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

import pytest

from llmrg.findings.graphs.extractor import get_extractor

KINDS = {"A": "Anatomy", "P": "DPO", "N": "DNO", "O": "NO"}


@pytest.fixture
def check_graph() -> Callable[[str, str, str], None]:
    """Compare the graph of a sentence with one written by hand (edges parted by blanks or, in English, by ;)."""

    def check(text: str, entities: str, edges: str) -> None:
        language = "zh" if re.search(r"[\u4e00-\u9fff]", text) else "en"
        graph = get_extractor(language).extract(text)
        graph.check(text)
        pieces = re.findall(r"([APNO]) ?(.+?)(?= [APNO](?:\b|[\u4e00-\u9fff])|$)", entities)
        wanted = Counter((words.replace("(uncertain)", ""), KINDS[code]) for code, words in pieces)
        found = Counter((entity.text, entity.kind) for entity in graph.entities)
        assert found == wanted, text
        doubted = {words.removesuffix("(uncertain)") for _, words in pieces if words.endswith("(uncertain)")}
        assert {entity.text for entity in graph.entities if entity.uncertain} == doubted, text
        names = "|".join(sorted((re.escape(words) for words, _ in wanted), key=len, reverse=True))
        plain = re.sub(r"\(\d\)", "", edges)
        triples = re.findall(rf"({names})([@>])({names})(?=\s|;|$)", plain)
        said = Counter(
            (graph.entities[edge.source].text, ">" if edge.kind == "modify" else "@", graph.entities[edge.target].text)
            for edge in graph.relations
        )
        assert said == Counter(triples), text

    return check
