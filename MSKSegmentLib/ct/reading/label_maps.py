"""Reading label maps with sides: plain images, and Slicer's segmentations with named segments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...anatomy import LEFT_OFFSET, StructureTable
from ...errors import InputError
from ...findings import Finding
from ..volume import Geometry
from .images.facts import checked_assumption
from .images.file import read_image_file, read_image_header

# How far a value may differ from an integer: other programs write floats, or store integers scaled.
WHOLE_WITHIN = 1e-3
_FIELD = re.compile(r"Segment(\d+)_(ID|Name|Tags|LabelValue|Layer)")


@dataclass(frozen=True)
class StoredSegment:
    """One segment of a ``.seg.nrrd``: its name for messages, its layer and value, its label with sides or None.

    `texts` are all its names: name, identifier, values of its tags.
    """

    name: str
    layer: int
    value: int
    label: int | None
    texts: tuple[str, ...] = ()


@dataclass(frozen=True)
class LabelMap:
    """A label map with sides, uint8 ``[z, y, x]``, its grid, and the findings on its file."""

    labels: np.ndarray
    geometry: Geometry
    findings: tuple[Finding, ...] = ()


def read_labels(path: str | Path, table: StructureTable, background_from: int | None = None) -> tuple[np.ndarray, Geometry]:
    """The labels and the grid of `read_label_map`."""
    found = read_label_map(path, table, background_from=background_from)
    return found.labels, found.geometry


def read_label_map(
    path: str | Path, table: StructureTable, assume_orientation: str | None = None, background_from: int | None = None
) -> LabelMap:
    """Read a label map with sides, whose values and segments are those of `table`.

    Plain images (NIfTI, NRRD, MetaImage) hold those values themselves. In Slicer's ``.seg.nrrd`` (one layer or
    several) segments are recognised by identifier, name or a tag: a key such as ``GMAX_right`` or a name such as
    ``Gluteus maximus, right``, in any letter case. Where layers overlap, the later segment wins. `assume_orientation` is as in
    `reading.read_ct`. Values from `background_from` on, which an atlas uses for tissue that is not segmented, become background.

    Raises:
        InputError: the file cannot be read, is no 3D label map, or holds values or segments that are not in the table.
    """
    path = Path(path)
    assume_orientation = checked_assumption(assume_orientation)
    if not path.is_file():
        raise InputError(f"There is no file {path.name}; check the path.")
    header = read_image_header(path)
    if header.is_complex:
        raise InputError(f"The image {path.name} has complex values; a label map is needed.")
    stored = stored_segments(header.keys, table)
    if header.values_per_voxel != 1 and not stored:
        raise InputError(f"The image {path.name} has several values per voxel; a label map is needed.")
    image = read_image_file(header, assume_orientation)
    if stored:
        layers = image.voxels if image.voxels.ndim == 4 else image.voxels[..., None]
        labels = _from_segments(layers, stored, path.name, _example(table))
    else:
        labels = _from_values(image.voxels, image.scaling, path.name, table, background_from)
    labels, geometry = image.fit.apply(labels, 0, nearest=True)
    findings = tuple(replace(found, sentence=f"About the label map: {found.sentence}") for found in image.findings)
    return LabelMap(labels, geometry, findings)


def stored_segments(fields: Mapping[str, str], table: StructureTable | None) -> tuple[StoredSegment, ...]:
    """The segments that the header fields of a ``.seg.nrrd`` describe, in their order; empty for other files.

    Without a table no segment has a label.
    """
    found: dict[int, dict[str, str]] = {}
    for key, value in fields.items():
        match = _FIELD.fullmatch(key)
        if match:
            found.setdefault(int(match[1]), {})[match[2]] = value
    known = {text.casefold(): s.label for s in (table.segments if table else ()) for text in (s.key, s.name)}
    return tuple(_segment(found[number], number, known) for number in sorted(found))


def _segment(entry: Mapping[str, str], number: int, known: Mapping[str, int]) -> StoredSegment:
    tags = [tag.partition(":")[2] for tag in entry.get("Tags", "").split("|")]
    texts = [entry.get("ID", ""), entry.get("Name", ""), *tags]
    label = next((known[text.strip().casefold()] for text in texts if text.strip().casefold() in known), None)
    layer, value = (_whole(entry.get(field), default) for field, default in (("Layer", 0), ("LabelValue", 1)))
    name = entry.get("Name") or entry.get("ID") or str(number)
    return StoredSegment(name, layer, value, label, tuple(dict.fromkeys(text.strip() for text in (name, *texts) if text.strip())))


def _whole(text: str | None, default: int) -> int:
    return int(text) if text is not None and text.strip().isdecimal() else default


def _example(table: StructureTable) -> str:
    """The key of a segment, as an example for a message."""
    return next((s.key for s in table.segments if not s.structure.is_bone), table.segments[0].key)


def _from_segments(layers: np.ndarray, stored: tuple[StoredSegment, ...], name: str, example: str) -> np.ndarray:
    """Label map with sides from stored layers ``[z, y, x, layer]``; `example` is a valid name of a segment."""
    if layers.dtype.kind not in "iu":
        raise InputError(f"The segmentation {name} does not hold whole numbers; save it again as a segmentation.")
    if any(segment.layer >= layers.shape[3] for segment in stored):
        raise InputError(f"The segmentation {name} lacks a layer that its header names; save it again.")
    # Ranks in place of labels, so that the maximum over the layers is the later segment.
    tables = [_ranks_of_values(stored, layer) for layer in range(layers.shape[3])]
    label_of_rank = np.array([0, *(segment.label or 0 for segment in stored)], dtype=np.uint8)
    foreign = {rank: segment.name for rank, segment in enumerate(stored, start=1) if segment.label is None}
    labels = np.empty(layers.shape[:3], dtype=np.uint8)
    for k, section in enumerate(layers):
        ranks = np.zeros(section.shape[:2], dtype=np.uint16)
        for layer, table in enumerate(tables):
            # Clipping turns negative values into background, and large ones into the last entry, which no structure uses.
            found = np.take(table, section[..., layer], mode="clip")
            for rank in foreign:
                if (found == rank).any():
                    raise InputError(
                        f"The segment '{short_name(foreign[rank])}' of {name} is none of the structures; rename it (for "
                        f"example to '{example}') or delete it."
                    )
            np.maximum(ranks, found, out=ranks)
        labels[k] = np.take(label_of_rank, ranks)
    return labels


def _ranks_of_values(stored: tuple[StoredSegment, ...], layer: int) -> np.ndarray:
    """Voxel value of a layer -> position in the list of segments, counted from 1; 0 for values that no segment has."""
    here = [(segment.value, rank) for rank, segment in enumerate(stored, start=1) if segment.layer == layer]
    table = np.zeros(max((value for value, _ in here), default=0) + 2, dtype=np.uint16)
    for value, rank in here:
        table[value] = rank
    return table


def _from_values(
    array: np.ndarray, scaling: tuple[float, float] | None, name: str, known: StructureTable, background_from: int | None
) -> np.ndarray:
    labels, last = np.empty(array.shape, dtype=np.uint8), len(known.structures)
    for k, section in enumerate(array):
        values, places = np.unique(section, return_inverse=True)
        table = np.zeros(len(values), np.uint8)
        for n, stored in enumerate(values):
            value = float(stored) if scaling is None else float(stored) * scaling[0] + scaling[1]
            whole = round(value) if np.isfinite(value) else None
            if background_from is not None and whole is not None and whole >= background_from:
                whole, value = 0, 0.0
            if whole is None or abs(value - whole) > WHOLE_WITHIN or (whole and known.segment_of_label(whole) is None):
                raise InputError(
                    f"The label map {name} holds the value {value:g}, which stands for no structure; expected are 1 "
                    f"to {last} on the right and, paired structures only, {LEFT_OFFSET + 1} to {LEFT_OFFSET + last} on the left."
                )
            table[n] = whole
        labels[k] = table[places.reshape(section.shape)]
    return labels


def short_name(text: str) -> str:
    """A user-given name for a message: printable, on one line, not too long."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:60]
