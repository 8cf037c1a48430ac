"""The stages ``activation_maps`` and ``memory``: regions mined from training films, and the banks of both memories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from llmrg.artefacts import file_hash, read_manifest
from llmrg.evidence.encoder import StudyEncoder
from llmrg.evidence.memory_bank import MemoryBank, Pattern, proportional_sample, sample_patterns
from llmrg.evidence.region_projection import RegionProjection
from llmrg.training.material import TrainingMaterial
from llmrg.training.memory_settings import ActivationMapsConfig
from llmrg.training.mining import mine_regions, query_tokens

__all__ = ["NORMAL", "region_bank", "report_entries", "report_sample", "save_banks", "save_regions", "stacked"]

NORMAL = "normal"
"""Finding name of patterns that come from studies without any finding."""


def save_regions(
    encoder: StudyEncoder,
    material: TrainingMaterial,
    directory: Path,
    *,
    config: ActivationMapsConfig,
    batch_size: int,
    seed: int,
) -> dict[str, Any]:
    """Mine the regions of the training split and write them with the projection and the query tokens.

    Args:
        encoder: trunk and disease queries, in evaluation mode.
        material: the studies.
        directory: of the artefact.
        config: how regions are mined.
        batch_size: studies at once.
        seed: of the projection, and of the choice of regions.

    Returns:
        Details for the manifest: hashes, and counts by finding.
    """
    width = encoder.backbone.width
    projection = RegionProjection(config.projection, width=width, out_width=config.width or width, seed=seed)
    projection.save(directory)
    query_tokens(encoder, material, projection, seed=seed).save(directory, "query_tokens")
    mined = mine_regions(encoder, material, projection, config=config, batch_size=batch_size, seed=seed)
    mined.save(directory)
    banks = ("query_tokens", "regions") if mined.regions else ("query_tokens",)
    hashes = {f"{name}_hash": file_hash(directory / f"{name}.safetensors") for name in banks}
    return {
        "vocabulary": material.data.vocabulary,
        "image_size": material.data.image_size,
        "contains_patient_data": "pieces of films as vectors, with study and patient identifiers",
        "projection": projection.kind,
        "counts": {name: asdict(counts) for name, counts in mined.counts.items()},
        "regions": len(mined.regions),
        "unreadable_studies": mined.unreadable,
        "mined_hash": hashes.get("regions_hash"),  # stays when patients are removed
        **hashes,
    }


def region_bank(directory: Path, *, per_finding: int, seed: int, encoder_hash: str | None) -> MemoryBank:
    """The visual memory of AM-MRG: the query tokens of the disease classifier, then mined regions.

    Args:
        directory: the artefact ``activation_maps``.
        per_finding: most regions of a finding.
        seed: of the choice.
        encoder_hash: of the disease classifier whose regions they must be.

    Raises:
        UserError: the artefact is missing, damaged, or of another disease classifier.
    """
    manifest = read_manifest(directory)
    manifest.require(kind="activation_maps", where=directory, encoder_hash=encoder_hash)
    tokens = MemoryBank.load(directory, "query_tokens", sha256=manifest.details.get("query_tokens_hash"))
    if not manifest.details.get("regions"):
        return tokens
    regions = MemoryBank.load(directory, "regions", sha256=manifest.details.get("regions_hash"))
    rows = sample_patterns(regions.patterns, per_finding=per_finding, seed=seed)
    return MemoryBank(
        vectors=torch.cat([tokens.vectors, regions.vectors[rows]]),
        patterns=(*tokens.patterns, *(regions.patterns[row] for row in rows)),
    )


def report_entries(material: TrainingMaterial) -> list[tuple[Pattern, str]]:
    """Whole training reports, once under every finding they state; reports of none under :data:`NORMAL`."""
    entries = []
    for study in material.training:
        text = study.report(material.data.target)
        for name in material.positive(study.id) or [NORMAL]:
            entries.append((Pattern(study_id=study.id, patient_id=study.patient_id, finding=name), text))
    return entries


def report_sample(patterns: Sequence[Pattern], *, per_finding: int, total: int | None, seed: int) -> list[int]:
    """Choose the patterns of the report memory: ``total`` in proportion, or ``per_finding`` of each where it is None.

    Returns:
        Their places, rising.
    """
    if total is not None:
        return proportional_sample(patterns, total=total, seed=seed)
    return sample_patterns(patterns, per_finding=per_finding, seed=seed)


def save_banks(directory: Path, banks: Mapping[str, MemoryBank]) -> dict[str, Any]:
    """Write banks; return what the manifest says of them."""
    details: dict[str, Any] = {}
    for name, bank in banks.items():
        bank.save(directory, name)
        details[f"{name}_hash"] = file_hash(directory / f"{name}.safetensors")
        details[f"{name}_patterns"] = len(bank.patterns)
    return details


def stacked(entries: Sequence[tuple[Pattern, Tensor]]) -> MemoryBank:
    """A bank of patterns with their vectors, in order."""
    return MemoryBank(
        vectors=torch.stack([vector for _, vector in entries]), patterns=tuple(pattern for pattern, _ in entries)
    )
