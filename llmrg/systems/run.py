"""A run: the directory that training writes and everything else loads.

It holds the learnt weights (``model.safetensors``), the artefacts the system needs, its configuration and a model
card. A language model that was not made here is referred to by name, revision and hash.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from llmrg.artefacts import Manifest, atomic_directory, file_hash, read_manifest, tree_hash, write_text
from llmrg.config import dump_config, load_config
from llmrg.errors import UserError
from llmrg.language.settings import DecodingConfig
from llmrg.studies.mixture import Data
from llmrg.systems.build import EMBEDDED, ArtefactPaths, build_system
from llmrg.systems.privacy import as_details, survey_patient_data
from llmrg.systems.report_generator import ReportGenerator
from llmrg.systems.settings import SystemConfig

__all__ = [
    "ARTEFACTS",
    "CARD",
    "REFERENCE",
    "SETTINGS",
    "WEIGHTS",
    "Run",
    "RunConfig",
    "base_model_path",
    "kept_artefacts",
    "load_run",
    "open_run",
    "read_reference",
    "read_run",
    "save_run",
]

WEIGHTS = "model.safetensors"
SETTINGS = "run.yaml"
REFERENCE = "language_model.json"
ARTEFACTS = "artefacts"
CARD = "README.md"


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """What a run needs to be loaded.

    Args:
        system: the system.
        data: how studies are read and what is written of them.
        decoding: how reports are drawn unless told otherwise.
    """

    system: SystemConfig
    data: Data
    decoding: DecodingConfig = field(default_factory=DecodingConfig)


@dataclass(frozen=True, kw_only=True)
class Run:
    """A loaded run.

    Args:
        directory: where it lies.
        config: its configuration.
        manifest: its manifest.
        system: the system, in evaluation mode.
    """

    directory: Path
    config: RunConfig
    manifest: Manifest
    system: ReportGenerator


def save_run(
    system: ReportGenerator,
    directory: Path,
    *,
    config: RunConfig,
    artefacts: ArtefactPaths,
    producer: str,
    split_hash: str,
    card: str,
    weights: Mapping[str, torch.Tensor] | None = None,
    extra: Mapping[str, str] | None = None,
    details: Mapping[str, Any] | None = None,
) -> Path:
    """Write a run whole or not at all.

    Args:
        system: the trained system.
        directory: the run.
        config: what loading it needs.
        artefacts: those that loading needs are copied into the run.
        producer: the command.
        split_hash: of the training studies.
        card: the model card, Markdown.
        weights: what :meth:`ReportGenerator.own_state` returned, where only all processes together can ask for it.
        extra: further text files by name (training configuration, log).
        details: further entries of the manifest (validation figures, parameters).
    """
    present = kept_artefacts(config.system, artefacts)
    with atomic_directory(directory) as folder:
        save_file(dict(weights) if weights is not None else system.own_state(), folder / WEIGHTS)
        for name, path in present.items():
            shutil.copytree(path, folder / ARTEFACTS / name)
        write_text(folder / SETTINGS, dump_config(config))
        reference: dict[str, Any] = dict(system.language_model.reference())
        if config.system.language_model.path == EMBEDDED:
            reference["path"] = f"{ARTEFACTS}/language_model"
        write_text(folder / REFERENCE, json.dumps(reference, indent=2, sort_keys=True) + "\n")
        system.language_model.tokenizer.save_pretrained(folder / "tokenizer")
        for name, text in (extra or {}).items():
            write_text(folder / name, text)
        write_text(folder / CARD, card)
        training = (details or {}).get("training", {})
        patient_data = survey_patient_data(present, patients=training.get("patients"), directory=folder)
        Manifest(
            kind="run",
            producer=producer,
            configuration={"system": config.system.name},
            encoder_hash=read_manifest(present["disease_classifier"]).encoder_hash
            if "disease_classifier" in present
            else None,
            split_hash=split_hash,
            languages=config.data.languages,
            contains_patient_text=any(part.text for part in patient_data),
            details={
                "weights_hash": file_hash(folder / WEIGHTS),
                "artefacts": {name: tree_hash(folder / ARTEFACTS / name) for name in present},
                "image_size": config.data.image_size,
                "vocabulary": config.data.vocabulary,
                "patient_data": as_details(patient_data),
                **(details or {}),
            },
        ).write(folder)
    return directory


def kept_artefacts(config: SystemConfig, artefacts: ArtefactPaths) -> dict[str, Path]:
    """Name the artefacts that loading a run needs, which it therefore holds."""
    present = artefacts.present()
    if config.language_model.path != EMBEDDED:
        present.pop("language_model", None)  # it only encoded the reports of memory and index
    if "disease_queries" not in config.evidence.sources:
        present.pop("disease_classifier", None)  # it only warmed the trunk up
    return present


def read_run(directory: str | Path) -> tuple[Manifest, RunConfig]:
    """Read a run's manifest and configuration, after checking its weights and artefacts against their hashes.

    Raises:
        UserError: not a run, incomplete or damaged.
    """
    directory = Path(directory)
    manifest = read_manifest(directory)
    manifest.require(kind="run", where=directory)
    _check_files(directory, manifest)
    config = load_config(RunConfig, directory / SETTINGS)
    manifest.require(kind="run", where=directory, image_size=config.data.image_size, vocabulary=config.data.vocabulary)
    return manifest, config


def open_run(directory: str | Path, *, language_model: str | None = None, device: str | None = None) -> Run:
    """Load a run with its configuration and manifest.

    Args:
        directory: the run.
        language_model: another place of the same base language model (its hash must agree).
        device: where to put it; a GPU if there is one.

    Raises:
        UserError: not a run, incomplete or damaged, or the language model is not the one it was trained with.
    """
    directory = Path(directory)
    manifest, config = read_run(directory)
    system_config = config.system
    path = language_model or base_model_path(directory, system_config.language_model.path)
    system_config = replace(system_config, language_model=replace(system_config.language_model, path=path))
    vision = replace(system_config.vision, pretrained=False, checkpoint=None)
    system = build_system(
        replace(system_config, vision=vision), config.data, ArtefactPaths.below(directory / ARTEFACTS)
    )
    system.language_model.check_reference(read_reference(directory))
    try:
        system.load_own_state(load_file(directory / WEIGHTS))
    except (ValueError, SafetensorError) as error:
        raise UserError(f"The run's weights do not fit its configuration: {error}", where=str(directory)) from error
    place = device or ("cuda" if torch.cuda.is_available() else "cpu")
    return Run(directory=directory, config=config, manifest=manifest, system=system.to(place).eval())


def load_run(directory: str | Path, *, language_model: str | None = None, device: str | None = None) -> ReportGenerator:
    """Load a run's system; see :func:`open_run`."""
    return open_run(directory, language_model=language_model, device=device).system


def _check_files(directory: Path, manifest: Manifest) -> None:
    """Compare weights and artefacts with the hashes in the manifest."""
    if not (directory / WEIGHTS).is_file():
        raise UserError("The run has no weights", where=str(directory / WEIGHTS), next_step="train it again")
    if file_hash(directory / WEIGHTS) != manifest.details.get("weights_hash"):
        raise UserError("The run's weights are damaged: their hash differs from its manifest's", where=str(directory))
    for name, digest in manifest.details.get("artefacts", {}).items():
        path = directory / ARTEFACTS / name
        if not path.is_dir():
            raise UserError(f"The run lacks its artefact {name!r}", where=str(path), next_step="train it again")
        if tree_hash(path) != digest:
            raise UserError(
                f"The run's artefact {name!r} is damaged: its hash differs from the run's manifest",
                where=str(path),
                next_step="copy the run anew, or train it again",
            )


def read_reference(directory: Path) -> dict[str, str | None]:
    """Read which base language model a run was trained with: path, revision and hashes."""
    try:
        values = json.loads((directory / REFERENCE).read_text(encoding="utf-8"))
        return {str(name): value for name, value in values.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(
            "The run does not tell which language model it was trained with", where=str(directory / REFERENCE)
        ) from error


def base_model_path(directory: Path, path: str) -> str:
    """Find the base language model that a run's configuration names."""
    if path == EMBEDDED:
        return str(directory / ARTEFACTS / "language_model")
    near = directory / path
    return str(near) if not Path(path).exists() and near.is_dir() else path
