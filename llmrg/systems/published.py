"""Where published systems differ between ``faithful`` and ``fixed``: one table for each, and what is in neither.

``faithful`` is the architecture, the losses and the recipe of the released code, so that its numbers can be
understood; ``fixed``, the default, is what the paper promises and sense demands. A setting gives defaults: what a
configuration says itself counts. ``docs/systems.md`` shows these tables.

In neither can there be: test or validation reports in anything that is learnt or remembered (AM-MRG's report memory was
made of the test split); memories that are drawn anew whenever a model is built, and not saved with it; references that
are cut (R2GenGPT's scores were computed against the first 60 or 100 tokens; ``llmrg score --protocol`` names such
cuts); targets cleaned so that 3.5 cm becomes 35 cm; labels hidden by a pad id that is also a word; ``</s>`` spelt out
for language models that end with another token; one file order for all epochs.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

__all__ = ["DIFFERENCES", "Difference", "Setting", "fill_setting"]

Setting = Literal["faithful", "fixed"]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One key of a training that the two settings give different defaults.

    Args:
        key: of the training's configuration, with dots.
        faithful: its value as released.
        fixed: its value as sense demands.
        why: what is behind it.
    """

    key: str
    faithful: Any
    fixed: Any
    why: str


_SKELETON = (
    Difference(
        key="data.fit",
        faithful="stretch",
        fixed="pad",
        why="films were squeezed to a square; hearts change their shape",
    ),
    Difference(key="augmentation.enabled", faithful=False, fixed=True, why="none was used"),
    Difference(
        key="system.evidence.patches.norm",
        faithful="one",
        fixed="words",
        why="visual tokens started some tens of times larger than the word embeddings beside them",
    ),
    Difference(
        key="system.max_report_tokens",
        faithful=100,
        fixed=256,
        why="targets were cut, their end-of-text with them (60 tokens on IU X-ray); long reports never taught to stop",
    ),
    Difference(key="training.schedule", faithful="cosine_by_epoch", fixed="cosine", why="stepped once an epoch"),
    Difference(key="training.final_learning_rate", faithful=1e-6, fixed=0.0, why="eta_min of the schedule"),
    Difference(key="training.warmup", faithful=0.0, fixed=0.05, why="no warm-up"),
    Difference(key="training.clip", faithful=None, fixed=1.0, why="the option for clipping was never used"),
    Difference(
        key="training.decay", faithful="all", fixed="matrices", why="norms and biases decayed with everything else"
    ),
)
"""What R2GenGPT and the systems written on its skeleton share."""

_DECODING = Difference(
    key="decoding",
    faithful={"preset": "published"},
    fixed={"strategy": "greedy", "max_new_tokens": 256},
    why="at least 80 tokens were forced, and repeated full stops penalised (presets published_iu, published_iu_beam5)",
)


def _chosen_by(metric: str, why: str) -> Difference:
    return Difference(key="training.metric", faithful=metric, fixed="clinical_micro_f1", why=why)


DIFFERENCES: Mapping[str, tuple[Difference, ...]] = MappingProxyType(
    {
        "r2gengpt": (
            *_SKELETON,
            _chosen_by("bleu_4_cider_50_50", "checkpoints were chosen by half BLEU-4, half CIDEr"),
            _DECODING,
        ),
        "r2gencsr": (
            *_SKELETON,
            Difference(
                key="system.evidence.sources",
                faithful=["patches", "context_residuals"],
                fixed=["patches", "disease_queries", "context_residuals"],
                why="similar studies are sorted by the findings that the disease queries predict; the prompt does not "
                "show the queries",
            ),
            Difference(
                key="system.evidence.context_residuals.mode",
                faithful="keyword",
                fixed="similarity",
                why="six studies, chosen by one word of their reports, served every query; in fixed each query has its "
                "own, and nothing but their vectors is a residual, which passes a layer norm and has a gradient",
            ),
            _chosen_by("bleu_4_cider_50_50", "checkpoints were chosen by half BLEU-4, half CIDEr"),
            _DECODING,
        ),
        "mambaxray_vl": (
            *_SKELETON,
            _chosen_by("bleu_4_cider_80_20", "checkpoints were chosen by 0.8 BLEU-4 and 0.2 CIDEr"),
            _DECODING,
        ),
        "ammrg": (
            *_SKELETON,
            Difference(
                key="system.evidence.disease_queries.fresh",
                faithful=True,
                fixed=False,
                why="the generator's query tokens started anew; those that the classifier learnt were only remembered",
            ),
            Difference(
                key="system.evidence.disease_queries.loss_weight",
                faithful=0.0,
                fixed=1.0,
                why="nothing kept the queries of the generator to their findings but the reports",
            ),
            Difference(
                key="system.evidence.disease_queries.decisions",
                faithful=False,
                fixed=True,
                why="what the classifier decided about a finding was not told",
            ),
            Difference(
                key="system.evidence.disease_queries.qformer.judged_by",
                faithful="mean",
                fixed="own",
                why="every finding was judged by the mean of all answers, so that none had to be its own finding's",
            ),
            Difference(
                key="system.evidence.disease_queries.qformer.views",
                faithful="mean",
                fixed="all",
                why="frontal and lateral films were averaged place by place before they were asked about",
            ),
            Difference(
                key="stages.disease_classifier.smoothing",
                faithful=0.1,
                fixed=0.0,
                why="label smoothing of the classifier; hints and evidence want its probabilities as they are",
            ),
            Difference(
                key="stages.activation_maps.target",
                faithful="probability",
                fixed="logit",
                why="where the classifier is sure, the gradients of its probability vanish",
            ),
            Difference(
                key="stages.activation_maps.extent",
                faithful="film",
                fixed="study",
                why="each film has its strongest place, whether the finding is to be seen on it or not",
            ),
            Difference(
                key="stages.activation_maps.projection",
                faithful="random",
                fixed="auto",
                why="a layer that was drawn and never trained, and forgotten; here either is saved, and auto is the "
                "identity where the widths agree, orthogonal elsewhere",
            ),
            _chosen_by("bleu_4", "checkpoints were chosen by BLEU-4"),
            _DECODING,
        ),
    }
)
"""Differences by system; our own has no released code to be faithful to."""


def fill_setting(values: Mapping[str, Any]) -> dict[str, Any]:
    """Add to the keys of a training those that its system's setting has defaults for and that it does not say itself.

    Args:
        values: of the training; they stay as they are.
    """
    system = values.get("system")
    if not isinstance(system, Mapping):
        return dict(values)
    faithful = system.get("setting") == "faithful"
    filled: dict[str, Any] = copy.deepcopy(dict(values))
    for difference in DIFFERENCES.get(str(system.get("kind", "llmrg")), ()):
        value = difference.faithful if faithful else difference.fixed
        for node, last in _places(filled, difference.key):
            node.setdefault(last, copy.deepcopy(value))
    return filled


def _places(values: dict[str, Any], key: str) -> list[tuple[dict[str, Any], str]]:
    """The mapping that a key is in, and its name there; of a mixture each dataset has those of data."""
    *parents, last = key.split(".")
    node: Any = values
    for parent in parents:
        if node.get(parent) is None:
            node[parent] = {}
        node = node[parent]
        if not isinstance(node, dict):
            return []  # a mistake, which building the configuration tells
    members = node.get("members") if parents == ["data"] else None
    if isinstance(members, dict):
        owners = [member.get("data") for member in members.values() if isinstance(member, dict)]
        return [(owner, last) for owner in owners if isinstance(owner, dict)]
    return [(node, last)]
