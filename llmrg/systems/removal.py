"""Remove patients from what a run (or a folder of artefacts) remembers: its memory and its index.

The manifest keeps that a removal took place: date, counts, and of each patient a salted scrypt hash, by which whoever
knows the identifier can show that it was removed, and from which nobody can read it.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmrg.artefacts import (
    COMPLETE,
    Manifest,
    atomic_directory,
    file_hash,
    is_complete,
    read_manifest,
    tree_hash,
    write_text,
)
from llmrg.errors import UserError
from llmrg.evidence.context_store import ContextStore
from llmrg.evidence.memory_bank import MemoryBank
from llmrg.evidence.mined_regions import MinedArtefactFiles
from llmrg.systems.build import MEMORIES
from llmrg.systems.context import CONTEXT
from llmrg.systems.privacy import (
    as_details,
    identifiers,
    privacy_section,
    replace_section,
    survey_patient_data,
)
from llmrg.systems.run import ARTEFACTS, CARD, read_run

__all__ = ["REMINDER", "Removal", "remove_patients", "was_removed"]

REMINDER = (
    "Weights were not changed: the language model and the encoder may still remember these patients. Only a training "
    "without them forgets. Copies elsewhere (the training's artefacts folder, exports, predictions, prepared films) "
    "were not touched."
)
_KINDS = ("memory", "activation_maps", "index", "context")


@dataclass(frozen=True, kw_only=True)
class Removal:
    """What :func:`remove_patients` did.

    Args:
        patients: removed now.
        before: of those named, removed by an earlier command.
        studies: records of the index that were removed.
        patterns: remembered patterns that were removed.
        leftovers: folders beside it, left by commands that were stopped, which may hold an older state.
    """

    patients: int
    before: int
    studies: int
    patterns: int
    leftovers: tuple[str, ...]


def remove_patients(folder: str | Path, patients: Sequence[str]) -> Removal:
    """Remove patients from a run, an artefact (memory, index, ...), or a folder of artefacts; whole or not at all.

    Running it again changes nothing.

    Args:
        folder: where.
        patients: their identifiers.

    Raises:
        UserError: nothing here remembers patients, a patient is unknown (nothing is removed then), or a memory would
            be left empty.
    """
    folder = Path(folder)
    artefacts, rewrite = _parts(folder)
    if not artefacts:
        raise UserError(
            "Nothing here remembers patients: it is neither a run with a memory or an index, nor one of these, nor a "
            "folder of them",
            where=str(folder),
        )
    manifests = [read_manifest(path) for path in artefacts.values()]
    if any(manifest.details.get("identifiers_withheld") for manifest in manifests):
        raise UserError(
            "This run was exported without data: nothing tells which patterns are whose",
            where=str(folder),
            next_step="remove the patient from the run it was exported from, and export that again",
        )
    wanted = list(dict.fromkeys(patients))
    removals = [removal for manifest in manifests for removal in manifest.details.get("removals", [])]
    known = identifiers(artefacts)[1]
    present = [patient for patient in wanted if patient in known]
    gone = [patient for patient in wanted if patient not in known and was_removed(patient, removals)]
    unknown = [place for place, patient in enumerate(wanted, 1) if patient not in known and patient not in gone]
    if unknown:
        raise UserError(
            f"{len(unknown)} of the {len(wanted)} patients named are not in the memory or index, by place: "
            + ", ".join(map(str, unknown)),
            where=str(folder),
            next_step="check the identifiers, letter by letter; nothing was removed",
        )
    if not present:
        return Removal(patients=0, before=len(gone), studies=0, patterns=0, leftovers=_leftovers(folder, artefacts))
    plan = {name: _plan(name, path, present) for name, path in artefacts.items()}  # refuses before anything is written
    entry = _entry(present, plan)
    rewrite(plan, entry)
    return Removal(
        patients=len(present),
        before=len(gone),
        studies=entry["studies"],
        patterns=entry["patterns"],
        leftovers=_leftovers(folder, artefacts),
    )


def was_removed(patient: str, removals: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether a patient is among the removals that a manifest states."""
    return any(
        _digest(patient, str(removal["salt"])) in removal["hashes"] for removal in removals if "hashes" in removal
    )


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """One artefact without some patients.

    Args:
        manifest: its manifest, but for the note of the removal.
        save: writes its files into a folder and returns the details that change.
        removed: records or patterns that go.
    """

    manifest: Manifest
    save: Callable[[Path], dict[str, Any]]
    removed: int


_Plans = Mapping[str, _Plan]


def _parts(folder: Path) -> tuple[dict[str, Path], Callable[[_Plans, dict[str, Any]], None]]:
    if is_complete(folder):
        manifest = read_manifest(folder)
        if manifest.kind == "run":
            read_run(folder)
            artefacts = {name: folder / ARTEFACTS / name for name in _KINDS if (folder / ARTEFACTS / name).is_dir()}
            return artefacts, lambda plans, entry: _rewrite_run(folder, plans, entry)
        artefacts = {manifest.kind: folder} if manifest.kind in _KINDS else {}
    else:
        artefacts = {name: folder / name for name in _KINDS if is_complete(folder / name)}

    def rewrite(plans: _Plans, entry: dict[str, Any]) -> None:
        for name, path in artefacts.items():
            with atomic_directory(path) as target:
                _write_artefact(plans[name], target, entry)

    return artefacts, rewrite


def _plan(kind: str, path: Path, patients: Sequence[str]) -> _Plan:
    if kind == "index":
        store, manifest = ContextStore.load(path)
        kept = store.without_patients(patients)
        return _Plan(
            manifest=manifest,
            save=lambda folder: {"tensors_hash": kept.save(folder), "studies": len(kept.index)},
            removed=len(store.index) - len(kept.index),
        )
    manifest = read_manifest(path)
    if kind == "activation_maps":
        regions = MinedArtefactFiles.read(path)
        return _Plan(
            manifest=manifest,
            save=lambda folder: regions.save_without(folder, patients),
            removed=regions.count(patients),
        )
    banks: dict[str, MemoryBank] = {}
    removed = 0
    for name in (*MEMORIES, CONTEXT):
        if f"{name}_hash" not in manifest.details:
            continue
        bank = MemoryBank.load(path, name, sha256=manifest.details[f"{name}_hash"])
        try:
            banks[name] = bank.without_patients(patients)
        except ValueError as error:
            raise UserError(
                f"The {name} would be left without a pattern; nothing was removed",
                where=str(path),
                next_step="train again without these patients, and delete this run",
            ) from error
        removed += len(bank.patterns) - len(banks[name].patterns)

    def save(folder: Path) -> dict[str, Any]:
        details: dict[str, Any] = {}
        for name, bank in banks.items():
            bank.save(folder, name)
            details[f"{name}_hash"] = file_hash(folder / f"{name}.safetensors")
            details[f"{name}_patterns"] = len(bank.patterns)
        return details

    return _Plan(manifest=manifest, save=save, removed=removed)


def _write_artefact(plan: _Plan, folder: Path, entry: dict[str, Any]) -> None:
    details = {**plan.manifest.details, **plan.save(folder)}
    details["removals"] = [*details.get("removals", []), entry]
    dataclasses.replace(plan.manifest, details=details).write(folder)


def _rewrite_run(run: Path, plans: _Plans, entry: dict[str, Any]) -> None:
    manifest = read_manifest(run)
    with atomic_directory(run) as folder:
        for path in sorted(run.rglob("*")):
            relative = path.relative_to(run)
            changed = relative.parts[:1] == (ARTEFACTS,) and relative.parts[1:2] and relative.parts[1] in plans
            if changed or str(relative) == COMPLETE:
                continue
            if path.is_dir():
                (folder / relative).mkdir()
            else:
                _link_or_copy(path, folder / relative)
        for name, plan in plans.items():
            with atomic_directory(folder / ARTEFACTS / name) as target:
                _write_artefact(plan, target, entry)
        kept = {name: folder / ARTEFACTS / name for name in manifest.details.get("artefacts", {})}
        removals = [*manifest.details.get("removals", []), entry]
        survey = survey_patient_data(
            kept, patients=manifest.details.get("training", {}).get("patients"), directory=folder
        )
        broken = manifest.details.get("export", {}).get("no_longer_works", [])
        section = privacy_section(survey, no_longer_works=broken, removals=removals)
        write_text(folder / CARD, replace_section((run / CARD).read_text(encoding="utf-8"), section))
        details = {
            **manifest.details,
            "artefacts": {name: tree_hash(path) for name, path in kept.items()},
            "patient_data": as_details(survey),
            "removals": removals,
        }
        dataclasses.replace(manifest, details=details).write(folder)


def _link_or_copy(source: Path, target: Path) -> None:
    """Give an unchanged file a second name where the disk allows it; nothing writes into such a file afterwards."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _entry(patients: Sequence[str], plans: _Plans) -> dict[str, Any]:
    salt = secrets.token_hex(16)
    return {
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "patients": len(patients),
        "studies": sum(plan.removed for name, plan in plans.items() if name == "index"),
        "patterns": sum(plan.removed for name, plan in plans.items() if name != "index"),
        "salt": salt,
        "hashes": sorted(_digest(patient, salt) for patient in patients),
    }


def _digest(patient: str, salt: str) -> str:
    """A slow hash, for identifiers are short and could be guessed (scrypt, RFC 7914)."""
    content = patient.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(content, salt=bytes.fromhex(salt), n=2**14, r=8, p=1, dklen=32).hex()


def _leftovers(folder: Path, artefacts: Mapping[str, Path]) -> tuple[str, ...]:
    found: set[str] = set()
    for path in {folder, *artefacts.values()}:
        for prefix in (f".old-{path.name}-", f".tmp-{path.name}-"):
            found |= {str(other) for other in path.parent.glob(f"{prefix}*") if other.is_dir()}
    return tuple(sorted(found))
