"""Annotated reports as batches of windows with tags, spans and relations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from llmrg.findings.graphs.graph import Entity, ReportGraph
from llmrg.language.graph_network import KINDS, LINKS, TAGS
from llmrg.language.graph_windows import SpanMap, Window, Windows
from llmrg.pretraining.graph_annotations import AnnotatedReport

__all__ = ["AnnotatedWindow", "GraphWindows", "collate_windows"]

_IGNORED = -100


@dataclass(frozen=True)
class AnnotatedWindow:
    """What a window teaches.

    Args:
        ids: tokens.
        tags: index of the tag of each token; -100 for tokens that stand for no characters, or for an entity whose
            borders cut tokens.
        spans: first and last token of each entity.
        kinds: its kind.
        uncertain: whether a hedge stands over it; -100 for anatomy.
        links: kind, source and target of each relation.
    """

    ids: tuple[int, ...]
    tags: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]
    kinds: tuple[int, ...]
    uncertain: tuple[int, ...]
    links: tuple[tuple[int, int, int], ...]


class GraphWindows(Dataset[AnnotatedWindow]):
    """The windows of annotated reports.

    Args:
        reports: with their graphs.
        windows: how they are cut.
    """

    def __init__(self, reports: Sequence[AnnotatedReport], windows: Windows) -> None:
        self.rows: list[AnnotatedWindow] = []
        self.cut_reports = self.lost_entities = self.lost_relations = 0
        """Reports of more than one window; entities that tokens or borders of windows cut; relations between windows,
        or of such entities."""
        for report in reports:
            self._add(report.graph, windows.cut(report.text))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> AnnotatedWindow:
        return self.rows[index]

    def _add(self, graph: ReportGraph, windows: Sequence[Window]) -> None:
        self.cut_reports += len(windows) > 1
        learnt = [0, 0]
        for window in windows:
            row = _annotate(window, graph)
            learnt[0] += len(row.spans)
            learnt[1] += len(row.links)
            self.rows.append(row)
        self.lost_entities += len(graph.entities) - learnt[0]
        self.lost_relations += len(graph.relations) - learnt[1]


def _annotate(window: Window, graph: ReportGraph) -> AnnotatedWindow:
    spans = SpanMap(window)
    tags = [0 if kept else _IGNORED for kept in window.kept]
    places: dict[int, int] = {}
    found: list[tuple[int, int]] = []
    entities: list[Entity] = []
    for number, entity in enumerate(graph.entities):
        tokens = spans.tokens(entity.start, entity.end)
        if tokens is None:
            for place, (start, end) in enumerate(zip(window.starts, window.ends, strict=True)):
                if start < entity.end and end > entity.start:
                    tags[place] = _IGNORED
            continue
        tag = TAGS.index(f"B-{entity.kind}")
        for place in range(tokens[0], tokens[1] + 1):
            if window.starts[place] >= 0:
                tags[place] = tag if place == tokens[0] else tag + 1
        places[number] = len(found)
        found.append(tokens)
        entities.append(entity)
    links = [
        (LINKS.index(edge.kind), places[edge.source], places[edge.target])
        for edge in graph.relations
        if edge.source in places and edge.target in places
    ]
    return AnnotatedWindow(
        window.ids,
        tuple(tags),
        tuple(found),
        tuple(KINDS.index(entity.kind) for entity in entities),
        tuple(_IGNORED if entity.kind == "Anatomy" else int(entity.uncertain) for entity in entities),
        tuple(links),
    )


def collate_windows(
    rows: Sequence[AnnotatedWindow], *, padding: int, unknown: int | None = None, share: float = 0.0
) -> dict[str, Tensor]:
    """Return a batch as :meth:`llmrg.language.graph_network.GraphNetwork.forward` takes it.

    Args:
        rows: B windows.
        padding: token that fills up.
        unknown: token of words that the encoder does not know; it stands in for a share of all tokens, so that an
            encoder which is trained from nothing learns to read around it. None replaces none.
        share: that share.
    """
    most = max(1, *(len(row.spans) for row in rows))
    spans = torch.zeros(len(rows), most, 2, dtype=torch.long)
    kinds = torch.zeros(len(rows), most, dtype=torch.long)
    uncertain = torch.full((len(rows), most), _IGNORED)
    links = torch.full((len(rows), most, most), _IGNORED)
    for number, row in enumerate(rows):
        count = len(row.spans)
        if not count:
            continue
        spans[number, :count] = torch.tensor(row.spans)
        kinds[number, :count] = torch.tensor(row.kinds)
        uncertain[number, :count] = torch.tensor(row.uncertain)
        links[number, :count, :count] = 0
        for kind, source, target in row.links:
            links[number, source, target] = kind
        links[number].fill_diagonal_(_IGNORED)
    tokens = [torch.tensor(row.ids) for row in rows]
    tags = [torch.tensor(row.tags) for row in rows]
    lengths = torch.tensor([len(row) for row in tokens])
    ids = nn.utils.rnn.pad_sequence(tokens, batch_first=True, padding_value=padding)
    if unknown is not None and share > 0:
        words = nn.utils.rnn.pad_sequence(tags, batch_first=True, padding_value=_IGNORED) != _IGNORED
        ids = ids.masked_fill(words & (torch.rand(ids.shape) < share), unknown)
    return {
        "ids": ids,
        "mask": (torch.arange(ids.shape[1])[None] < lengths[:, None]).long(),
        "tags": nn.utils.rnn.pad_sequence(tags, batch_first=True, padding_value=_IGNORED),
        "spans": spans,
        "kinds": kinds,
        "uncertain": uncertain,
        "links": links,
    }
