"""What a run holds of its patients: stated in its manifest and on its model card."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from llmrg.artefacts import Manifest, read_manifest
from llmrg.evidence.key_sentences import SENTENCES
from llmrg.evidence.memory_bank import NOBODY
from llmrg.systems.training_words import SHORTEST

__all__ = [
    "IMAGE_SUFFIXES",
    "PatientData",
    "as_details",
    "identifiers",
    "privacy_section",
    "read_lines",
    "replace_section",
    "survey_patient_data",
    "told_sentences",
]

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".dcm", ".dicom", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".npy")
MEMORIES = ("visual_memory", "report_memory")


@dataclass(frozen=True, kw_only=True)
class PatientData:
    """What one part of a run holds of patients.

    Args:
        where: file or folder, relative to the run.
        holds: what it is, in words.
        text: whether words of reports can be read from its files.
        identifiers: whether study or patient identifiers can be read from its files.
        images: whether films, or pictures made of them, lie there.
        patients: of how many patients; None where that is not known.
    """

    where: str
    holds: str
    text: bool = False
    identifiers: bool = False
    images: bool = False
    patients: int | None = None


def survey_patient_data(
    artefacts: Mapping[str, Path], *, patients: int | None, directory: Path | None = None
) -> list[PatientData]:
    """List the parts of a run that hold something of patients.

    Args:
        artefacts: the artefacts of the run, by name.
        patients: patients of the training split, whose films and reports the weights have seen.
        directory: the run itself, if it is written already; it is searched for pictures.
    """
    withheld = {name: _is_withheld(path) for name, path in artefacts.items()}
    found = [
        PatientData(
            where="model.safetensors",
            holds="weights trained on films and reports; they may have memorised phrases, and nobody can rule that out",
            patients=patients,
        )
    ]
    if "language_model" in artefacts:
        manifest = read_manifest(artefacts["language_model"])
        if manifest.contains_patient_text:
            holds = (
                "a vocabulary cut out of the training reports (pieces of a few characters) and weights that learnt "
                "from these reports alone and can recite them"
            )
        else:
            holds = "weights with what was learnt from the training reports merged into them"
        found.append(
            PatientData(
                where="artefacts/language_model", holds=holds, text=manifest.contains_patient_text, patients=patients
            )
        )
        if manifest.contains_patient_text:
            found.append(
                PatientData(where="tokenizer", holds="the same vocabulary once more", text=True, patients=patients)
            )
    if "disease_classifier" in artefacts:
        found.append(
            PatientData(
                where="artefacts/disease_classifier",
                holds="weights trained on films and on the findings of their reports",
                patients=patients,
            )
        )
    if "memory" in artefacts:
        named = withheld["memory"]
        found.append(
            PatientData(
                where="artefacts/memory",
                holds="vectors of films and of report sentences of single studies, each with its finding"
                + ("; studies and patients are withheld" if named else " and with study and patient identifiers"),
                identifiers=not named,
                patients=None if named else len(identifiers({"memory": artefacts["memory"]})[1]),
            )
        )
    if "context" in artefacts:
        found.append(
            PatientData(
                where="artefacts/context",
                holds="study and patient identifiers of context studies, their role, and vectors of their films",
                identifiers=True,
                patients=len(identifiers({"context": artefacts["context"]})[1]),
            )
        )
    if "index" in artefacts:
        told = read_manifest(artefacts["index"]).contains_patient_text
        found.append(
            PatientData(
                where="artefacts/index",
                holds="study and patient identifiers, findings, and vectors of films and reports of single studies"
                + (", and sentences of their reports" if told else ""),
                text=told,
                identifiers=True,
                patients=len(identifiers({"index": artefacts["index"]})[1]),
            )
        )
    if directory is not None:
        pictures = [path for path in directory.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES]
        for folder in sorted({path.parent.relative_to(directory).as_posix() for path in pictures}):
            found.append(PatientData(where=folder, holds="pictures of films", images=True))
    return found


def identifiers(artefacts: Mapping[str, Path]) -> tuple[set[str], set[str]]:
    """Return the study and the patient identifiers that memory, context and index hold."""
    studies: set[str] = set()
    patients: set[str] = set()
    if "memory" in artefacts and not _is_withheld(artefacts["memory"]):
        for name in MEMORIES:
            for row in read_lines(artefacts["memory"] / f"{name}.jsonl"):
                if row["patient_id"] != NOBODY:
                    studies.add(str(row["study_id"]))
                    patients.add(str(row["patient_id"]))
    if "context" in artefacts:
        for row in read_lines(artefacts["context"] / "context.jsonl"):
            studies.add(str(row["study_id"]))
            patients.add(str(row["patient_id"]))
    if "activation_maps" in artefacts:
        for row in read_lines(artefacts["activation_maps"] / "regions.jsonl"):
            studies.add(str(row["study_id"]))
            patients.add(str(row["patient_id"]))
    if "index" in artefacts:
        for row in read_lines(artefacts["index"] / "faiss" / "records.jsonl"):
            studies.add(str(row["id"]))
            patients.add(str(row["patient"]))
    return studies, patients


def told_sentences(artefacts: Mapping[str, Path]) -> set[str]:
    """Return the sentences of training reports that the index holds, but for phrases that anybody writes."""
    if "index" not in artefacts:
        return set()
    return {
        text
        for row in read_lines(artefacts["index"] / SENTENCES)
        for text, _ in row["sentences"]
        if len(text) >= SHORTEST.get(row["language"], 0)
    }


def privacy_section(
    found: Sequence[PatientData], *, no_longer_works: Sequence[str] = (), removals: Collection[Mapping[str, Any]] = ()
) -> str:
    """Write the card's section on privacy.

    Args:
        found: see :func:`survey_patient_data`.
        no_longer_works: what an export without data cannot do any more.
        removals: of the run's manifest, see :mod:`llmrg.systems.removal`.
    """
    texts = [part.where for part in found if part.text]
    names = [part.where for part in found if part.identifiers]
    pictures = [part.where for part in found if part.images]
    said = [
        f"**Holds patient text**: {', '.join(texts)}." if texts else "No file holds text of reports.",
        f"**Holds study and patient identifiers**: {', '.join(names)}."
        if names
        else "No file holds a study or patient identifier.",
        f"**Holds pictures of films**: {', '.join(pictures)}." if pictures else "No file holds a film.",
    ]
    rows = "\n".join(
        f"| `{part.where}` | {part.holds} | {'not stated' if part.patients is None else part.patients} |"
        for part in found
    )
    parts = ["## Privacy", " ".join(said), f"| where | what | patients |\n|---|---|---|\n{rows}"]
    if no_longer_works:
        parts.append(
            "Patient data were left out of this export. What no longer works:\n"
            + "\n".join(f"- {line}" for line in no_longer_works)
        )
    if removals:
        count = sum(int(removal["patients"]) for removal in removals)
        dates = ", ".join(sorted({str(removal["date"]) for removal in removals}))
        parts.append(
            f"{count} {'patient was' if count == 1 else 'patients were'} removed from memory and index after training "
            f"({dates}). **The weights were not changed and may still remember them**; only a training without them "
            "forgets."
        )
    return "\n\n".join(parts) + "\n"


def as_details(found: Sequence[PatientData]) -> list[dict[str, Any]]:
    """Return a survey as a manifest holds it."""
    return [asdict(part) for part in found]


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Read JSON Lines; a file that does not exist has none."""
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_bytes().decode("utf-8", "surrogatepass").split("\n") if line]


def replace_section(card: str, section: str) -> str:
    """Put a section in the place of the card's section of the same heading, or before ``## Use``, or at the end."""
    heading = section.split("\n", 1)[0]
    blocks = _sections(card)
    for place, block in enumerate(blocks):
        if block.split("\n", 1)[0] == heading:
            blocks[place] = section.rstrip("\n") + "\n\n"
            return "".join(blocks).rstrip("\n") + "\n"
    place = next((number for number, block in enumerate(blocks) if block.startswith("## Use")), len(blocks))
    blocks.insert(place, section.rstrip("\n") + "\n\n")
    return "".join(blocks).rstrip("\n") + "\n"


def _sections(card: str) -> list[str]:
    blocks = [""]
    for line in card.splitlines(keepends=True):
        if line.startswith("## "):
            blocks.append("")
        blocks[-1] += line
    return blocks


def _is_withheld(path: Path) -> bool:
    manifest: Manifest = read_manifest(path)
    return bool(manifest.details.get("identifiers_withheld"))
