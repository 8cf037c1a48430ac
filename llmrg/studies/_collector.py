"""What a reader hands its studies to: good ones are kept, bad ones named, those left out counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from llmrg.studies._paths import ImageFinder, PathError
from llmrg.studies.settings import DataConfig
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
        self.builder = StudyTableBuilder()
        self.bad: list[tuple[str, str]] = []
        self.set_aside: dict[str, int] = {}
        self.overlap_is_known = False

    def add(self, study: Study) -> None:
        """Keep a study, unless its id was seen before, or it lacks every target section and one is needed."""
        if not study.report(self.config.target) and not self.config.keep_without_report:
            self.leave_out_without_target()
            return
        if self.config.single_split is not None:
            study = replace(study, split=self.config.single_split)
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
        self, study_id: str, names: list[str], *, finder: ImageFinder, view_of: Callable[[str], ViewName]
    ) -> tuple[Image, ...] | None:
        """Find the films of a study; name it bad and return None if one is missing or its path is unsafe."""
        if not names:
            self.reject(study_id, "it has no image")
            return None
        try:
            found = [Image(path=finder.find(name), view=view_of(name)) for name in names]
        except PathError as error:
            self.reject(study_id, str(error))
            return None
        return order_images(found, limit=self.config.views)
