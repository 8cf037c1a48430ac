"""A bank of remembered patterns with the training study and finding each comes from."""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from llmrg.artefacts import file_hash, write_text
from llmrg.errors import UserError

__all__ = ["NOBODY", "MemoryBank", "Pattern", "proportional_sample", "sample_patterns"]

PATTERNS_HASH = "patterns_sha256"
NOBODY = ""
"""Study and patient of patterns that come from no study, such as learnt tokens."""
WITHHELD = "withheld"
"""Stands in exported banks where study and patient were."""


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """Where a remembered pattern comes from."""

    study_id: str
    patient_id: str
    finding: str


@dataclass(frozen=True, kw_only=True)
class MemoryBank:
    """Patterns and where each comes from.

    Args:
        vectors: [N, D], at least one.
        patterns: N.

    Raises:
        ValueError: none, or not as many vectors as patterns.
    """

    vectors: Tensor
    patterns: tuple[Pattern, ...]

    def __post_init__(self) -> None:
        if self.vectors.dim() != 2 or len(self.vectors) != len(self.patterns):
            raise ValueError(f"{tuple(self.vectors.shape)} vectors for {len(self.patterns)} patterns")
        if len(self.patterns) == 0:
            raise ValueError("a memory bank must hold at least one pattern")

    def without_patients(self, patients: Collection[str]) -> MemoryBank:
        """Return the bank without the patterns of some patients, the others in their order.

        Raises:
            ValueError: no pattern is left.
        """
        kept = [row for row, pattern in enumerate(self.patterns) if pattern.patient_id not in patients]
        return MemoryBank(vectors=self.vectors[kept].clone(), patterns=tuple(self.patterns[row] for row in kept))

    def anonymous(self) -> MemoryBank:
        """Return the bank in a random order, a number of its own in place of each pattern's study and patient.

        Nothing tells then which patterns come from one study or one patient; findings stay.
        """
        order = list(range(len(self.patterns)))
        secrets.SystemRandom().shuffle(order)
        patterns = (
            Pattern(
                study_id=f"{WITHHELD}-{place}", patient_id=f"{WITHHELD}-{place}", finding=self.patterns[row].finding
            )
            for place, row in enumerate(order)
        )
        return MemoryBank(vectors=self.vectors[order].clone(), patterns=tuple(patterns))

    def save(self, directory: Path, name: str) -> None:
        """Write ``NAME.safetensors``, which carries the hash of the patterns, and ``NAME.jsonl``, the patterns."""
        rows = (
            {"study_id": p.study_id, "patient_id": p.patient_id, "finding": p.finding, "row": i}
            for i, p in enumerate(self.patterns)
        )
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        write_text(directory / f"{name}.jsonl", text)
        save_file(
            {"vectors": self.vectors.contiguous().cpu()},
            directory / f"{name}.safetensors",
            metadata={PATTERNS_HASH: file_hash(directory / f"{name}.jsonl")},
        )

    @classmethod
    def load(cls, directory: Path, name: str, *, sha256: str | None = None) -> MemoryBank:
        """Read a bank.

        Args:
            directory: what :meth:`save` wrote into.
            name: of the bank.
            sha256: of ``NAME.safetensors``, if its manifest states it.

        Raises:
            UserError: files missing, damaged, or not of the expected hash.
        """
        path = directory / f"{name}.safetensors"
        try:
            if sha256 is not None and file_hash(path) != sha256:
                raise UserError("The memory bank is damaged: its hash differs from its manifest's", where=str(path))
            with safe_open(path, framework="pt") as file:
                vectors = file.get_tensor("vectors")
                expected = (file.metadata() or {}).get(PATTERNS_HASH)
            if expected is not None and file_hash(directory / f"{name}.jsonl") != expected:
                raise UserError(
                    "The memory bank is damaged: its patterns do not belong to its vectors", where=str(path)
                )
            with (directory / f"{name}.jsonl").open(encoding="utf-8", newline="\n") as lines:
                rows = [json.loads(line) for line in lines]
            patterns = tuple(
                Pattern(study_id=row["study_id"], patient_id=row["patient_id"], finding=row["finding"]) for row in rows
            )
            return cls(vectors=vectors, patterns=patterns)
        except UserError:
            raise
        except Exception as error:
            raise UserError(
                f"The memory bank cannot be read: {type(error).__name__}",
                where=str(path),
                next_step="build it again with llmrg build-memory",
            ) from error


def sample_patterns(patterns: Sequence[Pattern], *, per_finding: int, seed: int) -> list[int]:
    """Choose at most ``per_finding`` patterns of each finding at random; the order is kept.

    Args:
        patterns: all candidates.
        per_finding: most of one finding.
        seed: of the choice.

    Returns:
        Their places in ``patterns``, rising.
    """
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(patterns), generator=generator).tolist()
    taken: dict[str, int] = {}
    chosen = []
    for row in order:
        finding = patterns[row].finding
        if taken.get(finding, 0) < per_finding:
            taken[finding] = taken.get(finding, 0) + 1
            chosen.append(row)
    return sorted(chosen)


def proportional_sample(patterns: Sequence[Pattern], *, total: int, seed: int) -> list[int]:
    """Choose ``total`` patterns at random, allotted to the findings in proportion to what there is of each.

    Findings get the whole part of their share; what is left goes to the largest remainders.

    Args:
        patterns: all candidates.
        total: patterns in all; where there are no more, all are taken.
        seed: of the choice.

    Returns:
        Their places in ``patterns``, rising.
    """
    places: dict[str, list[int]] = {}
    for row, pattern in enumerate(patterns):
        places.setdefault(pattern.finding, []).append(row)
    total = min(total, len(patterns))
    whole = {finding: divmod(len(rows) * total, len(patterns)) for finding, rows in places.items()}
    allotted = {finding: count for finding, (count, _) in whole.items()}
    by_remainder = sorted(whole, key=lambda finding: (-whole[finding][1], -len(places[finding]), finding))
    for finding in by_remainder[: total - sum(allotted.values())]:
        allotted[finding] += 1
    generator = torch.Generator().manual_seed(seed)
    chosen: list[int] = []
    for finding in sorted(places):
        order = torch.randperm(len(places[finding]), generator=generator).tolist()
        chosen += [places[finding][place] for place in order[: allotted[finding]]]
    return sorted(chosen)
