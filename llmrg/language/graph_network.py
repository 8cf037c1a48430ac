"""The network of a trained graph extractor: tags of tokens, and relations between spans.

Tags are BIO over the kinds of entities. Relations are scored pair by pair (a biaffine form of two projected span
vectors, after Dozat and Manning 2017), as in the span-based extractors that RadGraph was annotated with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from llmrg.findings.graphs.graph import EntityKind, RelationKind

__all__ = ["KINDS", "LINKS", "TAGS", "GraphNetwork", "GraphNetworkConfig", "allowed_links", "allowed_tags"]

KINDS: tuple[EntityKind, ...] = get_args(EntityKind)
TAGS: tuple[str, ...] = ("O", *(f"{place}-{kind}" for kind in KINDS for place in "BI"))
LINKS: tuple[RelationKind | None, ...] = (None, *get_args(RelationKind))
"""What one entity may be to another; None: nothing."""

_FAR = 12
_FORBIDDEN = -1e4


@dataclass(frozen=True, kw_only=True)
class GraphNetworkConfig:
    """Size of the heads.

    Args:
        span_size: width of the projected span vectors.
        dropout: before the heads.
        link_weight: weight of a pair with a relation against one without, in the loss.
        relation_weight: weight of the loss of relations beside that of tags.
        uncertain_weight: weight of the loss of the mark ``uncertain``.
    """

    span_size: int = 128
    dropout: float = 0.1
    link_weight: float = 1.5
    relation_weight: float = 0.1
    uncertain_weight: float = 0.2

    def __post_init__(self) -> None:
        if self.span_size < 1 or not 0 <= self.dropout < 1:
            raise ValueError("span_size must be positive, dropout in [0, 1)")
        if self.link_weight <= 0 or self.relation_weight <= 0 or self.uncertain_weight < 0:
            raise ValueError("link_weight and relation_weight must be positive, uncertain_weight not negative")


def allowed_links() -> Tensor:
    """Return ``[kinds, kinds, links]`` (bool): what an entity of the first kind may be to one of the second."""
    allowed = torch.zeros(len(KINDS), len(KINDS), len(LINKS), dtype=torch.bool)
    for one, source in enumerate(KINDS):
        for two, target in enumerate(KINDS):
            places = (source == "Anatomy", target == "Anatomy")
            allowed[one, two, LINKS.index(None)] = True
            allowed[one, two, LINKS.index("located_at")] = places == (False, True)
            allowed[one, two, LINKS.index("modify")] = places[0] == places[1]
    return allowed


def allowed_tags() -> Tensor:
    """Return ``[tags, tags]`` (bool): whether the second tag may follow the first; the row of O is a window's start."""
    allowed = torch.ones(len(TAGS), len(TAGS), dtype=torch.bool)
    for two, tag in enumerate(TAGS):
        if tag.startswith("I-"):
            for one, before in enumerate(TAGS):
                allowed[one, two] = before[1:] == tag[1:]
    return allowed


class GraphNetwork(nn.Module):
    """Encoder with three heads: tags, the mark ``uncertain``, relations.

    Args:
        encoder: any encoder of transformers.
        config: size of the heads.
    """

    allowed: Tensor

    def __init__(self, encoder: PreTrainedModel, config: GraphNetworkConfig) -> None:
        super().__init__()
        self.settings = config  # the Trainer writes into what is named config
        self.encoder = encoder
        width = int(encoder.config.get_text_config().hidden_size)
        size = config.span_size
        self.dropout = nn.Dropout(config.dropout)
        self.tags = nn.Linear(width, len(TAGS))
        self.kinds = nn.Embedding(len(KINDS), width)
        self.uncertain = nn.Linear(3 * width, 1)
        self.source = nn.Sequential(nn.Linear(4 * width, size), nn.GELU(), nn.Dropout(config.dropout))
        self.target = nn.Sequential(nn.Linear(4 * width, size), nn.GELU(), nn.Dropout(config.dropout))
        self.pairs = nn.Parameter(torch.empty(len(LINKS), size, size))
        self.source_alone = nn.Linear(size, len(LINKS))
        self.target_alone = nn.Linear(size, len(LINKS), bias=False)
        self.distance = nn.Embedding(2 * _FAR + 1, len(LINKS))
        nn.init.normal_(self.pairs, std=size**-1)
        nn.init.zeros_(self.distance.weight)
        self.register_buffer("allowed", allowed_links(), persistent=False)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.tags.weight.device

    def read(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return hidden states ``[B, T, width]`` and logits of tags ``[B, T, tags]``, both float32.

        Args:
            ids: tokens ``[B, T]``.
            mask: 1 where they are, 0 where they fill up.
        """
        hidden = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        return hidden, self.tags(self.dropout(hidden)).float()

    def relate(self, hidden: Tensor, spans: Tensor, kinds: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits of relations ``[B, E, E, links]`` (source, target) and of ``uncertain`` ``[B, E]``.

        Relations that the schema does not allow between two kinds have no chance.

        Args:
            hidden: of the tokens ``[B, T, width]``.
            spans: first and last token of each entity ``[B, E, 2]``, in reading order; anything where there is none.
            kinds: index of each entity's kind ``[B, E]``.
        """
        vectors = self.dropout(_span_vectors(hidden, spans))
        uncertain = self.uncertain(vectors).squeeze(-1)
        known = torch.cat([vectors, self.kinds(kinds)], dim=-1)
        source, target = self.source(known), self.target(known)
        logits = torch.einsum("bid,kde,bje->bijk", source, self.pairs, target)
        logits = logits + self.source_alone(source)[:, :, None] + self.target_alone(target)[:, None]
        places = torch.arange(kinds.shape[1], device=kinds.device)
        steps = (places[None] - places[:, None]).clamp(-_FAR, _FAR) + _FAR
        logits = (logits + self.distance(steps)).float()
        return logits.masked_fill(~self.allowed[kinds[:, :, None], kinds[:, None]], _FORBIDDEN), uncertain.float()

    def forward(
        self,
        ids: Tensor,
        mask: Tensor,
        tags: Tensor,
        spans: Tensor,
        kinds: Tensor,
        uncertain: Tensor,
        links: Tensor,
    ) -> dict[str, Tensor]:
        """Return the loss of annotated windows.

        Args:
            ids: tokens ``[B, T]``.
            mask: 1 where they are ``[B, T]``.
            tags: index of each token's tag, -100 where it does not count ``[B, T]``.
            spans: first and last token of each entity ``[B, E, 2]``.
            kinds: index of its kind ``[B, E]``.
            uncertain: 1 or 0, -100 where it does not count ``[B, E]``.
            links: index into :data:`LINKS`, -100 where it does not count ``[B, E, E]``.
        """
        hidden, tag_logits = self.read(ids, mask)
        loss = functional.cross_entropy(tag_logits.flatten(0, 1), tags.flatten(), reduction="sum")
        loss = loss / (tags >= 0).sum().clamp_min(1)
        link_logits, doubt = self.relate(hidden, spans, kinds)
        weights = torch.full((len(LINKS),), self.settings.link_weight, device=loss.device)
        weights[LINKS.index(None)] = 1.0
        wrong = functional.cross_entropy(link_logits.flatten(0, 2), links.flatten(), weight=weights, reduction="sum")
        # By entity and not by pair: the pairs of a long window would drown its few relations.
        entities = (uncertain >= 0).sum().clamp_min(1)
        loss = loss + self.settings.relation_weight * wrong / entities
        counts = (uncertain >= 0).float()
        hedged = functional.binary_cross_entropy_with_logits(
            doubt, uncertain.clamp_min(0).float(), weight=counts, reduction="sum"
        )
        return {"loss": loss + self.settings.uncertain_weight * hedged / entities}


def _span_vectors(hidden: Tensor, spans: Tensor) -> Tensor:
    """First, last and mean hidden state of each span ``[B, E, 3 * width]``."""
    rows = torch.arange(hidden.shape[0], device=hidden.device)[:, None]
    first, last = spans[..., 0], spans[..., 1]
    sums = functional.pad(hidden.cumsum(dim=1), (0, 0, 1, 0))
    mean = (sums[rows, last + 1] - sums[rows, first]) / (last - first + 1).unsqueeze(-1)
    return torch.cat([hidden[rows, first], hidden[rows, last], mean], dim=-1)
