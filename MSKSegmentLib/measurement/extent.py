"""Where a segment meets the limits of the scan: the faces of the image and the scanner's round field of view.

All arrays here are on axes in order (``[z, y, x]`` growing to superior, posterior, left), see `ct.orientation`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from ..ct.boxes import Box
from ..ct.label_grid import SMALLEST_CUT_MM2
from ..ct.volume import Geometry

# First and last plane along z, y, x.
FACES = ("inferior", "superior", "anterior", "posterior", "right", "left")
FIELD_OF_VIEW = "field of view"
# Of a given label map: the structure goes on where the CT shows nothing.
BEYOND_THE_CT = "beyond the CT"
# Of a given label map: its own grid ends inside the CT, and the structure goes on there.
EDGE_OF_LABELS = "edge of the segmentation"

# A structure that ends by itself near the last slice may touch it with its tip; one that goes on shows a real
# cross-section, of `SMALLEST_CUT_MM2` at least.
SMALLEST_CUT_SHARE = 0.05
# Scanners fill the corners outside their round field of view with air or with values below it.
PADDING_HU = -1024
# The network's labels end one or two voxels before the padding.
PADDING_REACH_MM = 2.0


def face_voxels(labels: np.ndarray) -> np.ndarray:
    """Voxels of each label on each face of the image: int64 ``[256, 6]`` in the order of `FACES`."""
    planes = [np.take(labels, position, axis) for axis in range(3) for position in (0, -1)]
    return np.stack([np.bincount(plane.ravel(), minlength=256) for plane in planes], axis=1)


def truncated_by(on_faces: np.ndarray, beside_padding: int, largest_voxels: int, geometry: Geometry) -> tuple[str, ...]:
    """The limits of the scan that cut a segment, by name.

    A limit cuts a segment when they share at least 20 mm2 and at least 5 % of the segment's largest axial
    cross-section. So a muscle that leaves through the last slice is truncated, a bone that reaches it with its tip
    is not; what such a tip can lack is a small cap.

    Args:
        on_faces: int ``[6]``, the segment's voxels on each face (`face_voxels`).
        beside_padding: its voxels within `PADDING_REACH_MM` of the padding (`PaddingFinder`).
        largest_voxels: voxels of its largest axial cross-section.
        geometry: the grid, axes in order.
    """
    x, y, z = geometry.spacing
    threshold = max(SMALLEST_CUT_MM2, SMALLEST_CUT_SHARE * largest_voxels * x * y)
    names = [
        name
        for name, voxels, area in zip(FACES, on_faces, (x * y, x * y, x * z, x * z, y * z, y * z), strict=True)
        if voxels and voxels * area >= threshold
    ]
    # The zone beside the padding is some voxels thick: its volume over its thickness is the area of the cut.
    thickness = _reach(geometry)[0] * x
    if beside_padding and beside_padding * geometry.voxel_volume_mm3 / thickness >= threshold:
        names.append(FIELD_OF_VIEW)
    return tuple(names)


def _reach(geometry: Geometry) -> tuple[int, int]:
    """Voxels ``(x, y)`` that `PADDING_REACH_MM` spans, at least one."""
    x, y, _ = (max(1, round(PADDING_REACH_MM / spacing)) for spacing in geometry.spacing)
    return x, y


class PaddingFinder:
    """Finds label voxels beside the part of the image that the scanner could not see.

    Without a mask, padding is what is at most -1024 HU and joined to the image's border within its slice: streaks
    beside metal reach such values too, but inside the body.
    """

    def __init__(self, hu: np.ndarray, geometry: Geometry, valid: np.ndarray | None) -> None:
        """Look in `hu` int16 ``[z, y, x]``, or in `valid` bool ``[z, y, x]``, True where the scanner saw."""
        self._hu = hu
        self._valid = valid
        self._reach = _reach(geometry)
        # Consecutive slices ask for their common neighbours.
        self._padding = lru_cache(maxsize=4)(self._find_padding)

    def count(self, labels: np.ndarray, box: Box) -> np.ndarray:
        """Voxels of each label beside padding, int64 ``[256]``; `labels` uint8 is the content of `box`."""
        counts = np.zeros(256, dtype=np.int64)
        around = self._around(box)
        low = self._outside(around.slices)
        if not low.any():
            return counts
        zone = _zone(low, around, box, self._reach)
        for k in self._hits(labels, zone):
            counts += np.bincount(labels[k][self._zone_of_slice(box.start_xyz[2] + k, box)], minlength=256)
        return counts

    def _around(self, box: Box) -> Box:
        z, y, x = self._hu.shape
        return box.grown((*self._reach, 1), (x, y, z))

    def _outside(self, where: tuple[slice, slice, slice]) -> np.ndarray:
        return self._hu[where] <= PADDING_HU if self._valid is None else ~self._valid[where]

    @staticmethod
    def _hits(labels: np.ndarray, zone: np.ndarray) -> Iterator[int]:
        """Slices in which a label is near low values at all; only these are worth the search for connected padding."""
        return (k for k in range(labels.shape[0]) if (labels[k].astype(bool) & zone[k]).any())

    def _zone_of_slice(self, position: int, box: Box) -> np.ndarray:
        slab = box.slab(position, position + 1)
        around = self._around(slab)
        z, y, x = around.slices
        padding = np.stack([self._padding(k) for k in range(z.start, z.stop)])[:, y, x]
        return _zone(padding, around, slab, self._reach)[0]

    def _find_padding(self, position: int) -> np.ndarray:
        import cc3d

        outside = self._outside((slice(position, position + 1), slice(None), slice(None)))[0]
        if self._valid is not None:
            return outside
        parts = cc3d.connected_components(np.ascontiguousarray(outside).view(np.uint8), connectivity=4)
        border = np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])
        joined = np.zeros(int(parts.max()) + 1, dtype=bool)
        joined[border] = True
        joined[0] = False
        return joined[parts]


def _zone(outside: np.ndarray, around: Box, box: Box, reach: tuple[int, int]) -> np.ndarray:
    """Where in `box` `outside` (content of `around`) is near: a cross of `reach` voxels in plane and one voxel along z."""
    raw = np.ascontiguousarray(outside)
    z, y, x = box.relative_to(around).slices
    z0, z1 = z.start, z.stop
    zone = raw[z0:z1].copy()
    for shift in range(1, reach[0] + 1):
        zone[:, :, shift:] |= raw[z0:z1, :, :-shift]
        zone[:, :, :-shift] |= raw[z0:z1, :, shift:]
    for shift in range(1, reach[1] + 1):
        zone[:, shift:] |= raw[z0:z1, :-shift]
        zone[:, :-shift] |= raw[z0:z1, shift:]
    below, above = raw[max(0, z0 - 1) : z1 - 1], raw[z0 + 1 : z1 + 1]
    zone[zone.shape[0] - below.shape[0] :] |= below
    zone[: above.shape[0]] |= above
    return zone[:, y, x]
