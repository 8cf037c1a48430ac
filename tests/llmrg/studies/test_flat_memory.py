"""Ten times the studies take less than a tenth more memory (``scripts/bench/memory.py`` goes to a million)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import random, sys
from pathlib import Path
from llmrg.studies.study import Context, Image, Study
from llmrg.studies.study_table import HashedColumn, StudyTableBuilder

count = int(sys.argv[1])
numbers = list(range(count))
random.Random(0).shuffle(numbers)
films = tuple(Image(path=Path(f"/films/{n}.png"), view="frontal") for n in range(8))
builder = StudyTableBuilder()
for n in numbers:
    text = f"Study {n}. " + "No effusion. " * 15
    builder.add(
        Study(id=f"s{n}", patient_id=f"p{n // 2}", images=films[n % 7 : n % 7 + 2], language="en",
              split="train" if n // 2 % 5 else "val", context=Context(age=float(n % 90)), sections={"findings": text})
    )
del numbers
table = builder.finish()
train = table.split("train")
assert len(train) + len(table.split("val")) == count
assert not table.overlapping_patients()
ids = HashedColumn(train.column("id"))
assert train[ids.rows("s2")[0]].id == "s2"
train.split_hash()
for row in random.Random(1).sample(range(len(train)), 2000):
    train[row]
sum(1 for _ in train)
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(int(status["RssAnon"].split()[0]), int(status["VmRSS"].split()[0]))
"""


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="memory is read from /proc")
def test_memory_is_flat() -> None:
    memory = {}
    for count in (10_000, 100_000):
        done = subprocess.run([sys.executable, "-c", SCRIPT, str(count)], capture_output=True, text=True, check=True)
        memory[count] = [int(value) for value in done.stdout.split()]
    own, resident = (memory[100_000][kind] / memory[10_000][kind] for kind in (0, 1))
    assert own < 1.10, memory
    assert resident < 1.35, memory  # pages of the mapped file come and go
