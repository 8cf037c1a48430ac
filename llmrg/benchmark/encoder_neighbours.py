"""For the row that copies what a system's own encoder finds nearest: films encoded by a run's disease classifier."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llmrg.artefacts import file_hash, read_manifest, text_hash, write_text
from llmrg.benchmark.baselines import TrainingPool, draw_candidates
from llmrg.studies.settings import DataConfig
from llmrg.studies.study import Study

__all__ = ["CLASSIFIER", "nearest_by_classifier"]

_log = logging.getLogger(__name__)
CLASSIFIER = Path("artefacts", "disease_classifier")
"""Where a run keeps its frozen study encoder."""
_VERSION = "1"
_BATCH = 32
_CHUNK = 1024


def nearest_by_classifier(
    run: Path,
    pool: TrainingPool,
    training: Sequence[Study],
    scored: Sequence[Study],
    *,
    training_data: DataConfig,
    scored_data: DataConfig,
    limit: int,
    seed: int,
    cache: Path | None = None,
) -> list[str] | None:
    """Return, for each scored study, the report of the training study most like it to a run's frozen encoder.

    The encoder is the run's disease classifier; studies are compared by its retrieval vectors, looks and predicted
    findings with half the weight each, as indices are (:func:`llmrg.evidence.encoder.retrieval_vectors`). A scored
    study whose films cannot be read gets a random training report.

    Args:
        run: the run directory.
        pool: training reports.
        training: the training split that the pool was built from.
        scored: the studies to answer.
        training_data: how the training films are read; size and fit are taken from the run.
        scored_data: likewise the scored ones.
        limit: training studies compared with, at most (the same random subsample as for thumbnails).
        seed: seed of the subsample.
        cache: file that keeps the result until a film or the encoder changes.

    Returns:
        Reports in the order of ``scored``; None if the run keeps no disease classifier.

    Raises:
        UserError: the run or its encoder is damaged.
    """
    folder = run / CLASSIFIER
    if not folder.is_dir():
        return None
    chosen = draw_candidates(pool, limit=limit, seed=seed)
    candidates = [training[pool.positions[int(i)]] for i in chosen]
    encoder_hash = read_manifest(folder).encoder_hash or ""
    read = file_hash(run / "run.yaml")  # says how films are fitted
    how = f"{training_data.views} {scored_data.views} {read}"
    key = text_hash([_VERSION, encoder_hash, how, str(seed), *_states(candidates), "scored", *_states(scored)])
    picks = None if cache is None else _kept(cache, key, count=len(scored), candidates=len(candidates))
    if picks is None:
        picks = _search(run, candidates, scored, training_data=training_data, scored_data=scored_data, seed=seed)
        if cache is not None:
            cache.parent.mkdir(parents=True, exist_ok=True)
            write_text(cache, json.dumps({"key": key, "picks": picks}))
    return [pool.reports[int(chosen[pick])] for pick in picks]


def _search(
    run: Path,
    candidates: Sequence[Study],
    scored: Sequence[Study],
    *,
    training_data: DataConfig,
    scored_data: DataConfig,
    seed: int,
) -> list[int]:
    """Place among the candidates of the nearest one to each scored study."""
    keys, known = _encode(run, candidates, training_data)
    queries, seen = _encode(run, scored, scored_data)
    drawn = np.random.default_rng([seed, 4]).integers(len(candidates), size=len(scored))
    picks = [int(place) for place in drawn]
    for start in range(0, len(seen) if len(known) else 0, _CHUNK):
        best = known[np.argmax(queries[start : start + _CHUNK] @ keys.T, axis=1)]
        for row, pick in zip(seen[start : start + _CHUNK], best, strict=True):
            picks[int(row)] = int(pick)
    return picks


def _encode(run: Path, studies: Sequence[Study], data: DataConfig) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Retrieval vectors [N, W] of the studies that can be read, and their rows [N]."""
    import torch

    from llmrg.config import load_config
    from llmrg.evidence.encoder import load_encoder
    from llmrg.studies.dataset import StudyDataset
    from llmrg.systems.run import SETTINGS, RunConfig
    from llmrg.training.encoding import encode_studies

    own = load_config(RunConfig, run / SETTINGS).data.config_of(studies[0])
    encoder, _ = load_encoder(run / CLASSIFIER)
    encoder.to("cuda" if torch.cuda.is_available() else "cpu")
    if (own.image_size, own.fit) != (data.image_size, data.fit):
        data = replace(data, image_size=own.image_size, fit=own.fit, prepared=None)
    dataset = StudyDataset(studies, data, cache_bytes=0)
    _log.info("encoding %d studies with the disease classifier of %s", len(studies), run)
    found = encode_studies(encoder, dataset, batch_size=_BATCH, answers={}, tolerated=len(studies))
    return np.asarray(found.vectors.numpy(), dtype=np.float32), found.rows


def _states(studies: Sequence[Study]) -> Iterator[str]:
    """What says that a study's films are still the same."""
    for study in studies:
        yield study.id
        for image in study.images:
            try:
                status = image.path.stat()
            except OSError:
                yield f"{image.path} {image.view}"
            else:
                yield f"{image.path} {image.view} {status.st_size} {status.st_mtime_ns}"


def _kept(path: Path, key: str, *, count: int, candidates: int) -> list[int] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        picks = [int(pick) for pick in found["picks"]] if found["key"] == key else []
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return picks if len(picks) == count and all(0 <= pick < candidates for pick in picks) else None
