"""Studies encoded once: what is kept, what is left out, on disk as in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from llmrg.config import load_config
from llmrg.errors import TooManyBadStudiesError
from llmrg.evidence.encoder import load_encoder
from llmrg.studies.dataset import StudyDataset, collate_studies
from llmrg.training import encoding
from llmrg.training.encoding import encode_studies
from llmrg.training.material import read_material
from llmrg.training.settings import TrainConfig


@pytest.mark.parametrize("in_memory", [0, 2**28])
def test_only_what_is_needed_is_kept(tiny_run: Any, in_memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "IN_MEMORY", in_memory)
    config = load_config(TrainConfig, tiny_run.config)
    studies = read_material(config.data).training[:7]
    encoder, _ = load_encoder(tiny_run.artefacts / "disease_classifier")
    dataset = StudyDataset(studies, config.data, cache_bytes=0)
    wanted = {1: [0, 2], 6: [None]}
    found = encode_studies(encoder, dataset, batch_size=3, answers=wanted, tolerated=0)
    whole = encoder.encode([collate_studies([dataset[row] for row in range(7)])])
    assert found.rows.tolist() == list(range(7))
    torch.testing.assert_close(found.vectors, whole["vectors"])
    torch.testing.assert_close(found.pooled, whole["pooled"])
    assert found.answers.keys() == {(1, 0), (1, 2), (6, None)}
    torch.testing.assert_close(found.answers[1, 2], whole["tokens"][1, 2])
    torch.testing.assert_close(found.answers[6, None], whole["tokens"][6].mean(0))


def test_bad_films_are_left_out(tiny_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_config(TrainConfig, tiny_run.config)
    studies = list(read_material(config.data).training[:5])
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG nothing")
    image = type(studies[2].images[0])(path=broken)
    studies[2] = type(studies[2])(**{**vars(studies[2]), "images": (image,)})
    encoder, _ = load_encoder(tiny_run.artefacts / "disease_classifier")
    dataset = StudyDataset(studies, config.data, cache_bytes=0)
    found = encode_studies(encoder, dataset, batch_size=2, answers={2: [0], 3: [0]}, tolerated=1)
    assert found.rows.tolist() == [0, 1, 3, 4]
    assert len(found.vectors) == len(found.pooled) == 4
    assert found.answers.keys() == {(3, 0)}
    with pytest.raises(TooManyBadStudiesError, match="1 of 5"):
        encode_studies(encoder, dataset, batch_size=2, answers={}, tolerated=0)
