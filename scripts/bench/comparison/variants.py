"""What is trained: the systems, and our own without one evidence source at a time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from comparison.protocol import Protocol
from llmrg.config import load_config, to_mapping
from llmrg.systems.prompts import system_prompt
from llmrg.training.settings import TrainConfig

__all__ = ["FULL", "Variant", "ablation", "systems"]

FULL = "full"
QUERIES = "disease_queries"


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One way to train.

    Args:
        name: in tables and folders.
        path: configuration.
        overrides: ``key=value`` beside those of data, folders and seed.
        removed: the evidence source that is missing, in an ablation.
        timed: each stage is a command of its own, so that its time is known.
    """

    name: str
    path: Path
    overrides: tuple[str, ...] = ()
    removed: str | None = None
    timed: bool = True


def systems(protocol: Protocol, configs: Path) -> tuple[Variant, ...]:
    """The systems that are compared."""
    return tuple(Variant(name=name, path=configs / f"{name}.yaml") for name in protocol.systems)


def ablation(protocol: Protocol, configs: Path) -> tuple[Variant, ...]:
    """Our own system without each evidence source in turn, and with its gates the other way.

    Other sources ask the disease queries; without them the language model is not shown them, and the others still ask.
    """
    path = configs / f"{protocol.own}.yaml"
    system = load_config(TrainConfig, path, (f"out={protocol.own}",)).system
    sources = system.evidence.sources
    found = []
    for source in sources:
        rest = [name for name in sources if name != source]
        if source == QUERIES:
            prompt = to_mapping(system_prompt(system.kind, protocol.ablation_language, rest))
            changed = f"system.prompt={json.dumps(prompt)}"
        else:
            changed = f"system.evidence.sources=[{','.join(rest)}]"
        found.append(Variant(name=f"without_{source}", path=path, overrides=(changed,), removed=source, timed=False))
    gates = not system.evidence.gates
    name = f"{'with' if gates else 'without'}_gates"
    changed = f"system.evidence.gates={str(gates).lower()}"
    found.append(Variant(name=name, path=path, overrides=(changed,), timed=False))
    return tuple(found)
