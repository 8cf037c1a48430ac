"""The retrieval index of training studies with what the decoder is told of each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from llmrg.artefacts import Manifest, file_hash, read_manifest
from llmrg.errors import UserError
from llmrg.evidence.key_sentences import KeySentences
from retrieval_index import RetrievalIndex
from retrieval_index.errors import RetrievalIndexError

__all__ = ["ContextStore"]

INDEX = "faiss"
TENSORS = "context.safetensors"
SENTENCES_HASH = "sentences_sha256"
REBUILD = "build it again with llmrg index build"


@dataclass(frozen=True, kw_only=True)
class ContextStore:
    """Training studies that can be retrieved.

    Legend: N indexed studies, D width of pooled visual vectors, R width of report vectors, F findings, C neighbours.

    Args:
        index: vectors and records (id, patient, labels) of the N studies.
        visual: [N, D] pooled vectors of the frozen encoder.
        reports: [N, R] vectors of their reports.
        labels: [N, F] bool, findings their reports state.
        neighbours: [N, C] rows of each study's nearest studies of other patients, -1 where there are fewer.
        similarities: [N, C] their similarities.
        sentences: N rows of key sentences, or None where retrieved studies are told in vectors alone.

    Raises:
        ValueError: not one row a record.
    """

    index: RetrievalIndex
    visual: Tensor
    reports: Tensor
    labels: Tensor
    neighbours: Tensor
    similarities: Tensor
    sentences: KeySentences | None = None

    def __post_init__(self) -> None:
        counts = {len(rows) for rows in (self.visual, self.reports, self.labels, self.neighbours, self.similarities)}
        if self.sentences is not None:
            counts.add(len(self.sentences))
        if counts != {len(self.index)}:
            raise ValueError(f"{len(self.index)} records, but {sorted(counts)} rows")

    def save(self, directory: Path) -> str:
        """Write into ``directory``; return the hash of the tensors."""
        self.index.save(directory / INDEX)
        tensors = {
            "visual": self.visual,
            "reports": self.reports,
            "labels": self.labels.to(torch.uint8),
            "neighbours": self.neighbours,
            "similarities": self.similarities,
        }
        sealed = {SENTENCES_HASH: self.sentences.save(directory)} if self.sentences is not None else None
        save_file(
            {name: tensor.contiguous().cpu() for name, tensor in tensors.items()}, directory / TENSORS, metadata=sealed
        )
        return file_hash(directory / TENSORS)

    @classmethod
    def load(cls, directory: str | Path) -> tuple[ContextStore, Manifest]:
        """Read an ``index`` artefact.

        Raises:
            UserError: incomplete, damaged, or of another kind.
        """
        directory = Path(directory)
        manifest = read_manifest(directory)
        manifest.require(kind="index", where=directory)
        try:
            if file_hash(directory / TENSORS) != manifest.details.get("tensors_hash"):
                raise UserError("The index is damaged: its hash differs from its manifest's", where=str(directory))
            index = RetrievalIndex.load(directory / INDEX, encoder_hash=manifest.encoder_hash)
            tensors = load_file(directory / TENSORS)
            with safe_open(directory / TENSORS, framework="pt") as file:
                digest = (file.metadata() or {}).get(SENTENCES_HASH)
            store = cls(
                index=index,
                visual=tensors["visual"],
                reports=tensors["reports"],
                labels=tensors["labels"].bool(),
                neighbours=tensors["neighbours"],
                similarities=tensors["similarities"],
                sentences=KeySentences.load(directory, sha256=digest) if digest is not None else None,
            )
        except RetrievalIndexError as error:
            raise UserError(str(error), where=str(directory), next_step=REBUILD) from error
        except (OSError, KeyError, ValueError, SafetensorError) as error:
            raise UserError(
                f"The index cannot be read: {type(error).__name__}", where=str(directory), next_step=REBUILD
            ) from error
        return store, manifest

    def without_patients(self, patients: Collection[str]) -> ContextStore:
        """Return the store as if some patients had never been indexed.

        Rows close up; studies that had one of the removed ones among their neighbours are searched again, with the
        vectors as the index stores them (of an ``ivf_pq`` index: approximately).
        """
        index = self.index.copy()
        keep = torch.tensor([record.patient not in patients for record in self.index.records], dtype=torch.bool)
        for patient in patients:
            index.remove_patient(patient)
        new_row = torch.where(keep, keep.long().cumsum(0) - 1, -1)
        old = self.neighbours[keep]
        rows = torch.where(old >= 0, new_row[old.clamp(min=0)], -1) if old.numel() else old.clone()
        similarities = self.similarities[keep].clone()
        lost = ((rows < 0) & (old >= 0)).any(dim=1).nonzero().flatten()
        if len(lost):
            vectors = torch.from_numpy(index.stored_vectors())[lost]
            owners = [index.records[row].patient for row in lost.tolist()]
            rows[lost], similarities[lost] = _search(index, vectors, old.shape[1], owners)
        return ContextStore(
            index=index,
            visual=self.visual[keep].clone(),
            reports=self.reports[keep].clone(),
            labels=self.labels[keep].clone(),
            neighbours=rows,
            similarities=similarities,
            sentences=None if self.sentences is None else self.sentences.select(keep.nonzero().flatten().tolist()),
        )

    def search(self, vectors: Tensor, k: int, *, patients: list[str]) -> tuple[Tensor, Tensor]:
        """Find the nearest studies of other patients.

        Args:
            vectors: [Q, W] retrieval vectors (:func:`llmrg.evidence.encoder.retrieval_vectors`).
            k: how many.
            patients: the patient of each query, never returned; nor is a patient of a mixture's index whose identifier
                is this one with a member's name before it (``MEMBER:ID``), for it may be the same person.

        Returns:
            Rows [Q, k] (-1 where there are fewer) and similarities [Q, k].
        """
        return _search(self.index, vectors, k, [{patient, *self._members_of.get(patient, ())} for patient in patients])

    @cached_property
    def _members_of(self) -> dict[str, set[str]]:
        """Patients of the index that are called ``MEMBER:ID``, by their ID."""
        found: dict[str, set[str]] = {}
        for record in self.index.records:
            member, colon, patient = record.patient.partition(":")
            if member and colon:
                found.setdefault(patient, set()).add(record.patient)
        return found


def _search(
    index: RetrievalIndex, vectors: Tensor, k: int, patients: Sequence[str | Collection[str]]
) -> tuple[Tensor, Tensor]:
    hits = index.search(np.ascontiguousarray(vectors.float().cpu().numpy()), k, exclude_patients=patients)
    scores = np.where(hits.rows >= 0, hits.scores, 0.0).astype(np.float32)
    return torch.from_numpy(hits.rows.astype(np.int64)), torch.from_numpy(scores)
