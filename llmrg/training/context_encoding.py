"""Encoding the context studies while a system trains: once, or once an epoch and before every evaluation."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, distributed
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from llmrg.errors import TooManyBadStudiesError
from llmrg.evidence.context_residuals import ContextResiduals
from llmrg.studies.batches import StudyBatch
from llmrg.studies.dataset import StudyDataset, collate_studies
from llmrg.studies.study_table import StudyTable, study_column
from llmrg.systems.context import SOURCE
from llmrg.systems.report_generator import ReportGenerator
from llmrg.training.encoding import MEND, readable_batches
from llmrg.training.material import TrainingMaterial
from llmrg.training.processes import world_size

__all__ = ["ContextEncoding"]

_ROWS = 1 << 16
"""Rows that processes exchange at once."""


class ContextEncoding(TrainerCallback):
    """Keeps the vectors of a system's context studies as its trunk would encode them now.

    Where the trunk is tuned, they are encoded at the beginning of every epoch, and before every evaluation, so that the
    reports that a checkpoint is chosen by are those that it will write. They are part of checkpoints; an epoch that is
    gone on with in its middle keeps those it had. The processes of a training share the work: each encodes its part,
    and all have the vectors of all.

    Args:
        material: the training studies.
        batch_size: studies at once.
    """

    def __init__(self, material: TrainingMaterial, *, batch_size: int) -> None:
        self._material = material
        self._batch_size = batch_size
        self._dataset: StudyDataset | None = None
        self._names: list[str] = []

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Encode at the beginning of an epoch."""
        loader = kwargs.get("train_dataloader")
        steps = math.ceil(len(loader) / args.gradient_accumulation_steps) if loader is not None else 1
        system = cast(ReportGenerator, kwargs["model"])
        source = _source_of(system)
        if source is None:
            return
        empty = bool(source.vectors.isnan().all())
        if empty or state.global_step % max(1, steps) == 0:
            self.encode(system)

    @torch.no_grad()
    def encode(self, system: ReportGenerator) -> None:
        """Encode the context studies with the trunk as it is, in evaluation mode, unless that changes nothing.

        Raises:
            TooManyBadStudiesError: more films cannot be read than the configuration tolerates.
        """
        source = _source_of(system)
        if source is None or source.is_current:
            return
        dataset = self._studies(source)
        backbone = system.encoder.backbone
        was_training = backbone.training
        backbone.eval()
        found = torch.zeros(len(dataset), source.vectors.shape[1])
        read = torch.zeros(len(dataset))
        try:
            self._fill(found, read, system, source, dataset)
        finally:
            backbone.train(was_training)
        _share(found, system.device)
        _share(read, system.device)
        tolerated = self._material.data.tolerated_bad(len(dataset))
        bad = len(dataset) - int(read.sum())
        if bad > tolerated:
            raise TooManyBadStudiesError(f"{bad} of {len(dataset)} context studies cannot be read", next_step=MEND)
        found[read == 0] = torch.nan
        row_of = {name: row for row, name in enumerate(self._names)}
        nothing = torch.full_like(source.vectors[:1], torch.nan, device="cpu")
        rows = [row_of.get(pattern.study_id, -1) for pattern in source.patterns]
        source.remember(torch.cat([found, nothing])[rows])

    def _fill(
        self, found: Tensor, read: Tensor, system: ReportGenerator, source: ContextResiduals, dataset: StudyDataset
    ) -> None:
        """Fill in the rows of this process's part: vectors in ``found`` [M, D], ones in ``read`` [M]."""
        processes = world_size()
        part = range(distributed.get_rank() if processes > 1 else 0, len(dataset), processes)
        passes, needed = 0, math.ceil(math.ceil(len(dataset) / processes) / self._batch_size)
        # Too many bad ones are an error of all processes together, once they have told each other (see encode).
        tolerated = len(dataset) if processes > 1 else self._material.data.tolerated_bad(len(dataset))
        for places, samples in readable_batches(dataset, self._batch_size, tolerated=tolerated, rows=part):
            batch = collate_studies(samples).to(system.device)
            if source.context.faithful:
                batch = _first_film(batch)
            features = system.encoder.backbone(batch.pixels, batch.view_mask, batch.views)
            found[places] = source.encode(features).to(found)
            read[places] = 1
            passes += 1
        if processes > 1:  # where processes divide the weights, all of them must pass the trunk equally often
            side = system.encoder.config.image_size
            blank = torch.zeros(1, 1, 1, side, side, dtype=torch.uint8, device=system.device)
            for _ in range(passes, needed):
                system.encoder.backbone(blank, torch.ones(1, 1, dtype=torch.bool, device=system.device))

    def _studies(self, source: ContextResiduals) -> StudyDataset:
        """The context studies without augmentation, each once."""
        if self._dataset is None:
            wanted = {pattern.study_id for pattern in source.patterns}
            training = self._material.training
            rows = [row for row, id_ in enumerate(study_column(training, "id")) if id_ in wanted]
            studies = training.select(rows) if isinstance(training, StudyTable) else [training[row] for row in rows]
            self._names = [study.id for study in studies]
            self._dataset = self._material.dataset(studies)
            self._dataset.extras = {}
        return self._dataset


def _source_of(system: ReportGenerator) -> ContextResiduals | None:
    return cast(ContextResiduals, system.sources[SOURCE]) if SOURCE in system.sources else None


def _share(rows: Tensor, device: torch.device) -> None:
    """Add up what the processes have, in place: every row is filled in one of them, and zero in the others."""
    if world_size() > 1:
        for block in rows.split(_ROWS):
            moved = block.to(device)
            distributed.all_reduce(moved)
            block.copy_(moved)


def _first_film(batch: StudyBatch) -> StudyBatch:
    """The batch as if every study had its first film alone, as R2GenCSR was released."""
    return replace(batch, pixels=batch.pixels[:, :1], view_mask=batch.view_mask[:, :1], views=batch.views[:, :1])
