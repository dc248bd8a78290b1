"""A label map brought onto the voxels of a CT without loss: other axis order, flipped, cropped, or reaching beyond it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .orientation import AxisOrder, axis_order
from .volume import Geometry

# How far, in voxels, the corners of a label map may lie from those of the CT's voxels that they stand for. Headers are rounded (to
# float32, or to three decimals of the spacing), which adds up over the image; where both grids have the same size and place,
# nothing else can be meant, up to less than the half voxel of another convention for the origin.
TOLERANCE = 0.1
TOLERANCE_OF_SAME_GRID = 0.3


@dataclass(frozen=True)
class VoxelMatch:
    """How the voxels of one grid are voxels of another: with `order` its axes are those of the other one, and its first voxel is
    number `start_xyz` there, which may be negative.
    """

    order: AxisOrder
    start_xyz: tuple[int, int, int]

    @property
    def is_identity(self) -> bool:
        """Whether both grids begin at the same voxel with the same axes."""
        return self.order == AxisOrder((0, 1, 2), (1, 1, 1)) and self.start_xyz == (0, 0, 0)


@dataclass(frozen=True)
class PlacedLabels:
    """A label map uint8 ``[z, y, x]`` on the CT's grid; `outside` counts the voxels of each structure beyond it,
    int64 ``[256]``, 0 for background.
    """

    labels: np.ndarray
    outside: np.ndarray


def match_voxels(source: Geometry, target: Geometry) -> VoxelMatch | None:
    """How the voxels of `source` are voxels of `target` continued beyond its faces, in any of the 48 orders of axes; else None."""
    steps = np.linalg.inv(target.matrix) @ source.matrix
    order = axis_order(tuple(map(tuple, steps)))  # type: ignore[arg-type]
    ordered = order.geometry(source)
    corners = np.array([[0, 0, 0], *np.diag(np.asarray(ordered.size) - 1)])
    at = target.to_index(ordered.to_physical(corners))
    start = np.rint(at[0]).astype(int)
    same = ordered.size == target.size and not start.any()
    if np.abs(at - corners - start).max() > (TOLERANCE_OF_SAME_GRID if same else TOLERANCE):
        return None
    # A grid of one slice has no corner along that axis: its spacing is compared by itself.
    if np.abs(np.asarray(ordered.spacing) / np.asarray(target.spacing) - 1).max() > TOLERANCE:
        return None
    return VoxelMatch(order, (int(start[0]), int(start[1]), int(start[2])))


def place_labels(labels: np.ndarray, source: Geometry, target: Geometry, what: str = "segmentation") -> PlacedLabels:
    """Bring a label map uint8 ``[z, y, x]`` onto the grid of a CT, voxel by voxel; `what` names it in the sentence.

    Where both grids are the same the array itself is returned.

    Raises:
        InputError: its voxels are not the CT's.
    """
    match = match_voxels(source, target)
    if match is None:
        raise InputError(
            f"The {what} ({grid_words(source)}) and the CT ({grid_words(target)}) have different grids: "
            f"{_difference(source, target)}; give the CT that was segmented, or resample the labels to this CT's grid by nearest "
            "neighbour (in 3D Slicer: export them as a label map with the CT as reference volume)."
        )
    if match.is_identity and source.size == target.size:
        return PlacedLabels(labels, np.zeros(256, np.int64))
    ordered = match.order.apply(labels)
    placed = np.zeros(target.shape, np.uint8)
    here, there = [], []
    for start, size, limit in zip(match.start_xyz[::-1], ordered.shape, target.shape, strict=True):
        first, last = max(0, start), min(limit, start + size)
        here.append(slice(first, max(first, last)))
        there.append(slice(first - start, max(first, last) - start))
    placed[tuple(here)] = ordered[tuple(there)]
    outside = _counts(labels) - _counts(placed)
    outside[0] = 0
    return PlacedLabels(placed, outside)


def grid_words(geometry: Geometry) -> str:
    """Size and spacing of a grid in words."""
    size, spacing = geometry.size, geometry.spacing
    return f"{size[0]} x {size[1]} x {size[2]} voxels of " + " x ".join(f"{step:.4g}" for step in spacing) + " mm"


def _difference(source: Geometry, target: Geometry) -> str:
    """What keeps the voxels of two grids apart."""
    steps = np.linalg.inv(target.matrix) @ source.matrix
    order = axis_order(tuple(map(tuple, steps)))  # type: ignore[arg-type]
    ordered = order.geometry(source)
    between = np.asarray(ordered.direction).T @ np.asarray(target.direction)
    if np.abs(between - np.eye(3)).max() > 0.01:
        return "they are turned against each other"
    extent = np.asarray(ordered.size) * np.abs(np.asarray(ordered.spacing) / np.asarray(target.spacing) - 1)
    if extent.max() > TOLERANCE:
        return "their voxels differ in size"
    x, y, z = ordered.to_physical((0, 0, 0)) - target.to_physical(np.rint(target.to_index(ordered.to_physical((0, 0, 0)))))
    return f"they are shifted against each other by a part of a voxel ({x:.2f}, {y:.2f}, {z:.2f} mm)"


def _counts(labels: np.ndarray) -> np.ndarray:
    """Voxels of each value, int64 ``[256]``, slice by slice to spare memory."""
    return sum((np.bincount(plane.ravel(), minlength=256) for plane in labels), np.zeros(256, np.int64))
