"""Disease queries asked by a Q-Former, as AM-MRG asks them."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import Blip2QFormerConfig, Blip2QFormerModel

from llmrg.evidence.disease_queries import DiseaseAnswers
from llmrg.evidence.settings import QFormerConfig
from llmrg.vision.features import VisualFeatures

__all__ = ["FindingClassifiers", "QFormerQueries"]


class FindingClassifiers(nn.Module):
    """One multilayer perceptron a finding, with ReLU between its layers (SwinCheX).

    Args:
        findings: F.
        widths: of the incoming vector, the hidden layers and the outgoing vector.
    """

    def __init__(self, *, findings: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for incoming, outgoing in pairwise(widths):
            reach = incoming**-0.5  # of torch's linear layers
            self.weights.append(nn.Parameter(torch.empty(findings, outgoing, incoming).uniform_(-reach, reach)))
            self.biases.append(nn.Parameter(torch.zeros(findings, outgoing)))

    def forward(self, vectors: Tensor) -> Tensor:
        """Map [B, F, first width] to [B, F, last width]."""
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            vectors = torch.einsum("bfd,fcd->bfc", functional.relu(vectors) if number else vectors, weight) + bias
        return vectors


class QFormerQueries(nn.Module):
    """Learnt query tokens, one a finding, that pass through a Q-Former and are judged (AM-MRG, sections 2 and 3).

    The query tokens attend to each other in every layer, and in some layers to the visual tokens. Their answers pass a
    linear map to the width of the visual tokens and a layer norm before the classifiers.

    Sources: Li et al., BLIP-2, ICML 2023 (the Q-Former without its text branch); Wang et al., AM-MRG, 2025.

    Args:
        findings: F, number of queries.
        visual_width: D, width of the visual tokens.
        heads: attention heads; the Q-Former's width must be divisible by it.
        dropout: in the Q-Former and before the classifiers.
        config: of the Q-Former.
    """

    def __init__(
        self, *, findings: int, visual_width: int, heads: int, dropout: float = 0.0, config: QFormerConfig
    ) -> None:
        super().__init__()
        self.config = config
        self.width = config.width
        seen = visual_width if config.visual_width is None else config.visual_width
        self.look = nn.Identity() if config.visual_width is None else nn.Linear(visual_width, seen)
        self.queries = nn.Parameter(torch.randn(findings, config.width) * 0.02)
        self.former = Blip2QFormerModel._from_config(
            Blip2QFormerConfig(
                hidden_size=config.width,
                num_hidden_layers=config.layers,
                num_attention_heads=heads,
                intermediate_size=config.inner_width or 4 * config.width,
                hidden_dropout_prob=dropout,
                attention_probs_dropout_prob=dropout,
                cross_attention_frequency=config.cross_attention_every,
                encoder_hidden_size=seen,
            ),
            attn_implementation="eager",  # the others do not tell where a query looked
        )
        self.judged = nn.Linear(config.width, visual_width)
        self.judged_norm = nn.LayerNorm(visual_width)
        self.dropout = nn.Dropout(dropout)
        self.classifiers = FindingClassifiers(findings=findings, widths=(visual_width, *config.classifier, 3))
        nn.init.constant_(self.classifiers.biases[-1], -1.5)

    def forward(self, features: VisualFeatures) -> DiseaseAnswers:
        """Ask every query of every study.

        Args:
            features: every study has a token that its mask does not hide.

        Returns:
            ``tokens`` are as wide as the Q-Former; ``attention`` is that of its last layer that looks at the visual
            tokens, the mean of its heads.

        Raises:
            ValueError: a class token is asked for that the trunk does not have.
        """
        tokens, mask = self._seen(features)
        queries = self.queries.expand(len(tokens), -1, -1)
        found = self.former(
            query_embeds=queries,
            encoder_hidden_states=self.look(tokens),
            encoder_attention_mask=mask.long(),
            output_attentions=True,
        )
        answers = found.last_hidden_state
        judged = self.judged_norm(self.judged(answers))
        if self.config.judged_by == "mean":
            judged = judged.mean(1, keepdim=True).expand_as(judged)
        logits = self.classifiers(self.dropout(judged))
        looked = found.cross_attentions[-1].mean(1)
        return DiseaseAnswers(tokens=answers, logits=logits, attention=self._places(looked, features))

    def _seen(self, features: VisualFeatures) -> tuple[Tensor, Tensor]:
        """The tokens [B, K, D] that are looked at, places first, and which of them exist [B, K]."""
        views = features.grid[0]
        tokens, mask = features.tokens, features.mask
        exists = mask.view(len(mask), views, -1)[:, :, 0]
        per_view = [tokens.view(len(tokens), views, -1, tokens.shape[-1])]
        if self.config.class_token:
            if features.class_tokens is None:
                raise ValueError("the trunk has no class token")
            per_view.append(features.class_tokens.to(tokens.dtype).unsqueeze(2))
        if self.config.views == "mean":
            weights = exists.to(tokens.dtype)[:, :, None, None]
            count = weights.sum(1).clamp(min=1)
            tokens = torch.cat([(part * weights).sum(1) / count for part in per_view], dim=1)
            return tokens, exists.any(1, keepdim=True).expand(-1, tokens.shape[1])
        tokens = torch.cat([part.flatten(1, 2) for part in per_view], dim=1)
        return tokens, mask if len(per_view) == 1 else torch.cat([mask, exists], dim=1)

    def _places(self, attention: Tensor, features: VisualFeatures) -> Tensor:
        """Attention [B, F, T] to the places of all views, which sums to 1, from that to what was looked at."""
        if self.config.views == "mean":
            views, height, width = features.grid
            shares = features.mask.to(attention.dtype).view(len(attention), 1, views, -1)
            shares = shares / shares.sum(2, keepdim=True).clamp(min=1)
            attention = (attention[..., : height * width].unsqueeze(2) * shares).flatten(2)
        attention = attention[..., : features.tokens.shape[1]]
        return attention / attention.sum(-1, keepdim=True).clamp(min=torch.finfo(attention.dtype).tiny)
