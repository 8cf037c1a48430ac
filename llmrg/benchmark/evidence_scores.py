"""Scores of the evidence that a system's predictions carry, for its row of ``results.json``.

Each key is there only where it could be computed; ``notes`` says what was left out, and why.

* ``pointing``: ``rate`` of ``n`` boxes (true findings on one film) into which the maximum of the finding's query
  falls, ``interval``, and beside it ``chance`` (a random point), ``centre`` (the film's middle), ``mean_map`` (the
  query's mean map over the other studies); ``above_mean_map`` is the difference; ``classes``, ``views``; ``near``, with
  a tolerance; ``likely``, where the query found the finding; ``study``, the highest maximum over all films.
* ``overlap``: ``mean`` intersection over union at ``threshold``; ``energy``, the part of the map inside the box.
* ``calibration``: ``ece`` of the stated confidence over ``bins`` (``count``, ``confidence``, ``accuracy``),
  ``equal_mass`` bins, ``brier`` with its parts; ``queries``, the same of the disease queries.
* ``deletion``: for each of ``sources``, of ``n`` sentences that rest on it the share that changes without it
  (``resting``), that of other sentences (``others``), their difference (``faithfulness``) and finding F1 without it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from llmrg.benchmark.calibration_scores import calibration_scores
from llmrg.benchmark.deletion_scores import deletion_scores, reports_without
from llmrg.benchmark.evidence_maps import judged_maps
from llmrg.benchmark.evidence_settings import EvidenceSettings
from llmrg.benchmark.pointing_scores import Resampling, pointing_scores
from llmrg.benchmark.predictions import Prediction
from llmrg.benchmark.references import References
from llmrg.findings.mention import Mention
from llmrg.findings.targets import positive_findings
from llmrg.findings.vocabulary import FindingVocabulary
from llmrg.studies.settings import DataConfig
from llmrg.studies.study import Study

__all__ = ["EvidenceScorer"]


class EvidenceScorer:
    """Scores what systems record as evidence, all in the same way.

    Args:
        references: the scored studies and what is true of them.
        data: the dataset.
        studies: all studies of the scored split, in order.
        split: its name.
        vocabulary: the findings.
        read: reads findings in reports.
        training: report of each training study, by study id.
        settings: which figures.
        resamples: bootstrap resamples of patients; 0 leaves intervals out.
        seed: of the bootstrap.
    """

    def __init__(
        self,
        references: References,
        *,
        data: DataConfig,
        studies: Sequence[Study],
        split: str,
        vocabulary: FindingVocabulary,
        read: Callable[[str], Mapping[str, Mention]],
        training: Mapping[str, str],
        settings: EvidenceSettings,
        resamples: int,
        seed: int,
    ) -> None:
        self._references = references
        self._data = data
        self._studies = studies
        self._split = split
        self._vocabulary = vocabulary
        self._read = read
        self._training = training
        self._settings = settings
        self._resampling = Resampling(patients=references.patients, resamples=resamples, seed=seed)

    def score(
        self, predictions: Sequence[Prediction], *, run: Path | None = None, folder: Path | None = None
    ) -> dict[str, Any]:
        """Score one system.

        Args:
            predictions: one a scored study.
            run: the run that wrote them, for the deletion test.
            folder: where reports without a source go.
        """
        found: dict[str, Any] = {}
        notes: list[str] = []
        if self._settings.pointing:
            found |= self._pointing(predictions, notes)
        if self._settings.calibration:
            scores = calibration_scores(
                predictions,
                self._references,
                self._vocabulary,
                read=self._read,
                bins=self._settings.bins,
                resampling=self._resampling,
            )
            found |= {"calibration": scores} if scores else {}
            if not scores:
                notes.append("calibration: the predictions state neither confidence nor probabilities of findings")
        if self._settings.deletion.sources:
            if run is None or folder is None:
                notes.append("deletion: reports were read from a file; only those of a run can be generated again")
            else:
                found["deletion"] = self._deletion(predictions, run, folder)
        return {**found, "notes": notes} if notes else found

    def _pointing(self, predictions: Sequence[Prediction], notes: list[str]) -> dict[str, Any]:
        truths = self._references.truths
        if truths is None:
            return {}  # real films have no boxes: nothing is missing
        judged = judged_maps(
            predictions, self._references.studies, truths, data=self._data, vocabulary=self._vocabulary
        )
        if judged is None:
            notes.append("pointing: the predictions carry no maps (llmrg generate --maps)")
            return {}
        scores = pointing_scores(
            judged, self._vocabulary, threshold=self._settings.threshold, resampling=self._resampling
        )
        if not scores:
            notes.append("pointing: no true finding has a box on a film with a map")
        return scores

    def _deletion(self, predictions: Sequence[Prediction], run: Path, folder: Path) -> dict[str, Any]:
        settings = self._settings.deletion
        files = reports_without(run, self._data, self._split, folder, settings)
        first = {study.id for study in self._studies[: settings.studies]}
        return deletion_scores(
            predictions,
            files,
            self._references,
            self._vocabulary,
            language=self._data.language,
            read=self._read,
            stated_by=self._stated_by,
            known=first,
            chosen=[place for place, id_ in enumerate(self._references.ids) if id_ in first],
            resampling=self._resampling,
        )

    def _stated_by(self, study_id: str) -> Collection[str]:
        report = self._training.get(study_id)
        return () if report is None else positive_findings(self._read(report), self._vocabulary)
