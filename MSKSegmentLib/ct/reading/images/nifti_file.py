"""NIfTI files: header and voxels, whatever the file's name says about its compression.

The toolkit's reader pads truncated data, turns NaN into zero, begins at the wrong byte if vox_offset is 0, adds an intercept
without a slope, and refuses axes that are not at right angles. To notice that, all bytes must be read, so that they are used as
the voxels, too.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ....errors import InputError
from ....findings import Finding, warning
from .facts import left_over
from .gzip_file import DAMAGE, MAGIC, GzipMembers
from .nifti_header import LONGEST_HEADER, NiftiHeader, parse_header

CHUNK_BYTES = 1 << 23
# One byte decompresses to at most this many (the limit of deflate): a guard against absurd sizes.
_MOST_UNPACKED = 1032


def read_nifti_header(path: Path) -> NiftiHeader:
    """The header of a ``.nii``, ``.nii.gz`` or ``.hdr`` file.

    Raises:
        InputError: it is damaged or not a NIfTI file.
    """
    with _unpacked(path) as stream:
        return parse_header(stream.read(LONGEST_HEADER), path.name)


def read_voxels(path: Path, header: NiftiHeader) -> tuple[np.ndarray, tuple[Finding, ...]]:
    """The stored values ``[z, y, x]`` of a file with one value per voxel, and findings on them.

    Raises:
        InputError: the data are damaged or shorter than the header announces.
    """
    source = _image_of_pair(path) if header.is_pair else path
    count = int(np.prod(header.dims))
    bytes_needed = count * header.voxel_type.itemsize
    too_short = InputError(
        f"The file {source.name} is cut short: it ends before the voxels that its header announces; copy or export it again."
    )
    if bytes_needed > source.stat().st_size * _MOST_UNPACKED:
        raise too_short
    with _unpacked(source) as stream:
        skipped = 0
        while skipped < header.begin:
            chunk = stream.read(min(CHUNK_BYTES, header.begin - skipped))
            if not chunk:
                raise too_short
            skipped += len(chunk)
        values = np.empty(count, header.voxel_type)
        buffer = values.view(np.uint8).data
        filled = 0
        while filled < bytes_needed:
            read = stream.readinto(buffer[filled : filled + CHUNK_BYTES])
            if not read:
                raise too_short
            filled += read
        findings = _after_voxels(stream)
    i, j, k = header.size
    return values.reshape(k, j, i), findings


def _after_voxels(stream: io.BufferedReader) -> tuple[Finding, ...]:
    """Findings on the rest of a file; reading to its end also verifies the checksum of a gzip file."""
    findings = left_over(sum(len(chunk) for chunk in iter(lambda: stream.read(CHUNK_BYTES), b"")))
    behind = stream.raw.behind if isinstance(stream.raw, GzipMembers) else 0
    if not behind:
        return findings
    return (
        *findings,
        warning(
            "bytes_left_over",
            "Something follows the packed data of the file, which are whole; it was left out "
            f"({behind} byte{'' if behind == 1 else 's'}).",
        ),
    )


def pair_header(path: Path) -> Path | None:
    """The header file of a NIfTI pair, given either of its two files; None for anything else.

    Files called ``.img`` may also be DICOM slices or pictures: only a header beside them makes a pair.
    """
    name = path.name.removesuffix(".gz")
    if not name.lower().endswith((".hdr", ".img")):
        return None
    header = _sibling(path, ".hdr")
    if header is None:
        return None
    try:
        with _unpacked(header) as stream:
            start = stream.read(4)
    except InputError:
        return None
    return header if any(int.from_bytes(start, order) in (348, 540) for order in ("little", "big")) else None


def _image_of_pair(header: Path) -> Path:
    image = _sibling(header, ".img")
    if image is None:
        raise InputError(
            f"The file {header.name} is the header of an image whose voxels lie in a file {Path(header.name).stem}.img; put both "
            "into one folder."
        )
    return image


def _sibling(path: Path, suffix: str) -> Path | None:
    """The file of the same name with another suffix in the same letter case, compressed or not."""
    stem = path.with_suffix("") if path.name.lower().endswith(".gz") else path
    names = (suffix, suffix.upper())
    candidates = [stem.with_suffix(s + packed) for s in names for packed in ("", ".gz")]
    return next((candidate for candidate in candidates if candidate.is_file()), None)


@contextmanager
def _unpacked(path: Path) -> Iterator[io.BufferedReader]:
    """The file's bytes, decompressed if they begin like a gzip file."""
    try:
        with path.open("rb") as file:
            packed = file.read(len(MAGIC)) == MAGIC
            file.seek(0)
            yield io.BufferedReader(GzipMembers(file)) if packed else file
    except (OSError, *DAMAGE) as error:  # type: ignore[misc]
        raise InputError(f"The file {path.name} is damaged or cut short; copy or export it again.") from error
