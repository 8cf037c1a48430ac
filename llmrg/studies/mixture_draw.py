"""Which studies of a mixture an epoch shows: a pure function of seed and epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from llmrg.errors import UserError

__all__ = ["MixtureDraw", "epoch_counts"]


def epoch_counts(shares: Mapping[str, float], total: int) -> dict[str, int]:
    """Divide the studies of an epoch among members, by largest remainders.

    Args:
        shares: of each member, summing to 1.
        total: studies of the epoch.

    Returns:
        Whole numbers that sum to ``total``, each less than 1 away from ``share * total``.
    """
    exact = {name: share * total for name, share in shares.items()}
    counts = {name: int(np.floor(value + 1e-9)) for name, value in exact.items()}
    rest = total - sum(counts.values())
    for name in sorted(exact, key=lambda name: counts[name] - exact[name])[:rest]:
        counts[name] += 1
    return counts


@dataclass(frozen=True, kw_only=True)
class MixtureDraw:
    """Draws the items (studies, texts) of an epoch by member.

    A member's items come in shuffled rounds, each item once a round; an epoch takes up where the one before ended. So a
    small share still shows every study in time, and a large one shows none much more often than another. Nothing is
    remembered: any process, and any resumed training, draws the same for an epoch.

    Args:
        rows: for each member, the places of its items in the whole list.
        counts: items an epoch, of each member.
        seed: of the rounds.

    Raises:
        ValueError: a member without items.
    """

    rows: tuple[npt.NDArray[np.int64], ...]
    counts: tuple[int, ...]
    seed: int = 0

    def __post_init__(self) -> None:
        if len(self.rows) != len(self.counts) or any(len(rows) == 0 for rows in self.rows):
            raise ValueError("every member of a draw needs items and a count")

    @classmethod
    def of(cls, members: Sequence[str], shares: Mapping[str, float], *, total: int, seed: int) -> MixtureDraw:
        """Make the draw of a list of items.

        Args:
            members: the member each item belongs to.
            shares: of each member, summing to 1.
            total: items an epoch.
            seed: of the rounds.

        Raises:
            UserError: an epoch would show none of a member's items.
        """
        counts = epoch_counts(shares, total)
        for name, count in counts.items():
            if count == 0:
                raise UserError(
                    f"The member {name!r} gets none of the {total} training studies of an epoch",
                    where=f"data.members.{name}.weight",
                    next_step="give it a larger weight, or raise data.epoch_studies",
                )
        owners = np.asarray(members)
        return cls(
            rows=tuple(np.flatnonzero(owners == name) for name in shares),
            counts=tuple(counts[name] for name in shares),
            seed=seed,
        )

    def __len__(self) -> int:
        """Items an epoch."""
        return sum(self.counts)

    def epoch(self, epoch: int) -> npt.NDArray[np.int64]:
        """Return the places of an epoch's items, ``[len(self)]``, member by member; the loader shuffles them."""
        return np.concatenate([self._take(member, epoch * count, count) for member, count in enumerate(self.counts)])

    def _take(self, member: int, start: int, count: int) -> npt.NDArray[np.int64]:
        """Items ``start`` to ``start + count`` of a member's endless rounds."""
        rows = self.rows[member]
        size = len(rows)
        first, last = start // size, (start + count - 1) // size
        rounds = [
            rows[np.random.default_rng([self.seed, member, number]).permutation(size)]
            for number in range(first, last + 1)
        ]
        return np.concatenate(rounds)[start - first * size :][:count]
