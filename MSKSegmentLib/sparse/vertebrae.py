"""The middle of each vertebra, from a segmentation that has vertebrae (such as TotalSegmentator's)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from ..anatomy import StructureTable
from ..ct.volume import Geometry
from ..errors import InputError
from ..foreign.label_tables import LabelTable, find_label_table
from ..foreign.mask import ForeignMask, ForeignSegment
from .levels import vertebra_of_name

# Fewer voxels are a splinter of a vertebra, or an error of the program.
_FEWEST_VOXELS = 20


@dataclass(frozen=True)
class VertebraLevels:
    """Vertebra -> superior coordinate of its middle in mm, and the names of those that the scan cuts."""

    middles: dict[str, float]
    cut: tuple[str, ...]


def vertebra_levels(
    mask: ForeignMask, wanted: Collection[str], structures: StructureTable, labels: str | None = None
) -> VertebraLevels:
    """The middles of the wanted vertebrae in a mask. One that touches the mask's lowest or highest slice has no known middle.

    The middle is that of the vertebra's front half, in front of its centroid: the spinous process, behind it, hangs lower than the
    body. `labels` names the table of label numbers where the mask holds no names, see `foreign.label_tables.find_label_table`.

    Raises:
        InputError: the mask holds none of them.
    """
    table = None if labels is None else find_label_table(labels, structures)
    middles: dict[str, float] = {}
    cut: list[str] = []
    for layer in mask.layers:
        named = [(segment.value, _vertebra(segment, table)) for segment in layer.segments]
        if not any(name in wanted for _, name in named):
            continue
        voxels = layer.voxels()
        for value, name in named:
            if name is None or name not in wanted:
                continue
            indices = np.argwhere(voxels == value)[:, ::-1]
            if len(indices) < _FEWEST_VOXELS:
                continue
            if _touches_an_end(indices, mask.geometry):
                cut.append(name)
            else:
                middles[name] = _middle(mask.geometry.to_physical(indices))
    if not middles and not cut:
        without_names = not any(segment.texts for segment in mask.segments) and labels is None
        advice = "it holds no names, so say with --labels whose numbers they are" if without_names else "give another one"
        raise InputError(f"{mask.name} holds none of the vertebrae that are asked for; {advice}.")
    return VertebraLevels(middles, tuple(cut))


def _vertebra(segment: ForeignSegment, table: LabelTable | None) -> str | None:
    texts = list(segment.texts)
    if table is not None and (entry := table.of_value(segment.value)) is not None:
        texts += entry.names
    return next((name for text in texts if (name := vertebra_of_name(text)) is not None), None)


def _touches_an_end(indices: np.ndarray, geometry: Geometry) -> bool:
    """Whether voxels ``[n, 3]`` (i, j, k) reach the first or the last slice along the patient's axis."""
    axis = int(np.abs(np.asarray(geometry.direction)[2]).argmax())
    along = indices[:, axis]
    return bool(along.min() == 0 or along.max() == geometry.size[axis] - 1)


def _middle(points: np.ndarray) -> float:
    """The middle height of the points ``[n, 3]`` (LPS, mm) in front of their centroid; y grows to posterior."""
    front = points[points[:, 1] <= points[:, 1].mean(), 2]
    return float(front.min() + front.max()) / 2
