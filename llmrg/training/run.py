"""Train a system from its configuration to a run."""

from __future__ import annotations

import json
import logging
import random
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from llmrg.artefacts import Manifest, is_complete, read_manifest
from llmrg.config import dump_config, load_config, to_mapping
from llmrg.errors import UserError
from llmrg.language.divided import full_size
from llmrg.pretraining.signals import catch_signals
from llmrg.studies.dataset import StudyDataset
from llmrg.systems.build import ArtefactPaths, build_system
from llmrg.systems.context import CONTEXT, with_vectors
from llmrg.systems.privacy import survey_patient_data
from llmrg.systems.report_generator import ReportGenerator
from llmrg.systems.run import RunConfig, kept_artefacts, save_run
from llmrg.training.artefact_locks import ArtefactLocks
from llmrg.training.card import model_card
from llmrg.training.context_encoding import ContextEncoding
from llmrg.training.folder import TrainingFolder
from llmrg.training.hint_fit import calibrate_hints
from llmrg.training.material import TrainingMaterial, read_material
from llmrg.training.oversampling import oversampled_draw
from llmrg.training.processes import alone, by_main_process, naming_lost_processes
from llmrg.training.progress import ProgressReport
from llmrg.training.settings import TrainConfig
from llmrg.training.source_dropout import SourceDropout
from llmrg.training.stages import RESTS_ON, StageBuilder
from llmrg.training.trainer import build_trainer
from llmrg.training.validation import ReportValidation

__all__ = ["build_stage", "count_parameters", "train"]

logger = logging.getLogger(__name__)


@catch_signals()
def train(
    config: TrainConfig | str | Path,
    overrides: Sequence[str] = (),
    *,
    dry_run: bool = False,
    resume: bool = False,
    allow_changes: bool = False,
    producer: str = "llmrg train",
) -> Path:
    """Train a system: stages, generator, run.

    Args:
        config: a configuration or its file.
        overrides: ``key.sub=value`` strings.
        dry_run: build everything, run one batch of each stage and stop, writing nothing.
        resume: go on from the last whole checkpoint, also of a stage that trains for long.
        allow_changes: with ``resume``, go on although settings of the loop changed, with the new ones.
        producer: the command, for manifests.

    Returns:
        The run directory.

    Raises:
        UserError: whatever is wrong with configuration, data or artefacts; or the run exists and differs, or another
            process is writing it.
        StoppedBySignalError: SIGTERM, Ctrl-C or a closed terminal; what was saved is whole.
    """
    settings = config if isinstance(config, TrainConfig) else load_config(TrainConfig, config, overrides)
    _seed(settings.seed)
    material = read_material(settings.data)
    builder = StageBuilder(
        config=settings,
        material=material,
        producer=producer,
        callbacks=lambda stage: [ProgressReport(stage)],
        resume=resume,
    )
    if dry_run:
        return _dry_run(settings, material, builder)
    scratch = TrainingFolder(settings, split_hash=material.split_hash, allow_changes=allow_changes)
    with scratch, ArtefactLocks(settings.artefacts_folder, settings.stage_names) as locks:

        def prepare() -> dict[str, Any]:
            if _is_finished(settings, material):
                logger.info("%s is a finished run of this configuration and these studies; nothing to do", settings.out)
                scratch.end()
                return {"finished": True}
            last = scratch.begin(resume=resume)
            locks.build(builder.open_stages, builder.build_needed)
            return {"finished": False, "checkpoint": None if last is None else str(last)}

        ready = by_main_process(prepare)
        if ready["finished"]:
            return settings.out
        last = Path(ready["checkpoint"]) if ready["checkpoint"] else None
        paths = builder.paths()
        return _train(settings, material, paths, scratch, last, allow_changes=allow_changes, producer=producer)


def _train(
    settings: TrainConfig,
    material: TrainingMaterial,
    artefacts: ArtefactPaths,
    scratch: TrainingFolder,
    last: Path | None,
    *,
    allow_changes: bool,
    producer: str,
) -> Path:
    """Train the generator from the last checkpoint, if there is one, and save the run."""
    _seed(settings.seed)
    system = build_system(settings.system, settings.data, artefacts)
    calibrate_hints(system, material, batch_size=settings.training.validation_batch_size, seed=settings.seed)
    long = system.count_long_reports(material.training)
    if long:
        logger.warning(
            "%d of %d training reports are longer than max_report_tokens=%d and are cut",
            long,
            len(material.training),
            settings.system.max_report_tokens,
        )
    validation = _validation(settings, material)
    trainer = build_trainer(
        system,
        _shown(settings, material),
        config=settings.training,
        validation=validation,
        folder=scratch.checkpoints,
        logs=scratch.logs,
        seed=settings.seed,
        callbacks=[ProgressReport(settings.system.name)],
        context=ContextEncoding(material, batch_size=settings.training.validation_batch_size),
        identity=scratch.identity,
        allow_changes=allow_changes,
    )
    with naming_lost_processes():
        trainer.train(resume_from_checkpoint=str(last) if last else None)
    best = dict(_best_figures(trainer.state.log_history, trainer.state.best_metric, settings.training.metric))
    weights = system.own_state()  # where processes hold parts of the weights, all of them are needed for this

    def finish() -> None:
        context = Manifest(
            kind=CONTEXT,
            producer=producer,
            configuration=to_mapping(settings.system.evidence.context_residuals),
            split_hash=material.split_hash,
            languages=material.languages,
        )
        with with_vectors(system.sources, artefacts, context, beside=settings.out) as kept:
            _save(settings, material, system, weights, kept, producer, best, trainer.state.log_history)
        scratch.end()

    by_main_process(finish)
    return settings.out


@catch_signals()
def build_stage(
    stage: str,
    config: TrainConfig | str | Path,
    overrides: Sequence[str] = (),
    *,
    resume: bool = False,
    producer: str = "llmrg",
) -> Path:
    """Build the artefact of one stage from a training configuration.

    Args:
        stage: one of :data:`llmrg.training.settings.STAGES`.
        config: a configuration or its file.
        overrides: ``key.sub=value`` strings.
        resume: go on from the stage's last whole checkpoint, where it makes such.
        producer: the command, for the manifest.

    Returns:
        The artefact's directory.
    """
    settings = config if isinstance(config, TrainConfig) else load_config(TrainConfig, config, overrides)
    _seed(settings.seed)
    builder = StageBuilder(
        config=settings,
        material=read_material(settings.data),
        producer=producer,
        callbacks=lambda name: [ProgressReport(name)],
        resume=resume,
    )
    regions = settings.stages.memory.visual == "regions"
    bases = [base for base in RESTS_ON.get(stage, ()) if base != "activation_maps" or regions]
    with ArtefactLocks(settings.artefacts_folder, [*bases, stage]) as locks:
        return locks.build(lambda: (stage,), lambda: builder.build(stage))


def count_parameters(system: torch.nn.Module) -> dict[str, int]:
    """Count the parameters of a system, in all and trainable."""
    return {
        "total": sum(full_size(parameter).numel() for parameter in system.parameters()),
        "trainable": sum(full_size(p).numel() for p in system.parameters() if p.requires_grad),
    }


def _shown(settings: TrainConfig, material: TrainingMaterial) -> StudyDataset:
    """The training studies as the generator is shown them."""
    dataset = material.training_set(augmentation=settings.augmentation, seed=settings.seed)
    dataset.drawn = SourceDropout.of(settings.training.source_dropout, settings.system.evidence.sources)
    rule = settings.training.oversampling
    if rule is not None:
        dataset.draw = oversampled_draw(material, dataset.draw, rule, seed=settings.seed)
    return dataset


def _validation(settings: TrainConfig, material: TrainingMaterial) -> ReportValidation:
    return ReportValidation(
        material=material,
        studies=material.validation_sample(settings.training.validation_studies, settings.seed),
        decoding=settings.decoding,
        batch_size=settings.training.validation_batch_size,
    )


def _gates(system: ReportGenerator, weights: Mapping[str, torch.Tensor]) -> dict[str, float] | None:
    """How far the gates of the chosen weights are open; those in the system itself may be divided among processes."""
    if system.gates is None:
        return None
    prefix = "gates."
    return system.gates.values({n.removeprefix(prefix): t for n, t in weights.items() if n.startswith(prefix)})


def _save(
    settings: TrainConfig,
    material: TrainingMaterial,
    system: ReportGenerator,
    weights: Mapping[str, torch.Tensor],
    artefacts: ArtefactPaths,
    producer: str,
    figures: dict[str, float],
    log: list[dict[str, float]],
) -> None:
    parameters = count_parameters(system)
    reference = system.language_model.reference()
    studies, patients = len(material.training), len({study.patient_id for study in material.training})
    save_run(
        system,
        settings.out,
        config=RunConfig(system=settings.system, data=settings.data, decoding=settings.decoding),
        weights=weights,
        artefacts=artefacts,
        producer=producer,
        split_hash=material.split_hash,
        card=model_card(
            config=settings,
            material=material,
            figures=figures,
            parameters=parameters,
            reference=reference,
            patient_data=survey_patient_data(kept_artefacts(settings.system, artefacts), patients=patients),
            gates=_gates(system, weights),
        ),
        extra={"train.yaml": dump_config(settings), "log.json": json.dumps(log, indent=1) + "\n"},
        details={
            "validation": figures,
            "parameters": parameters,
            "labeler": material.labeler_version,
            "training": {"studies": studies, "patients": patients},
        },
    )


def _is_finished(settings: TrainConfig, material: TrainingMaterial) -> bool:
    """Tell whether the run was made from this configuration and these studies; anything else is never overwritten."""
    if not is_complete(settings.out):
        if settings.out.exists() and (not settings.out.is_dir() or next(settings.out.iterdir(), None) is not None):
            raise UserError(
                "The run directory is not empty, and holds no finished run",
                where=str(settings.out),
                next_step="choose another out, or remove it",
            )
        return False
    manifest = read_manifest(settings.out)
    saved = settings.out / "train.yaml"
    if not saved.is_file() or manifest.kind != "run":
        raise UserError(
            "The run directory holds something else", where=str(settings.out), next_step="choose another out"
        )
    if manifest.split_hash == material.split_hash and _says(saved, settings):
        return True
    raise UserError(
        "The run directory holds a run of another configuration or of other studies",
        where=str(settings.out),
        next_step="choose another out, or remove the directory",
    )


def _says(saved: Path, settings: TrainConfig) -> bool:
    """Whether a saved training is this one; keys that were added since then count with their defaults."""
    try:
        return to_mapping(load_config(TrainConfig, saved)) == to_mapping(settings)
    except UserError:  # a key that there no longer is
        return False


def _best_figures(log: list[dict[str, float]], best: float | None, metric: str) -> dict[str, float]:
    rows = [row for row in log if f"eval_{metric}" in row]
    chosen = next((row for row in rows if row[f"eval_{metric}"] == best), rows[-1] if rows else {})
    return {name.removeprefix("eval_"): value for name, value in chosen.items() if name.startswith("eval_")}


def _seed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def _dry_run(settings: TrainConfig, material: TrainingMaterial, builder: StageBuilder) -> Path:
    """Build every stage and the system on a handful of studies in a scratch folder, and take one step."""
    few = material.few(32, 8)
    loop = replace(settings.training, batch_size=min(settings.training.batch_size, 4))
    with tempfile.TemporaryDirectory(prefix="llmrg-dry-run-") as scratch:
        folder = Path(scratch)
        stages = replace(
            settings.stages,
            language_model=replace(settings.stages.language_model, max_steps=2, max_seconds=None),
            disease_classifier=replace(
                settings.stages.disease_classifier,
                epochs=1,
                batch_size=min(8, settings.stages.disease_classifier.batch_size),
            ),
        )
        small = replace(settings, out=folder / "run", artefacts=folder / "artefacts", training=loop, stages=stages)
        with alone():  # each process in its own scratch folder
            artefacts = replace(builder, config=small, material=few).build_needed()
        system = build_system(small.system, small.data, artefacts)
        calibrate_hints(system, few, batch_size=loop.validation_batch_size, seed=small.seed)
        trainer = build_trainer(
            system,
            _shown(small, few),
            config=loop,
            validation=_validation(small, few),
            folder=folder / "checkpoints",
            seed=small.seed,
            context=ContextEncoding(few, batch_size=loop.validation_batch_size),
            dry_run=True,
        )
        trainer.train()
        trainer.evaluate()
        parameters = count_parameters(system)
    logger.info("dry run: %s parameters, %s trainable", f"{parameters['total']:,}", f"{parameters['trainable']:,}")
    return settings.out
