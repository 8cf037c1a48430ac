"""The context studies of a system (R2GenCSR): read from artefacts, built into it, written into its run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, cast

import torch
from torch import nn

from llmrg.artefacts import Manifest, atomic_directory, file_hash, read_manifest
from llmrg.errors import UserError
from llmrg.evidence.context_residuals import ContextResiduals, needs_vectors
from llmrg.evidence.context_settings import ResolvedContext
from llmrg.evidence.context_store import ContextStore
from llmrg.evidence.encoder import StudyEncoder
from llmrg.evidence.memory_bank import MemoryBank, Pattern
from llmrg.evidence.study_retrieval import StudyRetrieval
from llmrg.evidence.trunk_retrieval import TrunkRetrieval
from llmrg.systems.settings import SystemConfig

if TYPE_CHECKING:
    from llmrg.systems.build import ArtefactPaths

__all__ = [
    "CONTEXT",
    "SOURCE",
    "build_context_source",
    "context_of",
    "indexed_studies",
    "load_context",
    "with_vectors",
    "write_context",
]

SOURCE = "context_residuals"
CONTEXT = "context"
"""Name of the artefact, and of the bank in it."""


def context_of(config: SystemConfig) -> ResolvedContext | None:
    """Say what the context residuals of a system are in its setting; None if it has none.

    Raises:
        UserError: the mode ``similarity`` without predicted findings.
    """
    sources = config.evidence.sources
    if SOURCE not in sources:
        return None
    context = config.evidence.context_residuals.resolved(config.setting)
    if context.searches and "disease_queries" not in sources[: sources.index(SOURCE)]:
        raise UserError(
            "Similar studies are sorted by the findings predicted for the query, but nothing predicts them",
            where="system.evidence.sources",
            next_step="put disease_queries before context_residuals, or choose another system.evidence."
            "context_residuals.mode (keyword, labels, random)",
        )
    return context


def indexed_studies(store: ContextStore, *, with_vectors: bool) -> MemoryBank:
    """Take all indexed studies as context studies.

    Args:
        store: the index.
        with_vectors: with the index's vectors; otherwise they are encoded later.
    """
    patterns = tuple(
        Pattern(study_id=record.id, patient_id=record.patient, finding="candidate") for record in store.index.records
    )
    return MemoryBank(vectors=store.visual if with_vectors else torch.empty(len(patterns), 0), patterns=patterns)


def load_context(path: Path) -> MemoryBank:
    """Read a ``context`` artefact.

    Raises:
        UserError: incomplete, damaged, or of another kind.
    """
    manifest = read_manifest(path)
    manifest.require(kind=CONTEXT, where=path)
    return MemoryBank.load(path, CONTEXT, sha256=manifest.details.get("context_hash"))


def write_context(bank: MemoryBank, path: Path, manifest: Manifest) -> None:
    """Write a ``context`` artefact whole or not at all; hash and count are added to its manifest."""
    with atomic_directory(path) as directory:
        bank.save(directory, CONTEXT)
        details = {
            **manifest.details,
            "context_hash": file_hash(directory / f"{CONTEXT}.safetensors"),
            "context_patterns": len(bank.patterns),
        }
        replace(manifest, kind=CONTEXT, details=details).write(directory)


def build_context_source(
    config: SystemConfig,
    encoder: StudyEncoder,
    *,
    bank: MemoryBank | None,
    store: ContextStore | None,
    projection: nn.Linear,
    scale: float,
) -> ContextResiduals:
    """Build the source.

    Args:
        config: the system.
        encoder: its own trunk, which is that of the index where it is not tuned.
        bank: the context studies of a ``context`` artefact; None takes the indexed studies.
        store: the index, where every query has studies of its own.
        projection: into the token space, shared with the patches.
        scale: root mean square of the decoder's word embeddings.

    Raises:
        ValueError: bank or store are missing.
    """
    context = context_of(config)
    if context is None:
        raise ValueError("the system has no context residuals")
    retrieval: StudyRetrieval | TrunkRetrieval | None = None
    if context.searches:
        if store is None:
            raise ValueError("context residuals by similarity need a store")
        if bank is None:
            own = needs_vectors(encoder.backbone, context, tuned=config.tune_vision)
            bank = indexed_studies(store, with_vectors=not own)
        pairs, candidates = context.config.pairs, context.config.candidates
        threshold = context.config.threshold
        if config.tune_vision:
            retrieval = TrunkRetrieval(
                store=store,
                patterns=bank.patterns,
                candidates=candidates,
                positives=pairs,
                negatives=pairs,
                threshold=threshold,
            )
        else:
            retrieval = StudyRetrieval(
                store=store,
                encoder=encoder,
                shared=True,
                candidates=candidates,
                positives=pairs,
                negatives=pairs,
                threshold=threshold,
            )
    if bank is None:
        raise ValueError("context residuals need a bank")
    return ContextResiduals(
        bank=bank,
        backbone=encoder.backbone,
        projection=projection,
        context=context,
        scale=scale,
        retrieval=retrieval,
        tuned=config.tune_vision,
    )


@contextmanager
def with_vectors(
    sources: nn.ModuleDict, artefacts: ArtefactPaths, manifest: Manifest, *, beside: Path
) -> Iterator[ArtefactPaths]:
    """Give the artefacts with the context studies' vectors as the trained trunk has them, where they are its own.

    Args:
        sources: of the trained system.
        artefacts: of the stages.
        manifest: of the new artefact, but for its details.
        beside: the run; the artefact lies in a temporary folder next to it while the block runs.
    """
    source = cast(ContextResiduals, sources[SOURCE]) if SOURCE in sources else None
    if source is None or not source.own_vectors:
        yield artefacts
        return
    beside.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".tmp-{beside.name}-", dir=beside.parent) as folder:
        path = Path(folder) / CONTEXT
        write_context(source.bank(), path, manifest)
        yield replace(artefacts, context=path)
