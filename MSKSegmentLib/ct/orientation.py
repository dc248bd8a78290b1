"""From the input's grid to the one that the network works on, and back.

The working grid's axes are x left, y posterior, z superior, as nearly as its direction allows.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import permutations

import numpy as np

from ..findings import warning
from .boxes import IndexTriple
from .cropping import CoarseBody, coarse_body
from .modality import BEYOND_SCAN, CT_MODALITY
from .uprightness import body_is_upright
from .volume import IDENTITY, CTVolume, Geometry, Matrix

_LOG = logging.getLogger(__name__)
AIR_HU = BEYOND_SCAN[CT_MODALITY]
# Scans tilted by less than this are used as they are: the slices still look axial, and nothing is interpolated.
TOLERATED_DEGREES = 5.0
UPRIGHT_MARGIN_MM = 20.0


@dataclass(frozen=True)
class AxisOrder:
    """The index axes of the input that become x, y and z of the working grid (`axes`), and their signs (`signs`)."""

    axes: IndexTriple
    signs: IndexTriple

    @property
    def _array_axes(self) -> list[int]:
        return [2 - self.axes[2], 2 - self.axes[1], 2 - self.axes[0]]

    @property
    def _flips(self) -> tuple[slice, ...]:
        return tuple(slice(None, None, self.signs[axis]) for axis in (2, 1, 0))

    def apply(self, array: np.ndarray) -> np.ndarray:
        """The array of the input's grid with permuted and flipped axes (a view)."""
        return array.transpose(self._array_axes)[self._flips]

    def undo(self, array: np.ndarray) -> np.ndarray:
        """The inverse of `apply` (a view)."""
        return array[self._flips].transpose(np.argsort(self._array_axes))

    def geometry(self, geometry: Geometry) -> Geometry:
        """The geometry of the array that `apply` returns."""
        first = [0, 0, 0]
        for axis, sign in zip(self.axes, self.signs, strict=True):
            first[axis] = geometry.size[axis] - 1 if sign < 0 else 0
        origin = geometry.to_physical(first)
        size, spacing = ([values[axis] for axis in self.axes] for values in (geometry.size, geometry.spacing))
        direction = np.asarray(geometry.direction)[:, list(self.axes)] * np.asarray(self.signs)
        return Geometry(
            (int(size[0]), int(size[1]), int(size[2])),
            (spacing[0], spacing[1], spacing[2]),
            (float(origin[0]), float(origin[1]), float(origin[2])),
            _matrix(direction),
        )


@dataclass(frozen=True)
class WorkingGrid:
    """The CT on its working grid, and the way back to the input's grid.

    `volume.hu` is ``[z, y, x]`` with z superior, y posterior, x left. `order` is None when the scan was resampled to
    an upright grid; otherwise the way back is lossless.
    """

    volume: CTVolume
    input_geometry: Geometry
    order: AxisOrder | None

    @cached_property
    def body(self) -> CoarseBody | None:
        """The body on a coarse grid, found once; None when there is none."""
        return coarse_body(self.volume)

    def labels_to_input(self, labels: np.ndarray) -> np.ndarray:
        """Bring a label map uint8 ``[z, y, x]`` from the working grid to the input's grid.

        This is exact unless the scan was resampled; then it is by nearest neighbour.
        """
        if self.order is not None:
            return np.ascontiguousarray(self.order.undo(labels))
        return resample_labels(labels, self.volume.geometry, self.input_geometry)

    def scalars_to_input(self, scalars: np.ndarray) -> np.ndarray:
        """A scalar map float32 ``[z, y, x]`` of the working grid on the input's grid, 0 beyond the working grid."""
        if self.order is not None:
            return np.ascontiguousarray(self.order.undo(scalars))
        return _resample(scalars, self.volume.geometry, self.input_geometry, 0.0)


def _matrix(array: np.ndarray) -> Matrix:
    rows = [(float(row[0]), float(row[1]), float(row[2])) for row in array]
    return rows[0], rows[1], rows[2]


def axis_order(direction: Matrix) -> AxisOrder:
    """The permutation and flips of the index axes that bring a direction matrix nearest to the identity.

    The second index axis of this grid runs to inferior, its third to anterior:

    >>> axis_order(((1, 0, 0), (0, 0, -1), (0, -1, 0)))
    AxisOrder(axes=(0, 2, 1), signs=(1, -1, -1))
    """
    d = np.asarray(direction)
    orders = ((sum(abs(d[row, column]) for row, column in enumerate(axes)), axes) for axes in permutations((0, 1, 2)))
    _, (x, y, z) = max(orders, key=lambda order: order[0])
    signs = [1 if d[row, column] >= 0 else -1 for row, column in enumerate((x, y, z))]
    return AxisOrder((x, y, z), (signs[0], signs[1], signs[2]))


def tilt_degrees(direction: Matrix) -> float:
    """The angle of the rotation from the patient's axes to a grid whose axes are already in order."""
    cosine = (np.trace(np.asarray(direction)) - 1.0) / 2.0
    return math.degrees(math.acos(max(-1.0, min(1.0, float(cosine)))))


def to_working_grid(volume: CTVolume) -> WorkingGrid:
    """Bring a CT of any axis order, flip or tilt onto its working grid.

    Axis orders, flips and tilts up to 5 degrees are lossless. Beyond that the body decides (see `uprightness`). If it
    lies straight in the slices, because scan and patient were turned together as a hardened transform does, they are
    used as they are. If it lies straight in the patient's frame, as in an oblique reformat, the scan is resampled
    linearly onto an upright grid, with a finding.
    """
    order = axis_order(volume.geometry.direction)
    ordered = replace(volume, hu=np.ascontiguousarray(order.apply(volume.hu)), geometry=order.geometry(volume.geometry))
    degrees = tilt_degrees(ordered.geometry.direction)
    as_it_is = WorkingGrid(ordered, volume.geometry, order)
    if degrees <= TOLERATED_DEGREES:
        return as_it_is
    body = as_it_is.body
    if body is None or not body_is_upright(body, np.asarray(ordered.geometry.direction)):
        _LOG.info("Slices are tilted by %.1f degrees, and so is the body: they are used as they are", degrees)
        return as_it_is
    _LOG.info("Slices are tilted by %.1f degrees against the body: the scan is resampled upright", degrees)
    geometry = upright_geometry(body, ordered.geometry)
    note = warning(
        "oblique",
        f"The slices lie {degrees:.0f} degrees oblique to the body; the scan was resampled upright for the analysis "
        "and the result was brought back onto the slices.",
    )
    upright = replace(
        volume,
        hu=_resample(ordered.hu, ordered.geometry, geometry, volume.outside),
        geometry=geometry,
        findings=(*volume.findings, note),
        source=None,
    )
    return WorkingGrid(upright, volume.geometry, None)


def upright_geometry(body: CoarseBody, geometry: Geometry) -> Geometry:
    """A grid along the patient's axes around the body, with the spacing of `geometry` and a margin of 20 mm."""
    indices = np.argwhere(body.mask)[:, ::-1] * np.asarray(body.stride)
    points = geometry.to_physical(indices)
    low, high = points.min(axis=0) - UPRIGHT_MARGIN_MM, points.max(axis=0) + UPRIGHT_MARGIN_MM
    x, y, z = (math.ceil((b - a) / s) + 1 for a, b, s in zip(low, high, geometry.spacing, strict=True))
    return Geometry((x, y, z), geometry.spacing, (float(low[0]), float(low[1]), float(low[2])), IDENTITY)


def resample_labels(labels: np.ndarray, source: Geometry, target: Geometry) -> np.ndarray:
    """A label map uint8 ``[z, y, x]`` on another grid, 0 beyond its own, by nearest neighbour.

    Interpolating each label's surface preserves volumes no better and takes seventy times as long.
    """
    import SimpleITK as sitk

    if source.matches(target):
        return labels.astype(np.uint8)
    return _resample(labels.astype(np.uint8), source, target, 0, sitk.sitkNearestNeighbor)


def _resample(array: np.ndarray, source: Geometry, target: Geometry, outside: float, interpolator: int | None = None) -> np.ndarray:
    import SimpleITK as sitk

    image = sitk.Resample(
        source.image_of(array),
        target.size,
        sitk.Transform(),
        sitk.sitkLinear if interpolator is None else interpolator,
        target.origin,
        target.spacing,
        [component for row in target.direction for component in row],
        outside,
    )
    return sitk.GetArrayFromImage(image)
