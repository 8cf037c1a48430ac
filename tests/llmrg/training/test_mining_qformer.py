"""AM-MRG's stages with a Q-Former, whose query tokens are not as wide as the trunk: from classifier to system."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from llmrg.artefacts import read_manifest
from llmrg.config import load_config
from llmrg.evidence.qformer import QFormerQueries
from llmrg.evidence.region_projection import RegionProjection
from llmrg.studies.dataset import collate_studies, read_films
from llmrg.systems.build import build_system
from llmrg.systems.report_generator import ReportGenerator
from llmrg.training.material import read_material
from llmrg.training.mining import query_tokens
from llmrg.training.settings import TrainConfig
from llmrg.training.stages import StageBuilder

WIDTH = 12
QUERIES = "system.evidence.disease_queries"
OVERRIDES = (
    "system.kind=ammrg",
    "system.evidence.sources=[patches, disease_queries, visual_memory, report_memory]",
    "system.evidence.visual_memory.heads=3",
    f"{QUERIES}.head=qformer",
    f"{QUERIES}.heads=3",
    f"{QUERIES}.qformer={{layers: 2, width: {WIDTH}, inner_width: 16, visual_width: 20, classifier: [8]}}",
    "stages.disease_classifier.epochs=1",
    "stages.memory.visual=regions",
    "stages.activation_maps={grid: 6, threshold: 0.6, cells: 3, regions: 5, width: 12}",
)


@pytest.fixture(scope="module")
def builder(tiny_run: Any, tmp_path_factory: pytest.TempPathFactory) -> StageBuilder:
    artefacts = tmp_path_factory.mktemp("qformer") / "artefacts"
    shutil.copytree(tiny_run.artefacts / "language_model", artefacts / "language_model")
    config = load_config(TrainConfig, tiny_run.config, [f"artefacts={artefacts}", *OVERRIDES])
    builder = StageBuilder(config=config, material=read_material(config.data), producer="test")
    assert builder.open_stages() == ("disease_classifier", "activation_maps", "memory")
    builder.build_needed()
    assert builder.open_stages() == ()
    return builder


def test_the_classifier_is_a_qformer(builder: StageBuilder) -> None:
    queries = builder.encoder().queries
    assert isinstance(queries, QFormerQueries)
    stated = read_manifest(builder.path("disease_classifier")).configuration["encoder"]["queries"]
    assert (stated["head"], stated["qformer"]["width"]) == ("qformer", WIDTH)
    other = replace(builder.config.system.evidence.disease_queries, head="queries", heads=2)
    evidence = replace(builder.config.system.evidence, disease_queries=other)
    changed = replace(builder, config=replace(builder.config, system=replace(builder.config.system, evidence=evidence)))
    assert changed.open_stages()[0] == "disease_classifier"


def test_the_memory_begins_with_the_query_tokens_as_they_are(builder: StageBuilder) -> None:
    encoder, names = builder.encoder(), [finding.name for finding in builder.material.vocabulary.abnormal]
    tokens = encoder.queries.queries.detach()  # type: ignore[union-attr]
    vectors = load_file(builder.path("memory") / "visual_memory.safetensors")["vectors"]
    np.testing.assert_array_equal(vectors[: len(names)], tokens.numpy())
    assert vectors.shape[1] == WIDTH
    assert read_manifest(builder.path("activation_maps")).details["regions"] == len(vectors) - len(names) > 0
    # Regions of yet another width: a map of their own, which keeps angles where it can.
    wide = RegionProjection("auto", width=encoder.backbone.width, out_width=WIDTH + 3)
    found = query_tokens(encoder, builder.material, wide, seed=4).vectors
    assert found.shape == (len(names), WIDTH + 3)
    torch.testing.assert_close(found @ found.T * (WIDTH + 3) / WIDTH, tokens @ tokens.T, atol=1e-5, rtol=1e-4)


def built(builder: StageBuilder, **changes: Any) -> ReportGenerator:
    config = builder.config.system
    queries = replace(config.evidence.disease_queries, **changes)
    config = replace(config, evidence=replace(config.evidence, disease_queries=queries))
    torch.manual_seed(2)
    return build_system(config, builder.config.data, builder.paths())


def test_the_system_asks_it(builder: StageBuilder) -> None:
    system = built(builder).eval()
    assert system.sources["disease_queries"].queries is system.encoder.queries
    study = builder.material.validation[0]
    batch = collate_studies([(study, read_films(study, builder.config.data), {})])
    evidence = system.gather(batch, with_records=True)
    findings = len(system.vocabulary.abnormal)
    state = evidence["disease_queries"].state
    assert state["tokens"].shape == (1, findings, WIDTH)
    assert state["attention"].shape[:2] == (1, findings)
    torch.testing.assert_close(state["attention"].sum(-1), torch.ones(1, findings))
    for memory in ("visual_memory", "report_memory"):
        found = evidence[memory].embeddings
        assert found is not None
        assert found.shape[1] == findings
    (report,) = system.generate(batch, replace(builder.config.decoding, max_new_tokens=4), with_records=True)
    assert {record["kind"] for record in report.records} >= {"disease_queries", "visual_memory", "report_memory"}


def test_fresh_queries_are_the_systems_own(builder: StageBuilder, tmp_path: Path) -> None:
    system = built(builder, fresh=True, decisions=False, loss_weight=0.0)
    source = system.sources["disease_queries"]
    assert source.decisions is None
    own, learnt = source.queries, system.encoder.queries
    assert learnt is not None
    assert not torch.equal(own.queries, learnt.queries)
    assert all(parameter.requires_grad for parameter in own.parameters())
    assert not any(parameter.requires_grad for parameter in learnt.parameters())
    assert any(name.startswith("sources.disease_queries.queries.former") for name in system.state_dict())
