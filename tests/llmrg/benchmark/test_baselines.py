from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from llmrg.benchmark.baselines import (
    TrainingPool,
    nearest_by_encoder,
    nearest_by_thumbnail,
    random_reports,
)
from llmrg.benchmark.predictions import Prediction
from llmrg.benchmark.thumbnails import frontal_thumbnails
from llmrg.errors import UserError
from llmrg.studies.study import Image, Study


def study(id_: str, patient: str, report: str, *, split: str = "train", film: Path | None = None) -> Study:
    images = () if film is None else (Image(path=film, view="frontal"),)
    sections = {"findings": report} if report else {}
    return Study(id=id_, patient_id=patient, images=images, split=split, language="en", sections=sections)


def test_scored_patients_and_empty_reports_leave_the_pool() -> None:
    training = [study("1", "p1", "one"), study("2", "p2", ""), study("3", "p3", "three")]
    pool = TrainingPool.build(training, [study("9", "p1", "nine", split="test")], target=("findings",))
    assert pool.ids == ("3",)
    assert pool.left_out == 1
    assert pool.positions == (2,)


def test_an_empty_pool_is_refused() -> None:
    with pytest.raises(UserError, match="No training report"):
        TrainingPool.build([study("1", "p", "one")], [study("2", "p", "two", split="test")], target=("findings",))


def test_random_reports_follow_the_seed() -> None:
    pool = TrainingPool.build([study(str(i), str(i), f"r{i}") for i in range(20)], [], target=("findings",))
    assert random_reports(pool, 9, seed=1) == random_reports(pool, 9, seed=1)
    assert random_reports(pool, 9, seed=1) != random_reports(pool, 9, seed=2)
    assert set(random_reports(pool, 9, seed=1)) <= set(pool.reports)


@pytest.fixture
def patterns(tmp_path: Path) -> dict[str, Path]:
    """Three pictures that differ, and a brighter, flatter copy of the first."""
    y, x = np.mgrid[0:64, 0:64] / 64
    pictures = {"rows": y * 200, "columns": x * 200, "ball": 200 * np.exp(-((x - 0.5) ** 2 + (y - 0.5) ** 2) * 20)}
    pictures["rows_again"] = pictures["rows"] * 0.5 + 90
    paths = {}
    for name, pixels in pictures.items():
        paths[name] = tmp_path / f"{name}.png"
        PillowImage.fromarray(pixels.astype(np.uint8)).save(paths[name])
    return paths


def test_nearest_ignores_exposure_and_the_own_patient(patterns: dict[str, Path]) -> None:
    training = [
        study("own", "p0", "own report", film=patterns["rows"]),
        study("a", "p1", "rows report", film=patterns["rows"]),
        study("b", "p2", "columns report", film=patterns["columns"]),
        study("c", "p3", "ball report", film=patterns["ball"]),
    ]
    query = study("q", "p0", "query report", split="test", film=patterns["rows_again"])
    pool = TrainingPool.build(training, [query], target=("findings",))
    assert nearest_by_thumbnail(pool, training, [query], limit=10, seed=0) == (["a"], ["rows report"])


def test_an_unreadable_film_gets_a_training_report(patterns: dict[str, Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    training = [study("a", "p1", "rows report", film=patterns["rows"]), study("b", "p2", "dark", film=broken)]
    pool = TrainingPool.build(training, [], target=("findings",))
    ids, _ = nearest_by_thumbnail(pool, training, [study("q", "q", "x", split="test", film=broken)], limit=9, seed=0)
    assert ids[0] in {"a", "b"}


def test_nearest_encoder_takes_the_most_similar_study_of_the_pool() -> None:
    pool = TrainingPool.build([study(i, i, f"report {i}") for i in "ab"], [], target=("findings",))
    items = [
        {"study_id": "elsewhere", "similarity": 0.99},
        {"study_id": "a", "similarity": 0.5},
        {"study_id": "b", "similarity": 0.8, "role": "negative"},
    ]
    full = Prediction(id="q", report="", evidence=({"kind": "retrieved_context", "items": items},))
    assert nearest_by_encoder(pool, [full]) == ["report b"]
    assert nearest_by_encoder(pool, [full, Prediction(id="r", report="")]) is None
    searched = Prediction(id="q", report="", evidence=({"kind": "context_residuals", "items": items},))
    assert nearest_by_encoder(pool, [searched]) == ["report b"]
    drawn = [{"study_id": "a", "role": "positive"}]  # named by chance or keyword, not found by any encoder
    assert (
        nearest_by_encoder(
            pool, [Prediction(id="q", report="", evidence=({"kind": "context_residuals", "items": drawn},))]
        )
        is None
    )


def test_thumbnails_are_kept_until_a_film_changes(patterns: dict[str, Path], tmp_path: Path) -> None:
    studies = [study("a", "p1", "x", film=patterns["rows"]), study("b", "p2", "y", film=patterns["ball"])]
    cache = tmp_path / "kept" / "thumbnails.npz"
    first = frontal_thumbnails(studies, cache=cache)
    np.testing.assert_allclose(first, frontal_thumbnails(studies), atol=1e-3)
    written = cache.stat().st_mtime_ns
    np.testing.assert_array_equal(frontal_thumbnails(studies, cache=cache), first)
    assert cache.stat().st_mtime_ns == written
    patterns["rows"].write_bytes(patterns["columns"].read_bytes())
    changed = frontal_thumbnails(studies, cache=cache)
    assert not np.allclose(changed[0], first[0], atol=0.05)
    np.testing.assert_array_equal(changed[1], first[1])
    cache.write_bytes(b"broken")
    np.testing.assert_array_equal(frontal_thumbnails(studies, cache=cache), changed)
