"""Placing a label map onto the voxels of a CT without loss: reordered or flipped axes, cropped, or reaching beyond the CT."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .orientation import AxisOrder, axis_order
from .volume import Geometry

# How far, in voxels, the corners of a label map may lie from the CT's voxels that they match. Headers are rounded (to float32, or
# to three decimals of the spacing), which adds up over the image. If both grids have the same size and position, the larger
# tolerance holds; it is below half a voxel, by which another convention for the origin shifts a grid.
TOLERANCE = 0.1
TOLERANCE_OF_SAME_GRID = 0.3
# A structure continues beyond the last plane of a label map if it is about as large there as in the plane before. One that ends in
# the last plane, as in a map cropped to its structures, has at most half of that area there.
LEAST_SHARE_OF_NEXT_PLANE = 0.75
SMALLEST_CUT_MM2 = 20.0


@dataclass(frozen=True)
class VoxelMatch:
    """How the voxels of one grid coincide with those of another: `order` maps its axes to the other's, and its first voxel then has
    the index `start_xyz` there, which may be negative.
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
    int64 ``[256]``, 0 for background. `cut_at_edge` is bool ``[256]``, True for structures that the edge of the label map cuts
    inside the CT.
    """

    labels: np.ndarray
    outside: np.ndarray
    cut_at_edge: np.ndarray


def match_voxels(source: Geometry, target: Geometry) -> VoxelMatch | None:
    """Match the voxels of `source` to those of `target`, extended beyond its faces, in any of 48 axis orders, else None."""
    steps = np.linalg.inv(target.matrix) @ source.matrix
    order = axis_order(tuple(map(tuple, steps)))  # type: ignore[arg-type]
    ordered = order.geometry(source)
    corners = np.array([[0, 0, 0], *np.diag(np.asarray(ordered.size) - 1)])
    at = target.to_index(ordered.to_physical(corners))
    start = np.rint(at[0]).astype(int)
    same = ordered.size == target.size and not start.any()
    if np.abs(at - corners - start).max() > (TOLERANCE_OF_SAME_GRID if same else TOLERANCE):
        return None
    # A grid of one slice has no second corner along that axis: its spacing is compared separately.
    if np.abs(np.asarray(ordered.spacing) / np.asarray(target.spacing) - 1).max() > TOLERANCE:
        return None
    return VoxelMatch(order, (int(start[0]), int(start[1]), int(start[2])))


def place_labels(labels: np.ndarray, source: Geometry, target: Geometry, what: str = "segmentation") -> PlacedLabels:
    """Bring a label map uint8 ``[z, y, x]`` onto the grid of a CT, voxel by voxel; `what` names it in messages.

    If both grids are the same, the array itself is returned.

    Raises:
        InputError: its voxels do not coincide with the CT's.
    """
    match = match_voxels(source, target)
    if match is None:
        raise InputError(
            f"The {what} ({grid_words(source)}) and the CT ({grid_words(target)}) have different grids: "
            f"{_difference(source, target)}; give the CT that was segmented, or resample the labels to this CT's grid by nearest "
            "neighbour (in 3D Slicer: export them as a label map with the CT as reference volume)."
        )
    if match.is_identity and source.size == target.size:
        return PlacedLabels(labels, np.zeros(256, np.int64), np.zeros(256, bool))
    ordered = match.order.apply(labels)
    placed = np.zeros(target.shape, np.uint8)
    here, there = [], []
    for start, size, limit in zip(match.start_xyz[::-1], ordered.shape, target.shape, strict=True):
        first, last = max(0, start), min(limit, start + size)
        here.append(slice(first, max(first, last)))
        there.append(slice(first - start, max(first, last) - start))
    shown = ordered[tuple(there)]
    placed[tuple(here)] = shown
    outside = _counts(labels) - _counts(placed)
    outside[0] = 0
    return PlacedLabels(placed, outside, _cut_at_edge(shown, here, target))


def grid_words(geometry: Geometry) -> str:
    """Size and spacing of a grid in words."""
    size, spacing = geometry.size, geometry.spacing
    return f"{size[0]} x {size[1]} x {size[2]} voxels of " + " x ".join(f"{step:.4g}" for step in spacing) + " mm"


def _cut_at_edge(shown: np.ndarray, here: list[slice], target: Geometry) -> np.ndarray:
    """Which labels the edge of a label map cuts, bool ``[256]``; `shown` is its part inside the CT, at `here` ``[z, y, x]``.

    Only faces inside the CT count: the measurement finds cuts by the CT's own ends.
    """
    cut = np.zeros(256, bool)
    if not shown.size:
        return cut
    x, y, z = target.spacing
    for axis, area in enumerate((x * y, x * z, y * z)):
        planes = np.moveaxis(shown, axis, 0)
        for inside_ct, outermost, next_one in (
            (here[axis].start > 0, planes[0], planes[1:2]),
            (here[axis].stop < target.shape[axis], planes[-1], planes[:-1][-1:]),
        ):
            if inside_ct:
                edge = np.bincount(outermost.ravel(), minlength=256)
                inwards = np.bincount(next_one.ravel(), minlength=256)
                cut |= (edge * area >= SMALLEST_CUT_MM2) & (edge >= LEAST_SHARE_OF_NEXT_PLANE * inwards)
    cut[0] = False
    return cut


def _difference(source: Geometry, target: Geometry) -> str:
    """Why the voxels of two grids do not coincide, for a message."""
    steps = np.linalg.inv(target.matrix) @ source.matrix
    order = axis_order(tuple(map(tuple, steps)))  # type: ignore[arg-type]
    ordered = order.geometry(source)
    between = np.asarray(ordered.direction).T @ np.asarray(target.direction)
    if np.abs(between - np.eye(3)).max() > 0.01:
        return "they are turned against each other"
    extent = np.asarray(ordered.size) * np.abs(np.asarray(ordered.spacing) / np.asarray(target.spacing) - 1)
    if extent.max() > TOLERANCE:
        return "their voxels differ in size"
    first = ordered.to_physical((0, 0, 0))
    start = target.to_index(first)
    if ordered.size == target.size and np.abs(start).max() >= 1:
        # The same grid in another position: remaining rounding errors carry no information.
        return f"they lie {_mm(first - target.origin)} apart{_lost(source, target)}"
    stop = start + np.asarray(ordered.size)
    if (stop <= 0).any() or (start >= np.asarray(target.size)).any():
        middles = [grid.to_physical((np.asarray(grid.size) - 1) / 2) for grid in (ordered, target)]
        return f"they lie beside each other, their middles {_mm(middles[0] - middles[1])} apart{_lost(source, target)}"
    return f"they are shifted against each other by a part of a voxel ({_mm(first - target.to_physical(np.rint(start)))})"


def _mm(shift: np.ndarray) -> str:
    """A shift in x, y, z (mm) for a message."""
    return ", ".join(f"{step:.2f}" for step in shift) + " mm"


def _lost(source: Geometry, target: Geometry) -> str:
    """The usual cause of a shift, if one of the grids shows it."""
    found = [what for what, grid in (("segmentation", source), ("CT", target)) if not np.any(grid.origin)]
    return f" (the {found[0]} begins at 0, 0, 0, as where a program has lost its origin)" if len(found) == 1 else ""


def _counts(labels: np.ndarray) -> np.ndarray:
    """Voxels of each value, int64 ``[256]``, slice by slice to spare memory."""
    return sum((np.bincount(plane.ravel(), minlength=256) for plane in labels), np.zeros(256, np.int64))
