"""What a DICOM header says of its pixels, and nothing else of it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pydicom
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import FileMetaDataset
from pydicom.filereader import read_dataset

from llmrg.studies._image_error import ImageError
from llmrg.studies.limits import check_size

_MAX_READS = 50_000
PREFIX = b"DICM"  # after a preamble of 128 bytes
TAGS: list[int] = [
    tag
    for keyword in (
        "DirectoryRecordSequence",
        "SamplesPerPixel",
        "PhotometricInterpretation",
        "PlanarConfiguration",
        "NumberOfFrames",
        "Rows",
        "Columns",
        "BitsAllocated",
        "BitsStored",
        "HighBit",
        "PixelRepresentation",
        "PixelPaddingValue",
        "PixelPaddingRangeLimit",
        "WindowCenter",
        "WindowWidth",
        "RescaleIntercept",
        "RescaleSlope",
        "VOILUTFunction",
        "ModalityLUTSequence",
        "VOILUTSequence",
        "PixelData",
    )
    if (tag := tag_for_keyword(keyword)) is not None
]
_REPRESENTATIONS = frozenset(
    b"AE AS AT CS DA DS DT FL FD IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV".split()
)


class BoundedFile(BytesIO):
    """A file in memory that may be read a limited number of times, each element taking one or two.

    A sequence of a million empty items takes a minute to parse, though nobody wants it.

    Args:
        path: the file, for the message.
        content: its bytes.
    """

    def __init__(self, path: Path, content: bytes) -> None:
        super().__init__(content)
        self._path = path
        self._left = _MAX_READS

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as any file does.

        Raises:
            ImageError: far more elements than a film has.
        """
        self._left -= 1
        if self._left < 0:
            raise ImageError(self._path, "is a DICOM file with far more elements than a film has")
        return super().read(size)


@dataclass(frozen=True, kw_only=True)
class PixelLayout:
    """How the pixels of a film are stored (PS3.3 C.7.6.3.1).

    Args:
        rows: height in pixels.
        columns: width in pixels.
        colour: whether three samples make a pixel.
        photometric: ``MONOCHROME1``, ``MONOCHROME2``, ``RGB`` or one of the YBR kinds.
        planar: whether colours follow each other plane by plane.
        allocated: bits of a sample in the file, 8, 16 or 32.
        stored: bits of it that hold the value, at most 16.
        high: the topmost of them.
        signed: whether the value is a two's complement.
    """

    rows: int
    columns: int
    colour: bool
    photometric: str
    planar: bool
    allocated: int
    stored: int
    high: int
    signed: bool

    @property
    def bytes(self) -> int:
        """Length of the uncompressed pixel data."""
        return self.rows * self.columns * (3 if self.colour else 1) * self.allocated // 8


def begins_a_dataset(content: bytes) -> bool:
    """Tell whether bytes begin like a dataset without preamble: file meta information, or the identifying group 8.

    Args:
        content: bytes of a file.

    Returns:
        Whether the first element, and for implicit value representations the second, make sense.
    """
    if len(content) < 16:
        return False
    little, big = struct.unpack_from("<HH", content), struct.unpack_from(">HH", content)
    if content[4:6] in _REPRESENTATIONS:
        return little[0] in (2, 8) or big[0] == 8
    length = struct.unpack_from("<I", content, 4)[0]
    if little[0] != 8 or length > 1024 or len(content) < 12 + length:
        return False
    following = struct.unpack_from("<HH", content, 8 + length)
    return little < following and following[0] <= 0x28


def is_element(data: bytes, *, after: int, implicit: bool, little: bool) -> bool:
    """Tell whether bytes begin like a data element of a later group.

    Args:
        data: the bytes.
        after: its group is this one or a later one.
        implicit: whether value representations are left out.
        little: whether the bytes of a number go up.

    Returns:
        Whether tag and value representation, or length, make sense.
    """
    if len(data) < 8:
        return False
    order = "<" if little else ">"
    if struct.unpack_from(f"{order}H", data)[0] < after:
        return False
    return 8 + struct.unpack_from(f"{order}I", data, 4)[0] <= len(data) if implicit else data[4:6] in _REPRESENTATIONS


def meta_information(path: Path, content: bytes) -> tuple[FileMetaDataset, int]:
    """Read the file meta information (group 2), and nothing after it: a deflated rest would be inflated whole.

    Args:
        path: the file, for messages.
        content: its bytes, with preamble.

    Returns:
        The meta information, and where the dataset begins.
    """
    file = BoundedFile(path, content)
    file.seek(128 + len(PREFIX))
    meta = FileMetaDataset()
    meta.update(read_dataset(file, False, True, stop_when=lambda tag, vr, length: tag >> 16 != 2))
    return meta, file.tell()


def pixel_layout(path: Path, header: pydicom.Dataset, *, max_pixels: int) -> PixelLayout:
    """Judge a film by its header.

    Args:
        path: the file, for messages.
        header: the elements before the pixel data.
        max_pixels: a larger film is refused.

    Returns:
        How its pixels are stored.

    Raises:
        ImageError: not one film that can be shown in grey; the message says why without quoting the header.
    """
    if "DirectoryRecordSequence" in header:
        raise ImageError(path, "is a DICOM directory (DICOMDIR), not a film")
    frames = _integer(header, "NumberOfFrames", 1)
    if frames > 1:
        raise ImageError(path, f"holds {frames} frames; a film has one")
    rows, columns = _integer(header, "Rows", 0), _integer(header, "Columns", 0)
    if not rows or not columns:
        raise ImageError(path, "is a DICOM file without an image (no rows and columns; a structured report, perhaps)")
    check_size(path, width=columns, height=rows, max_pixels=max_pixels)
    photometric = str(header.get("PhotometricInterpretation") or "").strip()
    samples, allocated = _integer(header, "SamplesPerPixel", 1), _integer(header, "BitsAllocated", 0)
    stored = _integer(header, "BitsStored", allocated)
    if not photometric and samples == 1:
        raise ImageError(path, "does not say whether its low values are black or white (no photometric interpretation)")
    grey = samples == 1 and photometric in ("MONOCHROME1", "MONOCHROME2")
    colour = samples == 3 and allocated == 8 and (photometric == "RGB" or photometric.startswith("YBR_"))
    if not grey and not colour:
        raise ImageError(path, "is a colour image of a kind that is not read (grey, or RGB and YBR of 8 bits, are)")
    high = _integer(header, "HighBit", stored - 1)
    if allocated not in (8, 16, 32) or not 1 <= stored <= min(allocated, 16) or not stored - 1 <= high < allocated:
        raise ImageError(path, "has a header whose numbers of bits do not fit together, or more than 16 bits a pixel")
    return PixelLayout(
        rows=rows,
        columns=columns,
        colour=colour,
        photometric=photometric,
        planar=_integer(header, "PlanarConfiguration", 0) == 1,
        allocated=allocated,
        stored=stored,
        high=high,
        signed=_integer(header, "PixelRepresentation", 0) == 1,
    )


def _integer(header: pydicom.Dataset, name: str, default: int) -> int:
    value = header.get(name)
    return default if value is None or value == "" else int(value)
