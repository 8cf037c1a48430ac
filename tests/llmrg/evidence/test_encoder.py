"""The study encoder: saved and loaded it encodes alike; what does not fit is refused."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from llmrg.artefacts import Manifest, atomic_directory, file_hash
from llmrg.errors import UserError
from llmrg.evidence.encoder import (
    EncoderConfig,
    StudyEncoder,
    build_encoder,
    load_encoder,
    retrieval_vectors,
    save_encoder,
)
from llmrg.evidence.settings import DiseaseQueriesConfig
from llmrg.studies.batches import StudyBatch
from llmrg.vision.settings import BackboneConfig


def write(encoder: StudyEncoder, out: Path) -> Path:
    with atomic_directory(out) as directory:
        digest = save_encoder(encoder, directory)
        Manifest(kind="disease_classifier", producer="test", encoder_hash=digest).write(directory)
    return out


def test_saved_and_loaded_it_encodes_alike(
    tiny_encoder: StudyEncoder, make_films: Callable[..., StudyBatch], tmp_path: Path
) -> None:
    tiny_encoder.train()(make_films([2, 1, 2]))  # statistics of normalisation are no longer those of a fresh trunk
    expected = tiny_encoder.encode([make_films([2, 1])])
    loaded, manifest = load_encoder(write(tiny_encoder, tmp_path / "encoder"))
    assert loaded.config == tiny_encoder.config
    assert manifest.encoder_hash == file_hash(tmp_path / "encoder" / "encoder.safetensors")
    found = loaded.encode([make_films([2, 1])])
    assert found.keys() == expected.keys()
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=0, atol=0)


def test_numbers_and_names_of_the_settings_come_back(tmp_path: Path) -> None:
    config = EncoderConfig(
        vision=BackboneConfig(
            architecture="convnext_atto",
            options={"depths": [1, 1, 1, 1], "dims": [8, 8, 8, 16], "ls_init_value": 1e-06, "drop_path_rate": 0.1},
            mean=0.45,
            std=0.25,
            positions=False,
            freeze=True,
        ),
        queries=DiseaseQueriesConfig(heads=2, sharpness=3.0),
        vocabulary="chexpert14",
        image_size=64,
    )
    assert len(config.findings) == 13
    loaded, _ = load_encoder(write(build_encoder(config), tmp_path / "encoder"))
    assert loaded.config == config


def test_published_weights_are_not_fetched_again(tiny_encoder: StudyEncoder, tmp_path: Path) -> None:
    """A saved encoder has its weights with it: neither the hub nor the checkpoint's path is asked for."""
    vision = dataclasses.replace(tiny_encoder.config.vision, checkpoint=Path("gone.safetensors"))
    tiny_encoder.config = dataclasses.replace(tiny_encoder.config, vision=vision)
    loaded, _ = load_encoder(write(tiny_encoder, tmp_path / "encoder"))
    assert loaded.config.vision.checkpoint is None
    assert not loaded.config.vision.pretrained


def test_damaged_artefacts_are_refused(tiny_encoder: StudyEncoder, tmp_path: Path) -> None:
    def flip_a_bit(folder: Path) -> None:
        content = bytearray((folder / "encoder.safetensors").read_bytes())
        content[-3] ^= 1
        (folder / "encoder.safetensors").write_bytes(content)

    damages: dict[str, tuple[Callable[[Path], object], str]] = {
        "bit": (flip_a_bit, "damaged"),
        "weights": (lambda d: (d / "encoder.safetensors").unlink(), "weights are missing"),
        "settings": (lambda d: (d / "encoder.json").unlink(), "does not exist"),
        "half": (lambda d: (d / "encoder.json").write_text('{"vision": {'), "not valid"),
        "marker": (lambda d: (d / "COMPLETE").unlink(), "incomplete"),
    }
    for name, (damage, word) in damages.items():
        folder = write(tiny_encoder, tmp_path / name)
        damage(folder)
        with pytest.raises(UserError, match=word):
            load_encoder(folder)


def test_weights_of_another_trunk_are_refused(tiny_encoder: StudyEncoder, tmp_path: Path) -> None:
    with atomic_directory(tmp_path / "encoder") as directory:
        save_encoder(tiny_encoder, directory)
        weights = load_file(directory / "encoder.safetensors")
        weights["queries.queries"] = torch.zeros(3, 16)
        save_file(weights, directory / "encoder.safetensors")
        digest = file_hash(directory / "encoder.safetensors")
        Manifest(kind="disease_classifier", producer="test", encoder_hash=digest).write(directory)
    with pytest.raises(UserError, match="do not fit"):
        load_encoder(tmp_path / "encoder")


def test_another_kind_of_artefact_is_refused(tmp_path: Path) -> None:
    with atomic_directory(tmp_path / "index") as directory:
        Manifest(kind="index", producer="test").write(directory)
    with pytest.raises(UserError, match="'index'"):
        load_encoder(tmp_path / "index")


@pytest.mark.parametrize("training", [True, False])
def test_encoding_restores_the_mode_and_uses_evaluation(
    tiny_encoder: StudyEncoder, make_films: Callable[..., StudyBatch], training: bool
) -> None:
    before = {name: tensor.clone() for name, tensor in tiny_encoder.state_dict().items()}
    tiny_encoder.train(training)
    first, second = (tiny_encoder.encode([make_films([2, 1])]) for _ in range(2))
    assert tiny_encoder.training == training
    for name in first:
        torch.testing.assert_close(first[name], second[name], rtol=0, atol=0)  # no dropout, no batch statistics
        assert not first[name].requires_grad
    assert all(torch.equal(tensor, before[name]) for name, tensor in tiny_encoder.state_dict().items())

    def broken():
        yield make_films([1])
        raise OSError("the disk has gone")

    with pytest.raises(OSError, match="disk"):
        tiny_encoder.encode(broken())
    assert tiny_encoder.training == training


def test_batching_does_not_matter(tiny_encoder: StudyEncoder, make_films: Callable[..., StudyBatch]) -> None:
    together = tiny_encoder.encode([make_films([2, 1, 2])])
    batch = make_films([2, 1, 2])
    alone = tiny_encoder.encode(
        StudyBatch(
            studies=batch.studies[row : row + 1],
            pixels=batch.pixels[row : row + 1],
            view_mask=batch.view_mask[row : row + 1],
            views=batch.views[row : row + 1],
        )
        for row in range(3)
    )
    assert {name: tuple(tensor.shape) for name, tensor in together.items()} == {
        "vectors": (3, 16 + 36),
        "pooled": (3, 16),
        "tokens": (3, 12, 16),
        "probabilities": (3, 12, 3),
    }
    for name in together:
        torch.testing.assert_close(alone[name], together[name], rtol=1e-4, atol=1e-5)


def test_retrieval_vectors_have_length_one_and_compare_looks_and_findings(
    tiny_encoder: StudyEncoder, make_films: Callable[..., StudyBatch]
) -> None:
    with torch.no_grad():
        features, answers = tiny_encoder(make_films([2, 1, 2]))
        vectors = retrieval_vectors(features, answers)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(3))
    assert vectors.dtype == torch.float32
    similarity = vectors @ vectors.T
    for one in range(3):
        for other in range(3):
            looks = torch.cosine_similarity(features.pooled[one], features.pooled[other], dim=0)
            predicted = torch.sigmoid(answers.logits).flatten(1)
            alike = torch.cosine_similarity(predicted[one], predicted[other], dim=0)
            assert float(similarity[one, other]) == pytest.approx(float(looks + alike) / 2, abs=1e-5)


def test_heads_that_do_not_fit_the_trunk_are_a_users_error(tiny_encoder: StudyEncoder) -> None:
    config = dataclasses.replace(tiny_encoder.config, queries=DiseaseQueriesConfig(heads=5))
    with pytest.raises(UserError, match="16 is not divisible by 5"):
        build_encoder(config)


def test_the_settings_file_is_plain_json(tiny_encoder: StudyEncoder, tmp_path: Path) -> None:
    write(tiny_encoder, tmp_path / "encoder")
    settings = json.loads((tmp_path / "encoder" / "encoder.json").read_text(encoding="utf-8"))
    assert settings["vocabulary"] == "ped_xray"
    assert settings["image_size"] == 32
