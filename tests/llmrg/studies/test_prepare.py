"""Films prepared once: the same pixels, nothing half-written, and every change or damage found."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch.utils.data import DataLoader

from llmrg.errors import BadStudyError, UserError
from llmrg.studies import prepare
from llmrg.studies.dataset import StudyDataset, collate_studies, read_films
from llmrg.studies.images import fit_square, load_image
from llmrg.studies.prepare import prepare_films
from llmrg.studies.prepared import PreparedError, PreparedFilms
from llmrg.studies.reading import read_studies
from llmrg.studies.settings import DataConfig

FILMS = 12


@pytest.fixture
def noisy_config(tmp_path: Path) -> DataConfig:
    """A table of twelve films of different shapes and kinds: PNG of 8 and 16 bits, and JPEG."""
    root = tmp_path / "data"
    (root / "images").mkdir(parents=True)
    rng = np.random.default_rng(5)
    rows = ["image,patient_id,study_id,split,findings"]
    for number in range(FILMS):
        height, width = int(rng.integers(30, 90)), int(rng.integers(30, 90))
        if number % 3 == 1:
            film, name = Image.fromarray(rng.integers(0, 4096, (height, width)).astype(np.uint16)), f"{number}.png"
        else:
            film = Image.fromarray(rng.integers(0, 256, (height, width)).astype(np.uint8))
            name = f"{number}.{'png' if number % 3 == 0 else 'jpg'}"
        film.save(root / "images" / name)
        rows.append(f"{name},p{number // 2},s{number // 2},{'train' if number < 8 else 'test'},Clear lungs.")
    (root / "metadata.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return DataConfig(format="table", root=root, language="en", vocabulary="chexpert14", image_size=24)


def film_paths(config: DataConfig) -> list[Path]:
    return [image.path for study in read_studies(config) for image in study.images]


def opened(config: DataConfig, out: Path) -> PreparedFilms:
    return PreparedFilms(out, root=config.root, size=config.image_size, fit=config.fit)


def rewrite(path: Path, change: Callable[[bytearray], None]) -> None:
    content = bytearray(path.read_bytes())
    change(content)
    path.write_bytes(content)


@pytest.mark.parametrize("fit", ["pad", "crop", "stretch"])
def test_pixels_are_those_of_the_files(noisy_config: DataConfig, tmp_path: Path, fit: Any) -> None:
    config = replace(noisy_config, fit=fit)
    result = prepare_films(config, tmp_path / "out", workers=1)
    assert (result.films, result.decoded, result.kept, dict(result.bad)) == (FILMS, FILMS, 0, {})
    films = opened(config, tmp_path / "out")
    for path in film_paths(config):
        # the recipe written out, apart from read_film
        assert np.array_equal(films.read(path), fit_square(load_image(path, at_least=24), size=24, mode=fit))


def test_batches_of_training_are_equal(noisy_config: DataConfig, tmp_path: Path) -> None:
    prepare_films(noisy_config, tmp_path / "out", workers=2)
    batches = []
    for config in (noisy_config, replace(noisy_config, prepared=tmp_path / "out")):
        studies = read_studies(config).split("train")
        dataset = StudyDataset(studies, config, cache_bytes=0)
        batches.append(next(iter(DataLoader(dataset, batch_size=4, collate_fn=collate_studies, num_workers=1))))
    assert batches[0].pixels.shape[:2] == (4, 2)
    assert bool((batches[0].pixels == batches[1].pixels).all())


def test_the_number_of_workers_does_not_matter(noisy_config: DataConfig, tmp_path: Path) -> None:
    for workers in (1, 2):
        prepare_films(noisy_config, tmp_path / f"out{workers}", workers=workers)
    names = sorted(path.name for path in (tmp_path / "out1").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "out2").iterdir())
    assert all((tmp_path / "out1" / name).read_bytes() == (tmp_path / "out2" / name).read_bytes() for name in names)
    manifest = json.loads((tmp_path / "out1" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["kind"] == "prepared_films"
    assert str(tmp_path) not in json.dumps(manifest)
    assert b"Clear lungs" not in b"".join(path.read_bytes() for path in (tmp_path / "out1").iterdir())


def test_it_goes_on_where_it_was_killed(noisy_config: DataConfig, tmp_path: Path) -> None:
    out = tmp_path / "out"
    script = (
        "import sys, time; from pathlib import Path\n"
        "from llmrg.studies import prepare\n"
        "from llmrg.studies.settings import DataConfig\n"
        "prepare.SHARD_FILMS = 3\n"
        "read = prepare.read_film\n"
        "def slow(path, **options):\n    time.sleep(0.1)\n    return read(path, **options)\n"
        "prepare.read_film = slow\n"
        "config = DataConfig(format='table', root=Path(sys.argv[1]), language='en', vocabulary='chexpert14', "
        "image_size=24)\n"
        "prepare.prepare_films(config, Path(sys.argv[2]), workers=2)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(noisy_config.root), str(out)])
    deadline = time.monotonic() + 60
    while not list(out.glob("shard-*.arrow")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (out / "COMPLETE").exists()
    with pytest.raises(UserError, match=r"incomplete.*prepare again"):
        opened(noisy_config, out)
    (out / ".tmp-shard-00009.u8-abc").write_bytes(b"half")
    seen: list[tuple[int, int]] = []
    result = prepare_films(noisy_config, out, workers=1, progress=lambda *at: seen.append(at))
    assert 3 <= result.kept < FILMS
    assert result.kept + result.decoded == FILMS
    assert seen[0] == (result.kept, FILMS)
    assert seen[-1] == (FILMS, FILMS)
    assert not list(out.glob(".tmp-*"))
    films = opened(noisy_config, out)
    prepare_films(noisy_config, tmp_path / "whole", workers=1)
    whole = opened(noisy_config, tmp_path / "whole")
    assert all(np.array_equal(films.read(path), whole.read(path)) for path in film_paths(noisy_config))


def test_a_full_disk_is_one_message_and_leaves_nothing_half_written(
    noisy_config: DataConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "SHARD_FILMS", 3)
    out = tmp_path / "out"
    flushes: list[int] = []

    def full(handle: int) -> None:
        flushes.append(handle)
        if len(flushes) > 4:  # the manifest, the first shard and its rows fit, and the next shard
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"No space left on device.*free some space and run the command again"):
        prepare_films(noisy_config, out, workers=2)
    monkeypatch.undo()
    left = {path.name for path in out.iterdir()}
    assert left == {".lock", "manifest.json", "shard-00000.u8", "shard-00000.arrow", "shard-00001.u8"}
    assert prepare_films(noisy_config, out, workers=1).kept == 3


def test_a_disk_that_is_too_small_is_told_before(
    noisy_config: DataConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(prepare.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(UserError, match="are free"):
        prepare_films(noisy_config, tmp_path / "out", workers=1)
    assert not list((tmp_path / "out").glob("shard-*"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(noisy_config: DataConfig, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    with pytest.raises(UserError, match="Permission denied"):
        prepare_films(noisy_config, locked / "out", workers=1)


def test_a_read_only_file_system(noisy_config: DataConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), "out")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(UserError, match=r"Read-only file system.*choose a folder"):
        prepare_films(noisy_config, tmp_path / "out", workers=1)


def test_flipped_bits_of_a_film_are_found_and_mended(noisy_config: DataConfig, tmp_path: Path) -> None:
    out = tmp_path / "out"
    prepare_films(noisy_config, out, workers=1)
    paths = film_paths(noisy_config)

    def flip(content: bytearray) -> None:
        content[3 * 24 * 24 + 100] ^= 1  # in the fourth film

    rewrite(out / "shard-00000.u8", flip)
    films = opened(noisy_config, out)
    films.read(paths[0])
    with pytest.raises(PreparedError, match=r"damaged.*shard-00000\.u8.*prepare again"):
        films.read(paths[3])
    result = prepare_films(noisy_config, out, workers=1)
    assert (result.kept, result.decoded) == (FILMS - 1, 1)
    films = opened(noisy_config, out)
    assert np.array_equal(films.read(paths[3]), fit_square(load_image(paths[3], at_least=24), size=24))


@pytest.mark.parametrize("name", ["index", "manifest"])
def test_a_damaged_index_or_manifest_is_refused(noisy_config: DataConfig, tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    prepare_films(noisy_config, out, workers=1)

    def flip(content: bytearray) -> None:
        place = len(content) // 2 if name == "index" else content.index(b"index_sha256") + 20
        content[place] ^= 2

    rewrite(next(out.glob(f"{name}*")), flip)
    with pytest.raises(UserError, match="prepare again"):
        opened(noisy_config, out)
    if name == "index":  # all is made again
        assert prepare_films(noisy_config, out, workers=1).films == FILMS
        assert len(opened(noisy_config, out)) == FILMS


def test_a_shard_that_is_cut_off_or_gone(noisy_config: DataConfig, tmp_path: Path) -> None:
    out = tmp_path / "out"
    prepare_films(noisy_config, out, workers=1)
    paths = film_paths(noisy_config)
    rewrite(out / "shard-00000.u8", lambda content: content.__delitem__(slice(-10, None)))
    films = opened(noisy_config, out)
    films.read(paths[0])
    with pytest.raises(PreparedError, match="cut off"):
        films.read(paths[-1])
    (out / "shard-00000.u8").unlink()
    with pytest.raises(PreparedError, match="No such file"):
        opened(noisy_config, out).read(paths[0])


def test_a_changed_file_is_noticed_a_touched_one_is_not(noisy_config: DataConfig, tmp_path: Path) -> None:
    out = tmp_path / "out"
    prepare_films(noisy_config, out, workers=1)
    touched, same_size, longer = film_paths(noisy_config)[:3]
    os.utime(touched, ns=(1, 1))
    rewrite(same_size, lambda content: content.__setitem__(-1, content[-1] ^ 1))
    os.utime(same_size, ns=(2, 2))
    rewrite(longer, lambda content: content.extend(b"more"))
    films = opened(noisy_config, out)
    films.read(touched)
    for path in (same_size, longer):
        with pytest.raises(PreparedError, match=r"has changed since it was prepared.*prepare again"):
            films.read(path)


def test_another_size_fit_or_version_is_refused(
    noisy_config: DataConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    prepare_films(noisy_config, out, workers=1)
    for changes, message in (({"image_size": 32}, "size 24, but 32"), ({"fit": "crop"}, "fit pad, but crop")):
        changed = replace(noisy_config, **changes)  # type: ignore[arg-type]
        with pytest.raises(UserError, match=f"{message}.*prepare again"):
            opened(changed, out)
        with pytest.raises(UserError, match=r"This folder holds films prepared with"):
            prepare_films(changed, out, workers=1)
    monkeypatch.setattr(prepare, "FILM_VERSION", 999)
    with pytest.raises(UserError, match="film_version"):
        prepare_films(noisy_config, out, workers=1)


def test_bad_films_are_named_counted_and_set_aside(noisy_config: DataConfig, tmp_path: Path) -> None:
    out = tmp_path / "out"
    broken = film_paths(noisy_config)[0]
    sound = broken.read_bytes()
    broken.write_bytes(sound[: len(sound) // 2])
    result = prepare_films(noisy_config, out, workers=1)
    assert list(result.bad) == [broken.relative_to(noisy_config.root.resolve()).as_posix()]
    assert result.decoded == FILMS - 1
    study = read_studies(noisy_config)[0]
    reasons = []
    for config in (noisy_config, replace(noisy_config, prepared=out)):
        with pytest.raises(BadStudyError, match="truncated") as caught:
            read_films(study, config)
        reasons.append(str(caught.value))
    assert reasons[0] == reasons[1]
    broken.write_bytes(sound)
    result = prepare_films(noisy_config, out, workers=1)
    assert (result.kept, result.decoded, dict(result.bad)) == (FILMS - 1, 1, {})


def test_new_films_are_added(noisy_config: DataConfig, tmp_path: Path) -> None:
    out = tmp_path / "out"
    prepare_films(noisy_config, out, workers=1)
    table = noisy_config.root / "metadata.csv"
    Image.fromarray(np.arange(900, dtype=np.uint16).astype(np.uint8).reshape(30, 30)).save(
        noisy_config.root / "images" / "new.png"
    )
    with table.open("a", encoding="utf-8") as file:
        file.write("new.png,p99,s99,train,Clear.\n")
    with pytest.raises(PreparedError, match="not among the prepared films"):
        opened(noisy_config, out).read(film_paths(noisy_config)[-1])
    result = prepare_films(noisy_config, out, workers=1)
    assert (result.kept, result.decoded) == (FILMS, 1)
    assert len(list(out.glob("index-*"))) == 1
    assert all(opened(noisy_config, out).read(path).shape == (24, 24) for path in film_paths(noisy_config))


def test_a_folder_with_something_else_or_another_writer(noisy_config: DataConfig, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match="not empty"):
        prepare_films(noisy_config, tmp_path / "other", workers=1)
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["thesis.txt"]
    out = tmp_path / "out"
    hold = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.lockf(f, fcntl.LOCK_EX); print(1, flush=True); input()"
    out.mkdir()
    command = [sys.executable, "-c", hold, str(out / ".lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(UserError, match="Another process"):
            prepare_films(noisy_config, out, workers=1)
        other.communicate(b"\n")
    prepare_films(noisy_config, out, workers=1)
    with pytest.raises(UserError, match="do not exist"):
        opened(noisy_config, tmp_path / "nowhere")
