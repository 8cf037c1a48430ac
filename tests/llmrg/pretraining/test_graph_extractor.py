"""A graph extractor learns what is annotated, is chosen on validation, and can be used elsewhere."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from transformers import TrainerCallback

from llmrg.artefacts import read_manifest
from llmrg.errors import StoppedBySignalError, UserError
from llmrg.findings.graphs.graph import Entity, Relation, ReportGraph
from llmrg.language.graph_extractor import TrainedGraphExtractor
from llmrg.pretraining import signals
from llmrg.pretraining.graph_annotations import AnnotatedReport, read_annotations
from llmrg.pretraining.graph_extractor import split_reports, train_graph_extractor
from llmrg.pretraining.graph_scores import extractor_scores

KINDS = {"A": "Anatomy", "P": "DPO", "N": "DNO", "O": "NO"}
# Text, entities as they follow each other, relations: source > target modifies, source @ target lies at.
HAND = [
    ("双肺纹理增多、增粗。", "A双肺 O纹理 P增多 P增粗", "2>1 3>1 1@0"),
    ("右肺下叶见少许斑片状影😷。", "A右肺下叶 O少许 P斑片状 O影", "1>3 2>3 3@0"),
    ("双肺野清晰，未见实变、气胸。", "A双肺野 N清晰 N未见 O实变 O气胸", "1@0 2>3 2>4 3@0"),
    ("心影轻度增大。", "A心影 O轻度 P增大", "1>2 2@0"),
    ("双侧膈面光整，肋膈角锐利。", "A双侧膈面 N光整 A肋膈角 N锐利", "1@0 3@2"),
    ("左侧少量胸腔积液？", "A左侧 O少量 A胸腔 P?积液", "0>2 1>3 3@2"),
    ("Ｔ１２旁见钙化。", "AＴ１２ P钙化", "1@0"),
    ("Heart size is mildly enlarged.", "AHeart Osize Omildly Penlarged", "3>1 2>3 1@0"),
]


def hand_written() -> list[AnnotatedReport]:
    reports = []
    for text, words, edges in HAND:
        entities: list[Entity] = []
        for word in words.split():
            kind, hedged = KINDS[word[0]], word[1] == "?"
            own = word[1 + hedged :]
            start = text.index(own, entities[-1].end if entities else 0)
            entities.append(Entity(own, start, start + len(own), kind, hedged))  # type: ignore[arg-type]
        relations = [
            Relation("modify" if ">" in edge else "located_at", *map(int, edge.replace("@", ">").split(">")))
            for edge in edges.split()
        ]
        graph = ReportGraph(tuple(entities), tuple(relations))
        graph.check(text)
        reports.append(AnnotatedReport(text, graph))
    return reports


def write(path: Path, reports: list[AnnotatedReport]) -> Path:
    rows = [json.dumps({"text": report.text, **report.graph.to_mapping()}, ensure_ascii=False) for report in reports]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def values(folder: Path, **more: Any) -> list[str]:
    """A small and quick training."""
    given = {
        "out": folder / "extractor",
        "annotations": f"[{write(folder / 'annotated.jsonl', hand_written())}]",
        "language": "zh",
        "encoder.hidden_size": 48,
        "encoder.layers": 1,
        "encoder.intermediate_size": 64,
        "encoder.dropout": 0,
        "network.dropout": 0,
        "unknown_share": 0,
        "precision": "fp32",
        "epochs": 2,
        **more,
    }
    return [f"{name}={value}" for name, value in given.items()]


@pytest.fixture
def empty_config(tmp_path: Path) -> Path:
    path = tmp_path / "empty.yaml"
    path.write_text("{}\n", encoding="utf-8")
    return path


def test_eight_graphs_are_learnt_by_heart(tmp_path: Path, empty_config: Path, caplog: pytest.LogCaptureFixture) -> None:
    annotated = write(tmp_path / "annotated.jsonl", hand_written())
    own = values(
        tmp_path, epochs=25, batch_size=2, validation=f"[{annotated}]", test=f"[{annotated}]", learning_rate=5e-3
    )
    trained = train_graph_extractor(empty_config, own)
    for part in ("validation", "test"):
        assert f"8 of 8 {part} reports stand among" in caplog.text
        assert trained.details[part]["entity_f1"] == trained.details[part]["relation_f1"] == 1.0
    loaded = TrainedGraphExtractor.load(trained.out)
    assert loaded.version == trained.version
    for report in hand_written():
        graph = loaded.extract(report.text)
        assert graph.entities == report.graph.entities  # offsets and all
        assert set(graph.relations) == set(report.graph.relations)
        assert [one.uncertain for one in graph.entities] == [one.uncertain for one in report.graph.entities]
    manifest = read_manifest(trained.out)
    manifest.require(kind="graph_extractor", where=trained.out, version=trained.version)
    assert manifest.contains_patient_text and manifest.languages == ("zh",)
    card = (trained.out / "README.md").read_text(encoding="utf-8")
    assert trained.version in card and "| entity_f1 | 1.0000 | 1.0000 |" in card
    assert not (tmp_path / ".extractor-training").exists()
    moved = tmp_path / "elsewhere"
    shutil.move(trained.out, moved)
    assert TrainedGraphExtractor.load(moved).extract(HAND[0][0]) == loaded.extract(HAND[0][0])


def test_the_same_seed_gives_the_same_weights_also_when_it_was_stopped(tmp_path: Path, empty_config: Path) -> None:
    first = train_graph_extractor(empty_config, values(tmp_path, unknown_share=0.1, epochs=3))
    second = values(tmp_path, unknown_share=0.1, epochs=3, out=tmp_path / "other")

    class Stop(TrainerCallback):
        def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.epoch and state.epoch >= 1:
                signals._state.requested = 15

    with pytest.raises(StoppedBySignalError, match="saved"):
        train_graph_extractor(empty_config, second, callbacks=[Stop()])
    assert not (tmp_path / "other").exists()
    again = train_graph_extractor(empty_config, second, resume=True)
    assert again.version == first.version
    changed = train_graph_extractor(empty_config, [*second, "seed=1"])
    assert changed.version != first.version


def test_reports_are_parted_by_their_texts() -> None:
    reports = hand_written()
    twice = [*reports, *reports]
    training, validation = split_reports(twice, share=0.25, seed=0)
    assert len(validation) == 4 and len(training) == 12
    assert not {report.text for report in training} & {report.text for report in validation}
    back = split_reports(twice[::-1], share=0.25, seed=0)
    assert {report.text for report in back[1]} == {report.text for report in validation}
    others = {
        frozenset(report.text for report in split_reports(reports, share=0.25, seed=seed)[1]) for seed in range(9)
    }
    assert len(others) > 1
    with pytest.raises(UserError, match="too few"):
        split_reports(reports[:1] * 3, share=0.5, seed=0)


def test_figures_by_hand() -> None:
    true = hand_written()[0].graph
    kept = ReportGraph(true.entities[:3], (Relation("modify", 2, 1), Relation("located_at", 2, 0)))
    figures = extractor_scores([kept], [true], "zh")
    assert figures["entity_precision"] == 1.0 and figures["entity_recall"] == 0.75
    assert figures["entity_f1"] == pytest.approx(6 / 7)
    assert figures["relation_precision"] == 0.5 and figures["relation_recall"] == pytest.approx(1 / 3)
    assert figures["relation_f1"] == pytest.approx(0.4)
    assert figures["mean_f1"] == pytest.approx((6 / 7 + 0.4) / 2)
    assert extractor_scores([ReportGraph()], [true], "zh")["mean_f1"] == 0.0


def test_what_cannot_be_trained_is_refused(tmp_path: Path, empty_config: Path) -> None:
    (tmp_path / "extractor").mkdir()
    (tmp_path / "extractor" / "mine.txt").write_text("x", encoding="utf-8")
    with pytest.raises(UserError, match="holds no extractor"):
        train_graph_extractor(empty_config, values(tmp_path))
    shutil.rmtree(tmp_path / "extractor")
    bare = write(tmp_path / "bare.jsonl", [AnnotatedReport(text, ReportGraph()) for text, _, _ in HAND])
    with pytest.raises(UserError, match="No training report has an entity"):
        train_graph_extractor(empty_config, values(tmp_path, annotations=f"[{bare}]"))
    with pytest.raises(UserError, match="not a directory"):
        train_graph_extractor(empty_config, values(tmp_path, **{"encoder.path": tmp_path / "nowhere"}))
    with pytest.raises(UserError, match="language"):
        train_graph_extractor(empty_config, values(tmp_path, language="de"))
    assert not (tmp_path / "extractor").exists()
    assert len(read_annotations([bare], format="llmrg").reports) == len(HAND)
