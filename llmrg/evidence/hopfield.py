"""Modern Hopfield retrieval: softmax attention over a bank of patterns.

Source: Ramsauer et al., "Hopfield Networks is All You Need", ICLR 2021, equations 3 to 5: the update
``xi_new = X softmax(beta X^T xi)``, with learnt projections of state and patterns as in their section 3 and
normalised states and patterns.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

__all__ = ["HopfieldRetrieval"]


class HopfieldRetrieval(nn.Module):
    """Ask a bank of patterns with a few state vectors.

    The key projection is folded into the state and the value projection is applied after the association. Both are
    exact, because the key bias shifts all associations of one state alike and the associations sum to one; with few
    states and many patterns no pattern is ever projected.

    The layer of AM-MRG (``hflayers.HopfieldLayer`` as its released code sets it) is six heads of 1024 with
    ``value_width=768``, ``beta=4``, ``value_norm``, ``key_bias`` and ``dropout=0.1``: 16.54 million parameters.

    Legend: B batch, Q states, N patterns, H heads, E head width.

    Args:
        state_width: width of the states.
        pattern_width: width of the patterns.
        out_width: width of the answers.
        heads: H.
        head_width: E; None takes ``state_width // heads``.
        beta: inverse temperature; None takes ``1 / sqrt(E)``.
        learn_beta: train beta (kept positive through its logarithm), one number a head.
        steps: updates of the projected state; 1 is plain attention.
        tolerance: stop updating when no state moves further than this (Euclidean norm).
        value_width: width of the values of one head; None takes E.
        value_norm: values come from patterns with a norm of their own.
        key_bias: give the key projection a bias. It cannot change the first association, only later updates.
        dropout: share of associations left out in training; the associations returned are whole.
    """

    def __init__(
        self,
        *,
        state_width: int,
        pattern_width: int,
        out_width: int,
        heads: int = 4,
        head_width: int | None = None,
        beta: float | None = None,
        learn_beta: bool = False,
        steps: int = 1,
        tolerance: float = 1e-4,
        value_width: int | None = None,
        value_norm: bool = False,
        key_bias: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if steps < 1:
            raise ValueError(f"steps must be at least 1, not {steps}")
        if head_width is None:
            if state_width % heads:
                raise ValueError(f"state_width {state_width} is not divisible by {heads} heads; give head_width")
            head_width = state_width // heads
        self.heads, self.head_width, self.steps, self.tolerance = heads, head_width, steps, tolerance
        self.state_norm = nn.LayerNorm(state_width)
        self.pattern_norm = nn.LayerNorm(pattern_width)
        self.query = nn.Linear(state_width, heads * head_width)
        self.key = nn.Linear(pattern_width, heads * head_width, bias=key_bias)
        if pattern_width == state_width:
            # States and patterns of one space: equal projections make associations similarities from the start.
            with torch.no_grad():
                self.key.weight.copy_(self.query.weight)
        value_width = head_width if value_width is None else value_width
        self.value_norm = nn.LayerNorm(pattern_width) if value_norm else None
        self.value = nn.Linear(pattern_width, heads * value_width)
        self.output = nn.Linear(heads * value_width, out_width)
        self.dropout = nn.Dropout(dropout)
        scale = 1 / math.sqrt(head_width) if beta is None else beta
        if scale <= 0:
            raise ValueError(f"beta must be positive, not {scale}")
        log_beta = torch.full((heads,), math.log(scale))
        if learn_beta:
            self.log_beta = nn.Parameter(log_beta)
        else:
            self.register_buffer("log_beta", log_beta)

    def forward(self, state: Tensor, bank: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Retrieve.

        Args:
            state: [B, Q, state_width].
            bank: [N, pattern_width], shared by the batch.
            mask: [N] or [B, N] bool, True where a pattern may answer; at least one a row.

        Returns:
            Answers [B, Q, out_width] and associations [B, H, Q, N] that sum to 1 over N.
        """
        batch, count, _ = state.shape
        patterns = self.pattern_norm(bank)
        queries = self.query(self.state_norm(state)).view(batch, count, self.heads, self.head_width)
        key = self.key.weight.view(self.heads, self.head_width, -1)
        allowed = None if mask is None else (mask if mask.dim() == 2 else mask.unsqueeze(0))[:, None, None, :]
        association = self._associate(queries, key, patterns, allowed)
        for _ in range(self.steps - 1):
            mixed = torch.einsum("bhqn,np->bqhp", association, patterns)
            updated = torch.einsum("bqhp,hep->bqhe", mixed, key)
            if self.key.bias is not None:
                updated = updated + self.key.bias.view(self.heads, self.head_width)
            moved = (updated - queries).detach().norm(dim=-1).max()
            queries = updated
            association = self._associate(queries, key, patterns, allowed)
            if moved <= self.tolerance:
                break
        stored = patterns if self.value_norm is None else self.value_norm(bank)
        weights = self.dropout(association)
        mixed = torch.einsum("bhqn,np->bqhp", weights, stored)
        value = self.value.weight.view(self.heads, -1, bank.shape[-1])
        answers = torch.einsum("bqhp,hep->bqhe", mixed, value)
        bias = self.value.bias.view(self.heads, -1)
        # With associations left out, the shares of a state no longer sum to one, and neither do its biases.
        answers = answers + (bias if weights is association else bias * weights.sum(-1).transpose(1, 2).unsqueeze(-1))
        return self.output(answers.flatten(2)), association

    def _associate(self, queries: Tensor, key: Tensor, patterns: Tensor, allowed: Tensor | None) -> Tensor:
        folded = torch.einsum("bqhe,hep->bhqp", queries, key) * self.log_beta.exp().view(1, -1, 1, 1)
        scores = folded @ patterns.T
        if allowed is not None:
            scores = scores.masked_fill(~allowed, float("-inf"))
        return scores.softmax(dim=-1)
