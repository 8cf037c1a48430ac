"""What the comparison compares: the one place of its studies, seeds, sizes and budget."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

__all__ = ["PROTOCOL", "SMOKE", "Dataset", "Protocol"]


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Phantoms of one language.

    Args:
        format: layout on disk.
        vocabulary: findings that are read and scored.
        seed: of the drawing; the shifted set is drawn with the same one.
    """

    format: str
    vocabulary: str
    seed: int


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """A comparison.

    Args:
        systems: in the order of tables and of work; each has a file ``configs/comparison/NAME.yaml``.
        own: the system that the others are held against.
        datasets: by language.
        seeds: of a language's trainings.
        ablation_language: language of the ablation.
        ablation_seeds: its seeds.
        studies: phantoms drawn a language (70 % train, 10 % validation, 20 % test).
        preset: of the phantoms.
        budget_minutes: time for one system and seed, over all its stages.
        overrides: ``key=value`` for every training.
        resamples: bootstrap resamples of the benchmark.
        trials: random swaps of its paired tests.
        deletion_studies: studies of the deletion test.
    """

    systems: tuple[str, ...] = ("llmrg", "r2gengpt", "r2gencsr", "ammrg", "mambaxray_vl")
    own: str = "llmrg"
    datasets: dict[str, Dataset] = field(
        default_factory=lambda: {
            "zh": Dataset(format="ped-xray", vocabulary="ped_xray", seed=31),
            "en": Dataset(format="chexpert-plus", vocabulary="chexpert14", seed=32),
        }
    )
    seeds: dict[str, tuple[int, ...]] = field(default_factory=lambda: {"zh": (1, 2, 3), "en": (1,)})
    ablation_language: str = "zh"
    ablation_seeds: tuple[int, ...] = (1, 2)
    studies: int = 1600
    preset: str = "bench"
    budget_minutes: float = 8.0
    overrides: tuple[str, ...] = ()
    resamples: int = 1000
    trials: int = 10_000
    deletion_studies: int = 64

    def narrowed(
        self,
        *,
        systems: tuple[str, ...] | None = None,
        languages: tuple[str, ...] | None = None,
        seeds: tuple[int, ...] | None = None,
        ablation: bool = True,
    ) -> Protocol:
        """Keep some systems, languages and seeds, in the order they have."""
        kept = {
            language: tuple(seed for seed in own if seeds is None or seed in seeds)
            for language, own in self.seeds.items()
            if languages is None or language in languages
        }
        chosen = tuple(name for name in self.systems if systems is None or name in systems)
        ablation = ablation and self.own in chosen and self.ablation_language in kept
        return replace(
            self,
            systems=chosen,
            seeds=kept,
            ablation_seeds=tuple(s for s in self.ablation_seeds if ablation and s in kept[self.ablation_language]),
        )


PROTOCOL = Protocol()
"""The comparison of docs/results.md."""

SMOKE = Protocol(
    seeds={"zh": (1,), "en": (1,)},
    ablation_seeds=(1,),
    studies=60,
    overrides=(
        "stages.language_model.max_steps=4",
        "stages.disease_classifier.epochs=1",
        "training.epochs=1",
        "training.evaluations=1",
        "training.validation_studies=2",
        "decoding.max_new_tokens=8",
    ),
    resamples=20,
    trials=20,
    deletion_studies=2,
)
"""Every command with a handful of studies and steps: whether it works, and no figure worth reading."""
