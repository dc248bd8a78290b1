"""The closed surface of a proximal femur as triangles, and volumes of meshes against the voxels that they stand for.

Points are LPS mm; triangles are counter-clockwise seen from outside.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ct.volume import Geometry
from .measures import FemurMeasures

# The mask is smoothed by so much of the edge before the surface is taken, which removes the steps of the voxels.
_SMOOTHING = 0.4
_LEVELS, _ROUNDS = (0.15, 0.85), 9


@dataclass(frozen=True)
class TriangleMesh:
    """A closed surface: `points` float64 ``[n, 3]`` in LPS mm, `triangles` int32 ``[m, 3]``."""

    points: np.ndarray
    triangles: np.ndarray

    @property
    def volume_cc(self) -> float:
        """The volume that it encloses (sum of signed tetrahedra over the triangles)."""
        corners = (self.points - self.points.mean(axis=0))[self.triangles]
        return float(np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum()) / 6000.0

    @property
    def is_closed(self) -> bool:
        """Whether every edge belongs to two triangles that run along it in opposite directions."""
        ends = self.triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2).astype(np.int64)
        forward, backward = (np.sort(ends[:, a] * len(self.points) + ends[:, b]) for a, b in ((0, 1), (1, 0)))
        return bool(np.array_equal(forward, backward) and (np.diff(forward) > 0).all())


def femur_surface(femur: FemurMeasures, grid: Geometry, edge_mm: float) -> TriangleMesh:
    """The surface of a proximal femur with edges of about `edge_mm`, cut plane included, by marching cubes.

    The mask is smoothed and looked at in steps of `edge_mm`; the level is the one at which the surface encloses the volume of the
    voxels (by bisection), since at 0.5 a smoothed and coarsely sampled body shrinks.
    """
    from scipy.ndimage import gaussian_filter, map_coordinates

    spacing = np.asarray(grid.spacing[::-1])
    # Room for a step beyond the mask on every side.
    margin = int(np.ceil(2 * edge_mm / spacing.min())) + 1
    mask = np.pad((femur.regions > 0).astype(np.float32), margin)
    smooth = gaussian_filter(mask, _SMOOTHING * edge_mm / spacing)
    steps = [np.arange(0, size - 1, edge_mm / step) for size, step in zip(mask.shape, spacing, strict=True)]
    sampled = map_coordinates(smooth, np.meshgrid(*steps, indexing="ij"), order=1)
    first = np.asarray(femur.box.start_xyz[::-1]) - margin

    def placed(level: float) -> TriangleMesh:
        points, triangles = _contour(sampled, level)
        index = points * edge_mm / spacing + first
        return TriangleMesh(grid.to_physical(index[:, ::-1]), triangles)

    wanted, low, high = float(mask.sum() * np.prod(spacing)) / 1000, *_LEVELS
    for _ in range(_ROUNDS):
        level = (low + high) / 2
        low, high = (level, high) if abs(placed(level).volume_cc) > wanted else (low, level)
    mesh = placed(level)
    return mesh if mesh.volume_cc > 0 else TriangleMesh(mesh.points, np.ascontiguousarray(mesh.triangles[:, ::-1]))


def _contour(field: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Points in steps of the array and triangles of a level."""
    from skimage.measure import marching_cubes

    points, triangles, _, _ = marching_cubes(field, level, allow_degenerate=False)
    return points, np.ascontiguousarray(triangles, np.int32)
