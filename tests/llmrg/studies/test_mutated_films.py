"""Films with flipped, missing, added and moved bytes: each is refused by name, or it decodes strictly."""

from __future__ import annotations

import logging
import time
import warnings
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from llmrg.studies.images import ImageError, load_image
from llmrg.studies.limits import MAX_PIXELS

SECRET = "DOE^JANE"
EACH = 45  # mutations of one film
FILM = np.clip(
    np.add.outer(np.arange(48) * 3, np.arange(40) * 2) + np.random.default_rng(5).normal(0, 6, (48, 40)), 0, 255
).astype(np.uint8)


def _pillow(kind: str, picture: Image.Image, **options: object) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, kind, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def _dicom(syntax: UID, frame: bytes | None = None) -> bytes:
    dataset = pydicom.Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian if syntax == RLELossless else syntax
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = ComputedRadiographyImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = "1.2.826.0.1.3680043.9.1"
    dataset.PatientName = dataset.PatientID = dataset.InstitutionName = SECRET
    dataset.PatientBirthDate = "20190101"
    dataset.Rows, dataset.Columns = FILM.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PixelRepresentation = 1, "MONOCHROME1", 0
    eight = frame is not None
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = (8, 8, 7) if eight else (16, 12, 11)
    dataset.WindowCenter, dataset.WindowWidth, dataset.VOILUTFunction = [100, 90], [120, 80], "LINEAR_EXACT"
    dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = "0.0625", "0", "US"
    item = pydicom.Dataset()
    item.LUTDescriptor = [256, 0, 12]
    item.add_new("LUTData", "US", list(range(0, 4096, 16)))
    dataset.VOILUTSequence = pydicom.Sequence([item])
    if frame is not None:
        dataset.PixelData = encapsulate([frame])
        dataset["PixelData"].is_undefined_length = True
    else:
        dataset.PixelData = (FILM.astype(">u2" if syntax == ExplicitVRBigEndian else "<u2") << 4).tobytes()
    if syntax == RLELossless:
        dataset.compress(RLELossless)
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _bases() -> dict[str, Callable[[], bytes]]:
    grey = Image.fromarray(FILM)
    exif = Image.Exif()
    exif[0x0112] = 3
    alpha = Image.fromarray(np.dstack([FILM, FILM // 2 + 100]), "LA")
    return {
        "png8": lambda: _pillow("PNG", grey),
        "png8-stored": lambda: _pillow("PNG", grey, compress_level=0),
        "png16": lambda: _pillow("PNG", Image.fromarray(FILM.astype(np.uint16) << 4)),
        "png-palette": lambda: _pillow("PNG", grey.convert("P"), exif=exif),
        "png-alpha": lambda: _pillow("PNG", alpha),
        "jpeg": lambda: _pillow("JPEG", grey, quality=90),
        "jpeg-colour": lambda: _pillow("JPEG", grey.convert("RGB"), quality=80, exif=exif, restart_marker_blocks=3),
        "jpeg-progressive": lambda: _pillow("JPEG", grey, progressive=True),
        "dicom": lambda: _dicom(ExplicitVRLittleEndian),
        "dicom-implicit": lambda: _dicom(ImplicitVRLittleEndian),
        "dicom-big": lambda: _dicom(ExplicitVRBigEndian),
        "dicom-deflated": lambda: _dicom(DeflatedExplicitVRLittleEndian),
        "dicom-rle": lambda: _dicom(RLELossless),
        "dicom-jpeg": lambda: _dicom(JPEGBaseline8Bit, _pillow("JPEG", grey, quality=90)),
        "dicom-jpeg2000": lambda: _dicom(JPEG2000Lossless, _pillow("JPEG2000", grey, no_jp2=True)),
        "dicom-bare": lambda: _dicom(ExplicitVRLittleEndian)[132:],
    }


BASES = _bases()


def _cut(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: int(rng.integers(0, len(content)))]


def _flip_bits(content: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(content)
    for at in rng.integers(0, len(content), int(rng.integers(1, 5))):
        changed[at] ^= 1 << int(rng.integers(0, 8))
    return bytes(changed)


def _change_header(content: bytes, rng: np.random.Generator) -> bytes:
    """Change bytes near the beginning, or near the pixels of a DICOM file."""
    changed = bytearray(content)
    ends = [content.find(b"\x28\x00"), content.find(b"\x00\x28"), 0]
    start = int(rng.choice([end for end in ends if end >= 0]))
    for at in rng.integers(start, min(start + 260, len(content)), int(rng.integers(1, 4))):
        changed[at] = int(rng.choice([0, 1, 0x7F, 0x80, 0xFF, int(rng.integers(0, 256))]))
    return bytes(changed)


def _insert(content: bytes, rng: np.random.Generator) -> bytes:
    at = int(rng.integers(0, len(content)))
    return content[:at] + rng.bytes(int(rng.integers(1, 40))) + content[at:]


def _remove(content: bytes, rng: np.random.Generator) -> bytes:
    at = int(rng.integers(0, len(content)))
    return content[:at] + content[at + int(rng.integers(1, 40)) :]


def _repeat(content: bytes, rng: np.random.Generator) -> bytes:
    start, end = sorted(int(at) for at in rng.integers(0, len(content), 2))
    return content[:end] + content[start:end] + content[end:]


def _blank(content: bytes, rng: np.random.Generator) -> bytes:
    at, length = int(rng.integers(0, len(content))), int(rng.integers(1, 200))
    return content[:at] + bytes(len(content[at : at + length])) + content[at + length :]


MUTATIONS = (_cut, _flip_bits, _change_header, _change_header, _insert, _remove, _repeat, _blank)


def _whole_png(content: bytes) -> bool:
    """Walk the chunks as the standard describes them."""
    at = 8
    while True:
        length, kind = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8]
        body, check = content[at + 8 : at + 8 + length], content[at + 8 + length : at + 12 + length]
        if zlib.crc32(kind + body).to_bytes(4, "big") != check:
            return False
        if kind == b"IEND":
            return True
        at += 12 + length


@pytest.mark.parametrize("name", BASES)
def test_a_mutated_film_is_refused_or_decodes(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    content, path = BASES[name](), tmp_path / "film"
    path.write_bytes(content)
    assert load_image(path).shape == FILM.shape
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    caplog.set_level(logging.DEBUG)
    logging.getLogger("pydicom").setLevel(logging.WARNING)  # as importing pydicom does, perhaps later than our files
    accepted = 0
    for number in range(EACH):
        mutation = MUTATIONS[number % len(MUTATIONS)]
        mutated = mutation(content, rng)
        path.write_bytes(mutated)
        start = time.perf_counter()
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            try:
                film = load_image(path)
            except ImageError as error:
                assert str(error).startswith(f"The film {str(path)!r} ")
                assert "\n" not in str(error)
                assert SECRET not in str(error)
                assert len(error.reason) < 160
                assert error.__cause__ is None  # what a decoder says may quote the header
            else:
                accepted += 1
                assert film.dtype == np.uint8
                assert 0 < film.size <= MAX_PIXELS
                assert mutation is not _cut or not name.startswith(("png", "jpeg")), "a truncated film was accepted"
                assert not name.startswith("png") or _whole_png(mutated)
        assert [str(warning.message) for warning in warned] == []
        assert time.perf_counter() - start < 5
    assert not caplog.records
    assert capfd.readouterr() == ("", "")
    assert accepted < EACH * 2 // 3  # pixels without a checksum may change: JPEG, and DICOM of most kinds


def test_there_are_enough_of_them() -> None:
    assert len(BASES) * EACH >= 500


@pytest.mark.parametrize("name", [name for name in BASES if name.startswith("png")])
def test_every_single_flipped_bit_of_a_png_is_seen(name: str, tmp_path: Path) -> None:
    content, path = BASES[name](), tmp_path / "film"
    for at in np.random.default_rng(1).integers(0, len(content), 60):
        changed = bytearray(content)
        changed[at] ^= 1 << int(at) % 8
        path.write_bytes(changed)
        with pytest.raises(ImageError):
            load_image(path)


@pytest.mark.parametrize("name", BASES)
def test_every_truncation_is_seen(name: str, tmp_path: Path) -> None:
    """Up to the padding and the delimiter after a DICOM film's last byte: without those it is whole."""
    content, path = BASES[name](), tmp_path / "film"
    spare = 12 if name in ("dicom-rle", "dicom-jpeg", "dicom-jpeg2000") else 1 if name == "dicom-deflated" else 0
    lengths = {*np.linspace(0, len(content) - 1 - spare, 30).astype(int), *range(len(content) - 10, len(content))}
    for length in sorted(length for length in lengths if length < len(content) - spare):
        path.write_bytes(content[:length])
        with pytest.raises(ImageError):
            load_image(path)
