"""Configuration of a mixture: several datasets, perhaps in several languages, that one training learns from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from llmrg.errors import UserError
from llmrg.studies.settings import DataConfig, Fit
from llmrg.studies.study import Language, Study

__all__ = ["Data", "MixtureConfig", "MixtureMember"]

_SHARED = ("vocabulary", "target", "image_size", "fit")
"""What one model has but once, so that all members must agree on it."""


@dataclass(frozen=True, kw_only=True)
class MixtureMember:
    """One dataset of a mixture.

    Args:
        data: the dataset.
        weight: its share of the training studies of an epoch, relative to the other members' weights; all members
            have one, or none has (then :attr:`MixtureConfig.temperature` counts).
    """

    data: DataConfig
    weight: float | None = None

    def __post_init__(self) -> None:
        if self.weight is not None and not 0 < self.weight < float("inf"):
            raise ValueError(f"weight must be positive, not {self.weight}; leave the member out instead")


@dataclass(frozen=True, kw_only=True)
class MixtureConfig:
    """Several datasets that one system learns from, each with its own splits and language.

    Patients of different members are different patients. Identifiers that more than one member uses are written
    ``MEMBER:ID``.

    Args:
        members: datasets by name.
        temperature: without weights, a member of n training studies is drawn in proportion to n^(1/temperature): 1
            shows every study once an epoch, higher values bring the members closer to equal shares.
        epoch_studies: training studies drawn an epoch; None takes as many as there are.
    """

    members: Mapping[str, MixtureMember]
    temperature: float = 1.0
    epoch_studies: int | None = None

    def __post_init__(self) -> None:
        """Refuse members that one model cannot learn from together.

        Raises:
            UserError: too few members, members that differ in what must be shared, weights for some of them only.
        """
        if len(self.members) < 2:
            raise UserError(
                "A mixture needs at least two members", where="members", next_step="give one dataset as data itself"
            )
        for name in self.members:
            if not name or any(c in ":/\\" or c.isspace() for c in name):
                raise UserError(f"A member cannot be called {name!r}", where="members", next_step="use a plain word")
        for key in _SHARED:
            self._require_same(key)
        weighted = [name for name, member in self.members.items() if member.weight is not None]
        if weighted and len(weighted) < len(self.members):
            open_ = next(name for name in self.members if name not in weighted)
            raise UserError(f"The member {open_!r} has no weight, but others have", where="members")
        if self.temperature < 1:
            raise ValueError(f"temperature must be at least 1, not {self.temperature}")
        if weighted and self.temperature != 1:
            raise UserError("temperature counts only where no member has a weight", where="temperature")
        if self.epoch_studies is not None and self.epoch_studies < len(self.members):
            raise ValueError(f"epoch_studies must be at least the number of members, not {self.epoch_studies}")

    @property
    def datasets(self) -> tuple[DataConfig, ...]:
        """Configurations of the members, in order."""
        return tuple(member.data for member in self.members.values())

    @property
    def languages(self) -> tuple[Language, ...]:
        """Languages of the members' reports, in order of first appearance."""
        return tuple(dict.fromkeys(data.language for data in self.datasets))

    @property
    def vocabulary(self) -> str:
        """The vocabulary of findings, the same in all members."""
        return self.datasets[0].vocabulary

    @property
    def target(self) -> tuple[str, ...]:
        """The report sections that are written, the same in all members."""
        return self.datasets[0].target

    @property
    def image_size(self) -> int:
        """Side of a film in pixels, the same in all members."""
        return self.datasets[0].image_size

    @property
    def fit(self) -> Fit:
        """How a film becomes a square, the same in all members."""
        return self.datasets[0].fit

    @property
    def views(self) -> int:
        """The most films of a study that any member keeps."""
        return max(data.views for data in self.datasets)

    @property
    def place(self) -> str:
        """Where the members lie, for messages."""
        return ", ".join(data.place for data in self.datasets)

    def config_of(self, study: Study) -> DataConfig:
        """Return the configuration of the member a study comes from; of the first for a study from elsewhere."""
        return self.datasets[0] if study.dataset is None else self.members[study.dataset].data

    def tolerated_bad(self, total: int) -> int:
        """Return how many of ``total`` studies of any members may be bad: as the strictest member has it."""
        return min(data.tolerated_bad(total) for data in self.datasets)

    def weights(self, studies: Mapping[str, int]) -> dict[str, float]:
        """Return each member's share of an epoch.

        Args:
            studies: number of training studies by member.

        Returns:
            Shares that sum to 1.
        """
        raw = {
            name: member.weight if member.weight is not None else studies[name] ** (1 / self.temperature)
            for name, member in self.members.items()
        }
        total = sum(raw.values())
        return {name: value / total for name, value in raw.items()}

    def _require_same(self, key: str) -> None:
        found: dict[object, list[str]] = {}
        for name, member in self.members.items():
            found.setdefault(getattr(member.data, key), []).append(name)
        if len(found) > 1:
            told = "; ".join(f"{_words(value)} in {', '.join(names)}" for value, names in found.items())
            raise UserError(
                f"The members of a mixture must share {key}, but it is {told}",
                where="members",
                next_step=f"give every member the same {key}",
            )


Data: TypeAlias = DataConfig | MixtureConfig
"""What a training reads: one dataset, or a mixture."""


def _words(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)
