from __future__ import annotations

import os
import pickle
import socket
import struct
import subprocess
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

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
        (b"II*\x00" + bytes(50), "TIFF image; convert it to PNG"),
        (b"RIFF\x10\0\0\0WEBP", "WebP"),
        (b"\0\0\0\x18ftypheic", "HEIC"),
        (b"\x93NUMPY\x01\0", "NumPy array"),
        (pickle.dumps({"film": 1}), "Python pickle, which is never opened"),
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


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, data: bytes, *, bits: int = 8, colour: int = 0, lace: int = 0) -> bytes:
    """A PNG of deflated scan lines, each with its filter byte."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, lace)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def test_limits_hold_before_decoding(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(_png(60_000, 60_000, b""))  # 3.6 billion pixels in 60 bytes
    with pytest.raises(ImageError, match="more than"):
        load_image(path)
    path.write_bytes(_png(3000, 20, zlib.compress(bytes(3001 * 20))))
    with pytest.raises(ImageError, match="one side is more than 20 times the other"):
        load_image(path)
    Image.fromarray(RAMP).save(tmp_path / "film.png")
    with pytest.raises(ImageError, match="16 x 16 pixels, more than 100"):
        load_image(tmp_path / "film.png", max_pixels=100)
    with pytest.raises(ImageError, match="larger than 50 bytes"):
        load_image(tmp_path / "film.png", max_bytes=50)


def _bombs() -> dict[str, bytes]:
    """Small files that a careless reader turns into hundreds of megabytes."""
    film = BytesIO()
    Image.fromarray(RAMP).save(film, "PNG")
    head, rest = film.getvalue()[:33], film.getvalue()[33:]
    much = zlib.compress(bytes(200 * 2**20))
    jpeg = BytesIO()
    Image.fromarray(RAMP).save(jpeg, "JPEG")
    at = jpeg.getvalue().index(b"\xff\xc0")
    return {
        "text.png": head + _chunk(b"zTXt", b"note\0\0" + much) + rest,
        "international.png": head + _chunk(b"iTXt", b"note\0\1\0\0\0" + much) + rest,
        "profile.png": head + _chunk(b"iCCP", b"icc\0\0" + much) + rest,
        "pixels.png": _png(8900, 8900, zlib.compress(bytes(1000))),
        "pixels.jpg": jpeg.getvalue()[: at + 5] + b"\x22\xc0\x22\xc0" + jpeg.getvalue()[at + 9 :],
    }


def test_bombs_take_no_memory(tmp_path: Path) -> None:
    """In a process of its own, whose memory is bounded: what a decoder takes, Python's own counters do not see."""
    for name, content in _bombs().items():
        (tmp_path / name).write_bytes(content)
        assert len(content) < 2**20
    script = """
import resource, sys
from pathlib import Path
from llmrg.studies.images import ImageError, load_image
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        print(path.name, load_image(path).shape)
    except ImageError as error:
        print(path.name, error.reason)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout.count("(16, 16)") == 3  # texts and profiles are passed over
    assert done.stdout.count("cannot hold the pixels") == 2
    assert int(done.stderr.splitlines()[-1]) < 30 * 1024  # KiB


def test_wrong_checksums_and_missing_chunks_are_refused(tmp_path: Path) -> None:
    buffer = BytesIO()
    Image.fromarray(RAMP).save(buffer, "PNG", compress_level=0)  # stored as it is: a flipped bit breaks no code
    whole, path = buffer.getvalue(), tmp_path / "film.png"
    flipped = bytearray(whole)
    flipped[whole.index(b"IDAT") + 100] ^= 1
    for content, reason in (
        (bytes(flipped), "wrong checksum"),
        (whole[:-12], "truncated"),  # without its end
        (whole[:8] + whole[33:], "header is not first"),
        (whole[:33] + _chunk(b"ABCD", b"") + whole[33:], "unknown critical chunk"),
        (_png(16, 16, zlib.compress(bytes(17 * 8))), "truncated|cannot be decoded"),  # half of the rows
        (_png(16, 16, b"no deflated data at all!"), "cannot be decoded"),
    ):
        path.write_bytes(content)
        with pytest.raises(ImageError, match=reason):
            load_image(path)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("value", [0, 165, 255])
def test_missing_rows_are_seen_whatever_the_film_ends_with(tmp_path: Path, mode: str, value: int) -> None:
    kind = np.uint16 if mode == "I;16" else np.uint8
    film = np.full((40, 30), value, dtype=kind)
    picture = Image.fromarray(film) if mode == "I;16" else Image.fromarray(film).convert(mode)
    buffer, path = BytesIO(), tmp_path / "film.png"
    picture.save(buffer, "PNG")
    content = buffer.getvalue()
    path.write_bytes(content)
    assert load_image(path).shape == (40, 30)
    at = content.index(b"IDAT")
    length = struct.unpack(">I", content[at - 4 : at])[0]
    raw = zlib.decompress(content[at + 4 : at + 4 + length])
    for rows in (39, 20, 0):
        short = _chunk(b"IDAT", zlib.compress(raw[: len(raw) // 40 * rows]))
        path.write_bytes(content[: at - 4] + short + content[at + 8 + length :])
        with pytest.raises(ImageError, match="truncated"):
            load_image(path)


def test_bytes_after_the_end_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "film"
    for kind in ("PNG", "JPEG"):
        Image.fromarray(RAMP).save(path, kind)
        alone = load_image(path)
        path.write_bytes(path.read_bytes() + b"\xff\xd8 and more\0" * 9)
        np.testing.assert_array_equal(load_image(path), alone)


def test_interlaced_png(tmp_path: Path) -> None:
    film = _smooth(37, 29)
    lines = b"".join(  # Adam7: seven small pictures, without filters
        b"\0" + row.tobytes()
        for y, x, down, right in (
            (0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)
        )
        for row in film[y::down, x::right]
    )  # fmt: skip
    (tmp_path / "film.png").write_bytes(_png(29, 37, zlib.compress(lines), lace=1))
    np.testing.assert_array_equal(load_image(tmp_path / "film.png"), film)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits(tmp_path: Path, bits: int) -> None:
    values = np.arange(64).reshape(8, 8) % 2**bits
    rows = np.packbits(values.astype(np.uint8)[..., None] >> np.arange(bits - 1, -1, -1, dtype=np.uint8) & 1, axis=None)
    lines = b"".join(b"\0" + row.tobytes() for row in rows.reshape(8, bits))
    (tmp_path / "film.png").write_bytes(_png(8, 8, zlib.compress(lines), bits=bits))
    np.testing.assert_array_equal(load_image(tmp_path / "film.png"), values * (255 // (2**bits - 1)))


def _deep_colour(values: np.ndarray) -> bytes:
    pixels = np.repeat(values[..., None], 3, axis=2).astype(">u2")
    lines = b"".join(b"\0" + row.tobytes() for row in pixels)
    return _png(values.shape[1], values.shape[0], zlib.compress(lines), bits=16, colour=2)


def test_sixteen_bit_colours_are_read_where_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "film.png"
    path.write_bytes(_deep_colour(RAMP.astype(np.uint16) * 257))
    np.testing.assert_array_equal(load_image(path), RAMP)
    path.write_bytes(_deep_colour(RAMP.astype(np.uint16) * 16))
    with pytest.raises(ImageError, match="16-bit colour PNG that uses few of its bits"):
        load_image(path)


def _jpeg(film: np.ndarray, **options: object) -> bytes:
    buffer = BytesIO()
    Image.fromarray(film).save(buffer, "JPEG", **options)  # type: ignore[arg-type]
    return buffer.getvalue()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 4}, {"optimize": True}])
def test_a_jpeg_is_whole_or_refused(tmp_path: Path, options: dict[str, object]) -> None:
    whole, path = _jpeg(_smooth(160, 120), quality=90, **options), tmp_path / "film.jpg"
    path.write_bytes(whole)
    reference = np.asarray(Image.open(path))
    np.testing.assert_array_equal(load_image(path), reference)
    for share in (0.4, 0.6, 0.8, 0.95):
        cut = whole[: int(len(whole) * share)]
        path.write_bytes(cut)
        with pytest.raises(ImageError, match="truncated"):
            load_image(path)
        path.write_bytes(cut.rstrip(b"\xff") + b"\xff\xd9")  # an end marker does not mend it
        with pytest.raises(ImageError, match="truncated"):
            load_image(path)
        with pytest.raises(ImageError, match="truncated"):
            load_image(path, at_least=30)


def test_the_first_of_a_cameras_pictures_is_read(tmp_path: Path) -> None:
    film, path = _smooth(64, 48), tmp_path / "film.jpg"
    Image.fromarray(film).save(path, "MPO", save_all=True, append_images=[Image.fromarray(255 - film)], quality=95)
    assert np.abs(load_image(path).astype(int) - film).max() < 8


def test_no_other_library_can_let_half_films_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    path = tmp_path / "film.jpg"
    whole = _jpeg(_smooth(160, 120))
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ImageError, match="truncated"):
        load_image(path)
    path.write_bytes(whole[: len(whole) // 2] + b"\xff\xd9")
    with pytest.raises(ImageError, match="truncated"):
        load_image(path)


def test_pipes_sockets_and_devices_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")  # nobody writes into it: opening it in the ordinary way waits for ever
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(tmp_path)  # the name of a socket may not be long
        try:
            listener.bind("socket.png")
        finally:
            os.chdir(here)
        (tmp_path / "link.png").symlink_to("/dev/zero")
        for name in ("pipe.png", "socket.png", "link.png"):
            with pytest.raises(ImageError, match="is a pipe, socket or device"):
                load_image(tmp_path / name)


def test_a_file_that_must_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "film.png"
    Image.fromarray(RAMP).save(path)

    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)  # as root, which tests may run as, nothing is forbidden
    with pytest.raises(ImageError, match=r"cannot be read \(Permission denied\)"):
        load_image(path)


def test_a_loop_of_links(tmp_path: Path) -> None:
    (tmp_path / "film.png").symlink_to("film.png")
    with pytest.raises(ImageError, match="cannot be read"):
        load_image(tmp_path / "film.png")


def test_films_decoded_in_threads_leave_the_warnings_of_others_alone(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "of patient Doe"
    Image.fromarray(_smooth(300, 200)).save(tmp_path / "film.jpg", exif=exif)
    content = (tmp_path / "film.jpg").read_bytes()
    length = b"\x01\x0e\x00\x02\x00\x00\x00"
    assert length in content
    (tmp_path / "film.jpg").write_bytes(content.replace(length, length[:-1] + b"\x7f"))  # Pillow warns of it
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with ThreadPoolExecutor(4) as pool:
            films = list(pool.map(load_image, [tmp_path / "film.jpg"] * 24))
            warnings.warn("mine", stacklevel=1)
    assert {film.shape for film in films} == {(300, 200)}
    assert [str(warning.message) for warning in seen] == ["mine"]


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
