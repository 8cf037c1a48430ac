"""What a reader hands its studies to: good ones are kept, bad ones named, those left out counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from llmrg.studies._paths import ImageFinder, MissingImageError, PathError
from llmrg.studies._text_files import unwritable_reason
from llmrg.studies.settings import DataConfig
from llmrg.studies.split_file import read_split_file
from llmrg.studies.study import Image, Study, ViewName
from llmrg.studies.study_table import StudyTableBuilder
from llmrg.studies.views import order_images


class Collector:
    """Gathers the studies of one dataset.

    Args:
        config: the dataset's configuration.
    """

    def __init__(self, config: DataConfig) -> None:
        self.config = config
        self.splits = None if config.split_file is None else read_split_file(config.split_file)
        self.builder = StudyTableBuilder()
        self.bad: list[tuple[str, str]] = []
        self.set_aside: dict[str, int] = {}
        self.overlap_is_known = False
        self.studies_with_missing_films = 0
        self.missing_films = 0
        self.thinned_studies = 0

    def add(self, study: Study) -> None:
        """Keep a study, unless its id was seen before, or it lacks every target section and one is needed."""
        if not study.report(self.config.target) and not self.config.keep_without_report:
            self.leave_out_without_target()
            return
        context = study.context
        texts = (study.id, study.patient_id, study.split, study.prior, context.indication, context.history)
        for text in (*texts, context.sex, *study.sections.values()):
            reason = unwritable_reason(text) if text else None
            if reason:
                self.reject(study.id, f"a text of it {reason}")
                return
        if self.config.single_split is not None:
            study = replace(study, split=self.config.single_split)
        if self.splits is not None:
            if study.id not in self.splits:
                self.leave_out("no split in the split file")
                return
            study = replace(study, split=self.splits[study.id])
        if not self.builder.add(study):
            self.reject(study.id, "its id occurs twice; the first study with it is kept")

    def reject(self, study_id: str, reason: str) -> None:
        """Name a study that cannot be used."""
        self.bad.append((study_id, reason))

    def leave_out(self, reason: str) -> None:
        """Count a sound study that is not wanted."""
        self.set_aside[reason] = self.set_aside.get(reason, 0) + 1

    def leave_out_without_target(self) -> None:
        """Count a study that has none of the target sections."""
        self.leave_out(f"no {' or '.join(self.config.target)} section")

    def images(
        self, study_id: str, names: Sequence[str], *, finder: ImageFinder, view_of: Callable[[str], ViewName]
    ) -> tuple[Image, ...] | None:
        """Find the films of a study; return None if it cannot be used, which is recorded.

        An unsafe path makes a study bad. So does a missing film, unless ``missing_images`` is ``skip``: then the study
        goes on with the films that are there, and is left out where none is.
        """
        if not names:
            self.reject(study_id, "it has no image")
            return None
        found: list[Image] = []
        missing = 0
        try:
            for name in names:
                try:
                    found.append(Image(path=finder.find(name), view=view_of(name)))
                except MissingImageError:
                    missing += 1
                    if self.config.missing_images == "bad":
                        self.studies_with_missing_films += 1
                        raise
        except PathError as error:
            self.reject(study_id, str(error))
            return None
        self.missing_films += missing
        if not found:
            self.leave_out("no film on disk")
            return None
        self.thinned_studies += missing > 0
        return order_images(found, limit=self.config.views)
