"""A run to share: adapters merged, patient data left out, nothing that names the machine it was trained on."""

from __future__ import annotations

import dataclasses
import json
import logging
import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from safetensors.torch import load_file, save_file

from llmrg.artefacts import Manifest, atomic_directory, file_hash, read_manifest, tree_hash, write_text
from llmrg.config import dump_config, load_mapping
from llmrg.errors import UserError
from llmrg.evidence.memory_bank import MemoryBank
from llmrg.language.loading import weights_reference
from llmrg.language.prompt import PromptConfig
from llmrg.language.settings import LanguageModelConfig
from llmrg.systems._machine_paths import NOT_EXPORTED, model_name, without_paths
from llmrg.systems._merging import check_mergeable, merge_language_model
from llmrg.systems.build import EMBEDDED, MEMORIES
from llmrg.systems.byte_scan import Needles, scan_directory
from llmrg.systems.privacy import (
    PatientData,
    as_details,
    identifiers,
    privacy_section,
    replace_section,
    survey_patient_data,
    told_sentences,
)
from llmrg.systems.run import (
    ARTEFACTS,
    CARD,
    REFERENCE,
    SETTINGS,
    WEIGHTS,
    RunConfig,
    base_model_path,
    read_reference,
    read_run,
)
from llmrg.vision.lora import merged_state

__all__ = ["Export", "export_run"]

logger = logging.getLogger(__name__)

_INDEX_SOURCES = ("retrieved_context", "context_residuals")


@dataclass(frozen=True, kw_only=True)
class Export:
    """What :func:`export_run` did.

    Args:
        directory: the export.
        left_out: what is not in it.
        no_longer_works: what it therefore cannot do.
        searched: how many words and identifiers were searched in its bytes, in all their spellings.
        notes: what its owner must know before sharing it.
    """

    directory: Path
    left_out: tuple[str, ...]
    no_longer_works: tuple[str, ...]
    searched: int
    notes: tuple[str, ...]


def export_run(
    run: str | Path,
    out: str | Path,
    *,
    merge: bool = False,
    without_data: bool = False,
    language_model: str | None = None,
    known_texts: Collection[str] = (),
    known_identifiers: Collection[str] = (),
    producer: str = "llmrg export",
) -> Export:
    """Write a copy of a run that can be shared; the run itself stays as it is.

    Every export leaves the paths of the training's machine out. With ``without_data`` it also leaves out the index
    (so that the system writes without retrieved context), and what tells the study and patient of remembered patterns;
    before the export takes its name, its bytes are searched for all identifiers that the run knows and for whatever is
    named as known, and it is refused if any is found.

    Args:
        run: the run.
        out: a directory that does not exist yet.
        merge: merge the adapters (or the tuned weights) into the language model and put it into the export, which then
            needs no other; merge adapters of the trunk into the trunk.
        without_data: leave patient data out.
        language_model: another place of the base language model, for ``merge``.
        known_texts: report texts to be searched for.
        known_identifiers: study and patient identifiers to be searched for.
        producer: the command, for the manifest.

    Raises:
        UserError: not a run, damaged, ``out`` exists, a model in 8 bits cannot be merged, or patient data were found.
    """
    run, out = Path(run), Path(out)
    manifest, config = read_run(run)
    _check_out(run, out)
    if merge:
        check_mergeable(config.system.language_model, where=str(run / SETTINGS))
    artefacts = {name: run / ARTEFACTS / name for name in manifest.details.get("artefacts", {})}
    left_out, broken = _losses(config, artefacts) if without_data else ((), ())
    earlier = manifest.details.get("export", {})  # an export may be exported again
    left_out = tuple(dict.fromkeys([*earlier.get("left_out", ()), *left_out]))
    broken = tuple(dict.fromkeys([*earlier.get("no_longer_works", ()), *broken]))
    settings = _exported_config(config, merge=merge, without_data=without_data)
    with atomic_directory(out) as folder:
        _copy_artefacts(artefacts, folder / ARTEFACTS, merge=merge, without_data=without_data)
        weights = load_file(run / WEIGHTS)
        if without_data:
            kept_sources = settings.system.evidence.sources
            weights = {k: v for k, v in weights.items() if _gated(k) is None or _gated(k) in kept_sources}
        shutil.copytree(run / "tokenizer", folder / "tokenizer")
        if merge:
            _write_merged(run, folder, config, weights, language_model, manifest)
            if config.system.vision_lora is not None:
                weights = merged_state(weights, config.system.vision_lora)
        dropped = (
            *(("language_model.",) if merge else ()),
            *(tuple(f"sources.{source}." for source in _INDEX_SOURCES) if without_data else ()),
        )
        save_file(
            {k: v for k, v in weights.items() if not k.startswith(dropped)} if dropped else weights, folder / WEIGHTS
        )
        write_text(folder / SETTINGS, dump_config(settings))
        reference = _reference(run, folder, settings)
        write_text(folder / REFERENCE, json.dumps(reference, indent=2, sort_keys=True) + "\n")
        _copy_texts(run, folder)
        _clean_json(folder)
        kept = {path.name: path for path in sorted((folder / ARTEFACTS).iterdir())}
        patients = manifest.details.get("training", {}).get("patients")
        survey = survey_patient_data(kept, patients=patients, directory=folder)
        removals = manifest.details.get("removals", [])
        section = privacy_section(survey, no_longer_works=broken, removals=removals)
        card = replace_section((run / CARD).read_text(encoding="utf-8"), section)
        named = re.search(r"^base_model: (.+)$", card, flags=re.MULTILINE)
        card = card.replace(named.group(1), str(reference["path"])) if named else card
        write_text(folder / CARD, replace_section(card, _export_section(merge, without_data, left_out, reference)))
        details = {name: value for name, value in manifest.details.items() if name not in ("artefacts", "removals")}
        if removals:
            shown = ("date", "patients", "studies", "patterns")
            details["removals"] = [
                {name: value for name, value in removal.items() if name in shown or not without_data}
                for removal in removals
            ]
        dataclasses.replace(
            manifest,
            producer=producer,
            contains_patient_text=any(part.text for part in survey),
            details={
                **details,
                "weights_hash": file_hash(folder / WEIGHTS),
                "artefacts": {name: tree_hash(path) for name, path in kept.items()},
                "patient_data": as_details(survey),
                "export": {
                    "merged": merge or bool(earlier.get("merged")),
                    "without_data": without_data or bool(earlier.get("without_data")),
                    "left_out": list(left_out),
                    "no_longer_works": list(broken),
                    "of_weights": manifest.details.get("weights_hash"),
                },
            },
        ).write(folder)
        searched = 0
        if without_data:
            studies, owners = identifiers(artefacts)
            texts = {*known_texts, *told_sentences(artefacts)}
            searched = _search(folder, out=out, texts=texts, names={*known_identifiers, *studies, *owners})
    notes = _notes(survey, merged=merge, reference=reference, without_data=without_data)
    return Export(directory=out, left_out=left_out, no_longer_works=broken, searched=searched, notes=notes)


def _check_out(run: Path, out: Path) -> None:
    if out.is_symlink() or (out.exists() and (not out.is_dir() or next(out.iterdir(), None) is not None)):
        raise UserError("The export's directory exists already", where=str(out), next_step="choose another --out")
    inside = out.resolve().is_relative_to(run.resolve()) or run.resolve().is_relative_to(out.resolve())
    if inside:
        raise UserError("An export cannot lie in the run, nor the run in it", where=str(out))


def _losses(config: RunConfig, artefacts: dict[str, Path]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    left_out: list[str] = []
    broken: list[str] = []
    if "index" in artefacts or config.system.searches:
        left_out.append("the index of training studies, with its study and patient identifiers")
        broken += [
            "`llmrg index search` and `llmrg index info`: there is no index.",
            "Retrieved context: reports are written without it, and their records name no similar studies. The figures "
            "above were measured with it; measure this export anew with `llmrg benchmark`.",
        ]
    if "context" in artefacts:
        left_out.append("the context studies and their vectors, with study and patient identifiers")
        broken.append(
            "Context residuals: reports are written without them. The figures above were measured with them; measure "
            "this export anew with `llmrg benchmark`."
        )
    if "memory" in artefacts:
        left_out.append("study and patient identifiers of remembered patterns")
        broken += [
            "Records of the memories name a finding and a number in place of the training study.",
            "Remembered patterns of a patient can no longer be kept from answering for that same patient: do not "
            "measure this export on patients of the training split.",
            "`llmrg remove-patient`: nothing tells which patterns are whose; use it on the run and export again.",
        ]
    return tuple(left_out), tuple(broken)


def _exported_config(config: RunConfig, *, merge: bool, without_data: bool) -> RunConfig:
    system = config.system
    language = dataclasses.replace(system.language_model, path=model_name(system.language_model.path))
    if merge:
        own = LanguageModelConfig(path=EMBEDDED, tuning="frozen", dtype=language.dtype)
        language = dataclasses.replace(own, gradient_checkpointing=language.gradient_checkpointing)
    if merge and system.vision_lora is not None:
        system = dataclasses.replace(system, vision_lora=None, variant=None)
    vision = dataclasses.replace(system.vision, pretrained=False, checkpoint=None)
    evidence, prompt = system.evidence, system.prompt
    if without_data:
        sources = tuple(source for source in evidence.sources if source not in _INDEX_SOURCES)
        evidence = dataclasses.replace(evidence, sources=sources)
        if isinstance(prompt, PromptConfig):
            prompt = _without_source(prompt)
        elif prompt is not None:
            prompt = {code: _without_source(own) for code, own in prompt.items()}
    system = dataclasses.replace(system, language_model=language, vision=vision, evidence=evidence, prompt=prompt)
    return dataclasses.replace(config, system=system, data=_without_places(config.data))


def _gated(name: str) -> str | None:
    """The source whose gate a weight is; None for other weights."""
    return name.removeprefix("gates.logits.") if name.startswith("gates.logits.") else None


def _without_source(prompt: PromptConfig) -> PromptConfig:
    segments = tuple(segment for segment in prompt.segments if segment.source not in _INDEX_SOURCES)
    said = (segment for segment in segments if "retrieved_context" not in segment.names)  # its words, too
    return dataclasses.replace(prompt, segments=tuple(said))


def _without_places(data: Any) -> Any:
    """A configuration of data (of one dataset or of several) without the paths where they lay."""
    changed: dict[str, Any] = {}
    for field in dataclasses.fields(data):
        value = getattr(data, field.name)
        if isinstance(value, Path):
            changed[field.name] = Path(NOT_EXPORTED) if field.default is dataclasses.MISSING else field.default
        elif isinstance(value, tuple) and any(isinstance(item, Path) for item in value):
            changed[field.name] = ()
        elif dataclasses.is_dataclass(value):
            changed[field.name] = _without_places(value)
        elif isinstance(value, Mapping) and all(dataclasses.is_dataclass(item) for item in value.values()):
            changed[field.name] = {name: _without_places(item) for name, item in value.items()}
    return dataclasses.replace(data, **changed)


def _copy_artefacts(artefacts: dict[str, Path], folder: Path, *, merge: bool, without_data: bool) -> None:
    folder.mkdir()
    for name, path in artefacts.items():
        if (merge and name == "language_model") or (without_data and name in ("index", "context")):
            continue
        if without_data and name == "memory":
            _copy_memory(path, folder / name)
        else:
            shutil.copytree(path, folder / name)


def _copy_memory(source: Path, target: Path) -> None:
    manifest = read_manifest(source)
    with atomic_directory(target) as folder:
        details = {**manifest.details, "identifiers_withheld": True}
        details.pop("removals", None)
        for name in MEMORIES:
            if f"{name}_hash" in details:
                MemoryBank.load(source, name, sha256=details[f"{name}_hash"]).anonymous().save(folder, name)
                details[f"{name}_hash"] = file_hash(folder / f"{name}.safetensors")
        dataclasses.replace(manifest, details=details).write(folder)


def _write_merged(
    run: Path, folder: Path, config: RunConfig, weights: dict[str, Any], place: str | None, manifest: Manifest
) -> None:
    settings = config.system.language_model
    path = place or base_model_path(run, settings.path)
    prefix = "language_model."
    own = {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
    base = read_reference(run)
    with atomic_directory(folder / ARTEFACTS / "language_model") as target:
        merge_language_model(dataclasses.replace(settings, path=path), own, target, reference=base)
        Manifest(
            kind="language_model",
            producer="llmrg export --merge",
            configuration={"base": {**base, "path": model_name(str(base.get("path")))}, "tuning": settings.tuning},
            split_hash=manifest.split_hash,
            languages=manifest.languages,
            contains_patient_text=settings.path == EMBEDDED
            and read_manifest(run / ARTEFACTS / "language_model").contains_patient_text,
            details={"weights": _weights_hash(target)},
        ).write(target)


def _weights_hash(folder: Path) -> str:
    return tree_hash(folder, suffixes=(".safetensors",))


def _reference(run: Path, folder: Path, settings: RunConfig) -> dict[str, str | None]:
    """What ``language_model.json`` of the export states."""
    if settings.system.language_model.path != EMBEDDED:
        base = read_reference(run)
        return {**base, "path": model_name(str(base.get("path")))}
    place = folder / ARTEFACTS / "language_model"
    found = weights_reference(dataclasses.replace(settings.system.language_model, path=str(place)))
    return {**found, "path": f"{ARTEFACTS}/language_model"}


def _copy_texts(run: Path, folder: Path) -> None:
    if (run / "log.json").is_file():
        shutil.copyfile(run / "log.json", folder / "log.json")
    if (run / "train.yaml").is_file():
        values = without_paths(load_mapping(run / "train.yaml"))
        write_text(folder / "train.yaml", OmegaConf.to_yaml(OmegaConf.create(values)))


def _clean_json(folder: Path) -> None:
    """Take paths out of manifests and settings that were copied."""
    names = ("manifest.json", "config.json", "encoder.json", "tokenizer_config.json", "generation_config.json")
    for path in sorted(path for path in folder.rglob("*.json") if path.name in names):
        if (path.parent / "index.faiss").is_file():
            continue  # it is sealed by its own marker, and holds no path
        values = json.loads(path.read_text(encoding="utf-8"))
        values.pop("_name_or_path", None)
        values.pop("name_or_path", None)
        cleaned = without_paths(values)
        if cleaned != values or "_name_or_path" in path.read_text(encoding="utf-8"):
            write_text(path, json.dumps(cleaned, ensure_ascii=False, indent=2, sort_keys=True) + "\n")


def _export_section(merge: bool, without_data: bool, left_out: Sequence[str], reference: dict[str, str | None]) -> str:
    lines = ["## Export", "This is an export of a run, made with `llmrg export`."]
    if merge:
        lines.append("What the language model learnt is merged into its weights; it needs no other model.")
    elif reference["path"] != f"{ARTEFACTS}/language_model":
        lines.append(
            f"It needs the base language model {reference['path']} (revision {reference['revision']}, sha256 of its "
            f"weights' hashes `{reference['weights']}`); name its place with `--language-model`."
        )
    lines.append("Paths of the machine it was trained on are left out.")
    if without_data:
        lines.append("Left out: " + ("; ".join(left_out) if left_out else "nothing, it held no patient data") + ".")
    return "\n".join(lines) + "\n"


def _search(folder: Path, *, out: Path, texts: Collection[str], names: Collection[str]) -> int:
    needles = Needles(words=texts, identifiers=names)
    found = scan_directory(folder, needles)
    if found:
        raise UserError(
            "The export was not written: words of training reports, or identifiers of studies or patients, were found "
            f"in {', '.join(found[:5])}{' and others' if len(found) > 5 else ''}",
            where=str(out),
            next_step="look for them in the prompt and the names of the configuration, or report this as a defect",
        )
    return len(needles)


def _notes(
    survey: Sequence[PatientData], *, merged: bool, reference: dict[str, str | None], without_data: bool
) -> tuple[str, ...]:
    notes = []
    told = f"{ARTEFACTS}/index"
    texts = [part.where for part in survey if part.text and part.where != told]
    names = [part.where for part in survey if part.identifiers]
    if any(part.text and part.where == told for part in survey):
        notes.append(f"{told} holds sentences of training reports; --without-data leaves them out.")
    if texts:
        notes.append(
            f"{', '.join(texts)}: the embedded language model learnt from the training reports alone. Its vocabulary "
            "is cut out of them and it can recite them; a run of a published language model does not have this."
        )
    if names:
        notes.append(f"{', '.join(names)} hold study and patient identifiers; --without-data leaves them out.")
    if not merged and reference["path"] != f"{ARTEFACTS}/language_model":
        notes.append(f"It needs the base language model {reference['path']}, which is not part of it.")
    if without_data:
        notes.append("Weights may still have memorised phrases of training reports; no search can rule that out.")
    return tuple(notes)
