"""The header of a NIfTI-1 or NIfTI-2 file, field by field as stored; `nifti_facts` interprets it."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from ....errors import InputError

LONGEST_HEADER = 540
# Data type code -> numpy type of one voxel, and how many values make a voxel (NIfTI-1 definition, section DATA TYPES).
_TYPES = {
    2: ("u1", 1), 4: ("i2", 1), 8: ("i4", 1), 16: ("f4", 1), 64: ("f8", 1), 256: ("i1", 1), 512: ("u2", 1), 768: ("u4", 1),
    1024: ("i8", 1), 1280: ("u8", 1), 32: ("c8", 1), 1792: ("c16", 1), 128: ("u1", 3), 2304: ("u1", 4),
}  # fmt: skip


@dataclass(frozen=True)
class NiftiHeader:
    """The fields that say how voxels are stored and where they lie, in the file's own units; names are the standard's.

    `dims` are the sizes of all axes (dim[1] to dim[dim[0]]), `voxel_type` a numpy type with the file's byte order, `components` the
    values per voxel of that type. `begin` is the byte at which the voxels begin, in this file or, if `is_pair`, in its ``.img``.
    """

    version: int
    is_pair: bool
    dims: tuple[int, ...]
    voxel_type: np.dtype
    components: int
    begin: int
    pixdim: np.ndarray
    scl_slope: float
    scl_inter: float
    xyzt_units: int
    qform_code: int
    sform_code: int
    quaternion: np.ndarray
    qoffset: np.ndarray
    srow: np.ndarray

    @property
    def size(self) -> tuple[int, int, int]:
        """Voxels along i, j and k."""
        i, j, k = (*self.dims, 1, 1, 1)[:3]
        return i, j, k

    @property
    def values_per_voxel(self) -> int:
        """How many values each voxel has, over time points, channels and colours."""
        return int(np.prod([*self.dims[3:], self.components]))


def parse_header(data: bytes, name: str) -> NiftiHeader:
    """The header in the first 540 bytes of a file, of either byte order.

    Raises:
        InputError: it is not a NIfTI header, or describes an impossible storage of the voxels.
    """
    for order in "<>":
        length = struct.unpack(f"{order}i", data[:4])[0] if len(data) >= 4 else 0
        if length == 348 and len(data) >= 348:
            return _parse_1(data, order, name)
        if length == LONGEST_HEADER and len(data) >= LONGEST_HEADER:
            return _parse_2(data, order, name)
    raise InputError(f"The file {name} is not a NIfTI image or is cut short; copy or export it again.")


def _parse_1(data: bytes, order: str, name: str) -> NiftiHeader:
    if data[344:348] not in (b"n+1\0", b"ni1\0"):
        raise InputError(
            f"The file {name} is an Analyze image, which does not state how it lies in the patient; convert the original "
            "series to NIfTI."
        )
    is_pair = data[344:348] == b"ni1\0"

    def field(kind: str, offset: int, count: int) -> np.ndarray:
        return np.frombuffer(data, f"{order}{kind}", count, offset)

    scaling = field("f4", 108, 3)
    codes = field("i2", 252, 2)
    fields = _Fields(
        1, is_pair, order, field("i2", 40, 8), field("i2", 70, 2), float(scaling[0]), field("f4", 76, 8),
        scaling[1:], data[123], codes, field("f4", 256, 6), field("f4", 280, 12),
    )  # fmt: skip
    return _header(fields, name)


def _parse_2(data: bytes, order: str, name: str) -> NiftiHeader:
    if data[4:8] not in (b"n+2\0", b"ni2\0"):
        raise InputError(f"The file {name} is not a NIfTI image; copy or export it again.")
    is_pair = data[4:8] == b"ni2\0"

    def field(kind: str, offset: int, count: int) -> np.ndarray:
        return np.frombuffer(data, f"{order}{kind}", count, offset)

    units = int(field("i4", 500, 1)[0])
    fields = _Fields(
        2, is_pair, order, field("i8", 16, 8), field("i2", 12, 2), float(field("i8", 168, 1)[0]), field("f8", 104, 8),
        field("f8", 176, 2), units, field("i4", 344, 2), field("f8", 352, 6), field("f8", 400, 12),
    )  # fmt: skip
    return _header(fields, name)


@dataclass(frozen=True)
class _Fields:
    """The stored fields of either version: `kind` is (datatype, bitpix), `codes` those of qform and sform."""

    version: int
    is_pair: bool
    order: str
    dim: np.ndarray
    kind: np.ndarray
    offset: float
    pixdim: np.ndarray
    scaling: np.ndarray
    units: int
    codes: np.ndarray
    quaternion: np.ndarray
    srow: np.ndarray


def _header(fields: _Fields, name: str) -> NiftiHeader:
    dim = fields.dim
    if not 1 <= dim[0] <= 7:
        raise InputError(f"The image {name} has a header that announces {dim[0]} dimensions; export it again.")
    dims = tuple(int(n) for n in dim[1 : 1 + int(dim[0])])
    if min(dims) < 1:
        raise InputError(f"The image {name} has a header that announces an axis of {min(dims)} voxels; export it again.")
    code, bits = int(fields.kind[0]), int(fields.kind[1])
    if code not in _TYPES:
        raise InputError(f"The image {name} has voxels of a type (NIfTI code {code}) that cannot be read; save it as int16.")
    type_name, components = _TYPES[code]
    voxel_type = np.dtype(f"{fields.order}{type_name}")
    if bits != 8 * voxel_type.itemsize * components:
        raise InputError(
            f"The header of {name} states its voxel type twice, and the statements differ (datatype {code} has "
            f"{8 * voxel_type.itemsize * components} bits, bitpix says {bits}); export it again."
        )
    scaling, codes = fields.scaling, fields.codes
    begin = _begin(fields.offset, fields.version, fields.is_pair, name)
    return NiftiHeader(
        fields.version, fields.is_pair, dims, voxel_type, components, begin, fields.pixdim.astype(float),
        float(scaling[0]), float(scaling[1]), fields.units, int(codes[0]), int(codes[1]),
        fields.quaternion[:3].astype(float), fields.quaternion[3:].astype(float), fields.srow.reshape(3, 4).astype(float),
    )  # fmt: skip


def _begin(offset: float, version: int, is_pair: bool, name: str) -> int:
    """First byte of the voxels. In a single file they follow header and extension flag; smaller offsets (mostly 0) are unset."""
    if not np.isfinite(offset) or offset < 0 or offset != int(offset):
        raise InputError(f"The header of {name} does not say where its voxels begin (vox_offset {offset:g}); export it again.")
    least = 0 if is_pair else (352 if version == 1 else 544)
    return max(int(offset), least)
