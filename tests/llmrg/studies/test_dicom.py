from __future__ import annotations

import importlib.util
import tracemalloc
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    MPEG4HP41,
    BasicTextSRStorage,
    ComputedRadiographyImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    MediaStorageDirectoryStorage,
    RLELossless,
    generate_uid,
)

from llmrg.studies import dicom as dicom_module
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
        big = syntax == ExplicitVRBigEndian
        dataset.PixelData = (stored.astype(stored.dtype.newbyteorder(">")) if big else stored).tobytes()
        for name, value in tags.items():
            if name == "encapsulated":
                dataset.PixelData = encapsulate([value])
                dataset["PixelData"].is_undefined_length = True
            elif value is None:
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


def test_rescale_that_changes_nothing_is_no_transform(write_dicom: Callable[..., Path]) -> None:
    stored = np.arange(256, dtype=np.uint8).reshape(16, 16) // 2 + 20
    film = load_image(write_dicom(stored, RescaleSlope=1, RescaleIntercept=0))
    np.testing.assert_array_equal(film, stored)


def test_linear_exact_and_sigmoid_windows(write_dicom: Callable[..., Path]) -> None:
    x, centre, width = STORED.astype(np.float64), 2000.0, 1000.0
    window = {"WindowCenter": centre, "WindowWidth": width}
    film = load_image(write_dicom(VOILUTFunction="LINEAR_EXACT", **window))
    np.testing.assert_array_equal(film, np.rint(((x - centre) / width + 0.5).clip(0, 1) * 255))  # C.11.2.1.3.2
    film = load_image(write_dicom(VOILUTFunction="SIGMOID", **window))
    np.testing.assert_array_equal(film, np.rint(255 / (1 + np.exp(-4 * (x - centre) / width))))  # C.11.2.1.3.1


def test_a_window_of_width_one_is_a_threshold(write_dicom: Callable[..., Path]) -> None:
    film = load_image(write_dicom(WindowCenter=2000, WindowWidth=1))
    np.testing.assert_array_equal(film, np.where(STORED > 1999.5, 255, 0))


def test_modality_table_goes_before_the_window(write_dicom: Callable[..., Path]) -> None:
    item = pydicom.Dataset()
    item.LUTDescriptor = [2048, 1000, 16]
    table = (65535 - np.arange(2048) * 20).astype(np.uint16)
    item.add_new("LUTData", "US", [int(value) for value in table])
    item.ModalityLUTType = "US"
    film = load_image(write_dicom(ModalityLUTSequence=pydicom.Sequence([item]), WindowCenter=40000, WindowWidth=20000))
    values = table[np.clip(STORED.astype(int) - 1000, 0, 2047)].astype(np.float64)
    np.testing.assert_allclose(film, ((values - 39999.5) / 19999 + 0.5).clip(0, 1) * 255, atol=0.51)


def test_a_broken_table_gives_way_to_the_window(write_dicom: Callable[..., Path]) -> None:
    item = pydicom.Dataset()
    item.LUTDescriptor = [4096, 0, 12]
    item.add_new("LUTData", "US", [1, 2, 3])
    film = load_image(write_dicom(VOILUTSequence=pydicom.Sequence([item]), WindowCenter=2000, WindowWidth=1000))
    np.testing.assert_allclose(film, ((STORED - 1999.5) / 999 + 0.5).clip(0, 1) * 255, atol=0.51)


def test_high_bit_says_where_the_value_lies(write_dicom: Callable[..., Path]) -> None:
    film = load_image(write_dicom((STORED << 4) | 0x7, HighBit=15))
    np.testing.assert_array_equal(film, _linear(STORED, 0, 4080))


def test_overlays_in_the_unused_bits_fall_away(write_dicom: Callable[..., Path]) -> None:
    stored = STORED.copy()
    stored[2:5, 3:9] |= 0x8000  # a letter burnt into bit 15
    film = load_image(write_dicom(stored, WindowCenter=2048, WindowWidth=4096))
    np.testing.assert_allclose(film, ((STORED - 2047.5) / 4095 + 0.5).clip(0, 1) * 255, atol=0.51)


def test_signed_values_of_twelve_bits(write_dicom: Callable[..., Path]) -> None:
    signed = (STORED.astype(np.int16) - 2040) & 0x0FFF  # the sign is bit 11, and what is above it is empty
    film = load_image(write_dicom(signed, WindowCenter=0, WindowWidth=1000))
    true = STORED.astype(np.float64) - 2040
    np.testing.assert_allclose(film, ((true + 0.5) / 999 + 0.5).clip(0, 1) * 255, atol=0.51)


def test_padding_of_signed_films_may_be_written_unsigned(write_dicom: Callable[..., Path]) -> None:
    signed = STORED.astype(np.int16)
    signed[:4] = -2000
    film = load_image(write_dicom(signed, BitsStored=16, HighBit=15, PixelPaddingValue=-2000))
    assert (film[:4] == 0).all()
    np.testing.assert_array_equal(film[4:], _linear(STORED[4:], STORED[4:].min(), 4080))


def test_a_range_of_padding(write_dicom: Callable[..., Path]) -> None:
    stored = STORED.copy()
    stored[0] = np.arange(4080, 4096)
    stored[-1] = 0
    film = load_image(
        write_dicom(
            stored, PixelPaddingValue=4080, PixelPaddingRangeLimit=4095, PhotometricInterpretation="MONOCHROME1"
        )
    )
    assert (film[0] == 0).all()  # black, also where the film is turned over
    assert film[-1].min() == 255


@pytest.mark.parametrize("representation", ["OB", "OW"])
def test_big_endian_of_eight_bits(write_dicom: Callable[..., Path], representation: str) -> None:
    stored = np.arange(256, dtype=np.uint8).reshape(16, 16)
    data = stored.reshape(-1, 2)[:, ::-1].tobytes() if representation == "OW" else stored.tobytes()
    path = write_dicom(stored, syntax=ExplicitVRBigEndian, PixelData=data)
    content = path.read_bytes()
    at = content.index(b"\x7f\xe0\x00\x10")
    path.write_bytes(content[: at + 4] + representation.encode() + content[at + 6 :])
    np.testing.assert_array_equal(load_image(path), stored)


@pytest.mark.parametrize("planar", [0, 1])
def test_grey_written_as_colours(write_dicom: Callable[..., Path], planar: int) -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    pixels = np.stack([grey] * 3, axis=0 if planar else 2)
    tags = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": planar}
    film = load_image(write_dicom(pixels, Rows=16, Columns=16, **tags))
    np.testing.assert_array_equal(film, grey)


def _encoded(pixels: np.ndarray, kind: str, **options: Any) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


SMOOTH = np.add.outer(np.arange(64), np.arange(64)).astype(np.uint8) + 40


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEGExtended12Bit])
@pytest.mark.parametrize("colour", [False, True])
def test_jpeg_of_eight_bits(write_dicom: Callable[..., Path], syntax: pydicom.uid.UID, colour: bool) -> None:
    pixels = np.stack([SMOOTH] * 3, axis=2) if colour else SMOOTH
    tags = {"SamplesPerPixel": 3, "PhotometricInterpretation": "YBR_FULL_422"} if colour else {}
    frame = _encoded(pixels, "JPEG", quality=95)
    film = load_image(write_dicom(SMOOTH, syntax=syntax, encapsulated=frame, **tags))
    assert np.abs(film.astype(int) - SMOOTH).max() <= 3
    for cut in (frame[: len(frame) // 2], frame[: len(frame) // 2] + b"\xff\xd9"):
        with pytest.raises(ImageError, match="truncated"):
            load_image(write_dicom(SMOOTH, syntax=syntax, encapsulated=cut, **tags))


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_jpeg_2000(write_dicom: Callable[..., Path], bits: int) -> None:
    deep = (SMOOTH.astype(np.uint16) << (bits - 8)).astype(np.uint8 if bits == 8 else np.uint16)
    tags = {"BitsStored": bits, "HighBit": bits - 1}
    frame = _encoded(deep, "JPEG2000", irreversible=False, no_jp2=True)
    film = load_image(write_dicom(deep, syntax=JPEG2000Lossless, encapsulated=frame, **tags))
    low, high = SMOOTH.min(), SMOOTH.max()
    np.testing.assert_array_equal(film, SMOOTH if bits == 8 else _linear(SMOOTH, low, high))


def test_a_compressed_picture_of_another_size_is_never_decoded(
    write_dicom: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "open", None)
    large = np.zeros((128, 64), dtype=np.uint8)
    for syntax, kind in ((JPEGBaseline8Bit, "JPEG"), (JPEG2000Lossless, "JPEG2000")):
        options = {} if kind == "JPEG" else {"no_jp2": True}
        with pytest.raises(ImageError, match="another size than its header"):
            load_image(write_dicom(SMOOTH, syntax=syntax, encapsulated=_encoded(large, kind, **options)))


def _lossless_frame(bits: int, marker: int) -> bytes:
    """A JPEG of a process that is not decoded here, as far as its header."""
    frame = b"\x00\x0b" + bytes([bits]) + b"\x00\x40\x00\x40\x01\x01\x11\x00"
    return b"\xff\xd8\xff" + bytes([marker]) + frame + b"\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00\xff\xd9"


@pytest.mark.parametrize(
    ("syntax", "frame", "package"),
    [
        (JPEGExtended12Bit, _lossless_frame(12, 0xC1), r"pylibjpeg\[libjpeg\]"),
        (JPEGLosslessSV1, _lossless_frame(16, 0xC3), "python-gdcm"),
        (JPEGLSLossless, _lossless_frame(16, 0xF7), "python-gdcm"),
        (HTJ2KLossless, b"\xff\x4f\xff\x51" + b"\0\x29\0\0\0\0\0\x40\0\0\0\x40" + bytes(8), r"pylibjpeg\[openjpeg\]"),
        (MPEG4HP41, bytes(100), "no picture"),
    ],
)
def test_what_cannot_be_decoded_here_names_the_package(
    write_dicom: Callable[..., Path], syntax: pydicom.uid.UID, frame: bytes, package: str
) -> None:
    if any(importlib.util.find_spec(name) for name in ("gdcm", "pylibjpeg", "jpeg_ls")):
        pytest.skip("a decoder is installed")
    with pytest.raises(ImageError, match=package) as caught:
        load_image(write_dicom(SMOOTH.astype(np.uint16), syntax=syntax, encapsulated=frame))
    assert syntax.name in str(caught.value)


def test_deflated(write_dicom: Callable[..., Path]) -> None:
    path = write_dicom(syntax=DeflatedExplicitVRLittleEndian)
    np.testing.assert_array_equal(load_image(path), _linear(STORED, 0, 4080))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ImageError, match="truncated"):
        load_image(path)


def test_a_header_without_end_is_not_parsed_to_its_end(write_dicom: Callable[..., Path]) -> None:
    path = write_dicom()
    content = path.read_bytes()
    at = content.index(b"\x10\x00\x10\x00PN")  # the patient's name, before the pixels
    item = b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + b"\xfe\xff\x0d\xe0" + bytes(4)
    many = b"\x09\x00\x10\x10SQ\0\0\xff\xff\xff\xff" + item * 400_000 + b"\xfe\xff\xdd\xe0" + bytes(4)
    path.write_bytes(content[:at] + many + content[at:])
    with pytest.raises(ImageError, match="far more elements"):
        load_image(path)


def test_a_deflated_bomb_is_not_inflated(write_dicom: Callable[..., Path]) -> None:
    path = write_dicom(syntax=DeflatedExplicitVRLittleEndian, PixelData=bytes(64 * 2**20))
    assert path.stat().st_size < 2**20
    tracemalloc.start()
    try:
        with pytest.raises(ImageError, match="inflates to far more"):
            load_image(path)
        assert tracemalloc.get_traced_memory()[1] < 32 * 2**20
    finally:
        tracemalloc.stop()


def test_compressed_without_its_syntax_is_refused(write_dicom: Callable[..., Path]) -> None:
    path = write_dicom(SMOOTH, syntax=JPEGBaseline8Bit, encapsulated=_encoded(SMOOTH, "JPEG"))
    content = path.read_bytes()
    path.write_bytes(content[132 + 12 + int.from_bytes(content[140:144], "little") :])
    with pytest.raises(ImageError, match="does not name its transfer syntax"):
        load_image(path)


def test_structured_report_and_floating_point(write_dicom: Callable[..., Path]) -> None:
    path = write_dicom(sop_class=BasicTextSRStorage, Rows=None, Columns=None, PixelData=None)
    with pytest.raises(ImageError, match="structured report"):
        load_image(path)
    with pytest.raises(ImageError, match="more than 16 bits"):
        load_image(write_dicom(PixelData=None, FloatPixelData=bytes(1024), BitsAllocated=32, BitsStored=None))


def test_nothing_of_the_patient_is_parsed(write_dicom: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[pydicom.Dataset] = []
    original = dicom_module.pydicom.dcmread
    monkeypatch.setattr(
        dicom_module.pydicom, "dcmread", lambda *args, **options: seen.append(original(*args, **options)) or seen[-1]
    )
    load_image(write_dicom(PatientID="42", InstitutionName="Hospital"))
    assert seen
    assert all("PatientName" not in dataset and "InstitutionName" not in dataset for dataset in seen)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_bytes_that_slipped_into_the_pixels_are_seen(write_dicom: Callable[..., Path], syntax: pydicom.uid.UID) -> None:
    path = write_dicom(syntax=syntax, DataSetTrailingPadding=b"\0" * 64)
    content = path.read_bytes()
    np.testing.assert_array_equal(load_image(path), _linear(STORED, 0, 4080))
    path.write_bytes(content + bytes(300))  # a block filled up
    np.testing.assert_array_equal(load_image(path), _linear(STORED, 0, 4080))
    path.write_bytes(content[:-300] + b"\x01\x02" * 20 + content[-300:])
    with pytest.raises(ImageError, match="bytes after its pixels"):
        load_image(path)


def test_elements_after_the_pixels_and_before_them_do_not_matter(write_dicom: Callable[..., Path]) -> None:
    deep = pydicom.Dataset()
    for _ in range(30):
        outer = pydicom.Dataset()
        outer.ContentSequence = pydicom.Sequence([deep])
        deep = outer
    film = load_image(write_dicom(ContentSequence=pydicom.Sequence([deep]), DataSetTrailingPadding=b"\0" * 64))
    np.testing.assert_array_equal(film, _linear(STORED, 0, 4080))


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"NumberOfFrames": 3}, "3 frames"),
        ({"PixelData": None}, "without pixel data"),
        ({"Rows": None}, "without an image"),
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, "colour"),  # of 16 bits
        ({"Rows": 65535, "Columns": 65535}, "65535 x 65535 pixels"),
        ({"sop_class": MediaStorageDirectoryStorage}, "DICOMDIR"),
        ({"syntax": pydicom.uid.UID("1.2.840.113619.5.2")}, "unknown transfer syntax"),
        ({"PixelData": b"\0" * 20}, "less pixel data"),
        ({"PixelData": bytes(16 * 16 * 2 + 64)}, "more pixel data"),
        ({"BitsAllocated": 24}, "numbers of bits"),
        ({"BitsStored": 0}, "numbers of bits"),
        ({"HighBit": 20}, "numbers of bits"),
        ({"HighBit": 3}, "numbers of bits"),
        ({"PhotometricInterpretation": None}, "no photometric interpretation"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "colour"),
        ({"Rows": 1, "Columns": 256}, "more than 20 times"),
    ],
)
def test_refusals_say_why_and_nothing_of_the_patient(
    write_dicom: Callable[..., Path], tags: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ImageError, match=reason) as caught:
        load_image(write_dicom(**tags))
    assert "film.dcm" in str(caught.value)
    assert "DOE" not in str(caught.value)


def test_a_cut_file_is_refused(write_dicom: Callable[..., Path]) -> None:
    path = write_dicom()
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ImageError, match=r"truncated|cannot be decoded"):
        load_image(path)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize("kept", ["meta", "dataset alone", "meta without the syntax"])
def test_without_preamble_or_syntax_the_first_element_tells(
    write_dicom: Callable[..., Path], syntax: pydicom.uid.UID, kept: str
) -> None:
    path = write_dicom(syntax=syntax)
    expected, content = load_image(path), path.read_bytes()
    if kept == "meta":
        path.write_bytes(content[132:])
    elif kept == "dataset alone":
        path.write_bytes(content[132 + 12 + int.from_bytes(content[140:144], "little") :])
    else:
        at = content.index(b"\x02\x00\x10\x00UI")
        end = at + 8 + int.from_bytes(content[at + 6 : at + 8], "little")
        length = int.from_bytes(content[140:144], "little") - (end - at)
        path.write_bytes(content[:140] + length.to_bytes(4, "little") + content[144:at] + content[end:])
    np.testing.assert_array_equal(load_image(path), expected)
    np.testing.assert_array_equal(expected, _linear(STORED, 0, 4080))


def test_the_header_is_not_quoted_in_warnings_or_logs(
    write_dicom: Callable[..., Path], recwarn: pytest.WarningsRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_dicom(PatientBirthDate="19991231", WindowCenter="2000", WindowWidth="1000")
    path.write_bytes(path.read_bytes().replace(b"19991231", b"SECRETED").replace(b"2000", b"oops"))
    recwarn.clear()
    load_image(path)
    assert not recwarn
    assert not caplog.records
