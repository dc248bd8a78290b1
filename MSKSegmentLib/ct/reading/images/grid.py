"""From voxel steps that may be oblique to a regular grid: nearly right angles are corrected, a tilted stack is straightened."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from ....errors import InputError
from ....findings import Finding
from ...orientation import axis_order
from ...volume import Geometry, Matrix
from ..straightening import LARGEST_TILT_DEGREES, straighten, tilt_finding
from .facts import VoxelPlacement

# Correcting angles must not move any voxel by more than this share of the smallest spacing.
EVENED_OUT_VOXELS = 0.25
_EXACT = 1e-6


@dataclass(frozen=True)
class GridFit:
    """A regular grid for the voxels of a file.

    `axes` are the file's index axes that become x, y, z of `geometry`. `shifts` is float ``[z, 2]``, the in-plane offset of each
    slice from `geometry` in mm, or None if no slice is shifted.
    """

    geometry: Geometry
    axes: tuple[int, int, int] = (0, 1, 2)
    shifts: np.ndarray | None = None
    findings: tuple[Finding, ...] = ()

    def apply(self, array: np.ndarray, outside: int, nearest: bool) -> tuple[np.ndarray, Geometry]:
        """The file's array ``[z, y, x]`` (HU or labels) on a regular grid, and that grid; see `straightening.straighten`."""
        if self.shifts is None:
            return array, self.geometry
        x, y, z = self.axes
        return straighten(array.transpose(2 - z, 2 - y, 2 - x), self.shifts, self.geometry, outside, nearest)


def fit_grid(size: tuple[int, int, int], placement: VoxelPlacement, name: str) -> GridFit:
    """The regular grid of an image of `size` ``(i, j, k)`` voxels; `name` is the file's, for messages.

    Raises:
        InputError: numbers are missing, an axis has length 0, or the axes are neither at right angles nor those of a stack
        with a tilted gantry.
    """
    steps, origin = placement.steps, placement.origin
    if not (np.isfinite(steps).all() and np.isfinite(origin).all()):
        raise InputError(f"The image {name} has a position or direction that is not a number; export it again.")
    lengths = np.linalg.norm(steps, axis=0)
    if lengths.min() <= 0:
        raise InputError(f"The image {name} has a voxel spacing of zero; export it again with its spacing.")
    axes = steps / lengths
    if np.abs(axes.T @ axes - np.eye(3)).max() <= _EXACT:
        return GridFit(_geometry(size, lengths, origin, axes))
    rigid = _nearest_orthogonal(axes)
    corners = np.array(list(product(*((-(n - 1) / 2, (n - 1) / 2) for n in size))))
    moved = np.linalg.norm(corners @ (steps - rigid * lengths).T, axis=1).max()
    if moved <= EVENED_OUT_VOXELS * lengths.min():
        # The centre of the image stays in place, so that corners move as little as possible.
        middle = (np.array(size) - 1) / 2
        return GridFit(_geometry(size, lengths, origin + (steps - rigid * lengths) @ middle, rigid))
    return _tilted_stack(size, placement, lengths, axes, name)


def _tilted_stack(
    size: tuple[int, int, int], placement: VoxelPlacement, lengths: np.ndarray, axes: np.ndarray, name: str
) -> GridFit:
    """The grid of a sheared image whose slices are rectangles: those of a tilted gantry, stacked along the patient."""
    # The table moves along the patient: the axis nearest to superior is the one along which slices are stacked.
    stack = axis_order(_matrix(axes)).axes[2]
    first, second = (axis for axis in range(3) if axis != stack)
    extent = max(lengths[first] * size[first], lengths[second] * size[second]) / 2
    if abs(axes[:, first] @ axes[:, second]) * extent > 2 * EVENED_OUT_VOXELS * lengths[[first, second]].min():
        raise InputError(
            f"The image {name} has axes that are not at right angles, and not as a tilted gantry leaves them; resample it to a "
            "regular grid first."
        )
    plane = _nearest_orthogonal(axes[:, [first, second]])
    normal = np.cross(plane[:, 0], plane[:, 1])
    normal *= 1.0 if normal @ axes[:, stack] > 0 else -1.0
    degrees = float(np.degrees(np.arccos(min(1.0, normal @ axes[:, stack]))))
    if degrees > LARGEST_TILT_DEGREES:
        raise InputError(
            f"The image {name} has slices that are stacked at {degrees:.0f} degrees to their normal; export the axial series again."
        )
    shifts = np.outer(np.arange(size[stack]), lengths[stack] * (axes[:, stack] @ plane))
    spacing = np.array([lengths[first], lengths[second], lengths[stack] * float(axes[:, stack] @ normal)])
    geometry = _geometry((size[first], size[second], size[stack]), spacing, placement.origin, np.column_stack([plane, normal]))
    return GridFit(geometry, (first, second, stack), shifts, (tilt_finding(degrees),))


def _nearest_orthogonal(columns: np.ndarray) -> np.ndarray:
    """The matrix with orthonormal columns that is nearest to `columns` (its orthogonal polar factor)."""
    left, _, right = np.linalg.svd(columns, full_matrices=False)
    return left @ right


def _geometry(size: tuple[int, int, int], spacing: np.ndarray, origin: np.ndarray, axes: np.ndarray) -> Geometry:
    return Geometry(
        size,
        (float(spacing[0]), float(spacing[1]), float(spacing[2])),
        (float(origin[0]), float(origin[1]), float(origin[2])),
        _matrix(axes),
    )


def _matrix(array: np.ndarray) -> Matrix:
    rows = [(float(row[0]), float(row[1]), float(row[2])) for row in array]
    return rows[0], rows[1], rows[2]
