from __future__ import annotations

import pickle
import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from llmrg.errors import UserError
from llmrg.studies.images import ImageError, fit_square, load_image

RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)


def _smooth(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return (127 + 60 * np.sin(x / width * 7) + 60 * np.cos(y / height * 5)).astype(np.uint8)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P"])
def test_every_way_to_write_grey_gives_the_same_film(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "film.png"
    Image.fromarray(RAMP).convert(mode).save(path)
    film = load_image(path)
    assert film.dtype == np.uint8
    np.testing.assert_array_equal(film, RAMP)


def test_transparent_pixels_are_black(tmp_path: Path) -> None:
    pixels = np.full((4, 4, 4), 255, dtype=np.uint8)
    pixels[:2, :, 3] = 0
    Image.fromarray(pixels).save(tmp_path / "film.png")
    film = load_image(tmp_path / "film.png")
    assert (film[:2] == 0).all()
    assert (film[2:] == 255).all()


def test_one_bit_png(tmp_path: Path) -> None:
    Image.fromarray(RAMP > 127).save(tmp_path / "film.png")
    np.testing.assert_array_equal(load_image(tmp_path / "film.png"), np.where(RAMP > 127, 255, 0))


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_deep_png_is_scaled_by_the_bits_it_uses(tmp_path: Path, bits: int) -> None:
    deep = (RAMP.astype(np.uint16) << (bits - 8)) + (2 ** (bits - 8) - 1)
    Image.fromarray(deep.astype(np.uint16)).save(tmp_path / "film.png")
    np.testing.assert_array_equal(load_image(tmp_path / "film.png"), RAMP)


def test_jpeg_and_its_wrong_name(tmp_path: Path) -> None:
    original = _smooth(120, 90)
    path = tmp_path / "film.png"  # JPEG content under a PNG name
    Image.fromarray(original).save(path, format="JPEG", quality=95)
    assert np.abs(load_image(path).astype(int) - original).mean() < 1.5


def test_cmyk_jpeg(tmp_path: Path) -> None:
    Image.fromarray(_smooth(64, 64)).convert("RGB").convert("CMYK").save(tmp_path / "film.jpg", quality=95)
    assert np.abs(load_image(tmp_path / "film.jpg").astype(int) - _smooth(64, 64)).mean() < 4


def test_orientation_is_applied(tmp_path: Path) -> None:
    original = _smooth(40, 60)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: shown rotated by 90 degrees clockwise
    Image.fromarray(original).save(tmp_path / "film.jpg", quality=98, exif=exif)
    film = load_image(tmp_path / "film.jpg")
    assert film.shape == (60, 40)
    assert np.abs(film.astype(int) - np.rot90(original, -1)).mean() < 2


def test_reduced_decoding_keeps_at_least_the_size_and_the_look(tmp_path: Path) -> None:
    Image.fromarray(_smooth(1200, 900)).save(tmp_path / "film.jpg", quality=95)
    full = load_image(tmp_path / "film.jpg")
    reduced = load_image(tmp_path / "film.jpg", at_least=200)
    assert full.shape == (1200, 900)
    assert 200 <= min(reduced.shape) < 450
    a, b = (fit_square(film, size=200).astype(int) for film in (full, reduced))
    assert np.abs(a - b).mean() < 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"\x89PNG\r\n\x1a\n", "is truncated"),
        (b"\xff\xd8\xff\xe0 nothing more", "broken JPEG"),
        (b"GIF89a....", "looks like a GIF image"),
        (b"%PDF-1.7", "PDF document"),
        (b"PK\x03\x04", "ZIP archive"),
        (b"version https://git-lfs.github.com/spec/v1", "Git LFS pointer"),
        (b"\n<!DOCTYPE html>", "web page"),
        (b"patient had a cough", "no kind that is known"),
    ],
)
def test_what_is_no_film_is_refused_by_name(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "bad.png"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=reason) as caught:
        load_image(path)
    assert "bad.png" in str(caught.value)
    assert "cough" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_truncated_files_are_refused(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    path = tmp_path / f"film{suffix}"
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:1500])
    with pytest.raises(ImageError, match=r"truncated|cannot be decoded"):
        load_image(path)


def test_flipped_bits_in_a_png_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "film.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)).save(path)
    content = bytearray(path.read_bytes())
    content[200:260] = bytes(60)
    path.write_bytes(content)
    with pytest.raises(ImageError, match="broken PNG"):
        load_image(path)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="does not exist"):
        load_image(tmp_path / "none.png")
    with pytest.raises(ImageError, match="is a folder"):
        load_image(tmp_path)
    with pytest.raises(ImageError, match="not valid"):
        load_image("film\0.png")


def test_limits_hold_before_decoding(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)  # 3.6 billion pixels in 60 bytes
    path = tmp_path / "bomb.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
    with pytest.raises(ImageError, match="more than"):
        load_image(path)
    Image.fromarray(RAMP).save(tmp_path / "film.png")
    with pytest.raises(ImageError, match="16 x 16 pixels, more than 100"):
        load_image(tmp_path / "film.png", max_pixels=100)
    with pytest.raises(ImageError, match="larger than 50 bytes"):
        load_image(tmp_path / "film.png", max_bytes=50)


def test_animation_is_refused(tmp_path: Path) -> None:
    frames = [Image.fromarray(RAMP), Image.fromarray(255 - RAMP)]
    frames[0].save(tmp_path / "film.png", save_all=True, append_images=frames[1:])
    with pytest.raises(ImageError, match="animation"):
        load_image(tmp_path / "film.png")


def test_the_error_is_a_users_error_and_travels_between_processes() -> None:
    error = pickle.loads(pickle.dumps(ImageError(Path("a.png"), "is empty")))
    assert isinstance(error, UserError)
    assert (error.path, error.reason) == (Path("a.png"), "is empty")
    assert str(error) == "The film 'a.png' is empty."


def test_pad_keeps_the_aspect_between_black_borders() -> None:
    square = fit_square(np.full((50, 100), 200, dtype=np.uint8), size=40)
    assert (square[:10] == 0).all()
    assert (square[30:] == 0).all()
    assert (square[10:30] == 200).all()


def test_crop_takes_the_middle() -> None:
    film = np.zeros((20, 60), dtype=np.uint8)
    film[:, 20:40] = 255
    assert (fit_square(film, size=10, mode="crop") == 255).all()


def test_stretch_uses_everything() -> None:
    film = np.zeros((20, 60), dtype=np.uint8)
    film[:, 30:] = 255
    square = fit_square(film, size=20, mode="stretch")
    assert (square[:, :8] == 0).all()
    assert (square[:, 12:] == 255).all()


def test_shrinking_is_antialiased() -> None:
    checks = (np.indices((256, 256)).sum(0) % 2 * 255).astype(np.uint8)
    assert np.abs(fit_square(checks, size=32).astype(int) - 127).max() <= 8


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1), (7, 5)])
@pytest.mark.parametrize("mode", ["pad", "crop", "stretch"])
def test_extreme_shapes(shape: tuple[int, int], mode: str) -> None:
    film = np.full(shape, 77, dtype=np.uint8)
    square = fit_square(film, size=16, mode=mode)  # type: ignore[arg-type]
    assert square.shape == (16, 16)
    assert square.max() == 77


def test_fit_square_wants_grey_bytes() -> None:
    with pytest.raises(ValueError, match="uint8"):
        fit_square(np.zeros((4, 4), dtype=np.float32), size=4)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="mode"):
        fit_square(RAMP, size=4, mode="squash")  # type: ignore[arg-type]


def test_same_size_is_a_copy() -> None:
    film = RAMP.copy()
    square = fit_square(film, size=16)
    np.testing.assert_array_equal(square, RAMP)
    square[:] = 0
    assert film.max() == 255


def test_bytes_are_judged_not_names(tmp_path: Path) -> None:
    buffer = BytesIO()
    Image.fromarray(RAMP).save(buffer, format="PNG")
    path = tmp_path / "FILM.JPG"
    path.write_bytes(buffer.getvalue())
    np.testing.assert_array_equal(load_image(path), RAMP)
