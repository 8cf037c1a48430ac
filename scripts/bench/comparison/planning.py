"""From protocol and configurations to the jobs: what is shared, what waits for what, what comes first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from comparison.jobs import Job, Plan, Trained, fingerprint
from comparison.protocol import Protocol
from comparison.variants import Variant, ablation, systems
from llmrg.artefacts import is_complete, write_text
from llmrg.config import dump_config, load_config, to_mapping
from llmrg.errors import UserError
from llmrg.findings.labeler import get_labeler
from llmrg.findings.vocabulary import get_vocabulary
from llmrg.studies.mixture import MixtureConfig
from llmrg.training.material import TrainingMaterial
from llmrg.training.settings import TrainConfig
from llmrg.training.stages import StageBuilder

__all__ = ["COMMANDS", "SHARED", "SPLITS", "data_root", "make_plan", "stage_key", "write_data_configs"]

COMMANDS = {
    "language_model": ("pretrain", "language-model"),
    "disease_classifier": ("pretrain", "disease-classifier"),
    "activation_maps": ("mine-maps",),
    "memory": ("build-memory",),
    "index": ("index", "build"),
}
"""The command of each stage that has one of its own."""
SHARED = ("language_model", "disease_classifier")
"""Stages that are built once for all systems that ask for the same."""
SPLITS = ("test", "shifted")
"""What is scored: the test split, and the same studies drawn under other conditions."""
RESUMES = ("disease_classifier", "train")


def make_plan(protocol: Protocol, folder: Path, configs: Path) -> Plan:
    """Make the jobs up to the predictions: first seeds of every language, further seeds, the ablation.

    Args:
        protocol: what is compared.
        folder: of the comparison.
        configs: folder of the systems' configurations.

    Raises:
        UserError: configurations that differ where they must not.
    """
    made = Plan()
    chosen = systems(protocol, configs)
    most = max((len(seeds) for seeds in protocol.seeds.values()), default=0)
    for number in range(most):
        for language, seeds in protocol.seeds.items():
            if number < len(seeds):
                _add_round(made, protocol, folder, chosen, language, seeds[number], SPLITS)
    if protocol.ablation_seeds:
        variants = ablation(protocol, configs)
        for kind in (True, False):  # gates, which no table of sources needs, come last
            kept = [variant for variant in variants if (variant.removed is not None) is kind]
            for seed in protocol.ablation_seeds:
                _add_round(made, protocol, folder, kept, protocol.ablation_language, seed, SPLITS[:1])
    return made


def data_root(folder: Path, language: str, split: str) -> Path:
    """Where the phantoms of a scored split lie; training and test are one set."""
    return folder / "data" / (language if split == "test" else f"{language}_shifted")


def data_config_path(folder: Path, language: str, split: str) -> Path:
    """The file that describes a scored split for ``llmrg generate``."""
    return folder / "configs" / f"data_{language}_{split}.yaml"


def write_data_configs(made: Plan, folder: Path) -> None:
    """Write the descriptions of the data that the commands are given."""
    for one in made.trained:
        for split in one.predictions:
            path = data_config_path(folder, one.language, split)
            text = dump_config(replace(one.config.data, root=data_root(folder, one.language, split)))
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                write_text(path, text)


def stage_key(config: TrainConfig, stage: str) -> str:
    """Return a hash of what a shared stage is made with: of the same studies, equal ones make equal artefacts."""
    data = config.data
    if isinstance(data, MixtureConfig):
        raise UserError("The comparison trains on one dataset at a time")
    vocabulary = get_vocabulary(data.vocabulary)
    nobody = TrainingMaterial(
        data=data,
        vocabulary=vocabulary,
        training=(),
        validation=(),
        mentions={},
        films={},
        bad=(),
        split_hash="",
        labeler_version=get_labeler(vocabulary, data.language).version,
        languages=(data.language,),
    )
    return fingerprint(StageBuilder(config=config, material=nobody, producer="").configuration(stage))


def _add_round(
    made: Plan,
    protocol: Protocol,
    folder: Path,
    chosen: Sequence[Variant],
    language: str,
    seed: int,
    splits: Sequence[str],
) -> None:
    """Add one seed of some variants: what they share, then one chain of commands for each."""
    trained = [_training(variant, protocol, folder, language, seed) for variant in chosen]
    _require_equal(trained)
    data = {split: _data_job(protocol, folder, trained[0].config, language, split) for split in SPLITS}
    made.add(data["test"])
    shared = [
        made.add(_shared_job(one, stage, folder, data["test"]))
        for one in trained
        for stage in one.config.stage_names
        if stage in SHARED
    ]
    for split in splits:
        made.add(data[split])
    by_key = {job.key: job for job in shared}
    for one in trained:
        _add_chain(made, one, folder, by_key, {split: data[split] for split in splits})
        made.trained.append(one)


def _training(variant: Variant, protocol: Protocol, folder: Path, language: str, seed: int) -> Trained:
    dataset = protocol.datasets[language]
    run = folder / "runs" / f"{language}-{seed}" / variant.name / "run"
    overrides = (
        f"out={run}",
        f"seed={seed}",
        f"stages.language_model.seed={seed}",
        f"data.format={dataset.format}",
        f"data.root={data_root(folder, language, 'test')}",
        f"data.language={language}",
        f"data.vocabulary={dataset.vocabulary}",
        *protocol.overrides,
        *variant.overrides,
    )
    config = load_config(TrainConfig, variant.path, overrides)
    return Trained(variant=variant, language=language, seed=seed, overrides=overrides, config=config, run=run)


def _require_equal(trained: Sequence[Trained]) -> None:
    """Refuse systems that do not learn from the same films with the same language model and validation trials.

    Raises:
        UserError: names the keys and the systems.
    """

    def equal(one: Trained) -> dict[str, object]:
        whole = to_mapping(one.config)
        loop = whole["training"]
        return {
            "data": whole["data"],
            "stages.language_model": whole["stages"]["language_model"],
            **{f"training.{key}": loop[key] for key in ("evaluations", "validation_studies", "metric")},
            "decoding": whole["decoding"],
            "system.max_report_tokens": whole["system"]["max_report_tokens"],
        }

    first = equal(trained[0])
    for one in trained[1:]:
        other = equal(one)
        differing = [key for key in first if first[key] != other[key]]
        if differing:
            raise UserError(
                f"{one.variant.name} and {trained[0].variant.name} differ in {', '.join(differing)}",
                where=str(one.variant.path),
                next_step="say it in configs/comparison/base.yaml, for all systems",
            )


def _data_job(protocol: Protocol, folder: Path, config: TrainConfig, language: str, split: str) -> Job:
    dataset, root = protocol.datasets[language], data_root(folder, language, split)
    arguments = (
        *("data", "phantom", str(root), "--format", dataset.format, "--studies", str(protocol.studies)),
        *("--seed", str(dataset.seed), "--size", str(config.data.image_size), "--preset", protocol.preset),
        *("--workers", "1"),
        *(("--shifted",) if split == "shifted" else ()),
    )
    return Job(
        key=f"data/{root.name}", kind="data", arguments=arguments, fingerprint=fingerprint(arguments), output=root
    )


def _shared_job(one: Trained, stage: str, folder: Path, data: Job) -> Job:
    key = stage_key(one.config, stage)
    place = folder / "stages" / one.place / f"{stage}-{key}"
    arguments = (*COMMANDS[stage], str(one.variant.path), *one.overrides, f"artefacts={place}")
    return Job(
        key=f"{one.place}/{stage}-{key}",
        kind=stage,
        arguments=arguments,
        fingerprint=fingerprint(key, data.fingerprint),
        output=place / stage,
        needs=(data.key,),
        resumes=stage in RESUMES,
    )


def _add_chain(made: Plan, one: Trained, folder: Path, shared: dict[str, Job], data: dict[str, Job]) -> None:
    """Add the commands of one training in their order: its own stages, the training, the reports."""
    artefacts = one.config.artefacts_folder
    before = [data["test"]]
    copies = []
    for stage in one.config.stage_names:
        if stage in SHARED:
            job = shared[f"{one.place}/{stage}-{stage_key(one.config, stage)}"]
            one.jobs[stage] = job.key
            copies.append((job.output, artefacts / stage))
            before.append(job)
    refusal = _refusal(one)
    own = [stage for stage in one.config.stage_names if stage in COMMANDS and stage not in SHARED]
    steps = own if one.variant.timed else []  # otherwise the training builds them, in one process
    for step in (*steps, "train"):
        command = ("train",) if step == "train" else COMMANDS[step]
        arguments = (*command, str(one.variant.path), *one.overrides)
        job = made.add(
            Job(
                key=f"{one.place}/{one.variant.name}/{step}",
                kind=step,
                arguments=arguments,
                fingerprint=fingerprint(step, dump_config(one.config), [job.fingerprint for job in before]),
                output=one.run if step == "train" else artefacts / step,
                needs=tuple(job.key for job in before),
                copies=tuple(copies),
                resumes=step in RESUMES,
                refusal=refusal,
            )
        )
        one.jobs[step] = job.key
        before, copies = [job], []
    trained = before[0]
    for split, source in data.items():
        out = folder / "predictions" / one.place / one.variant.name / f"{split}.jsonl"
        config = data_config_path(folder, one.language, split)
        job = made.add(
            Job(
                key=f"{one.place}/{one.variant.name}/generate-{split}",
                kind="generate",
                arguments=("generate", str(one.run), "--data", str(config), "--out", str(out)),
                fingerprint=fingerprint(split, trained.fingerprint, source.fingerprint),
                output=out,
                needs=(trained.key, source.key),
            )
        )
        one.predictions[split] = (job.key, out)


def _refusal(one: Trained) -> str | None:
    """Why a training cannot be done: its folder holds another one, which nobody but its owner removes."""
    saved = one.run / "train.yaml"
    if not is_complete(one.run) or (saved.is_file() and saved.read_text(encoding="utf-8") == dump_config(one.config)):
        return None
    return f"{one.run} holds a run of another configuration; remove {one.run.parent}, or take another --folder"
