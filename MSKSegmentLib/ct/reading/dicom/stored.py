"""The stored values of one DICOM image: cells as in the file, and their layout and rescaling."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ....errors import InputError
from ...storage_classes import CT_IMAGE
from ..hounsfield import read_image
from .frames import encapsulated_frame
from .headers import open_dataset
from .slice_header import SliceHeader
from .values import bits_of, whole_of

# Implicit little endian, except for its pixels, which are big endian.
_GE_PRIVATE = "1.2.840.113619.5.2"
_UNDEFINED = 0xFFFFFFFF
# Rescale types that do not exclude Hounsfield units.
LOOSE_TYPES = {"US", "UNSPECIFIED", "HU_MOD"}
_PLAIN = {"", "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99", _GE_PRIVATE}


@dataclass(frozen=True)
class Layout:
    """How a cell holds a value: `stored` bits from bit `shift` on, in two's complement where `signed`."""

    allocated: int
    stored: int
    shift: int
    signed: bool

    @property
    def whole_cell(self) -> Layout:
        """The same layout with the value filling the whole cell."""
        return replace(self, stored=self.allocated, shift=0)

    @property
    def limits(self) -> tuple[int, int]:
        """The smallest and largest value."""
        return (-(1 << (self.stored - 1)), (1 << (self.stored - 1)) - 1) if self.signed else (0, (1 << self.stored) - 1)

    def values(self, cells: np.ndarray) -> np.ndarray:
        """Cells (unsigned integers of any shape) as integers."""
        if self.stored == self.allocated:
            return cells.view(f"i{cells.itemsize}") if self.signed else cells
        wide: Any = cells.astype(np.int32 if self.allocated < 32 else np.int64)
        values = (wide >> self.shift) & ((1 << self.stored) - 1)
        # The sign bit has a negative weight.
        return (values ^ (1 << (self.stored - 1))) - (1 << (self.stored - 1)) if self.signed else values


@dataclass(frozen=True)
class StoredImage:
    """One image: `cells` unsigned integers ``[y, x]``, their layout, rescaling and padding as the header states them.

    `overlay` are bits of the cells that the header gives to overlays. `padding` and `padding_limit` are (unsigned number,
    bits) of the tags, which have the pixels' signedness.
    """

    name: str
    cells: np.ndarray
    layout: Layout
    slope: float
    intercept: float
    padding: tuple[int, int] | None
    padding_limit: tuple[int, int] | None
    overlay: int

    def hu(self, values: Any) -> np.ndarray:
        """Stored values as HU, float64."""
        return values * np.float64(self.slope) + self.intercept


class OpenFiles:
    """The data sets of the files that slices lie in; a multi-frame image stays open while its frames are read."""

    def __init__(self) -> None:
        self._kept: tuple[Path, Any] | None = None

    def data(self, header: SliceHeader) -> Any:
        """The data set that holds a slice, with pixels; errors are those of `open_dataset`."""
        if self._kept is not None and self._kept[0] == header.path:
            return self._kept[1]
        data = open_dataset(header.path)
        self._kept = None if header.frame is None else (header.path, data)
        return data


def read_stored(header: SliceHeader, slope: float, intercept: float, files: OpenFiles) -> StoredImage:
    """The stored values of one slice, with its rescaling.

    Raises:
        InputError: the pixels are absent, cut short, of another size, or compressed in a way that cannot be decoded.
    """
    name = header.path.name
    try:
        data = files.data(header)
    except Exception as error:
        raise _damaged(name) from error
    element = None if data is None else data.get_item(0x7FE00010)
    if element is None or not element.value:
        raise InputError(f"The slice {name} holds no image, only a header; copy or export the series again.")
    layout = _layout(data, name)
    if layout is None:
        raise InputError(f"The slice {name} packs its pixels in a way that is not known here; export the series again.")
    kind = np.dtype(f"u{layout.allocated // 8}")
    syntax = str(getattr(getattr(data, "file_meta", None), "TransferSyntaxUID", ""))
    pixels, wanted = header.rows * header.columns, header.rows * header.columns * kind.itemsize
    content, place = element.value, (header.frame or 1) - 1
    whole = wanted * (1 if header.frame is None else whole_of(data, "NumberOfFrames") or 1)
    undefined = getattr(element, "is_undefined_length", False) or getattr(element, "length", 0) == _UNDEFINED
    if undefined or (syntax not in _PLAIN and not whole <= len(content) <= whole + 1):
        cells = _decompressed(data, header, syntax).astype(np.int64) & ((1 << layout.allocated) - 1)
        cells = cells.astype(kind)
    else:
        if len(content) < wanted * (place + 1):
            raise _damaged(name)
        little = element.is_little_endian and syntax != _GE_PRIVATE
        cells = np.frombuffer(content, kind.newbyteorder("<" if little else ">"), pixels, wanted * place).astype(kind)
    return StoredImage(
        name, cells.reshape(header.rows, header.columns), layout, slope, intercept,
        bits_of(data, "PixelPaddingValue"), bits_of(data, "PixelPaddingRangeLimit"), _overlay_bits(data),
    )  # fmt: skip


def _damaged(name: str) -> InputError:
    return InputError(f"The slice {name} cannot be read: it is damaged or cut short; copy or export the series again.")


def _layout(data: Any, name: str) -> Layout | None:
    allocated = whole_of(data, "BitsAllocated") or 16
    stored = whole_of(data, "BitsStored") or allocated
    high = whole_of(data, "HighBit")
    shift = stored - 1 if high is None else high
    shift = shift + 1 - stored
    if allocated not in (8, 16, 32) or not 0 < stored <= allocated or not 0 <= shift <= allocated - stored:
        # If they do not fit together, the high bit is more likely wrong.
        shift = 0
        if allocated not in (8, 16, 32) or not 0 < stored <= allocated:
            return None
    return Layout(allocated, stored, shift, whole_of(data, "PixelRepresentation") == 1)


def _overlay_bits(data: Any) -> int:
    """The bits of a cell that hold overlays, as groups 6000 to 60FE state them."""
    from pydicom.tag import Tag

    found = 0
    for group in range(0x6000, 0x6100, 2):
        if Tag(group, 0x0102) in data and Tag(group, 0x3000) not in data:
            element = data.get_item(Tag(group, 0x0102))
            little = getattr(element, "is_little_endian", True)
            content = element.value if isinstance(element.value, bytes) else b""
            position = int.from_bytes(content[:2], "little" if little else "big")
            found |= 1 << position if 0 < position < 32 else 0
    return found


def _decompressed(data: Any, header: SliceHeader, syntax: str) -> np.ndarray:
    """The values of a compressed image ``[y, x]``, decoded by the imaging toolkit from a minimal file.

    Thus no other element of the header, present or missing, can keep the toolkit from reading the pixels.
    """
    import pydicom
    import SimpleITK as sitk
    from pydicom.dataset import Dataset, FileMetaDataset

    bare = Dataset()
    bare.file_meta = FileMetaDataset()
    bare.file_meta.MediaStorageSOPClassUID = bare.SOPClassUID = pydicom.uid.UID(CT_IMAGE)
    bare.file_meta.MediaStorageSOPInstanceUID = bare.SOPInstanceUID = pydicom.uid.UID("1.2.3")
    bare.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    bare.Modality, bare.PhotometricInterpretation, bare.SamplesPerPixel = "CT", "MONOCHROME2", 1
    bare.Rows, bare.Columns = header.rows, header.columns
    for word in ("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"):
        setattr(bare, word, whole_of(data, word) or 0)
    image = None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "slice.dcm")
        try:
            bare.PixelData = _one_frame(data.get_item(0x7FE00010).value, data, header)
            bare["PixelData"].VR, bare["PixelData"].is_undefined_length = "OB", True
            _write_whole(path, bare)
            image = read_image(path)
        # Without a known syntax no file can be written, and a damaged frame cannot be decoded.
        except Exception:
            image = None
    if image is None or image.GetNumberOfComponentsPerPixel() != 1:
        named = pydicom.uid.UID(syntax).name if syntax else "an unnamed one"
        raise InputError(
            f"The slice {header.path.name} cannot be read ({named}): its compression cannot be decoded here; export the "
            "series uncompressed."
        )
    array = sitk.GetArrayFromImage(image)
    if array.size != header.rows * header.columns:
        raise InputError(f"The slice {header.path.name} is not a grey image of the series' size; export the series again.")
    return array.reshape(header.rows, header.columns)


def _one_frame(content: bytes, data: Any, header: SliceHeader) -> bytes:
    """The compressed pixels of one slice, as in a single-frame image."""
    if header.frame is None:
        return content
    from pydicom.encaps import encapsulate

    return encapsulate([encapsulated_frame(content, header.frame, whole_of(data, "NumberOfFrames") or 1)])


def _write_whole(path: Path, data: Any) -> None:
    """Write a little-endian data set with preamble and file meta information."""
    if hasattr(data, "original_encoding"):
        data.save_as(path, enforce_file_format=True)
    else:
        # pydicom 2
        data.is_little_endian, data.is_implicit_VR = True, False
        data.save_as(path, write_like_original=False)


def rescaling(headers: tuple[SliceHeader, ...]) -> tuple[list[tuple[float, float]], int]:
    """(slope, intercept) of each slice, and the number of slices that do not state them: these get the others', or (1, 0).

    Raises:
        InputError: the header says that the values are not Hounsfield units, or some slices lack a rescaling while the
            others differ in theirs.
    """
    kinds = {h.rescale_type for h in headers} - {"", "HU", *LOOSE_TYPES}
    foreign = sorted(kind for kind in kinds if not kind.startswith("HOUNSFIELD"))
    if foreign:
        raise InputError(f'The series holds values of the type "{foreign[0]}" and no Hounsfield units; choose the CT itself.')
    # A slope of zero would make all values equal.
    slopes, intercepts = (
        {h.slope for h in headers if h.slope},
        {h.intercept for h in headers if h.intercept is not None},
    )
    lacking = sum(not h.slope or h.intercept is None for h in headers)
    if lacking and max(len(slopes), len(intercepts)) > 1:
        raise InputError(
            f"The series states no rescaling in {lacking} of its slices while the others differ in theirs; export it again."
        )
    slope, intercept = next(iter(slopes), None) or 1.0, next(iter(intercepts), None) or 0.0
    return [(h.slope or slope, intercept if h.intercept is None else h.intercept) for h in headers], lacking
