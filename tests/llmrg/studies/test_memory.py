"""Memory given back to the system."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
from pathlib import Path
from llmrg.studies.memory import give_back_memory
def own():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon")).split()[1])
lists = [bytearray(2000) for _ in range(50_000)]  # from the heap: too small for mappings of their own
keep = lists[-1]
before = own()
del lists
freed = own()
give_back_memory()
print(before, freed, own())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc alone can give memory back when asked")
def test_freed_memory_goes_back_to_the_system() -> None:
    assert Path("/proc/self/status").is_file()
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    before, freed, after = (int(value) for value in done.stdout.split())
    assert freed > before - 50_000  # kB: the heap's end is in use
    assert after < before - 80_000
