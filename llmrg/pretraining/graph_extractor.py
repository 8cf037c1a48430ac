"""Train a graph extractor from annotated reports."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl
from transformers.trainer_callback import PrinterCallback

from llmrg.artefacts import Manifest, atomic_directory, is_complete, read_manifest, text_hash, write_text
from llmrg.config import load_config, to_mapping
from llmrg.errors import UserError
from llmrg.language.graph_encoder import load_encoder, new_encoder
from llmrg.language.graph_extractor import TrainedGraphExtractor
from llmrg.language.graph_network import GraphNetwork
from llmrg.pretraining import signals
from llmrg.pretraining.arguments import OneDeviceArguments
from llmrg.pretraining.checkpointed_trainer import CheckpointedTrainer
from llmrg.pretraining.checkpoints import checkpoints_in, discard, matching_checkpoint
from llmrg.pretraining.graph_annotations import AnnotatedReport, Annotations, read_annotations
from llmrg.pretraining.graph_batches import GraphWindows, collate_windows
from llmrg.pretraining.graph_card import extractor_card
from llmrg.pretraining.graph_scores import extractor_scores
from llmrg.pretraining.graph_settings import GraphExtractorConfig
from llmrg.pretraining.precision import use_bf16
from llmrg.pretraining.time_limit import TimeLimit

__all__ = ["TrainedExtractor", "split_reports", "train_graph_extractor"]

logger = logging.getLogger(__name__)
_CHOSEN_BY = "mean_f1"


@dataclass(frozen=True, kw_only=True)
class TrainedExtractor:
    """A finished training.

    Args:
        out: folder of the extractor.
        version: of the extractor.
        details: counts; ``validation`` and, where there are test reports, ``test`` hold figures
            (:func:`llmrg.pretraining.graph_scores.extractor_scores`).
    """

    out: Path
    version: str
    details: Mapping[str, Any]


@signals.catch_signals()
def train_graph_extractor(
    config: GraphExtractorConfig | str | Path,
    overrides: Sequence[str] = (),
    *,
    resume: bool = False,
    producer: str = "llmrg pretrain graph-extractor",
    callbacks: Sequence[TrainerCallback] = (),
) -> TrainedExtractor:
    """Train a graph extractor and save it with manifest and card.

    The epoch with the best mean of entity F1 and relation F1 on validation reports is kept; test reports are read once
    it is chosen. Checkpoints lie beside ``out`` until the end.

    Args:
        config: a configuration or its file.
        overrides: ``key.sub=value`` strings.
        resume: go on from the last whole checkpoint of this configuration and these reports.
        producer: the command, for the manifest.
        callbacks: further Trainer callbacks (progress).

    Raises:
        UserError: whatever is wrong with configuration, annotations or encoder.
        StoppedBySignalError: SIGTERM, Ctrl-C or a closed terminal; the last checkpoint is whole.
    """
    settings = (
        config if isinstance(config, GraphExtractorConfig) else load_config(GraphExtractorConfig, config, overrides)
    )
    _refuse_other(settings.out)
    annotations = read_annotations(settings.annotations, format=settings.format)
    training, validation = _parts(settings, annotations)
    test = read_annotations(settings.test, format=settings.format).reports if settings.test else ()
    _warn_of_shared(training, validation, "validation")
    _warn_of_shared([*training, *validation], test, "test")
    extractor = _untrained(settings, training)
    windows = GraphWindows(training, extractor.windows)
    _warn(windows, training)
    checkpoints = settings.out.with_name(f".{settings.out.name}-training")
    trainer = _trainer(settings, extractor, windows, validation, checkpoints, callbacks)
    last = matching_checkpoint(checkpoints, trainer.own_identity) if resume else None
    if last is None:
        for _, path in checkpoints_in(checkpoints):
            discard(path)
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    details = {
        "reports": len(training),
        "validation_reports": len(validation),
        "test_reports": len(test),
        "dropped": dict(annotations.dropped),
        "cut_reports": windows.cut_reports,
        "lost_entities": windows.lost_entities,
        "lost_relations": windows.lost_relations,
        "epoch": _best_epoch(trainer),
        "parameters": sum(parameter.numel() for parameter in extractor.network.parameters()),
        "validation": _figures(extractor, validation, settings),
    }
    if test:
        details["test"] = _figures(extractor, test, settings)
    version = _save(settings, extractor, training, details, trainer.state.log_history, producer)
    shutil.rmtree(checkpoints, ignore_errors=True)
    return TrainedExtractor(out=settings.out, version=version, details=details)


def split_reports(
    reports: Sequence[AnnotatedReport], *, share: float, seed: int
) -> tuple[tuple[AnnotatedReport, ...], tuple[AnnotatedReport, ...]]:
    """Part reports into training and validation; equal texts stay together, and the order does not matter.

    Args:
        reports: all of them.
        share: of the different texts that go to validation, at least one.
        seed: of the draw.

    Raises:
        UserError: fewer than two different reports.
    """
    texts = sorted({report.text for report in reports}, key=lambda text: _draw(text, seed))
    if len(texts) < 2:
        raise UserError("There are too few annotated reports to part", next_step="name files of validation reports")
    chosen = set(texts[: min(len(texts) - 1, max(1, round(share * len(texts))))])
    return (
        tuple(report for report in reports if report.text not in chosen),
        tuple(report for report in reports if report.text in chosen),
    )


class _GraphTrainer(CheckpointedTrainer):
    """Trainer that scores graphs of validation reports.

    Args:
        extractor: reads with the network in training.
        validation: annotated reports.
        settings: the configuration.
        **options: of the :class:`CheckpointedTrainer`.
    """

    control: TrainerControl
    optimizer: torch.optim.Optimizer | None

    def __init__(
        self,
        *,
        extractor: TrainedGraphExtractor,
        validation: Sequence[AnnotatedReport],
        settings: GraphExtractorConfig,
        **options: Any,
    ) -> None:
        self.extractor = extractor
        self.validation = validation
        self.settings = settings
        self.own_identity: Mapping[str, Any] = options["identity"]
        super().__init__(**options)

    def create_optimizer(self, model: torch.nn.Module | None = None) -> torch.optim.Optimizer:
        """Build AdamW with rates of their own for encoder and heads; biases and normalisation do not decay."""
        if self.optimizer is None:
            groups: dict[tuple[bool, bool], list[torch.nn.Parameter]] = {}
            for name, parameter in self.extractor.network.named_parameters():
                if parameter.requires_grad:
                    groups.setdefault((name.startswith("encoder."), parameter.dim() > 1), []).append(parameter)
            rates = {True: self.settings.encoder_learning_rate, False: self.settings.head_learning_rate}
            self.optimizer = torch.optim.AdamW(
                {"params": some, "lr": rates[encoder], "weight_decay": self.settings.weight_decay if decays else 0.0}
                for (encoder, decays), some in groups.items()
            )
        return self.optimizer

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: list[str] | None = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """Read and score the validation reports."""
        with signals.immediate():
            figures = _figures(self.extractor, self.validation, self.settings)
        named = {f"{metric_key_prefix}_{name}": value for name, value in figures.items()}
        self.log(named)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, named)
        return named


def _trainer(
    settings: GraphExtractorConfig,
    extractor: TrainedGraphExtractor,
    windows: GraphWindows,
    validation: Sequence[AnnotatedReport],
    folder: Path,
    callbacks: Sequence[TrainerCallback],
) -> _GraphTrainer:
    on_gpu = torch.cuda.is_available()
    arguments = OneDeviceArguments(
        output_dir=str(folder),
        per_device_train_batch_size=settings.batch_size,
        num_train_epochs=settings.epochs,
        learning_rate=settings.head_learning_rate,
        warmup_steps=settings.warmup,
        lr_scheduler_type="cosine",
        max_grad_norm=1.0,
        bf16=use_bf16(settings.precision),
        use_cpu=not on_gpu,
        seed=settings.seed,
        data_seed=settings.seed,
        save_strategy="epoch",
        eval_strategy="epoch",
        load_best_model_at_end=True,
        metric_for_best_model=f"eval_{_CHOSEN_BY}",
        greater_is_better=True,
        logging_strategy="epoch",
        report_to=[],
        remove_unused_columns=False,
        dataloader_pin_memory=on_gpu,
        disable_tqdm=True,
        label_names=["tags"],
    )
    trainer = _GraphTrainer(
        extractor=extractor,
        validation=validation,
        settings=settings,
        identity=_identity(settings, windows, validation),
        model=extractor.network,
        args=arguments,
        train_dataset=windows,
        eval_dataset=windows,
        data_collator=partial(
            collate_windows, padding=extractor.padding, unknown=extractor.unknown, share=settings.unknown_share
        ),
        callbacks=[TimeLimit(settings.max_minutes), *callbacks],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _parts(
    settings: GraphExtractorConfig, annotations: Annotations
) -> tuple[tuple[AnnotatedReport, ...], tuple[AnnotatedReport, ...]]:
    if not settings.validation:
        return split_reports(annotations.reports, share=settings.validation_share, seed=settings.seed)
    return annotations.reports, read_annotations(settings.validation, format=settings.format).reports


def _warn_of_shared(known: Sequence[AnnotatedReport], scored: Sequence[AnnotatedReport], name: str) -> None:
    texts = {report.text for report in known}
    shared = sum(report.text in texts for report in scored)
    if shared:
        logger.warning("%d of %d %s reports stand among those it learns or is chosen by", shared, len(scored), name)


def _untrained(settings: GraphExtractorConfig, training: Sequence[AnnotatedReport]) -> TrainedGraphExtractor:
    if settings.encoder.path is None:
        encoder = new_encoder(settings.encoder, [report.text for report in training], seed=settings.seed)
    else:
        encoder = load_encoder(settings.encoder)
    torch.manual_seed(settings.seed)
    network = GraphNetwork(encoder.model, settings.network)
    return TrainedGraphExtractor(network, encoder, language=settings.language)


def _warn(windows: GraphWindows, training: Sequence[AnnotatedReport]) -> None:
    if not any(row.spans for row in windows.rows):
        raise UserError("No training report has an entity that the encoder's tokens can delimit")
    entities = sum(len(report.graph.entities) for report in training)
    relations = sum(len(report.graph.relations) for report in training)
    if windows.lost_entities:
        logger.warning("%d of %d entities end within a token and are not learnt", windows.lost_entities, entities)
    if windows.lost_relations:
        logger.warning(
            "%d of %d relations are not learnt: their ends lie in different windows, or are not learnt themselves",
            windows.lost_relations,
            relations,
        )


def _figures(
    extractor: TrainedGraphExtractor, reports: Sequence[AnnotatedReport], settings: GraphExtractorConfig
) -> dict[str, float]:
    predicted = extractor.extract_many([report.text for report in reports], batch_size=2 * settings.batch_size)
    return extractor_scores(predicted, [report.graph for report in reports], settings.language)


def _save(
    settings: GraphExtractorConfig,
    extractor: TrainedGraphExtractor,
    training: Sequence[AnnotatedReport],
    details: Mapping[str, Any],
    log: Sequence[Mapping[str, float]],
    producer: str,
) -> str:
    configuration = to_mapping(settings)
    with atomic_directory(settings.out) as directory:
        version = extractor.save(directory)
        write_text(directory / "log.json", json.dumps(list(log), indent=1) + "\n")
        write_text(directory / "README.md", extractor_card(settings, version=version, details=details))
        Manifest(
            kind="graph_extractor",
            producer=producer,
            configuration=configuration,
            split_hash=text_hash(sorted(report.text for report in training)),
            languages=(settings.language,),
            # A vocabulary of its own consists of words of the reports, names among them.
            contains_patient_text=settings.encoder.path is None,
            details={"version": version, **details},
        ).write(directory)
    return version


def _identity(
    settings: GraphExtractorConfig, windows: GraphWindows, validation: Sequence[AnnotatedReport]
) -> dict[str, Any]:
    rows = hashlib.sha256(repr(windows.rows).encode()).hexdigest()
    scored = text_hash(part for report in validation for part in (report.text, repr(report.graph)))
    return {"configuration": to_mapping(settings), "training": rows, "validation": scored}


def _refuse_other(out: Path) -> None:
    """Refuse to replace anything but an extractor."""
    if out.exists() and (not out.is_dir() or next(out.iterdir(), None) is not None):
        if not is_complete(out):
            raise UserError(
                "The folder is not empty, and holds no extractor", where=str(out), next_step="choose another out"
            )
        read_manifest(out).require(kind="graph_extractor", where=out)


def _best_epoch(trainer: CheckpointedTrainer) -> float | None:
    step = trainer.state.best_global_step
    return next((row["epoch"] for row in trainer.state.log_history if row["step"] == step and "epoch" in row), None)


def _draw(text: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}\0{text}".encode("utf-8", "surrogatepass")).hexdigest()
