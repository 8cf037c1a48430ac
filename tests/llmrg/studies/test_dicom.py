from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
    RLELossless,
    generate_uid,
)

from llmrg.studies.images import ImageError, load_image

SECRET = "DOE^JANE"
STORED = np.arange(16 * 16, dtype=np.uint16).reshape(16, 16) * 16  # 0..4080, 12 bits


@pytest.fixture
def write_dicom(tmp_path: Path) -> Callable[..., Path]:
    def write(stored: np.ndarray = STORED, *, syntax: Any = ExplicitVRLittleEndian, **tags: Any) -> Path:
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = tags.pop("sop_class", ComputedRadiographyImageStorage)
        meta.MediaStorageSOPInstanceUID = generate_uid()
        written = ExplicitVRLittleEndian if syntax == RLELossless or syntax.is_private else syntax
        meta.TransferSyntaxUID = written
        dataset = pydicom.Dataset()
        dataset.file_meta = meta
        dataset.SOPClassUID = meta.MediaStorageSOPClassUID
        dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
        dataset.PatientName = SECRET
        dataset.Rows, dataset.Columns = stored.shape[-2:] if stored.ndim < 4 else stored.shape[:2]
        dataset.SamplesPerPixel = 1
        dataset.PhotometricInterpretation = "MONOCHROME2"
        dataset.PixelRepresentation = 1 if stored.dtype.kind == "i" else 0
        dataset.BitsAllocated = stored.dtype.itemsize * 8
        dataset.BitsStored = 12 if stored.dtype.itemsize == 2 else 8
        dataset.HighBit = dataset.BitsStored - 1
        dataset.PixelData = stored.tobytes()
        for name, value in tags.items():
            if value is None:
                delattr(dataset, name)
            else:
                setattr(dataset, name, value)
        if syntax == RLELossless:
            dataset.compress(RLELossless)
        path = tmp_path / "film.dcm"
        dataset.save_as(path, enforce_file_format=True)
        if syntax.is_private:  # pydicom does not write it: the name is exchanged for one of equal length
            name = str(ExplicitVRLittleEndian).encode()
            path.write_bytes(path.read_bytes().replace(name, str(syntax).encode()[: len(name)].ljust(len(name), b"0")))
        return path

    return write


def _linear(values: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.rint(np.clip((values.astype(np.float64) - low) / (high - low), 0, 1) * 255)


def test_without_window_the_range_is_stretched(write_dicom: Callable[..., Path]) -> None:
    film = load_image(write_dicom(STORED + 5))
    np.testing.assert_array_equal(film, _linear(STORED, 0, 4080))


def test_monochrome1_is_inverted(write_dicom: Callable[..., Path]) -> None:
    film = load_image(write_dicom(PhotometricInterpretation="MONOCHROME1"))
    np.testing.assert_allclose(film, 255 - _linear(STORED, 0, 4080), atol=1)
    assert film[0, 0] == 255


def test_window_follows_the_standard(write_dicom: Callable[..., Path]) -> None:
    centre, width = 2000.0, 1000.0
    film = load_image(write_dicom(WindowCenter=[centre, 1], WindowWidth=[width, 1]))
    expected = ((STORED - (centre - 0.5)) / (width - 1) + 0.5).clip(0, 1) * 255  # DICOM PS3.3 C.11.2.1.2.1
    np.testing.assert_allclose(film, expected, atol=1)


def test_window_applies_to_rescaled_values(write_dicom: Callable[..., Path]) -> None:
    tags = {"RescaleSlope": 2, "RescaleIntercept": -1000, "RescaleType": "US"}
    film = load_image(write_dicom(WindowCenter=3000, WindowWidth=2000, **tags))
    rescaled = STORED * 2.0 - 1000
    expected = ((rescaled - 2999.5) / 1999 + 0.5).clip(0, 1) * 255
    np.testing.assert_allclose(film, expected, atol=1)


def test_a_falling_rescale_turns_the_film_over(write_dicom: Callable[..., Path]) -> None:
    film = load_image(write_dicom(RescaleSlope=-1, RescaleIntercept=4080, RescaleType="US"))
    np.testing.assert_allclose(film, 255 - _linear(STORED, 0, 4080), atol=1)


def test_signed_values(write_dicom: Callable[..., Path]) -> None:
    signed = STORED.astype(np.int16) - 2040
    film = load_image(write_dicom(signed, WindowCenter=0, WindowWidth=1000))
    np.testing.assert_allclose(film, ((signed + 0.5) / 999 + 0.5).clip(0, 1) * 255, atol=1)


@pytest.mark.parametrize(("bits", "first"), [(8, 0), (12, 0), (16, 100)])
def test_voi_table(write_dicom: Callable[..., Path], bits: int, first: int) -> None:
    table = ((2**bits - 1) * (1 - np.arange(4096) / 4095)).astype(np.uint16)
    item = pydicom.Dataset()
    item.LUTDescriptor = [4096, first, bits]
    item.add_new("LUTData", "US", [int(value) for value in table])
    film = load_image(write_dicom(VOILUTSequence=pydicom.Sequence([item])))
    expected = table[np.maximum(STORED.astype(int) - first, 0)] / (2**bits - 1) * 255
    np.testing.assert_array_equal(film, np.rint(expected))


@pytest.mark.parametrize("width", [0, -5])
def test_an_impossible_window_is_passed_over(write_dicom: Callable[..., Path], width: int) -> None:
    film = load_image(write_dicom(WindowCenter=100, WindowWidth=width))
    np.testing.assert_array_equal(film, _linear(STORED, 0, 4080))


def test_a_window_that_shows_nothing_is_passed_over(write_dicom: Callable[..., Path]) -> None:
    film = load_image(write_dicom(WindowCenter=60000, WindowWidth=10))
    np.testing.assert_array_equal(film, _linear(STORED, 0, 4080))


def test_unused_bits_do_not_count(write_dicom: Callable[..., Path]) -> None:
    film = load_image(write_dicom(STORED | 0xF000))
    np.testing.assert_array_equal(film, _linear(STORED, 0, 4080))


def test_padding_is_black(write_dicom: Callable[..., Path]) -> None:
    stored = STORED.copy()
    stored[:4] = 4095
    film = load_image(write_dicom(stored, PixelPaddingValue=4095))
    assert (film[:4] == 0).all()
    assert film[4:].max() == 255


def test_eight_bits_and_rle(write_dicom: Callable[..., Path]) -> None:
    stored = np.arange(256, dtype=np.uint8).reshape(16, 16) // 2 + 20  # not stretched: made for a screen
    np.testing.assert_array_equal(load_image(write_dicom(stored, syntax=RLELossless)), stored)


def test_a_constant_film_is_black(write_dicom: Callable[..., Path]) -> None:
    assert (load_image(write_dicom(np.full((4, 4), 9, dtype=np.uint16))) == 0).all()


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"NumberOfFrames": 3}, "3 frames"),
        ({"PixelData": None}, "without pixel data"),
        ({"Rows": None}, "without an image"),
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, "colour"),
        ({"Rows": 65535, "Columns": 65535}, "65535 x 65535 pixels"),
        ({"syntax": DeflatedExplicitVRLittleEndian}, "deflated"),
        ({"sop_class": MediaStorageDirectoryStorage}, "DICOMDIR"),
        ({"syntax": pydicom.uid.UID("1.2.840.113619.5.2")}, "unknown transfer syntax"),
        ({"PixelData": b"\0" * 20}, "cannot be decoded"),
        ({"NumberOfFrames": None, "BitsAllocated": 24}, "cannot be decoded"),
    ],
)
def test_refusals_say_why_and_nothing_of_the_patient(
    write_dicom: Callable[..., Path], tags: dict[str, Any], reason: str
) -> None:
    tags = {name: value for name, value in tags.items() if not (name == "NumberOfFrames" and value is None)}
    with pytest.raises(ImageError, match=reason) as caught:
        load_image(write_dicom(**tags))
    assert "film.dcm" in str(caught.value)
    assert "DOE" not in str(caught.value)


def test_a_cut_file_is_refused(write_dicom: Callable[..., Path]) -> None:
    path = write_dicom()
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ImageError, match="cannot be decoded"):
        load_image(path)


def test_without_preamble_nothing_is_guessed(write_dicom: Callable[..., Path]) -> None:
    path = write_dicom()
    path.write_bytes(path.read_bytes()[132:])
    with pytest.raises(ImageError, match="not a PNG, JPEG or DICOM"):
        load_image(path)


def test_the_header_is_not_quoted_in_warnings_or_logs(
    write_dicom: Callable[..., Path], recwarn: pytest.WarningsRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_dicom(PatientBirthDate="19991231", WindowCenter="2000", WindowWidth="1000")
    path.write_bytes(path.read_bytes().replace(b"19991231", b"SECRETED").replace(b"2000", b"oops"))
    recwarn.clear()
    load_image(path)
    assert not recwarn
    assert not caplog.records
