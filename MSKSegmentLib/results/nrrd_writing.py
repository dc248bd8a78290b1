"""Images as gzip NRRD: the header by SimpleITK, the voxels compressed by ISA-L in threads.

ISA-L compresses noise at its level 1 some eight times as fast as zlib at its own, to the same size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from ..ct.volume import Geometry
from ..processes import usable_cores

# Label maps are mostly runs of equal values and noise compresses badly at any level: the lowest that compresses well serves both.
_COMPRESSION_LEVEL = 1
# More write no faster than a drive takes it.
_MOST_THREADS = 4


def write_nrrd(
    path: Path,
    array: np.ndarray,
    geometry: Geometry,
    entries: Mapping[str, str],
    stored: Callable[[np.ndarray], np.ndarray] = np.ascontiguousarray,
) -> None:
    """Write an array ``[z, y, x]`` of numbers on its grid, with key/value `entries`, over what is there.

    `stored` gives what is written for a slice ``[y, x]``: an array of the same shape and type, in C order.

    Raises:
        ValueError: the array's shape is not the grid's.
        OSError: the file cannot be written.
        RuntimeError: its header cannot be written.
    """
    from isal import igzip_threaded

    if array.shape != geometry.shape:
        raise ValueError(f"array of shape {array.shape} on a grid of shape {geometry.shape}")
    header = _header(path, array, geometry, entries)
    with path.open("wb") as file:
        file.write(header)
        threads = min(_MOST_THREADS, usable_cores())
        with igzip_threaded.open(file, "wb", _COMPRESSION_LEVEL, threads=threads) as packed:
            # Slice by slice, since a copy of all takes as much memory again; they are compressed in larger blocks.
            for section in array:
                packed.write(stored(section).data)


def _header(path: Path, array: np.ndarray, geometry: Geometry, entries: Mapping[str, str]) -> bytes:
    """What SimpleITK writes before the voxels: of an image of one voxel, which it takes no time to write, with the true size."""
    import SimpleITK as sitk

    image = geometry.cropped((0, 0, 0), (1, 1, 1)).image_of(np.zeros((1, 1, 1), array.dtype))
    for key, value in entries.items():
        image.SetMetaData(key, value)
    sitk.WriteImage(image, str(path), useCompression=False)
    header, _, _ = path.read_bytes().partition(b"\n\n")
    size = " ".join(map(str, geometry.size)).encode()
    for line, true in ((b"\nsizes: 1 1 1\n", b"\nsizes: " + size + b"\n"), (b"\nencoding: raw\n", b"\nencoding: gzip\n")):
        # In the values of keys, which come after it, line breaks are escaped.
        assert line in header, "SimpleITK writes another header"
        header = header.replace(line, true, 1)
    return header + b"\n\n"
