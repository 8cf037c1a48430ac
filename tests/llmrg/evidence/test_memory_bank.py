from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from llmrg.artefacts import file_hash
from llmrg.errors import UserError
from llmrg.evidence.memory_bank import MemoryBank, Pattern, proportional_sample, sample_patterns


def bank(count: int = 5, width: int = 3) -> MemoryBank:
    patterns = tuple(
        Pattern(study_id=f"s\u2028{i}\n", patient_id=f"病人{i // 2}", finding="胸腔积液") for i in range(count)
    )
    return MemoryBank(vectors=torch.randn(count, width * 2)[:, ::2], patterns=patterns)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    saved = bank()
    saved.save(tmp_path, "visual_memory")
    path = tmp_path / "visual_memory.safetensors"
    for digest in (None, file_hash(path)):
        loaded = MemoryBank.load(tmp_path, "visual_memory", sha256=digest)
        assert torch.equal(loaded.vectors, saved.vectors)
        assert loaded.patterns == saved.patterns
    assert sorted(file.name for file in tmp_path.iterdir()) == ["visual_memory.jsonl", "visual_memory.safetensors"]


def test_another_hash_is_refused(tmp_path: Path) -> None:
    bank().save(tmp_path, "m")
    with pytest.raises(UserError, match="hash"):
        MemoryBank.load(tmp_path, "m", sha256="0" * 64)


def swap_patients(path: Path) -> None:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    rows[0]["patient_id"], rows[2]["patient_id"] = rows[2]["patient_id"], rows[0]["patient_id"]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def test_damage_is_named(tmp_path: Path) -> None:
    damages = {
        "truncated": lambda d: (d / "m.safetensors").write_bytes((d / "m.safetensors").read_bytes()[:-5]),
        "empty": lambda d: (d / "m.safetensors").write_bytes(b""),
        "vectors missing": lambda d: (d / "m.safetensors").unlink(),
        "patterns missing": lambda d: (d / "m.jsonl").unlink(),
        "patterns cut": lambda d: (d / "m.jsonl").write_bytes((d / "m.jsonl").read_bytes()[:-20]),
        "patients swapped": lambda d: swap_patients(d / "m.jsonl"),
    }
    for name, damage in damages.items():
        folder = tmp_path / name
        folder.mkdir()
        bank().save(folder, "m")
        damage(folder)
        with pytest.raises(UserError, match=r"memory bank (cannot be read|is damaged)") as raised:
            MemoryBank.load(folder, "m")
        assert "病人" not in str(raised.value)


def test_a_bank_has_one_vector_a_pattern() -> None:
    pattern = Pattern(study_id="a", patient_id="b", finding="c")
    with pytest.raises(ValueError, match="2 patterns"):
        MemoryBank(vectors=torch.zeros(1, 4), patterns=(pattern, pattern))
    with pytest.raises(ValueError, match="at least one"):
        MemoryBank(vectors=torch.zeros(0, 4), patterns=())


@given(findings=st.lists(st.sampled_from("abc"), max_size=40), limit=st.integers(1, 8), seed=st.integers(0, 2**32 - 1))
def test_the_sample_holds_as_many_of_each_finding_as_allowed(findings: list[str], limit: int, seed: int) -> None:
    patterns = [Pattern(study_id=str(i), patient_id="p", finding=name) for i, name in enumerate(findings)]
    rows = sample_patterns(patterns, per_finding=limit, seed=seed)
    assert rows == sorted(set(rows))
    kept = Counter(findings[row] for row in rows)
    assert kept == {name: min(count, limit) for name, count in Counter(findings).items()}
    assert rows == sample_patterns(patterns, per_finding=limit, seed=seed)


def test_the_seed_decides_who_is_kept() -> None:
    patterns = [Pattern(study_id=str(i), patient_id="p", finding="a") for i in range(100)]
    samples = [sample_patterns(patterns, per_finding=10, seed=seed) for seed in range(200)]
    assert len({tuple(rows) for rows in samples}) == 200
    often = Counter(row for rows in samples for row in rows)
    assert min(often.get(row, 0) for row in range(100)) >= 4  # 20 on average: no place is preferred
    assert max(often.values()) <= 45


def test_without_patients_the_others_stay_in_order() -> None:
    whole = bank(6)
    left = whole.without_patients({"病人1", "nobody"})
    assert left.patterns == tuple(whole.patterns[row] for row in (0, 1, 4, 5))
    assert torch.equal(left.vectors, whole.vectors[[0, 1, 4, 5]])
    with pytest.raises(ValueError, match="at least one"):
        whole.without_patients({f"病人{number}" for number in range(3)})


def test_anonymous_patterns_keep_vector_and_finding_alone() -> None:
    vectors = torch.arange(100.0).view(50, 2)
    patterns = tuple(Pattern(study_id=f"s{i}", patient_id=f"p{i // 5}", finding=f"f{i}") for i in range(50))
    told = MemoryBank(vectors=vectors, patterns=patterns).anonymous()
    for vector, pattern in zip(told.vectors, told.patterns, strict=True):
        assert pattern.finding == f"f{int(vector[0]) // 2}"
    assert len({pattern.patient_id for pattern in told.patterns}) == 50
    assert all(pattern.study_id.startswith("withheld-") for pattern in told.patterns)
    assert [pattern.finding for pattern in told.patterns] != [pattern.finding for pattern in patterns]


@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=6), total=st.integers(1, 200), seed=st.integers(0, 2**31)
)
def test_samples_in_proportion(sizes: list[int], total: int, seed: int) -> None:
    names = [name for number, size in enumerate(sizes) for name in [f"f{number}"] * size]
    patterns = [Pattern(study_id=str(row), patient_id="p", finding=name) for row, name in enumerate(names)]
    rows = proportional_sample(patterns, total=total, seed=seed)
    assert rows == sorted(set(rows))
    assert len(rows) == min(total, len(patterns))
    assert rows == proportional_sample(patterns, total=total, seed=seed)
    counts = Counter(patterns[row].finding for row in rows)
    for number, size in enumerate(sizes):
        assert counts[f"f{number}"] <= size
        assert abs(counts[f"f{number}"] - len(rows) * size / len(patterns)) < 1


def test_what_is_left_goes_to_the_largest_remainders() -> None:
    """AM-MRG's 6000 of labels with 7000, 3000 and 2000 reports, by hand; and 10 of 5, 3 and 3."""
    patterns = [Pattern(study_id="s", patient_id="p", finding=name) for name in "a" * 7000 + "b" * 3000 + "c" * 2000]
    counts = Counter(patterns[row].finding for row in proportional_sample(patterns, total=6000, seed=0))
    assert counts == {"a": 3500, "b": 1500, "c": 1000}
    patterns = [Pattern(study_id="s", patient_id="p", finding=name) for name in "a" * 5 + "b" * 3 + "c" * 3]
    counts = Counter(patterns[row].finding for row in proportional_sample(patterns, total=10, seed=0))
    assert counts == {"a": 4, "b": 3, "c": 3}  # 4.55, 2.73, 2.73
