"""The key sentences of indexed training reports: those that state a finding, for prompts of other patients."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmrg.artefacts import file_hash, write_text

__all__ = ["SENTENCES", "KeySentence", "KeySentences", "choose_sentences"]

SENTENCES = "sentences.jsonl"


@dataclass(frozen=True, kw_only=True)
class KeySentence:
    """A sentence of a report.

    Args:
        text: its words.
        findings: places of the findings that it states as present, in the vocabulary's order of abnormal ones.
    """

    text: str
    findings: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class KeySentences:
    """Key sentences of studies, one row a study.

    Args:
        languages: of the reports.
        rows: their key sentences, in the report's order.

    Raises:
        ValueError: not as many languages as rows.
    """

    languages: tuple[str, ...]
    rows: tuple[tuple[KeySentence, ...], ...]

    def __post_init__(self) -> None:
        if len(self.languages) != len(self.rows):
            raise ValueError(f"{len(self.languages)} languages for {len(self.rows)} rows")

    def __len__(self) -> int:
        return len(self.rows)

    def select(self, rows: Iterable[int]) -> KeySentences:
        """Return some rows alone."""
        chosen = list(rows)
        return KeySentences(
            languages=tuple(self.languages[row] for row in chosen), rows=tuple(self.rows[row] for row in chosen)
        )

    def save(self, directory: Path) -> str:
        """Write them as JSON Lines into ``directory``; return the file's hash."""
        lines = (
            {"language": language, "sentences": [[sentence.text, list(sentence.findings)] for sentence in row]}
            for language, row in zip(self.languages, self.rows, strict=True)
        )
        write_text(directory / SENTENCES, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
        return file_hash(directory / SENTENCES)

    @classmethod
    def load(cls, directory: Path, *, sha256: str) -> KeySentences:
        """Read what :meth:`save` wrote.

        Raises:
            ValueError: the file is missing, damaged, or no such file.
        """
        path = directory / SENTENCES
        if not path.is_file() or file_hash(path) != sha256:
            raise ValueError("key sentences are missing or damaged")
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
        return cls(
            languages=tuple(str(line["language"]) for line in lines),
            rows=tuple(
                tuple(KeySentence(text=str(text), findings=tuple(map(int, found))) for text, found in line["sentences"])
                for line in lines
            ),
        )


def choose_sentences(
    studies: Sequence[Sequence[KeySentence]],
    wanted: Collection[int],
    *,
    lengths: Sequence[Sequence[int]],
    most: int,
    budget: int,
) -> list[tuple[int, int]]:
    """Choose sentences that state wanted findings, each of which is said by as few as can be.

    The first studies come first. A sentence is passed over if it states nothing wanted that no chosen one has stated,
    if its words are chosen already, or if the budget has no room for it.

    Args:
        studies: key sentences of the retrieved studies, the best study first.
        wanted: places of the findings.
        lengths: tokens of each sentence.
        most: how many sentences at most.
        budget: tokens of all together at most.

    Returns:
        (study, sentence) of each, in the order of the studies.
    """
    open_findings, said, chosen = set(wanted), set[str](), list[tuple[int, int]]()
    for study, sentences in enumerate(studies):
        for place, sentence in enumerate(sentences):
            if len(chosen) == most or not open_findings:
                return chosen
            new = open_findings.intersection(sentence.findings)
            if not new or sentence.text in said or lengths[study][place] > budget:
                continue
            chosen.append((study, place))
            said.add(sentence.text)
            open_findings -= new
            budget -= lengths[study][place]
    return chosen
