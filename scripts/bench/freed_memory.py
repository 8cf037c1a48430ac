"""Processor time and page faults of a small trunk's training steps, with and without glibc keeping freed memory.

    python scripts/bench/freed_memory.py            a table
    python scripts/bench/freed_memory.py --json     the same as JSON

Each in processes of its own, in turn, one thread; the figures are those of the best of three.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys

KEEP = "glibc.malloc.mmap_threshold=1073741824:glibc.malloc.trim_threshold=4294967296"
"""What scripts/environment.sh exports."""
STEPS = 20


def child() -> dict[str, float]:
    """Processor seconds and page faults a step, and peak memory, of this process."""
    import torch

    from llmrg.vision.backbone import build_backbone
    from llmrg.vision.settings import BackboneConfig

    torch.set_num_threads(1)
    options = {"stem_width": 8, "channels": [24, 48, 96, 128], "output_stride": 16}
    vision = BackboneConfig(architecture="resnet10t", channels=1, mean=0.45, std=0.25, options=options)
    trunk = build_backbone(vision, image_size=128).trunk
    films = torch.randn(32, 1, 128, 128, generator=torch.Generator().manual_seed(0))

    def step() -> None:
        trunk.forward_features(films).sum().backward()

    for _ in range(3):
        step()
    before = resource.getrusage(resource.RUSAGE_SELF)
    for _ in range(STEPS):
        step()
    after = resource.getrusage(resource.RUSAGE_SELF)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "milliseconds": 1000 * seconds / STEPS,
        "page_faults": (after.ru_minflt - before.ru_minflt) / STEPS,
        "peak_megabytes": after.ru_maxrss / 1024,
    }


def measure(kept: bool) -> dict[str, float]:
    environment = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"}
    environment |= {"OMP_NUM_THREADS": "1", **({"GLIBC_TUNABLES": KEEP} if kept else {})}
    done = subprocess.run(
        [sys.executable, __file__, "--child"], env=environment, check=True, capture_output=True, text=True
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        print(json.dumps(child()))
        return
    rounds = [(measure(False), measure(True)) for _ in range(3)]
    usual, kept = (min(found, key=lambda row: row["milliseconds"]) for found in zip(*rounds, strict=True))
    answer = {"machine": platform.machine(), "usual": usual, "kept": kept}
    if chosen.json:
        print(json.dumps(answer))
        return
    print(f"{'':>16}{'usual':>12}{'kept':>12}")
    for name in usual:
        print(f"{name:>16}{usual[name]:>12,.1f}{kept[name]:>12,.1f}")


if __name__ == "__main__":
    main()
