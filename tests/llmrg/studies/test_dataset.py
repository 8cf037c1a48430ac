"""Studies as a torch dataset: films read once, augmented anew every epoch, bad ones set aside."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from llmrg.errors import BadStudyError, TooManyBadStudiesError
from llmrg.studies import dataset as dataset_module
from llmrg.studies.augmentation import AugmentationConfig
from llmrg.studies.dataset import StudyDataset, collate_studies, read_films, usable_studies
from llmrg.studies.settings import DataConfig
from llmrg.studies.study import Image, Study
from llmrg.studies.study_table import StudyTable

SIZE = 16


@pytest.fixture
def film_config(tmp_path: Path) -> DataConfig:
    return DataConfig(format="table", root=tmp_path, language="en", vocabulary="ped_xray", image_size=SIZE)


@pytest.fixture
def film_studies(tmp_path: Path, write_film: Callable[..., Path]) -> list[Study]:
    """Five studies; number i has 1 + i % 2 views of value 40 + 10 i (+ 1 for the second)."""
    studies = []
    for i in range(5):
        images = tuple(
            Image(path=write_film(tmp_path / f"{i}_{v}.png", size=(SIZE, SIZE), value=40 + 10 * i + v), view=view)
            for v, view in enumerate(("frontal", "lateral")[: 1 + i % 2])
        )
        studies.append(Study(id=f"s{i}", patient_id=f"p{i}", images=images, split="train", language="en"))
    return studies


@pytest.fixture
def count_reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    seen: list[Path] = []
    original = dataset_module.read_film

    def load(path: Path, **options: object) -> np.ndarray:
        seen.append(path)
        return original(path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(dataset_module, "read_film", load)
    return seen


def test_films_come_in_the_order_of_the_images(film_studies: list[Study], film_config: DataConfig) -> None:
    films = read_films(film_studies[3], film_config)
    assert [film.shape for film in films] == [(SIZE, SIZE)] * 2
    assert [int(film.mean()) for film in films] == [70, 71]
    study, again, extras = StudyDataset(film_studies, film_config)[3]
    assert study is film_studies[3]
    assert all(np.array_equal(one, other) for one, other in zip(films, again, strict=True))
    assert extras == {}


def test_the_cache_keeps_what_fits(film_studies: list[Study], film_config: DataConfig, count_reads: list[Path]) -> None:
    one_film = SIZE * SIZE
    # Sizes of the five studies: 1, 2, 1, 2, 1 films. Room for three films: studies 0 and 1.
    dataset = StudyDataset(film_studies, film_config, cache_bytes=3 * one_film)
    for _ in range(3):
        for index in range(5):
            dataset[index]
    assert [sum(path in {image.path for image in study.images} for path in count_reads) for study in film_studies] == [
        1,
        2,
        3,
        6,
        3,
    ]


def test_films_that_are_there_are_not_read_again(
    film_studies: list[Study], film_config: DataConfig, count_reads: list[Path]
) -> None:
    good, films, bad = usable_studies(film_studies, film_config)
    assert (good, bad) == (film_studies, [])
    assert len(count_reads) == 7
    dataset = StudyDataset(film_studies, film_config, films=films)
    assert [int(dataset[index][1][0].mean()) for index in range(5)] == [40, 50, 60, 70, 80]
    assert len(count_reads) == 7


def test_only_so_many_films_are_kept(film_studies: list[Study], film_config: DataConfig) -> None:
    good, films, _ = usable_studies(film_studies, film_config, keep_bytes=4 * SIZE * SIZE)
    assert len(good) == 5
    assert list(films) == ["s0", "s1", "s2"]


def test_every_epoch_has_its_own_augmentation(film_studies: list[Study], film_config: DataConfig) -> None:
    def films(epoch: int, seed: int = 0) -> list[bytes]:
        dataset = StudyDataset(film_studies, film_config, augmentation=AugmentationConfig(), seed=seed)
        dataset.set_epoch(epoch)
        return [film.tobytes() for index in range(5) for film in dataset[index][1]]

    first = films(0)
    assert films(0) == first  # a resumed run sees the same films
    assert all(one != other for one, other in zip(first, films(1), strict=True))
    assert all(one != other for one, other in zip(first, films(0, seed=1), strict=True))
    dataset = StudyDataset(film_studies, film_config, augmentation=AugmentationConfig())
    for _ in range(2):  # the cache holds films as they are, and the order of reading does not matter
        assert dataset[3][1][1].tobytes() == first[5]


def test_views_of_one_study_move_apart(film_config: DataConfig) -> None:
    film = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE), dtype=np.uint8)
    images = (Image(path=Path("a")), Image(path=Path("b")))
    study = Study(id="s", patient_id="p", images=images, split="train", language="en")
    dataset = StudyDataset([study], film_config, augmentation=AugmentationConfig(), films={"s": [film, film.copy()]})
    one, other = dataset[0][1]
    assert not np.array_equal(one, other)


# Bad films


def broken(study: Study, tmp_path: Path) -> Study:
    path = tmp_path / f"{study.id}_broken.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n broken")
    return Study(
        id=study.id, patient_id=study.patient_id, images=(Image(path=path),), split="train", language="en",
        sections={"findings": "a secret report"},
    )  # fmt: skip


def test_bad_studies_are_set_aside_and_counted(
    film_studies: list[Study], film_config: DataConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    film_studies[2] = broken(film_studies[2], tmp_path)
    good, films, bad = usable_studies(film_studies, film_config)
    assert [study.id for study in good] == list(films) == ["s0", "s1", "s3", "s4"]
    assert [error.study_id for error in bad] == ["s2"]
    assert "s2_broken.png" in bad[0].reason
    assert "s2" in caplog.text
    assert "secret" not in caplog.text


def test_too_many_bad_studies_fail(film_studies: list[Study], film_config: DataConfig, tmp_path: Path) -> None:
    film_studies[2:4] = [broken(study, tmp_path) for study in film_studies[2:4]]
    with pytest.raises(TooManyBadStudiesError, match="2 of 5") as raised:
        usable_studies(film_studies, film_config)
    assert "s2" in str(raised.value)
    assert "max_bad_fraction" in str(raised.value)
    assert "secret" not in str(raised.value)
    with pytest.raises(TooManyBadStudiesError, match="1 of 1"):
        usable_studies(film_studies[2:3], film_config)
    assert usable_studies([], film_config) == ([], {}, [])


def test_a_bad_film_in_the_dataset_names_its_study(
    film_studies: list[Study], film_config: DataConfig, tmp_path: Path
) -> None:
    film_studies[1] = broken(film_studies[1], tmp_path)
    with pytest.raises(BadStudyError, match="s1") as raised:
        StudyDataset(film_studies, film_config)[1]
    again = pickle.loads(pickle.dumps(raised.value))  # as it comes out of a data loading process
    assert str(again) == str(raised.value)


# Collating


def test_a_batch_carries_what_every_sample_has(film_studies: list[Study], film_config: DataConfig) -> None:
    extras = {
        study.id: {"present": torch.tensor([i, 1.0]), **({"rare": torch.ones(1)} if i else {})}
        for i, study in enumerate(film_studies)
    }
    dataset = StudyDataset(film_studies, film_config, extras=extras)
    batch = collate_studies([dataset[index] for index in (0, 3)])
    assert batch.view_mask.tolist() == [[True, False], [True, True]]
    assert batch.tensors.keys() == {"present"}
    assert batch.tensors["present"].tolist() == [[0, 1], [3, 1]]
    assert collate_studies([dataset[1]]).tensors.keys() == {"present", "rare"}
    assert len(dataset) == 5


def test_it_works_in_data_loading_processes(film_studies: list[Study], film_config: DataConfig) -> None:
    dataset = StudyDataset(film_studies, film_config, augmentation=AugmentationConfig())
    dataset.set_epoch(3)
    loader = torch.utils.data.DataLoader(dataset, batch_size=5, num_workers=1, collate_fn=collate_studies)
    (batch,) = list(loader)
    assert torch.equal(batch.pixels, collate_studies([dataset[index] for index in range(5)]).pixels)


def test_large_splits_are_opened_in_part(
    film_studies: list[Study], film_config: DataConfig, count_reads: list[Path]
) -> None:
    good, films, bad = usable_studies(film_studies, film_config, opened=2)
    assert (list(good), len(films), bad) == (film_studies, 2, [])
    assert set(count_reads) == {i.path for s in film_studies if s.id in films for i in s.images}
    table = StudyTable.from_studies(film_studies)
    kept, _, _ = usable_studies(table, film_config)
    assert isinstance(kept, StudyTable)
    assert list(kept) == film_studies


def test_bad_films_found_in_training_are_set_aside(
    film_studies: list[Study], film_config: DataConfig, tmp_path: Path
) -> None:
    film_studies[1], film_studies[2] = broken(film_studies[1], tmp_path), broken(film_studies[2], tmp_path)
    dataset = StudyDataset(film_studies, film_config, tolerated=2)
    assert [dataset[index][0].id for index in (0, 1, 2, 3, 4, 1)] == ["s0", "s3", "s3", "s3", "s4", "s3"]
    film_studies[4] = broken(film_studies[4], tmp_path)
    dataset = StudyDataset(film_studies, film_config, tolerated=2)
    assert dataset[1][0].id == "s3"
    with pytest.raises(TooManyBadStudiesError, match="3 of 5"):
        dataset[4]
