"""The LLM systems: a study encoder, evidence sources and a language model that reads their evidence in its prompt."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from llmrg.errors import UserError
from llmrg.evidence.base import Evidence, EvidenceSource
from llmrg.evidence.encoder import StudyEncoder
from llmrg.evidence.gates import SourceGates
from llmrg.findings.labeler import Labeler, get_labeler
from llmrg.findings.vocabulary import FindingVocabulary
from llmrg.language.assembly import Assembled, EncodedReports, PromptAssembler, encode_reports
from llmrg.language.context import render_context
from llmrg.language.decoding import OnToken
from llmrg.language.divided import full_size, put_tensors, whole_copies
from llmrg.language.llm import LanguageModel
from llmrg.language.prompt import PromptConfig
from llmrg.language.settings import DecodingConfig
from llmrg.language.token_space import TokenSpace, encode_ordinary
from llmrg.studies.batches import StudyBatch
from llmrg.studies.dataset import StudySample, collate_studies
from llmrg.studies.study import Language, Study
from llmrg.systems.report import GeneratedReport, SystemOutput
from llmrg.systems.settings import SystemConfig
from llmrg.vision.features import VisualFeatures

__all__ = ["SILENT", "ReportGenerator"]

_INDEX_ENCODERS = ("sources.retrieved_context.encoder.", "sources.context_residuals.retrieval.encoder.")
_CONTEXT_VECTORS = "sources.context_residuals.vectors"

SILENT = "silent_sources"
"""Tensor of a training batch [B, S]: the sources that the decoder does not hear, in the system's order."""


class ReportGenerator(nn.Module):
    """Study in, report out.

    Args:
        config: what it was built from.
        encoder: trunk and disease queries.
        sources: evidence sources, in order.
        language_model: the decoder.
        prompt: the prompt; it must name sources that exist.
        prompts: prompts of studies in certain languages; ``prompt`` serves all others.
        target: report sections that are written.
        vocabulary: the findings that are read in generated text.
        encoder_from_artefact: the encoder's weights came from a disease-classifier artefact; while it is not tuned,
            they are then no part of :meth:`own_state`.
    """

    def __init__(
        self,
        *,
        config: SystemConfig,
        encoder: StudyEncoder,
        sources: Sequence[EvidenceSource],
        language_model: LanguageModel,
        prompt: PromptConfig,
        prompts: Mapping[Language, PromptConfig] | None = None,
        target: tuple[str, ...],
        vocabulary: FindingVocabulary,
        encoder_from_artefact: bool = True,
    ) -> None:
        super().__init__()
        self.settings = config
        self.encoder = encoder
        self.sources = nn.ModuleDict({source.kind: cast(nn.Module, source) for source in sources})
        self.gates = SourceGates(self.sources) if config.evidence.gates else None
        self.language_model = language_model
        self.space = TokenSpace(language_model)
        by_language = {str(language): given for language, given in (prompts or {}).items()}
        self.assembler = PromptAssembler(language_model, prompt, by_language=by_language)
        self.target = target
        self.vocabulary = vocabulary
        self._encoder_is_foreign = encoder_from_artefact and not config.tune_vision
        if not config.tune_vision:
            self.encoder.requires_grad_(False)

    @property
    def device(self) -> torch.device:
        """Where the system's weights are."""
        return next(self.parameters()).device

    def labeler(self, language: Language) -> Labeler:
        """Return what reads findings in reports of a language."""
        return get_labeler(self.vocabulary, language)

    def train(self, mode: bool = True) -> ReportGenerator:
        """Switch the mode; an encoder that is not tuned stays in evaluation mode."""
        super().train(mode)
        if not self.settings.tune_vision:
            self.encoder.eval()
        return self

    def collate(self, samples: Sequence[StudySample], *, with_reports: bool = True) -> dict[str, Any]:
        """Make the inputs of :meth:`forward`.

        Args:
            samples: of :class:`llmrg.studies.dataset.StudyDataset`.
            with_reports: tokenise the target reports.

        Returns:
            ``batch``, and ``labels`` [B, R] (which transformers' Trainer counts) where reports are asked for.
        """
        batch = collate_studies(samples)
        if not with_reports:
            return {"batch": batch}
        reports = encode_reports(
            self.language_model.tokenizer,
            [study.report(self.target) for study in batch.studies],
            max_tokens=self.settings.max_report_tokens,
            warn=False,
        )
        tensors = {**batch.tensors, "report_ids": reports.ids, "report_mask": reports.mask}
        return {"batch": dataclasses.replace(batch, tensors=tensors), "labels": reports.labels}

    def count_long_reports(self, studies: Iterable[Study]) -> int:
        """Count the target reports that :meth:`collate` cuts to ``max_report_tokens``."""
        tokenizer, limit = self.language_model.tokenizer, self.settings.max_report_tokens
        return sum(len(encode_ordinary(tokenizer, study.report(self.target))) >= limit for study in studies)

    def gather(self, batch: StudyBatch, *, with_records: bool = False) -> dict[str, Evidence]:
        """Ask every evidence source in turn.

        Args:
            batch: on this system's device.
            with_records: fill the readable records.
        """
        return self._ask(self._read(batch), batch, with_records=with_records)

    def _read(self, batch: StudyBatch) -> VisualFeatures:
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.settings.tune_vision):
            return cast(VisualFeatures, self.encoder.backbone(batch.pixels, batch.view_mask, batch.views))

    def _ask(self, features: VisualFeatures, batch: StudyBatch, *, with_records: bool) -> dict[str, Evidence]:
        found: dict[str, Evidence] = {}
        for kind, source in self.sources.items():
            evidence = source(features, batch, self.space, found, with_records=with_records)
            found[kind] = evidence if self.gates is None else self.gates(kind, evidence)
        return found

    def loss_items(self, batch: StudyBatch) -> dict[str, Tensor]:
        """Count what the sources' losses are means over: by name of the loss, and ``studies`` for any other.

        Returns:
            Scalars (long); the names are the same for every batch with targets.
        """
        items = {"studies": torch.tensor(len(batch), device=batch.pixels.device)}
        for source in self.sources.values():
            count = getattr(source, "loss_items", None)
            if count is not None:
                items.update(count(batch))
        return items

    def forward(
        self,
        batch: StudyBatch,
        labels: Tensor | None = None,
        num_items_in_batch: Tensor | int | None = None,
        loss_items: Mapping[str, Tensor] | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        """Compute the loss of writing the target reports, and the sources' own losses.

        Args:
            batch: carries ``report_ids`` and ``report_mask``; where it carries :data:`SILENT`, the decoder does not
                hear those sources.
            labels: [B, R]; only counted, by the Trainer.
            num_items_in_batch: target tokens of all micro-batches and processes of this optimiser step, which the
                language loss is divided by; None: those of this batch.
            loss_items: sums of :meth:`loss_items` over all of them; the sources' losses are weighted by this
                micro-batch's share. None: this batch is all there is.

        Returns:
            ``loss`` and ``output`` (:class:`SystemOutput`).
        """
        evidence = self.gather(batch)
        if SILENT in batch.tensors:
            silent = batch.tensors[SILENT]
            evidence = {kind: evidence[kind].silenced(silent[:, place]) for place, kind in enumerate(self.sources)}
        reports = EncodedReports(ids=batch.tensors["report_ids"], mask=batch.tensors["report_mask"])
        assembled = self._assemble(evidence, batch.studies, reports)
        language, logits = self.language_model(
            inputs_embeds=assembled.inputs_embeds,
            attention_mask=assembled.attention_mask,
            labels=assembled.labels,
            position_ids=assembled.position_ids,
            num_items_in_batch=num_items_in_batch,
        )
        own = self.loss_items(batch) if loss_items is not None else {}
        parts = {"language": language}
        for found in evidence.values():
            for name, value in found.losses.items():
                counted = name if name in own else "studies"
                share = own[counted] / loss_items[counted].clamp(min=1) if loss_items is not None else 1.0
                parts[name] = share * value
        loss = torch.stack([part.float() for part in parts.values()]).sum()
        detached = {name: part.detach() for name, part in parts.items()}
        return {"loss": loss, "output": SystemOutput(loss=loss, parts=detached, logits=logits)}

    @torch.no_grad()
    def generate(
        self,
        batch: StudyBatch,
        decoding: DecodingConfig,
        *,
        on_token: OnToken | None = None,
        instruction: str | None = None,
        with_records: bool = False,
        seeds: Sequence[int] | None = None,
        without: Collection[str] = (),
    ) -> list[GeneratedReport]:
        """Write a report for every study of a batch.

        Args:
            batch: the studies, without targets.
            decoding: how tokens are drawn.
            on_token: called with (row, token id) as tokens are chosen.
            instruction: replaces the prompt's instruction.
            with_records: gather evidence records and maps.
            seeds: one a study, for sampling.
            without: evidence sources that the decoder does not hear (see
                :meth:`llmrg.evidence.base.Evidence.silenced`); sources that ask them still can.

        Raises:
            UserError: ``without`` names a source that the system lacks.
        """
        removed = self.removable(without)
        was_training = self.training
        self.eval()
        try:
            batch = batch.to(self.device)
            features = self._read(batch)
            grid = features.grid
            evidence = {
                kind: found.silenced() if kind in removed else found
                for kind, found in self._ask(features, batch, with_records=with_records).items()
            }
            assembled = self._assemble(evidence, batch.studies, None, instruction=instruction)
            drawn = self.language_model.generate(
                assembled.inputs_embeds, assembled.attention_mask, decoding, seeds=seeds, on_token=on_token
            )
        finally:
            self.train(was_training)
        reports = []
        for row, (study, tokens) in enumerate(zip(batch.studies, drawn, strict=True)):
            text = self.language_model.text(tokens.ids)
            records = [found.records[row] for found in evidence.values() if found.records] if with_records else []
            maps: dict[str, Tensor] = {}
            if with_records and "disease_queries" in evidence and "disease_queries" not in removed:
                looked = evidence["disease_queries"].state["attention"][row].float().cpu()
                maps["attention"] = looked.view(looked.shape[0], *grid)
            reports.append(
                GeneratedReport(
                    study_id=study.id,
                    text=text,
                    log_probabilities=tokens.log_probabilities,
                    finished=tokens.finished,
                    findings=self.labeler(study.language).label(text),
                    records=records,
                    maps=maps,
                )
            )
        return reports

    def removable(self, names: Collection[str]) -> tuple[str, ...]:
        """Return evidence sources in the system's order.

        Raises:
            UserError: one that the system lacks.
        """
        for name in names:
            if name not in self.sources:
                raise UserError(
                    f"The system has no evidence source {name!r}", allowed=tuple(self.sources), got=str(name)
                )
        return tuple(kind for kind in self.sources if kind in names)

    def own_state(self) -> dict[str, Tensor]:
        """Return every tensor that this system learnt (weights and normalisation statistics), on the CPU.

        The frozen language model, memory banks, the frozen encoder of the index and an encoder that stays as its
        artefact has it are not among them: a run refers to the first and holds the others as artefacts.
        """
        state = {
            f"language_model.{name}": tensor for name, tensor in self.language_model.trainable_state_dict().items()
        }
        tensors = dict(self.named_parameters()) | dict(self._persistent_buffers())
        return state | whole_copies({name: tensor for name, tensor in tensors.items() if not self._is_foreign(name)})

    def load_own_state(self, state: Mapping[str, Tensor]) -> None:
        """Put back what :meth:`own_state` returned.

        Raises:
            ValueError: names or shapes do not fit.
        """
        prefix = "language_model."
        self.language_model.load_trainable_state_dict(
            {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
        )
        own = {
            name: tensor
            for name, tensor in (dict(self.named_parameters()) | dict(self._persistent_buffers())).items()
            if not self._is_foreign(name)
        }
        given = {name: tensor for name, tensor in state.items() if not name.startswith(prefix)}
        wrong = sorted(own.keys() ^ given.keys()) or [n for n in own if full_size(own[n]) != given[n].shape]
        if wrong:
            raise ValueError(f"{len(wrong)} tensors do not fit this system, first {wrong[0]!r}")
        put_tensors(own, given)

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """Return :meth:`own_state`, so that checkpoints never hold frozen parts (and no tied tensor twice).

        The vectors of context studies come with it; a run holds them as an artefact.
        """
        return self.own_state() | self._context_vectors()

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Load what :meth:`state_dict` returned; always strict."""
        context = {name: tensor for name, tensor in state_dict.items() if name.startswith(_CONTEXT_VECTORS)}
        self.load_own_state({name: tensor for name, tensor in state_dict.items() if name not in context})
        buffers = {n: t for n, t in self._persistent_buffers().items() if n.startswith(_CONTEXT_VECTORS)}
        if buffers.keys() != context.keys():
            raise ValueError("the vectors of context studies do not fit this system")
        put_tensors(buffers, context)
        return nn.modules.module._IncompatibleKeys([], [])

    def activation_checkpointing_enable(self, **kwargs: Any) -> None:
        """Recompute the language model's activations in the backward pass; called by transformers' Trainer."""
        self.language_model.activation_checkpointing_enable(**kwargs)

    def activation_checkpointing_disable(self) -> None:
        """Keep the language model's activations."""
        self.language_model.activation_checkpointing_disable()

    def _assemble(
        self,
        evidence: Mapping[str, Evidence],
        studies: Sequence[Study],
        reports: EncodedReports | None,
        *,
        instruction: str | None = None,
    ) -> Assembled:
        shown = {
            kind: (found.embeddings, found.mask)
            for kind, found in evidence.items()
            if found.embeddings is not None and found.mask is not None
        }
        texts = [{"context": render_context(study.context, study.language)} for study in studies]
        for kind, found in evidence.items():
            if found.words is not None:
                texts = [{**text, kind: words} for text, words in zip(texts, found.words, strict=True)]
        if instruction is not None:
            for study in studies:
                self.assembler.prompt_of(study.language).with_instruction(instruction)  # refused without a place for it
            texts = [{**text, "instruction": instruction} for text in texts]
        languages = [study.language for study in studies]
        return self.assembler.assemble(shown, texts, reports, languages=languages)

    def _is_foreign(self, name: str) -> bool:
        if name.startswith(("language_model.", *_INDEX_ENCODERS, _CONTEXT_VECTORS)):
            return True
        return self._encoder_is_foreign and name.startswith("encoder.")

    def _context_vectors(self) -> dict[str, Tensor]:
        return whole_copies({n: t for n, t in self._persistent_buffers().items() if n.startswith(_CONTEXT_VECTORS)})

    def _persistent_buffers(self) -> dict[str, Tensor]:
        hidden = {
            f"{prefix}.{name}" if prefix else name
            for prefix, module in self.named_modules()
            for name in module._non_persistent_buffers_set
        }
        return {name: tensor for name, tensor in self.named_buffers() if name not in hidden}
