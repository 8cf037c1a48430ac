"""What relations and tags the network can give."""

from __future__ import annotations

import itertools

import pytest
import torch

from llmrg.errors import UserError
from llmrg.findings.graphs.graph import Entity, Relation, ReportGraph
from llmrg.language.graph_decoding import best_relations, best_spans
from llmrg.language.graph_encoder import GraphEncoderConfig, new_encoder
from llmrg.language.graph_network import KINDS, LINKS, TAGS, GraphNetwork, GraphNetworkConfig, allowed_links

SMALL = GraphEncoderConfig(hidden_size=16, layers=1, heads=2, intermediate_size=16, max_tokens=32)


def test_links_are_those_that_a_graph_accepts() -> None:
    allowed = allowed_links()
    for (one, source), (two, target) in itertools.product(enumerate(KINDS), repeat=2):
        for link, kind in enumerate(LINKS):
            if kind is None:
                assert allowed[one, two, link]
                continue
            graph = ReportGraph((Entity("a", 0, 1, source), Entity("b", 1, 2, target)), (Relation(kind, 0, 1),))
            try:
                graph.check("ab")
            except UserError:
                assert not allowed[one, two, link]
            else:
                assert allowed[one, two, link]


def test_forbidden_relations_are_never_chosen() -> None:
    torch.manual_seed(0)
    network = GraphNetwork(new_encoder(SMALL, ["肺"], seed=0).model, GraphNetworkConfig(span_size=8)).eval()
    network.pairs.data.normal_(std=5.0)
    hidden = torch.randn(3, 10, 16)
    spans = torch.randint(0, 5, (3, 6, 1)) + torch.tensor([0, 3])
    kinds = torch.randint(0, len(KINDS), (3, 6))
    links, doubt = network.relate(hidden, spans, kinds)
    assert links.shape == (3, 6, 6, len(LINKS)) and doubt.shape == (3, 6)
    for row in range(3):
        graph = ReportGraph(
            tuple(Entity("x", place, place + 1, KINDS[int(kind)]) for place, kind in enumerate(kinds[row])),
            tuple(best_relations(links[row])),
        )
        graph.check()
        assert graph.relations


def test_of_two_entities_that_modify_each_other_the_likelier_stays() -> None:
    logits = torch.zeros(2, 2, len(LINKS))
    modify = LINKS.index("modify")
    logits[0, 1, modify], logits[1, 0, modify] = 1.0, 2.0
    assert best_relations(logits) == [Relation("modify", 1, 0)]
    logits[0, 1, modify] = 2.0
    assert len(best_relations(logits)) == 1


def test_spans_are_the_likeliest_sequence_that_is_one() -> None:
    """Against all sequences of a short text."""
    generator = torch.Generator().manual_seed(1)
    for _ in range(20):
        logits = 3 * torch.randn(4, len(TAGS), generator=generator)
        continues = [False, *(torch.rand(3, generator=generator) < 0.4).tolist()]
        scores = logits.double().log_softmax(dim=-1)
        best, value = None, -1e9
        for tags in itertools.product(range(len(TAGS)), repeat=4):
            names = ["O", *(TAGS[tag] for tag in tags)]
            fine = all(
                (not name.startswith("I-") or before[1:] == name[1:])
                and not (goes_on and (name.startswith("B-") or (name == "O") != (before == "O")))
                for before, name, goes_on in zip(names, names[1:], continues, strict=False)
            )
            total = sum(float(scores[place, tag]) for place, tag in enumerate(tags))
            if fine and total > value:
                best, value = tags, total
        names = [TAGS[tag] for tag in best]
        expected = []
        for place, name in enumerate(names):
            if name.startswith("B-"):
                last = place
                while last + 1 < 4 and names[last + 1].startswith("I-"):
                    last += 1
                expected.append((place, last, KINDS.index(name[2:])))
        assert best_spans(logits, [True] * 4, continues) == expected


def test_tokens_that_stand_for_nothing_are_passed_over() -> None:
    logits = torch.zeros(4, len(TAGS))
    logits[0, TAGS.index("B-DPO")] = logits[3, TAGS.index("B-DPO")] = 9
    logits[1, TAGS.index("B-NO")] = logits[2, TAGS.index("I-NO")] = 9
    kept = [False, True, True, False]
    assert best_spans(logits, kept, [False] * 4) == [(1, 2, KINDS.index("NO"))]
    assert best_spans(logits, [False] * 4, [False] * 4) == []


@pytest.mark.parametrize("change", [{"span_size": 0}, {"dropout": 1.0}, {"link_weight": 0}, {"uncertain_weight": -1}])
def test_settings_are_checked(change) -> None:
    with pytest.raises(ValueError, match="must"):
        GraphNetworkConfig(**change)
