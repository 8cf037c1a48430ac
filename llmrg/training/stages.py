"""The stages before the generator: each builds one artefact from the training split and saves it."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from llmrg.artefacts import Manifest, atomic_directory, is_complete, read_manifest
from llmrg.config import to_mapping
from llmrg.errors import UserError
from llmrg.evidence.context_store import ContextStore
from llmrg.evidence.encoder import StudyEncoder, load_encoder
from llmrg.evidence.key_sentences import KeySentence, KeySentences
from llmrg.evidence.memory_bank import MemoryBank, Pattern, sample_patterns
from llmrg.findings.labeler import get_labeler
from llmrg.findings.mention import Side
from llmrg.findings.targets import positive_findings
from llmrg.findings.words import finding_words
from llmrg.language.text_encoder import TextEncoder
from llmrg.pretraining.disease_classifier import pretrain_disease_classifier
from llmrg.pretraining.language_model import pretrain_language_model
from llmrg.studies.mixture import MixtureConfig
from llmrg.studies.study import Study
from llmrg.studies.study_table import StudyTable
from llmrg.systems.build import EMBEDDED, ArtefactPaths, encoder_config
from llmrg.systems.context import write_context
from llmrg.text.sentences import split_sentences
from llmrg.training.context_stage import draw_configuration, draw_studies, neighbours_kept
from llmrg.training.encoding import EncodedStudies, encode_studies
from llmrg.training.material import TrainingMaterial
from llmrg.training.memory_banks import (
    NORMAL,
    region_bank,
    report_entries,
    report_sample,
    save_banks,
    save_regions,
    stacked,
)
from llmrg.training.memory_settings import MemoryStageConfig
from llmrg.training.one_class import warn_of_one_class_labels
from llmrg.training.settings import STAGES, TextEncoderConfig, TrainConfig
from retrieval_index import Record, RetrievalIndex

__all__ = ["NORMAL", "RESTS_ON", "StageBuilder"]

logger = logging.getLogger(__name__)
RESTS_ON: Mapping[str, tuple[str, ...]] = {
    "activation_maps": ("disease_classifier",),
    "memory": ("language_model", "disease_classifier", "activation_maps"),
    "index": ("language_model", "disease_classifier"),
}
"""The stages whose artefacts a stage is made from."""


@dataclass(kw_only=True)
class StageBuilder:
    """Builds the artefacts of a training, or takes those that fit; the work of one process (see ``by_main_process``).

    Args:
        config: the training.
        material: the studies; only the training split enters an artefact.
        producer: the command, for manifests.
        callbacks: makes Trainer callbacks (progress) for a stage, by its name.
        resume: a stage that trains for long goes on from its last whole checkpoint.
    """

    config: TrainConfig
    material: TrainingMaterial
    producer: str
    callbacks: Callable[[str], Sequence[TrainerCallback]] = field(default=lambda name: ())
    resume: bool = False
    _encoded: EncodedStudies | None = field(default=None, init=False)

    def path(self, stage: str) -> Path:
        """Where a stage leaves its artefact."""
        return self.config.artefacts_folder / stage

    def build_needed(self) -> ArtefactPaths:
        """Build every stage that the system needs and whose artefact is missing or does not fit."""
        open_stages = self.open_stages()
        for stage in self.config.stage_names:
            if stage in open_stages:
                self.build(stage)
            else:
                logger.info("%s: the artefact in %s fits and is used again", stage, self.path(stage))
        return self.paths()

    def open_stages(self) -> tuple[str, ...]:
        """The stages that must be built: their artefact does not fit, or a stage they rest on must be built."""
        found: list[str] = []
        for stage in self.config.stage_names:
            if any(base in found for base in RESTS_ON.get(stage, ())) or not self.fits(stage):
                found.append(stage)
        return tuple(found)

    def paths(self) -> ArtefactPaths:
        """The artefacts the system needs, by name."""
        names = {entry.name for entry in fields(ArtefactPaths)}
        return ArtefactPaths(**{stage: self.path(stage) for stage in self.config.stage_names if stage in names})

    def build(self, stage: str) -> Path:
        """Build one stage.

        Raises:
            UserError: unknown stage, or a stage it rests on is missing.
        """
        builders = {
            "language_model": self._language_model,
            "disease_classifier": self._disease_classifier,
            "activation_maps": self._activation_maps,
            "memory": self._memory,
            "index": self._index,
            "context": lambda: write_context(
                draw_studies(self.config.system, self.material), self.path("context"), self._manifest("context", {})
            ),
        }
        if stage not in builders:
            raise UserError(f"Unknown stage {stage!r}", allowed=STAGES, got=stage)
        logger.info("%s: building %s", stage, self.path(stage))
        builders[stage]()
        return self.path(stage)

    def fits(self, stage: str) -> bool:
        """Tell whether a complete artefact was made with this configuration from these training studies."""
        path = self.path(stage)
        if not is_complete(path):
            return False
        try:
            manifest = read_manifest(path)
        except UserError:
            return False
        wanted = json.loads(json.dumps(self.configuration(stage)))
        same = manifest.configuration == wanted and manifest.split_hash == self.material.split_hash
        if same and stage in ("activation_maps", "memory", "index"):
            same = manifest.encoder_hash == self._encoder_hash()
        return same

    def configuration(self, stage: str) -> dict[str, Any]:
        """What a stage's artefact is made with, as its manifest states it; equal ones make equal artefacts.

        Of the studies it takes no more than their settings and the labeler's version; of stages built before, what
        their manifests say.
        """
        stages, seed = self.config.stages, self.config.seed
        if stage == "language_model":
            trained = {"training": to_mapping(stages.language_model), "labeler": self.material.labeler_version}
            return {**trained, **self._mixture()}
        if stage == "disease_classifier":
            return {
                "encoder": to_mapping(encoder_config(self.config.system, self.material.data, as_classifier=True)),
                "fit": self.material.data.fit,
                "training": to_mapping(stages.disease_classifier),
                "teacher_hash": self._teacher_hash(),
                "augmentation": to_mapping(self.config.augmentation),
                "labeler": self.material.labeler_version,
                "seed": seed,
                **self._mixture(),
            }
        if stage == "activation_maps":
            mining = to_mapping(stages.activation_maps)
            return {"mining": mining, "labeler": self.material.labeler_version, "seed": seed}
        evidence = self.config.system.evidence
        shared = {
            "text_encoder": {**_text_encoder_choice(stages.text_encoder), "weights": self._text_encoder_weights()},
            "labeler": self.material.labeler_version,
        }
        if stage == "memory":
            return {
                **shared,
                "visual_per_finding": evidence.visual_memory.per_finding,
                "report_per_finding": evidence.report_memory.per_finding,
                "seed": seed,
                **self._memory_choice(),
            }
        if stage == "context":
            draw = draw_configuration(self.config.system)
            return {"draw": draw, "labeler": self.material.labeler_version}
        return {
            **(shared if "retrieved_context" in evidence.sources else {"labeler": shared["labeler"]}),
            "index": to_mapping(stages.index),
            **({"sentences": True} if self._tells_words else {}),
            "candidates": neighbours_kept(evidence),
        }

    def _memory_choice(self) -> dict[str, Any]:
        """What the memories are made of, and the regions they are made from; nothing where that is the default."""
        chosen = self.config.stages.memory
        if chosen == MemoryStageConfig():
            return {}
        path = self.path("activation_maps")
        regions = chosen.visual == "regions" and is_complete(path)
        mined = read_manifest(path).details.get("mined_hash") if regions else None
        return {"choice": to_mapping(chosen), "regions": mined}

    def _mixture(self) -> dict[str, Any]:
        """How often members of a mixture are shown; nothing outside mixtures."""
        data = self.material.data
        if not isinstance(data, MixtureConfig):
            return {}
        weights = {name: member.weight for name, member in data.members.items()}
        return {"mixture": {"weights": weights, "temperature": data.temperature, "epoch_studies": data.epoch_studies}}

    def _teacher_hash(self) -> str | None:
        teacher = self.config.stages.disease_classifier.teacher
        return read_manifest(teacher).encoder_hash if teacher is not None else None

    def _encoder_hash(self) -> str | None:
        path = self.path("disease_classifier")
        return read_manifest(path).encoder_hash if is_complete(path) else None

    def _text_encoder_weights(self) -> str | None:
        """Hash of the embedded text encoder's weights; another encoder is told by its name and revision."""
        path = self.path("language_model")
        if self.config.stages.text_encoder.path != EMBEDDED or not is_complete(path):
            return None
        return str(read_manifest(path).details.get("weights"))

    def _require(self, stage: str, needed_by: str) -> None:
        if not is_complete(self.path(stage)):
            command = {
                "language_model": "llmrg pretrain language-model",
                "disease_classifier": "llmrg pretrain disease-classifier",
                "activation_maps": "llmrg mine-maps",
            }[stage]
            raise UserError(
                f"The stage {needed_by} needs the artefact {stage}",
                where=str(self.path(stage)),
                next_step=f"run {command} CONFIG first",
            )

    def _language_model(self) -> None:
        data, training = self.material.data, self.material.training
        phrases = self._phrases()
        owners = [study.dataset or "" for study in (*training, *(study for study, _, _ in phrases))]
        pretrain_language_model(
            [study.report(data.target) for study in training],
            self.path("language_model"),
            self.config.stages.language_model,
            producer=self.producer,
            split_hash=self.material.split_hash,
            languages=self.material.languages,
            hints=[self._hint(study) for study in training],
            phrases=[(hint, sentence) for _, hint, sentence in phrases],
            text_languages=[study.language for study in (*training, *(study for study, _, _ in phrases))],
            draw=self.material.draw(owners, seed=self.config.stages.language_model.seed),
            callbacks=self.callbacks("language_model"),
            configuration=self.configuration("language_model"),
        )

    def _hint(self, study: Study) -> str:
        """What a training report states, in the words of the diagnosis hints."""
        stated = positive_findings(self.material.mentions[study.id], self.material.vocabulary)
        return finding_words(stated, self.material.vocabulary, study.language)

    def _phrases(self) -> list[tuple[Study, str, str]]:
        """The sentences of training reports that state findings, after those findings in the words of the hints."""
        vocabulary = self.material.vocabulary
        found: list[tuple[Study, str, str]] = []
        for study in self.material.training:
            for sentence, stated in self._sentences(study):
                if stated:
                    found.append((study, finding_words(stated, vocabulary, study.language), sentence))
        return found

    def _sentences(self, study: Study) -> Iterator[tuple[str, Mapping[str, Side | None]]]:
        """The sentences of a report with the findings each states, read in the study's own language."""
        labeler = get_labeler(self.material.vocabulary, study.language)
        for sentence in split_sentences(study.report(self.material.data.target), study.language):
            yield sentence, positive_findings(labeler.label(sentence), self.material.vocabulary)

    def _disease_classifier(self) -> None:
        data = self.material.data
        warn_of_one_class_labels(self.material, seed=self.config.seed)
        pretrain_disease_classifier(
            self.material.training_set(augmentation=self.config.augmentation, seed=self.config.seed),
            self.material.dataset(self.material.validation),
            self.path("disease_classifier"),
            encoder=encoder_config(self.config.system, data, as_classifier=True),
            config=self.config.stages.disease_classifier,
            configuration=self.configuration("disease_classifier"),
            seed=self.config.seed,
            producer=self.producer,
            split_hash=self.material.split_hash,
            languages=self.material.languages,
            callbacks=self.callbacks("disease_classifier"),
            checkpoints=self.path("disease_classifier").with_name(".disease_classifier-training"),
            resume=self.resume,
        )
        self._encoded = None

    def _memory(self) -> None:
        self._require("disease_classifier", "memory")
        evidence, seed = self.config.system.evidence, self.config.seed
        chosen = self.config.stages.memory
        entries = report_entries(self.material) if chosen.report == "reports" else self._key_sentences()
        rows = report_sample(
            [pattern for pattern, _ in entries],
            per_finding=evidence.report_memory.per_finding,
            total=chosen.report_samples,
            seed=seed,
        )
        unique = sorted({entries[row][1] for row in rows})
        text_encoder = self._text_encoder("memory")
        banks = {"visual_memory": self._visual_bank()}
        vectors = dict(zip(unique, text_encoder.encode(unique), strict=True))
        banks["report_memory"] = stacked([(entries[row][0], vectors[entries[row][1]]) for row in rows])
        with atomic_directory(self.path("memory")) as directory:
            details = {"vocabulary": self.material.data.vocabulary, **save_banks(directory, banks)}
            self._manifest("memory", details).write(directory)

    def _visual_bank(self) -> MemoryBank:
        if self.config.stages.memory.visual == "regions":
            self._require("activation_maps", "memory")
            return region_bank(
                self.path("activation_maps"),
                per_finding=self.config.system.evidence.visual_memory.per_finding,
                seed=self.config.seed,
                encoder_hash=self._encoder_hash(),
            )
        names = [finding.name for finding in self.material.vocabulary.abnormal]
        answers = sorted(self._encode().answers.items(), key=lambda item: (item[0][0], item[0][1] or 0))
        return stacked(
            [
                (_pattern(self.material.training[row], NORMAL if query is None else names[query]), answer)
                for (row, query), answer in answers
            ]
        )

    def _activation_maps(self) -> None:
        self._require("disease_classifier", "activation_maps")
        with atomic_directory(self.path("activation_maps")) as directory:
            details = save_regions(
                self.encoder(),
                self.material,
                directory,
                config=self.config.stages.activation_maps,
                batch_size=self.config.training.validation_batch_size,
                seed=self.config.seed,
            )
            self._manifest("activation_maps", details).write(directory)

    def encoder(self) -> StudyEncoder:
        """The disease classifier in evaluation mode, on a GPU where there is one."""
        encoder, _ = load_encoder(self.path("disease_classifier"))
        return (encoder.cuda() if torch.cuda.is_available() else encoder).eval()

    def _visual_choice(self) -> dict[int, list[int | None]]:
        """The patterns of the visual memory, chosen before anything is encoded: row to query (None: their mean)."""
        if "memory" not in self.config.stage_names:
            return {}
        names = [finding.name for finding in self.material.vocabulary.abnormal]
        places: list[tuple[int, int | None]] = []
        for row, study in enumerate(self.material.training):
            places += [(row, names.index(name)) for name in self.material.positive(study.id)] or [(row, None)]
        nobody = {
            query: Pattern(study_id="", patient_id="", finding=NORMAL if query is None else names[query])
            for query in {query for _, query in places}
        }
        limit = self.config.system.evidence.visual_memory.per_finding
        rows = sample_patterns([nobody[query] for _, query in places], per_finding=limit, seed=self.config.seed)
        chosen: dict[int, list[int | None]] = {}
        for row, query in (places[number] for number in rows):
            chosen.setdefault(row, []).append(query)
        return chosen

    def _key_sentences(self) -> list[tuple[Pattern, str]]:
        """The sentences of training reports that state a finding; whole reports of normal studies."""
        entries: list[tuple[Pattern, str]] = []
        for study in self.material.training:
            own = [(_pattern(study, name), text) for text, stated in self._sentences(study) for name in stated]
            entries += own or [(_pattern(study, NORMAL), study.report(self.material.data.target))]
        return entries

    def _index(self) -> None:
        self._require("disease_classifier", "index")
        names = [finding.name for finding in self.material.vocabulary.abnormal]
        encoded = self._encode()
        studies = self._encoded_studies(encoded)
        labels = torch.zeros(len(studies), len(names), dtype=torch.bool)
        records = []
        for row, study in enumerate(studies):
            positive = self.material.positive(study.id)
            for name in positive:
                labels[row, names.index(name)] = True
            records.append(Record(id=study.id, patient=study.patient_id, labels=dict.fromkeys(positive, "positive")))
        index = RetrievalIndex.build(
            encoded.vectors.numpy(), records, config=self.config.stages.index, encoder_hash=self._encoder_hash()
        )
        reports = torch.empty(len(studies), 0)  # none but retrieved_context reads them
        if "retrieved_context" in self.config.system.evidence.sources:
            texts = [study.report(self.material.data.target) for study in studies]
            reports = self._text_encoder("index").encode(texts)
        candidates = neighbours_kept(self.config.system.evidence)
        store = ContextStore(
            index=index,
            visual=encoded.pooled,
            reports=reports,
            labels=labels,
            neighbours=torch.empty(len(studies), 0, dtype=torch.long),
            similarities=torch.empty(len(studies), 0),
        )
        neighbours, similarities = store.search(
            encoded.vectors, candidates, patients=[study.patient_id for study in studies]
        )
        store = ContextStore(
            index=index,
            visual=encoded.pooled,
            reports=reports,
            labels=labels,
            neighbours=neighbours,
            similarities=similarities,
        )
        if self._tells_words:
            store = dataclasses.replace(store, sentences=self._told_sentences(studies))
        with atomic_directory(self.path("index")) as directory:
            digest = store.save(directory)
            manifest = self._manifest("index", {"tensors_hash": digest, "studies": len(studies)})
            dataclasses.replace(manifest, contains_patient_text=self._tells_words).write(directory)

    @property
    def _tells_words(self) -> bool:
        """Whether retrieved studies are told in words, too."""
        evidence = self.config.system.evidence
        return "retrieved_context" in evidence.sources and evidence.retrieved_context.sentences > 0

    def _told_sentences(self, studies: Sequence[Study]) -> KeySentences:
        places = {finding.name: place for place, finding in enumerate(self.material.vocabulary.abnormal)}
        return KeySentences(
            languages=tuple(study.language for study in studies),
            rows=tuple(
                tuple(
                    KeySentence(text=text.strip(), findings=tuple(sorted(places[name] for name in stated)))
                    for text, stated in self._sentences(study)
                    if stated
                )
                for study in studies
            ),
        )

    def _encoded_studies(self, encoded: EncodedStudies) -> Sequence[Study]:
        studies = self.material.training
        if len(encoded.rows) == len(studies):
            return studies
        if isinstance(studies, StudyTable):
            return studies.select(encoded.rows)
        return [studies[int(row)] for row in encoded.rows]

    def _encode(self) -> EncodedStudies:
        """What memory and index need of the training studies, without augmentation."""
        if self._encoded is None:
            dataset = self.material.dataset(self.material.training)
            dataset.extras = {}
            self._encoded = encode_studies(
                self.encoder(),
                dataset,
                batch_size=self.config.training.validation_batch_size,
                answers=self._visual_choice(),
                tolerated=self.material.data.tolerated_bad(len(dataset)),
            )
        return self._encoded

    def _text_encoder(self, needed_by: str) -> TextEncoder:
        settings = self.config.stages.text_encoder
        if settings.path == EMBEDDED:
            self._require("language_model", needed_by)
            path, revision = str(self.path("language_model")), None
        else:
            path, revision = settings.path, settings.revision
        return TextEncoder(path, revision=revision, pooling=settings.pooling, max_tokens=settings.max_tokens)

    def _manifest(self, kind: str, details: Mapping[str, Any]) -> Manifest:
        return Manifest(
            kind=kind,
            producer=self.producer,
            configuration=self.configuration(kind),
            encoder_hash=self._encoder_hash(),
            split_hash=self.material.split_hash,
            languages=self.material.languages,
            details=dict(details),
        )


def _pattern(study: Study, finding: str) -> Pattern:
    return Pattern(study_id=study.id, patient_id=study.patient_id, finding=finding)


def _text_encoder_choice(chosen: TextEncoderConfig) -> dict[str, Any]:
    """Path and revision, and what differs from the defaults, so that artefacts from before there was a choice fit."""
    usual = to_mapping(TextEncoderConfig())
    values = to_mapping(chosen)
    return {name: value for name, value in values.items() if name in ("path", "revision") or value != usual[name]}
