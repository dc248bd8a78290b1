"""What the NIfTI reader passes over in silence: data that are cut short, values that are not numbers, zero spacing.

It fills the first two with zeros and takes the third for 1 mm.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from ..errors import InputError

CHUNK_BYTES = 1 << 23
_HEADER_BYTES = 348, 540
_FLOAT_TYPES = {16: "f4", 64: "f8"}


def check_nifti(path: Path) -> None:
    """Read a single-file NIfTI's bytes through once and refuse what its reader would hide.

    Raises:
        InputError: the data are shorter than the header promises, damaged, or hold NaN or infinity, or a spacing is
        zero.
    """
    try:
        with path.open("rb") as file:
            if path.name.lower().endswith(".gz"):
                with gzip.open(file) as stream:
                    _check_stream(cast(BinaryIO, stream), path.name)
            else:
                _check_stream(file, path.name)
    except (EOFError, OSError, zlib.error) as error:
        raise InputError(f"The file {path.name} is damaged or cut short; copy or export it again.") from error


def _check_stream(stream: BinaryIO, name: str) -> None:
    """Field positions follow the NIfTI-1 (348 bytes) and NIfTI-2 (540 bytes) definitions."""
    header = stream.read(_HEADER_BYTES[1])
    order = next((o for o in "<>" if len(header) >= 4 and np.frombuffer(header, f"{o}i4", 1)[0] in _HEADER_BYTES), None)
    if order is None or len(header) < _HEADER_BYTES[0]:
        raise InputError(f"The file {name} is not a NIfTI image or is cut short; copy or export it again.")
    if np.frombuffer(header, f"{order}i4", 1)[0] == _HEADER_BYTES[0]:
        dims = np.frombuffer(header, f"{order}i2", 8, 40).astype(np.int64)
        kind, bits = (int(value) for value in np.frombuffer(header, f"{order}i2", 2, 70))
        spacing = np.frombuffer(header, f"{order}f4", 3, 80)
        begin = int(np.frombuffer(header, f"{order}f4", 1, 108)[0])
    else:
        dims = np.frombuffer(header, f"{order}i8", 8, 16)
        kind, bits = (int(value) for value in np.frombuffer(header, f"{order}i2", 2, 12))
        spacing = np.frombuffer(header, f"{order}f8", 3, 112)
        begin = int(np.frombuffer(header, f"{order}i8", 1, 168)[0])
    if not (spacing != 0).all():
        raise InputError(f"The image {name} has a voxel spacing of zero; export it again with its spacing.")
    left = int(np.prod(np.maximum(dims[1 : 1 + int(dims[0])], 1))) * bits // 8
    value_type = np.dtype(f"{order}{_FLOAT_TYPES[kind]}") if kind in _FLOAT_TYPES else None
    stream.seek(begin)
    while left > 0:
        chunk = stream.read(min(left, CHUNK_BYTES))
        if not chunk:
            raise EOFError
        left -= len(chunk)
        if value_type is not None:
            values = np.frombuffer(chunk[: len(chunk) // value_type.itemsize * value_type.itemsize], value_type)
            if not np.isfinite(values).all():
                raise InputError(
                    f"The image {name} has values that are not numbers (NaN or infinity); export it again."
                )
