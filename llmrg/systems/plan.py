"""Plan a system without any weights: its parameters, total and trainable, part by part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from llmrg.config import load_config
from llmrg.errors import UserError
from llmrg.evidence.context_store import ContextStore
from llmrg.evidence.encoder import StudyEncoder, build_encoder
from llmrg.evidence.gates import SourceGates
from llmrg.evidence.memory_bank import MemoryBank, Pattern
from llmrg.findings.vocabulary import Finding
from llmrg.language.embedded import EmbeddedModelConfig
from llmrg.language.llm import LanguageModel
from llmrg.language.token_space import TokenSpace
from llmrg.studies.mixture import Data
from llmrg.systems.build import MEMORIES, build_sources, encoder_config, tune_encoder
from llmrg.systems.settings import SystemConfig
from retrieval_index import Record, RetrievalIndex

__all__ = [
    "LanguageDimensions",
    "PartPlan",
    "SystemPlan",
    "count_parts",
    "embedded_dimensions",
    "find_dimensions",
    "part_of",
    "plan_system",
    "planned_system",
]


_SEARCHING = "sources.context_residuals.retrieval.encoder."


@dataclass(frozen=True, kw_only=True)
class LanguageDimensions:
    """Dimensions of a published language model (the files of ``configs/language``).

    Args:
        name: of the model on the hub.
        architecture: keys of its transformers configuration, ``model_type`` among them.
    """

    name: str
    architecture: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class PartPlan:
    """Parameters of one part of a system."""

    total: int
    trainable: int


@dataclass(frozen=True, kw_only=True)
class SystemPlan:
    """Parameters of a system.

    Args:
        parts: by name: ``vision``, ``disease_queries`` and the other evidence sources, ``index_encoder`` (the frozen
            encoder of the index, where it is not the system's own) and ``language_model``.
    """

    parts: Mapping[str, PartPlan]

    @property
    def total(self) -> int:
        """All parameters."""
        return sum(part.total for part in self.parts.values())

    @property
    def trainable(self) -> int:
        """Those that the last stage trains."""
        return sum(part.trainable for part in self.parts.values())


def find_dimensions(path: str, folder: Path = Path("configs/language")) -> LanguageDimensions:
    """Find the dimensions of a language model by its name on the hub.

    Args:
        path: ``path`` of a language model's configuration.
        folder: with one YAML file a model.

    Raises:
        UserError: no file names it.
    """
    known = [load_config(LanguageDimensions, file) for file in sorted(folder.glob("*.yaml"))]
    for dimensions in known:
        if dimensions.name == path:
            return dimensions
    raise UserError(
        "The dimensions of this language model are not known",
        where=path,
        allowed=[dimensions.name for dimensions in known],
        got=path,
        next_step=f"describe it in a file of {folder}",
    )


def embedded_dimensions(config: EmbeddedModelConfig) -> LanguageDimensions:
    """Give the dimensions of the embedded language model, with its largest vocabulary."""
    return LanguageDimensions(
        name="embedded",
        architecture={
            "model_type": "qwen3",
            "vocab_size": config.vocabulary_size,
            "hidden_size": config.hidden_size,
            "intermediate_size": config.intermediate_size,
            "num_hidden_layers": config.layers,
            "num_attention_heads": config.heads,
            "num_key_value_heads": config.heads,
            "head_dim": config.hidden_size // config.heads,
            "max_position_embeddings": config.max_positions,
            "tie_word_embeddings": True,
        },
    )


def plan_system(
    config: SystemConfig,
    data: Data,
    language_model: LanguageDimensions,
    *,
    report_width: int | None = None,
    visual_width: int | None = None,
) -> SystemPlan:
    """Build a system on the meta device, without weights, artefacts or tokenizer, and count its parameters.

    Args:
        config: the system.
        data: what it reads and writes.
        language_model: dimensions of its language model.
        report_width: width of the report vectors in memory and index; None takes the language model's own width.
        visual_width: width of the visual memory's vectors; None takes the trunk's.

    Raises:
        UserError: a trunk or a language model that cannot be built.
    """
    return count_parts(
        planned_system(config, data, language_model, report_width=report_width, visual_width=visual_width)
    )


def planned_system(
    config: SystemConfig,
    data: Data,
    language_model: LanguageDimensions,
    *,
    report_width: int | None = None,
    visual_width: int | None = None,
) -> nn.ModuleDict:
    """Build the modules of a system on the meta device; arguments as of :func:`plan_system`.

    Returns:
        ``encoder``, ``sources`` and ``language_model``.
    """
    vision = replace(config.vision, pretrained=False, checkpoint=None)
    config = replace(config, vision=vision)
    decoder = LanguageModel.planned(config.language_model, language_model.architecture)
    with torch.device("meta"):
        encoder = build_encoder(encoder_config(config, data))
        width = report_width if report_width is not None else decoder.hidden_size
        sources = build_sources(
            config,
            encoder,
            TokenSpace(decoder),
            banks=_empty_banks(config, encoder.config.findings, visual_width or encoder.backbone.width, width),
            store=_empty_store(encoder, report_width=width),
            context=_empty_context(),
        )
        gates = SourceGates(source.kind for source in sources) if config.evidence.gates else None
        tune_encoder(encoder, config)
    return nn.ModuleDict(
        {
            "encoder": encoder,
            "sources": nn.ModuleDict({source.kind: cast(nn.Module, source) for source in sources}),
            "language_model": decoder,
            **({"gates": gates} if gates is not None else {}),
        }
    )


def count_parts(system: nn.Module) -> SystemPlan:
    """Count the parameters of what :func:`planned_system` built."""
    counts: dict[str, tuple[int, int]] = {}
    for name, parameter in system.named_parameters():
        part = part_of(name)
        total, trainable = counts.get(part, (0, 0))
        size = parameter.numel()
        counts[part] = (total + size, trainable + size * parameter.requires_grad)
    return SystemPlan(parts={name: PartPlan(total=a, trainable=b) for name, (a, b) in counts.items()})


def part_of(name: str) -> str:
    """Name the part of a system that a parameter belongs to."""
    first, second, third, *_ = name.split(".")
    if first == "encoder":
        return "vision" if second == "backbone" else "disease_queries"
    if first == "sources":
        return "index_encoder" if third == "encoder" or name.startswith(_SEARCHING) else second
    return first


def _empty_banks(
    config: SystemConfig, findings: Sequence[Finding], visual_width: int, report_width: int
) -> dict[str, MemoryBank]:
    nothing = Pattern(study_id="", patient_id="", finding="")
    banks = {}
    for kind, width in zip(MEMORIES, (visual_width, report_width), strict=True):
        rows = getattr(config.evidence, kind).per_finding * (len(findings) + 1)
        banks[kind] = MemoryBank(vectors=torch.empty(rows, width), patterns=(nothing,) * rows)
    return banks


def _empty_context() -> MemoryBank:
    return MemoryBank(vectors=torch.empty(1, 0), patterns=(Pattern(study_id="", patient_id="", finding=""),))


def _empty_store(encoder: StudyEncoder, *, report_width: int) -> ContextStore:
    width, findings = encoder.backbone.width, len(encoder.config.findings)
    index = RetrievalIndex.build(
        np.ones((1, width + 3 * findings), dtype=np.float32), [Record(id="none", patient="none", labels={})]
    )
    return ContextStore(
        index=index,
        visual=torch.empty(1, width),
        reports=torch.empty(1, report_width),
        labels=torch.empty(1, findings, dtype=torch.bool),
        neighbours=torch.empty(1, 0, dtype=torch.long),
        similarities=torch.empty(1, 0),
    )
