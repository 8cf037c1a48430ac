"""The files of mined regions: their bank, and where each region lies on its film."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmrg.artefacts import MANIFEST, file_hash, read_manifest, write_text
from llmrg.errors import UserError
from llmrg.evidence.memory_bank import MemoryBank

__all__ = ["BANK", "MinedArtefactFiles", "save_regions_bank"]

BANK = "regions"
PLACES = "places.jsonl"


def save_regions_bank(bank: MemoryBank, places: Sequence[Mapping[str, Any]], directory: Path) -> None:
    """Write the bank ``regions``, and ``places.jsonl`` with film, cell, box and strength of each of its rows."""
    bank.save(directory, BANK)
    lines = (json.dumps({"row": row, **place}) + "\n" for row, place in enumerate(places))
    write_text(directory / PLACES, "".join(lines))


@dataclass(frozen=True, kw_only=True)
class MinedArtefactFiles:
    """An artefact ``activation_maps`` as it lies on disk.

    Args:
        directory: of the artefact.
        details: of its manifest.
        bank: its regions; None where there are none.
        places: where each lies, without the row.
    """

    directory: Path
    details: Mapping[str, Any]
    bank: MemoryBank | None
    places: Sequence[Mapping[str, Any]]

    @classmethod
    def read(cls, directory: Path) -> MinedArtefactFiles:
        """Read an artefact.

        Raises:
            UserError: incomplete, damaged, or of another kind.
        """
        manifest = read_manifest(directory)
        manifest.require(kind="activation_maps", where=directory)
        if not manifest.details.get("regions"):
            return cls(directory=directory, details=manifest.details, bank=None, places=())
        bank = MemoryBank.load(directory, BANK, sha256=manifest.details.get(f"{BANK}_hash"))
        try:
            rows = [json.loads(line) for line in (directory / PLACES).read_text(encoding="utf-8").splitlines()]
            places = [{name: value for name, value in row.items() if name != "row"} for row in rows]
        except (OSError, ValueError, AttributeError) as error:
            raise UserError("The places of the regions cannot be read", where=str(directory / PLACES)) from error
        if len(places) != len(bank.patterns):
            raise UserError("The places of the regions do not belong to them", where=str(directory / PLACES))
        return cls(directory=directory, details=manifest.details, bank=bank, places=places)

    def count(self, patients: Collection[str]) -> int:
        """Count the regions of some patients."""
        return sum(pattern.patient_id in patients for pattern in self.bank.patterns) if self.bank is not None else 0

    def save_without(self, folder: Path, patients: Collection[str]) -> dict[str, Any]:
        """Write all files but the manifest into a folder, without the regions of some patients.

        Returns:
            The details of the manifest that change.
        """
        own = (PLACES, f"{BANK}.jsonl", f"{BANK}.safetensors", MANIFEST)
        for path in self.directory.iterdir():
            if path.is_file() and path.suffix and path.name not in own:
                shutil.copy2(path, folder / path.name)
        patterns = self.bank.patterns if self.bank is not None else ()
        rows = [row for row, pattern in enumerate(patterns) if pattern.patient_id not in patients]
        kept = Counter(patterns[row].finding for row in rows)
        counts = {name: {**count, "kept": kept[name]} for name, count in self.details.get("counts", {}).items()}
        changed: dict[str, Any] = {"regions": len(rows), "counts": counts}
        if self.bank is not None and rows:
            save_regions_bank(self.bank.without_patients(patients), [self.places[row] for row in rows], folder)
            changed[f"{BANK}_hash"] = file_hash(folder / f"{BANK}.safetensors")
        return changed
