"""Build a system from its configuration and the artefacts of the stages before it."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from llmrg.artefacts import read_manifest
from llmrg.errors import UserError
from llmrg.evidence.base import EvidenceSource
from llmrg.evidence.context_store import ContextStore
from llmrg.evidence.diagnosis_hints import DiagnosisHints
from llmrg.evidence.disease_queries import DiseaseQuerySource
from llmrg.evidence.encoder import EncoderConfig, StudyEncoder, build_encoder, build_queries, load_encoder
from llmrg.evidence.hopfield import HopfieldRetrieval
from llmrg.evidence.memories import HopfieldMemory
from llmrg.evidence.memory_bank import MemoryBank
from llmrg.evidence.patches import Patches
from llmrg.evidence.retrieved_context import RetrievedContext
from llmrg.evidence.settings import PatchesConfig
from llmrg.findings.vocabulary import get_vocabulary
from llmrg.language.llm import LanguageModel
from llmrg.language.prompt import PromptConfig
from llmrg.language.token_space import TokenSpace
from llmrg.studies.mixture import Data
from llmrg.studies.study import Language
from llmrg.systems.context import SOURCE, build_context_source, context_of, load_context
from llmrg.systems.prompts import system_prompt
from llmrg.systems.report_generator import ReportGenerator
from llmrg.systems.settings import SystemConfig
from llmrg.vision.lora import add_query_value_lora

__all__ = ["EMBEDDED", "ArtefactPaths", "build_sources", "build_system", "encoder_config", "tune_encoder"]

EMBEDDED = "embedded"
"""Path of the language model that this repository trains on the training reports."""

MEMORIES = ("visual_memory", "report_memory")


@dataclass(frozen=True, kw_only=True)
class ArtefactPaths:
    """Where the artefacts of the earlier stages lie; None where a system needs none.

    Args:
        language_model: the embedded language model.
        disease_classifier: trunk and disease queries.
        memory: visual and report memory banks.
        index: retrieval index.
        context: context studies (R2GenCSR).
    """

    language_model: Path | None = None
    disease_classifier: Path | None = None
    memory: Path | None = None
    index: Path | None = None
    context: Path | None = None

    @classmethod
    def below(cls, folder: Path) -> ArtefactPaths:
        """Name the artefacts by their usual places below a folder; those that do not exist are None."""
        return cls(
            **{field.name: folder / field.name for field in dataclasses.fields(cls) if (folder / field.name).is_dir()}
        )

    def present(self) -> dict[str, Path]:
        """The artefacts that exist, by name."""
        named = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: path for name, path in named.items() if path is not None}


def encoder_config(config: SystemConfig, data: Data, *, as_classifier: bool = False) -> EncoderConfig:
    """What the study encoder of a system is built from.

    Args:
        config: the system.
        data: what it reads.
        as_classifier: with disease queries, even if the system does not ask them.
    """
    asked = as_classifier or "disease_queries" in config.evidence.sources
    return EncoderConfig(
        vision=config.vision,
        queries=config.evidence.disease_queries if asked else None,
        vocabulary=data.vocabulary,
        image_size=data.image_size,
    )


def build_system(
    config: SystemConfig,
    data: Data,
    artefacts: ArtefactPaths,
    *,
    language_model: LanguageModel | None = None,
) -> ReportGenerator:
    """Build a system; every artefact is checked against the others before it is used.

    Args:
        config: the system.
        data: what it reads and writes.
        artefacts: of the earlier stages.
        language_model: the decoder, if it is built already.

    Raises:
        UserError: an artefact is missing, damaged, or does not fit.
    """
    encoder, digest = _encoder(config, data, artefacts)
    decoder = language_model or LanguageModel(_with_path(config, artefacts).language_model)
    sources = build_sources(
        config,
        encoder,
        TokenSpace(decoder),
        banks={kind: _bank(kind, artefacts, digest, data) for kind in MEMORIES if kind in config.evidence.sources},
        store=_store(artefacts, digest) if config.searches else None,
        context=_context(config, artefacts),
    )
    tune_encoder(encoder, config)
    prompts = _prompts(config, data)
    first = prompts.pop(data.languages[0])
    return ReportGenerator(
        config=config,
        encoder=encoder,
        sources=sources,
        language_model=decoder,
        prompt=first,
        prompts=prompts,
        target=data.target,
        vocabulary=get_vocabulary(data.vocabulary),
        encoder_from_artefact=digest is not None,
    )


def tune_encoder(encoder: StudyEncoder, config: SystemConfig) -> None:
    """Freeze an encoder, or give its trunk adapters, as the system asks; after the index has its own copy of it.

    Raises:
        UserError: adapters for a trunk that has no place for them.
    """
    if config.vision_tuning == "frozen":
        encoder.requires_grad_(False)
    elif config.vision_lora is not None:
        add_query_value_lora(encoder.backbone.trunk, config.vision_lora)


def build_sources(
    config: SystemConfig,
    encoder: StudyEncoder,
    space: TokenSpace,
    *,
    banks: Mapping[str, MemoryBank],
    store: ContextStore | None,
    context: MemoryBank | None = None,
) -> list[EvidenceSource]:
    """Build the evidence sources of a system, in order.

    Args:
        config: the system.
        encoder: trunk and disease queries.
        space: the decoder's token space.
        banks: the memory banks of the memories among the sources, by kind.
        store: the retrieval index with its vectors, where context is retrieved.
        context: the context studies of residuals, unless all indexed ones are meant.

    Raises:
        ValueError: a source lacks its bank or store.
    """
    findings = encoder.config.findings
    size, scale = space.size, space.scale / space.size**0.5
    width = encoder.backbone.width
    answered = width if encoder.queries is None else encoder.queries.width
    sources: list[EvidenceSource] = []
    copied = config.tune_vision and "retrieved_context" in config.evidence.sources
    index_encoder = copy.deepcopy(encoder) if copied else encoder
    for kind in config.evidence.sources:
        if kind == "patches":
            sources.append(_patches(config.evidence.patches, encoder, size=size, scale=scale))
        elif kind == "disease_queries":
            if encoder.queries is None:
                raise ValueError("disease_queries need an encoder that has them")
            queries: nn.Module = encoder.queries
            if config.evidence.disease_queries.fresh:
                queries = build_queries(config.evidence.disease_queries, encoder.backbone, findings=len(findings))
                encoder.queries.requires_grad_(False)
            sources.append(
                DiseaseQuerySource(
                    queries=queries,
                    findings=findings,
                    width=answered,
                    size=size,
                    scale=scale,
                    loss_weight=config.evidence.disease_queries.loss_weight,
                    smoothing=config.evidence.disease_queries.smoothing,
                    decisions=config.evidence.disease_queries.decisions,
                )
            )
        elif kind == "diagnosis_hints":
            sources.append(
                DiagnosisHints(
                    vocabulary=get_vocabulary(encoder.config.vocabulary),
                    config=config.evidence.diagnosis_hints,
                )
            )
        elif kind in MEMORIES:
            bank, settings = banks[kind], getattr(config.evidence, kind)
            asked = settings.width or answered
            sources.append(
                HopfieldMemory(
                    kind=kind,
                    bank=bank,
                    retrieval=HopfieldRetrieval(
                        state_width=asked,
                        pattern_width=bank.vectors.shape[1],
                        out_width=asked,
                        heads=settings.heads,
                        head_width=settings.head_width,
                        beta=settings.beta,
                        learn_beta=settings.learn_beta,
                        steps=settings.steps,
                        value_width=settings.value_width,
                        value_norm=settings.value_norm,
                        key_bias=settings.key_bias,
                        dropout=settings.dropout,
                    ),
                    findings=findings,
                    state_width=answered,
                    asked_width=asked,
                    size=size,
                    scale=scale,
                    strongest=settings.strongest,
                )
            )
        elif kind == SOURCE:
            shown = next((source for source in sources if isinstance(source, Patches)), None)
            sources.append(
                build_context_source(
                    config,
                    encoder,
                    bank=context,
                    store=store,
                    projection=shown.projection.linear if shown is not None else nn.Linear(width, size),
                    scale=scale,
                )
            )
        else:
            if store is None:
                raise ValueError("retrieved_context needs a store")
            sources.append(
                RetrievedContext(
                    store=store,
                    encoder=index_encoder,
                    shared=not config.tune_vision,
                    size=size,
                    scale=scale,
                    config=config.evidence.retrieved_context,
                )
            )
    return sources


def _patches(config: PatchesConfig, encoder: StudyEncoder, *, size: int, scale: float) -> Patches:
    if config.class_token and not encoder.backbone.has_class_token:
        raise UserError(
            f"The trunk {encoder.config.vision.architecture} has no class token to be shown",
            where="system.evidence.patches.class_token",
            next_step="take a Mamba trunk (arm_base, ...), or set it to false",
        )
    return Patches(
        width=encoder.backbone.width,
        size=size,
        scale=1.0 if config.norm == "one" else scale,
        pool=config.pool,
        mean_of_views=config.views == "mean",
        class_token=config.class_token,
    )


def _prompts(config: SystemConfig, data: Data) -> dict[Language, PromptConfig]:
    """The prompt of each language; one that is given alone must not serve two languages of the data."""
    known: tuple[Language, ...] = ("zh", "en")
    if config.prompt is None:
        return {language: system_prompt(config.kind, language, config.evidence.sources) for language in known}
    if isinstance(config.prompt, PromptConfig):
        if len(data.languages) > 1:
            raise UserError(
                f"The data are in {' and '.join(data.languages)}, but the system has one prompt",
                where="system.prompt",
                next_step="write a prompt for each: prompt: {zh: {...}, en: {...}}",
            )
        return dict.fromkeys(known, config.prompt)
    absent = [language for language in data.languages if language not in config.prompt]
    if absent:
        raise UserError("A language of the data has no prompt", where="system.prompt", got=absent[0])
    given = config.prompt
    return {language: given[language] for language in known if language in given}


def _encoder(config: SystemConfig, data: Data, artefacts: ArtefactPaths) -> tuple[StudyEncoder, str | None]:
    wanted = encoder_config(config, data)
    if artefacts.disease_classifier is None:
        return build_encoder(wanted), None
    encoder, manifest = load_encoder(artefacts.disease_classifier)
    manifest.require(
        kind="disease_classifier",
        where=artefacts.disease_classifier,
        vocabulary=data.vocabulary,
        image_size=data.image_size,
    )
    found = encoder.config.vision
    if (found.architecture, found.options) != (config.vision.architecture, config.vision.options):
        raise UserError(
            f"The disease classifier has the trunk {found.architecture} {found.options}, but the system asks for "
            f"{config.vision.architecture} {config.vision.options}",
            where=str(artefacts.disease_classifier),
            next_step="build the artefact again, or name another artefacts folder",
        )
    if wanted.queries is None:  # the trunk was warmed up; from here on it is this system's own
        start, encoder = encoder.backbone.state_dict(), build_encoder(dataclasses.replace(wanted, vision=found))
        encoder.backbone.load_state_dict(start)
        return encoder, None
    return encoder, manifest.encoder_hash


def _bank(kind: str, artefacts: ArtefactPaths, digest: str | None, data: Data) -> MemoryBank:
    if artefacts.memory is None:
        raise UserError(f"The system has a {kind}, but no memory was built", next_step="run llmrg build-memory")
    manifest = read_manifest(artefacts.memory)
    manifest.require(kind="memory", where=artefacts.memory, encoder_hash=digest, vocabulary=data.vocabulary)
    return MemoryBank.load(artefacts.memory, kind, sha256=manifest.details.get(f"{kind}_hash"))


def _store(artefacts: ArtefactPaths, digest: str | None) -> ContextStore:
    if artefacts.index is None:
        raise UserError(
            "The system retrieves context, but no index was built", next_step="run llmrg index build CONFIG"
        )
    store, manifest = ContextStore.load(artefacts.index)
    manifest.require(kind="index", where=artefacts.index, encoder_hash=digest)
    return store


def _context(config: SystemConfig, artefacts: ArtefactPaths) -> MemoryBank | None:
    context = context_of(config)
    if context is None:
        return None
    if artefacts.context is not None:
        return load_context(artefacts.context)
    if not context.searches:
        raise UserError(
            "The system has context residuals, but no context studies were drawn", next_step="train it anew"
        )
    return None


def _with_path(config: SystemConfig, artefacts: ArtefactPaths) -> SystemConfig:
    """Put the embedded language model's directory where its name stands."""
    if config.language_model.path != EMBEDDED:
        return config
    if artefacts.language_model is None:
        raise UserError(
            "The system uses the embedded language model, but none was trained",
            where="system.language_model.path",
            next_step="run llmrg pretrain language-model CONFIG, or name a transformers model",
        )
    read_manifest(artefacts.language_model).require(kind="language_model", where=artefacts.language_model)
    settings = dataclasses.replace(config.language_model, path=str(artefacts.language_model))
    return dataclasses.replace(config, language_model=settings)
