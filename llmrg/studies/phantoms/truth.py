"""What is really to be seen in a drawn study, kept beside the dataset and never read by training."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from llmrg.artefacts import write_text
from llmrg.errors import UserError
from llmrg.findings.mention import Severity, Side

__all__ = ["TRUTH_FILE", "AgeGroup", "FindingTruth", "PhantomTruth", "Zone", "find_truth", "read_truth", "write_truth"]

TRUTH_FILE = Path("truth") / "truth.jsonl"

Zone = Literal["upper", "middle", "lower"]
AgeGroup = Literal["paediatric", "adult"]


@dataclass(frozen=True, kw_only=True)
class FindingTruth:
    """One finding of a drawn study; a study has at most one of each observation.

    Args:
        observation: key of :mod:`llmrg.findings.vocabulary` (``pleural_effusion``).
        side: side of the patient, None where the observation has none. The patient's left lies at the viewer's right
            of a frontal film.
        zone: third of the lung field, where the observation has one place.
        severity: degree.
        size: nodule, in mm of diameter; cardiomegaly, the cardiothoracic ratio; pleural effusion, the filled part of
            the lung's height; pneumothorax, the air-filled part of the hemithorax's width; else the part of the
            lung field (rib fracture: of the rib's width; tube: of the film's height) that it takes.
        boxes: for each view that shows it, ``(x0, y0, x1, y1)`` in pixels of the written image.
        kind: which of several looks: ``endotracheal_tube``, ``gastric_tube``, ``central_line`` or ``pacemaker`` of a
            support device, ``plate`` or ``lobar`` atelectasis; else None.
    """

    observation: str
    side: Side | None = None
    zone: Zone | None = None
    severity: Severity = "moderate"
    size: float = 0.0
    boxes: Mapping[str, tuple[float, float, float, float]] = field(default_factory=dict)
    kind: str | None = None

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> FindingTruth:
        """Build from the mapping that :func:`dataclasses.asdict` makes."""
        x = dict(values)
        x["boxes"] = {view: tuple(float(edge) for edge in box) for view, box in x.get("boxes", {}).items()}
        return cls(**x)


@dataclass(frozen=True, kw_only=True)
class PhantomTruth:
    """Identity and findings of one drawn study.

    Args:
        study_id: id that the dataset's reader gives the study.
        patient_id: studies of one patient share it.
        split: split that the dataset's reader gives the study.
        age_group: below 18 years or not.
        age: in years.
        sex: ``female`` or ``male``.
        findings: at most one of each observation, the most striking first; empty if the study is normal.
        cardiothoracic_ratio: width of the heart by inner width of the thorax on the frontal film.
    """

    study_id: str
    patient_id: str
    split: str
    age_group: AgeGroup
    age: float
    sex: Literal["female", "male"]
    findings: tuple[FindingTruth, ...] = ()
    cardiothoracic_ratio: float = 0.45

    def finding(self, observation: str) -> FindingTruth | None:
        """Return the finding of that observation, or None if the study does not have it."""
        return next((finding for finding in self.findings if finding.observation == observation), None)

    @property
    def observations(self) -> tuple[str, ...]:
        """Observations that are present."""
        return tuple(finding.observation for finding in self.findings)

    def to_json(self) -> str:
        """Return one line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, line: str | Mapping[str, Any]) -> PhantomTruth:
        """Build from a line that :meth:`to_json` made, or from its parsed mapping."""
        values = dict(json.loads(line) if isinstance(line, str) else line)
        values["findings"] = tuple(FindingTruth.from_json(finding) for finding in values["findings"])
        return cls(**values)


def write_truth(root: Path, truths: Iterable[PhantomTruth]) -> Path:
    """Write the side file of the dataset in ``root`` and return its path."""
    path = root / TRUTH_FILE
    write_text(path, "".join(truth.to_json() + "\n" for truth in truths))
    return path


def find_truth(root: str | Path) -> Path | None:
    """Return the side file of the dataset in ``root``, or None where there is none (real data)."""
    path = Path(root) / TRUTH_FILE
    return path if path.is_file() else None


def read_truth(root: str | Path) -> dict[str, PhantomTruth]:
    """Read the side file of a drawn dataset.

    Args:
        root: the dataset's root folder.

    Returns:
        Truth by study id, in the order of the file.

    Raises:
        UserError: there is no side file, or it is broken.
    """
    path = find_truth(root)
    if path is None:
        raise UserError("This dataset has no side file of true findings", where=str(Path(root) / TRUTH_FILE))
    try:
        truths = [PhantomTruth.from_json(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError("The side file of true findings is broken", where=str(path)) from error
    return {truth.study_id: truth for truth in truths}
