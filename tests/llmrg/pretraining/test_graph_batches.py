"""What a window teaches: tags of the annotated characters, relations within windows, counts of what is lost."""

from __future__ import annotations

import torch

from llmrg.findings.graphs.graph import Entity, Relation, ReportGraph
from llmrg.language.graph_encoder import GraphEncoderConfig, new_encoder
from llmrg.language.graph_network import KINDS, LINKS, TAGS
from llmrg.language.graph_windows import Windows
from llmrg.pretraining.graph_annotations import AnnotatedReport
from llmrg.pretraining.graph_batches import GraphWindows, collate_windows

TEXT = "双肺纹理增多😷。No effusion."
GRAPH = ReportGraph(
    (
        Entity("双肺", 0, 2, "Anatomy"),
        Entity("纹理", 2, 4, "NO"),
        Entity("增多", 4, 6, "DPO", True),
        Entity("No", 8, 10, "DNO"),
        Entity("effusion", 11, 19, "NO"),
    ),
    (Relation("modify", 2, 1), Relation("located_at", 1, 0), Relation("modify", 3, 4)),
)


def windows(limit: int = 200) -> Windows:
    return Windows(new_encoder(GraphEncoderConfig(), [TEXT] * 3, seed=0).tokenizer, max_tokens=limit)


def test_tags_and_relations_of_a_report() -> None:
    data = GraphWindows([AnnotatedReport(TEXT, GRAPH)], windows())
    (row,) = data.rows
    (window,) = windows().cut(TEXT)
    names = {
        TEXT[start:end]: TAGS[tag]
        for start, end, tag in zip(window.starts, window.ends, row.tags, strict=True)
        if start >= 0
    }
    assert names["双"] == "B-Anatomy" and names["肺"] == "I-Anatomy"
    assert names["纹"] == "B-NO" and names["增"] == "B-DPO" and names["多"] == "I-DPO"
    assert names["😷"] == names["。"] == "O"
    assert row.tags[0] == row.tags[-1] == -100
    assert [KINDS[kind] for kind in row.kinds] == ["Anatomy", "NO", "DPO", "DNO", "NO"]
    assert row.uncertain == (-100, 0, 1, 0, 0)
    assert {(LINKS[link], source, target) for link, source, target in row.links} == {
        ("modify", 2, 1),
        ("located_at", 1, 0),
        ("modify", 3, 4),
    }
    assert (data.cut_reports, data.lost_entities, data.lost_relations) == (0, 0, 0)


def test_what_windows_and_tokens_cut_is_counted_and_teaches_nothing() -> None:
    text = TEXT + "两肺清晰。" * 20
    far = ReportGraph((*GRAPH.entities, Entity("清晰", len(text) - 3, len(text) - 1, "DNO")),
                      (*GRAPH.relations, Relation("located_at", 5, 0)))  # fmt: skip
    data = GraphWindows([AnnotatedReport(text, far)], windows(40))
    assert len(data) > 1
    assert (data.cut_reports, data.lost_entities, data.lost_relations) == (1, 0, 1)
    inside = ReportGraph((Entity("fusion", 13, 19, "NO"),))
    data = GraphWindows([AnnotatedReport(TEXT, inside)], windows())
    assert (data.lost_entities, data.rows[0].spans) == (1, ())
    (window,) = windows().cut(TEXT)
    ignored = {place for place, tag in enumerate(data.rows[0].tags) if tag == -100 and window.starts[place] >= 0}
    assert ignored and all(window.ends[place] > 13 and window.starts[place] < 19 for place in ignored)


def test_a_batch_is_filled_up_with_what_does_not_count() -> None:
    data = GraphWindows([AnnotatedReport(TEXT, GRAPH), AnnotatedReport("双肺。", ReportGraph())], windows())
    batch = collate_windows([data[0], data[1]], padding=0)
    assert batch["ids"].shape == batch["mask"].shape == batch["tags"].shape
    assert batch["mask"].sum(dim=1).tolist() == [len(row.ids) for row in data.rows]
    assert (batch["tags"][1][batch["mask"][1] == 0] == -100).all()
    assert batch["links"].shape == (2, 5, 5) and (batch["links"][1] == -100).all()
    assert (batch["links"][0].diagonal() == -100).all()
    assert (batch["links"][0] > 0).sum() == 3
    assert (batch["uncertain"][1] == -100).all()


def test_hidden_tokens_are_words_only() -> None:
    data = GraphWindows([AnnotatedReport(TEXT, GRAPH)], windows())
    torch.manual_seed(0)
    batch = collate_windows([data[0]] * 50, padding=0, unknown=1, share=0.3)
    plain = collate_windows([data[0]] * 50, padding=0)
    hidden = batch["ids"] != plain["ids"]
    assert (batch["ids"][hidden] == 1).all() and not hidden[:, [0, -1]].any()
    assert 0.2 < float(hidden[:, 1:-1].float().mean()) < 0.4
