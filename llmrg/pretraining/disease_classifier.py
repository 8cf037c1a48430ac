"""The disease-classifier stage: trunk and disease queries learn the findings of the training reports."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import f1_score
from torch import Tensor, nn
from transformers import TrainerCallback
from transformers.trainer_callback import PrinterCallback

from llmrg.artefacts import Manifest, atomic_directory, write_text
from llmrg.evidence.disease_queries import diagnosis_losses
from llmrg.evidence.encoder import EncoderConfig, StudyEncoder, build_encoder, save_encoder
from llmrg.pretraining.arguments import OneDeviceArguments
from llmrg.pretraining.augmentation_epoch import AugmentationEpoch
from llmrg.pretraining.checkpointed_trainer import CheckpointedTrainer
from llmrg.pretraining.checkpoints import checkpoints_in, discard, matching_checkpoint
from llmrg.pretraining.precision import use_bf16
from llmrg.pretraining.settings import DiseaseClassifierConfig
from llmrg.pretraining.teacher import Teacher
from llmrg.pretraining.time_limit import TimeLimit
from llmrg.studies.batches import StudyBatch
from llmrg.studies.dataset import StudyDataset, StudySample, collate_studies

__all__ = ["classifier_scores", "pretrain_disease_classifier"]

logger = logging.getLogger(__name__)


class _Classifier(nn.Module):
    """The encoder with its loss, as the Trainer wants it."""

    def __init__(self, encoder: StudyEncoder, config: DiseaseClassifierConfig) -> None:
        super().__init__()
        self.encoder = encoder
        self.settings = config
        self.teacher: Teacher | None = None
        if config.teacher is not None:
            self.teacher = Teacher(config.teacher, student=encoder.config, width=encoder.backbone.width)

    def forward(self, batch: StudyBatch) -> dict[str, Tensor]:
        features, answers = self.encoder(batch)
        losses = diagnosis_losses(answers.logits.float(), batch.tensors, smoothing=self.settings.smoothing)
        loss = losses["presence"] + self.settings.side_weight * losses["side"]
        if self.teacher is not None:
            loss = loss + self.settings.teacher_weight * self.teacher(batch, features, answers)
        return {"loss": loss}

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """Return what is trained, for checkpoints: the encoder, in the memory layout that safetensors wants."""
        return {name: tensor.contiguous() for name, tensor in self.encoder.state_dict().items()}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Load what :meth:`state_dict` returned; always strict."""
        return self.encoder.load_state_dict(state_dict)


def _collate(samples: Sequence[StudySample]) -> dict[str, StudyBatch]:
    return {"batch": collate_studies(samples)}


def pretrain_disease_classifier(
    training: StudyDataset,
    validation: StudyDataset,
    out: Path,
    *,
    encoder: EncoderConfig,
    config: DiseaseClassifierConfig,
    configuration: Mapping[str, Any],
    seed: int,
    producer: str,
    split_hash: str,
    languages: tuple[str, ...],
    callbacks: Sequence[TrainerCallback] = (),
    checkpoints: Path | None = None,
    resume: bool = False,
    dry_run: bool = False,
) -> Path:
    """Train trunk and disease queries and save them as a ``disease_classifier`` artefact.

    Args:
        training: training studies whose extras carry ``present``, ``sides`` and ``side_known``.
        validation: validation studies with the same extras; only scored, nothing is chosen by them.
        out: directory of the artefact.
        encoder: what to build.
        config: how to train.
        configuration: what the manifest states the artefact was made with.
        seed: of weights, order and augmentation.
        producer: the command that asked for it.
        split_hash: hash over the training studies' ids.
        languages: of the reports the labels were read from.
        callbacks: further Trainer callbacks (progress).
        checkpoints: folder for a checkpoint after every epoch and on a signal, removed at the end; None makes none.
        resume: go on from the last whole checkpoint there, if it is of this configuration and these studies.
        dry_run: two steps, nothing saved.

    Returns:
        ``out``.
    """
    torch.manual_seed(seed)
    model = _Classifier(build_encoder(encoder), config)
    saving = checkpoints is not None and not dry_run
    identity = json.loads(json.dumps({"configuration": dict(configuration), "split_hash": split_hash}))
    with tempfile.TemporaryDirectory(prefix="llmrg-classifier-") as scratch:
        folder = checkpoints if checkpoints is not None and saving else Path(scratch)
        arguments = OneDeviceArguments(
            output_dir=str(folder),
            per_device_train_batch_size=config.batch_size,
            num_train_epochs=config.epochs,
            max_steps=2 if dry_run else -1,
            learning_rate=config.learning_rate,
            weight_decay=config.weight_decay,
            warmup_steps=config.warmup,
            lr_scheduler_type="cosine",
            max_grad_norm=1.0,
            bf16=use_bf16(config.precision),
            use_cpu=not torch.cuda.is_available(),
            seed=seed,
            save_strategy="epoch" if saving else "no",
            eval_strategy="no",
            report_to=[],
            logging_strategy="epoch",
            remove_unused_columns=False,
            dataloader_num_workers=config.workers,
            dataloader_pin_memory=torch.cuda.is_available(),
            disable_tqdm=True,
        )
        trainer = CheckpointedTrainer(
            identity=identity,
            model=model,
            args=arguments,
            train_dataset=training,
            data_collator=_collate,
            callbacks=[AugmentationEpoch(), TimeLimit(config.max_minutes), *callbacks],
        )
        trainer.remove_callback(PrinterCallback)  # our own progress callback speaks instead
        last = matching_checkpoint(folder, identity) if resume else None
        trainer.accelerator.wait_for_everyone()
        if last is None and trainer.is_world_process_zero():
            for _, path in checkpoints_in(folder):
                discard(path)
        trainer.train(resume_from_checkpoint=str(last) if last else None)
    trained = model.encoder.eval()
    if dry_run:
        return out
    scores = classifier_scores(trained, validation, batch_size=config.batch_size)
    logger.info("disease classifier on validation: micro F1 %.3f", scores["micro_f1"])
    if trainer.is_world_process_zero():
        with atomic_directory(out) as directory:
            digest = save_encoder(trained, directory)
            write_text(directory / "log.json", json.dumps(trainer.state.log_history, indent=1) + "\n")
            Manifest(
                kind="disease_classifier",
                producer=producer,
                configuration=dict(configuration),
                encoder_hash=digest,
                split_hash=split_hash,
                languages=languages,
                details={
                    "vocabulary": encoder.vocabulary,
                    "image_size": encoder.image_size,
                    "studies": len(training),
                    "validation": scores,
                },
            ).write(directory)
        if checkpoints is not None:
            shutil.rmtree(checkpoints, ignore_errors=True)
    trainer.accelerator.wait_for_everyone()
    return out


def classifier_scores(encoder: StudyEncoder, dataset: StudyDataset, *, batch_size: int) -> dict[str, Any]:
    """Score presence at probability 0.5 against the labels the dataset carries.

    Returns:
        ``micro_f1``, ``macro_f1`` and ``per_class`` F1 by finding name (0 where a class has no positive at all).
    """
    samples = [dataset[index] for index in range(len(dataset))]
    if not samples:
        return {"micro_f1": 0.0, "macro_f1": 0.0, "per_class": {}}
    batches = (collate_studies(samples[start : start + batch_size]) for start in range(0, len(samples), batch_size))
    predicted = encoder.encode(batches)["probabilities"][..., 0].numpy() >= 0.5
    truth = np.stack([sample[2]["present"].numpy() >= 0.5 for sample in samples])
    per_class = f1_score(truth, predicted, average=None, zero_division=0)
    names = [finding.name for finding in encoder.config.findings]
    return {
        "micro_f1": float(f1_score(truth, predicted, average="micro", zero_division=0)),
        "macro_f1": float(per_class.mean()),
        "per_class": dict(zip(names, (round(float(value), 4) for value in per_class), strict=True)),
    }
