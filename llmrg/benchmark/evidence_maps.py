"""Maps and boxes of the scored studies, brought to the same square."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from llmrg.benchmark.predictions import Prediction
from llmrg.findings.vocabulary import FindingVocabulary
from llmrg.generation.maps import decode_maps, decode_offset
from llmrg.metrics.pointing import StudyBoxes, StudyMaps
from llmrg.studies.images import ImageError, load_image
from llmrg.studies.phantoms.truth import PhantomTruth
from llmrg.studies.settings import DataConfig
from llmrg.studies.square import square_box
from llmrg.studies.study import Study

__all__ = ["JudgedMaps", "judged_maps", "query_probabilities"]


@dataclass(frozen=True, kw_only=True)
class JudgedMaps:
    """What the pointing figures are computed from; the queries are the vocabulary's abnormal findings, in order.

    Args:
        maps: of each study.
        boxes: of each study's true findings.
        likely: those of them whose query found the finding more likely than not.
    """

    maps: tuple[StudyMaps, ...]
    boxes: tuple[StudyBoxes, ...]
    likely: tuple[StudyBoxes, ...]

    def of_view(self, view: str) -> tuple[StudyBoxes, ...]:
        """The boxes on films of one view."""
        return tuple(
            {key: box for key, box in own.items() if study.views[key[1]] == view}
            for study, own in zip(self.maps, self.boxes, strict=True)
        )

    @property
    def views(self) -> tuple[str, ...]:
        """Views that have boxes."""
        found = {study.views[film] for study, own in zip(self.maps, self.boxes, strict=True) for _, film in own}
        return tuple(sorted(found))


def query_probabilities(prediction: Prediction) -> dict[str, float]:
    """Probability by finding, as the disease queries of a prediction state it."""
    return {
        str(item.get("finding")): float(value)
        for item in prediction.records("disease_queries")
        if isinstance(value := item.get("probability"), int | float) and 0 <= value <= 1
    }


def judged_maps(
    predictions: Sequence[Prediction],
    studies: Sequence[Study],
    truths: Sequence[PhantomTruth],
    *,
    data: DataConfig,
    vocabulary: FindingVocabulary,
) -> JudgedMaps | None:
    """Collect maps and boxes, or None where the predictions carry no maps.

    Args:
        predictions: one a study, with maps (``llmrg generate --maps``); studies without are not judged.
        studies: the scored studies.
        truths: their side file entries.
        data: how films become the square that the model sees.
        vocabulary: the findings.
    """
    found = [_maps_of(prediction) for prediction in predictions]
    if not any(found):
        return None
    rows = {finding.name: row for row, finding in enumerate(vocabulary.abnormal)}
    names = {finding.observation: finding.name for finding in vocabulary.abnormal}
    maps: list[StudyMaps] = []
    boxes: list[StudyBoxes] = []
    likely: list[StudyBoxes] = []
    for prediction, study, truth, own in zip(predictions, studies, truths, found, strict=True):
        if not own or any(len(one) > len(study.images) for one in own.values()):
            maps.append(StudyMaps(maps=np.zeros((len(rows), 0, 1, 1)), views=()))
            boxes.append({})
            likely.append({})
            continue
        shape = next(iter(own.values())).shape
        table = np.zeros((len(rows), *shape))
        for name, row in rows.items():
            if name in own:
                table[row] = own[name]
        views = tuple(image.view for image in study.images[: shape[0]])
        maps.append(StudyMaps(maps=table, views=views, offset=_offset_of(prediction)))
        judged = {
            (rows[name], film): box
            for finding in truth.findings
            if (name := names.get(finding.observation, "")) in own
            for film, box in _boxes_of(finding.boxes, study, films=shape[0], data=data).items()
        }
        probabilities = query_probabilities(prediction)
        sure = {rows[name] for name, value in probabilities.items() if name in rows and value >= 0.5}
        boxes.append(judged)
        likely.append({key: box for key, box in judged.items() if key[0] in sure})
    return JudgedMaps(maps=tuple(maps), boxes=tuple(boxes), likely=tuple(likely))


def _maps_of(prediction: Prediction) -> dict[str, Any]:
    """Map [V, h, w] by finding; empty where there is none."""
    for record in prediction.evidence:
        if record.get("kind") != "disease_queries":
            continue
        names = [str(item.get("finding")) for item in prediction.records("disease_queries")]
        maps = decode_maps(record.get("maps"))
        if maps is not None and len(maps) == len(names) and maps.size:
            return dict(zip(names, maps, strict=True))
    return {}


def _offset_of(prediction: Prediction) -> tuple[float, float]:
    records = (record for record in prediction.evidence if record.get("kind") == "disease_queries")
    return next((decode_offset(record.get("maps")) for record in records), (0.0, 0.0))


def _boxes_of(
    boxes: Mapping[str, tuple[float, float, float, float]], study: Study, *, films: int, data: DataConfig
) -> dict[int, tuple[float, float, float, float]]:
    """Boxes by film, in parts of the square; films that cannot be read have none."""
    found: dict[int, tuple[float, float, float, float]] = {}
    for film, image in enumerate(study.images[:films]):
        if image.view not in boxes:
            continue
        try:
            height, width = load_image(image.path).shape
        except ImageError:
            continue
        box = square_box(boxes[image.view], height=height, width=width, size=data.image_size, mode=data.fit)
        if box is not None:
            x0, y0, x1, y1 = (edge / data.image_size for edge in box)
            found[film] = (x0, y0, x1, y1)
    return found
