"""``review.npz``: the state of a review, small enough to be written after every stroke.

It holds the voxels in which the reviewed label map differs from the automatic one, and the reports and the history as JSON.
All of a state is in one file, so that a crash leaves the state of before or of after a stroke, never half of it.
"""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from ..ct.boxes import EMPTY_BOX, changed_box
from ..errors import InputError
from ..output.files import whole_file

FORMAT = "mskseg-review"
FORMAT_VERSION = 1


def write_review(path: Path, automatic: np.ndarray, labels: np.ndarray, content: dict[str, Any]) -> None:
    """Write the difference of two label maps uint8 ``[z, y, x]`` with `content`, which is JSON-ready.

    Raises:
        InputError: the file cannot be written there.
    """
    box = (changed_box(automatic, labels) or EMPTY_BOX).slices
    changed = automatic[box] != labels[box]
    text = json.dumps({"review_format": FORMAT, "review_version": FORMAT_VERSION, **content}, ensure_ascii=False)
    arrays = {
        "box": np.array([[part.start, part.stop] for part in box], dtype=np.int64),
        "changed": np.packbits(changed),
        "values": labels[box][changed],
        "content": np.frombuffer(text.encode("utf-8"), dtype=np.uint8),
    }
    with whole_file(path, ".npz") as temporary, temporary.open("wb") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, array, allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())


def read_review(path: Path, automatic: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
    """The reviewed label map (`automatic` itself where nothing differs) and the content that `write_review` was given.

    Raises:
        InputError: the file is damaged, of another kind, or belongs to another label map.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            content = json.loads(archive["content"].tobytes().decode("utf-8"))
            box, packed, values = (archive[name] for name in ("box", "changed", "values"))
        if content["review_format"] != FORMAT or content["review_version"] != FORMAT_VERSION:
            raise ValueError("another format")
        labels = automatic if values.size == 0 else _changed(automatic, box, packed, values)
    except (OSError, EOFError, KeyError, TypeError, ValueError, IndexError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(
            f"The review in {path.name} cannot be read; remove that file to start again from the automatic version."
        ) from error
    return labels, content


def _changed(automatic: np.ndarray, limits: np.ndarray, packed: np.ndarray, values: np.ndarray) -> np.ndarray:
    box = tuple(slice(int(start), int(stop)) for start, stop in limits)
    shape = tuple(part.stop - part.start for part in box)
    if any(part.start < 0 or part.stop > size for part, size in zip(box, automatic.shape, strict=True)):
        raise ValueError("a box beyond the label map")
    changed = np.unpackbits(packed, count=int(np.prod(shape))).astype(bool).reshape(shape)
    labels = automatic.copy()
    labels[box][changed] = values
    return labels
