"""The proximal femur: what is cut out of a femur, and the axes that its regions follow.

**The cut.** From the top of the head down to a plane at right angles to the shaft, 1.5 head radii (about 30 to 37 mm) below the tip
of the lesser trochanter. Head and trochanter are those of `measurement.femoral_landmarks`; lengths in head radii make the cut the
same for small and large people. The shaft's direction is that of the centroids of the sections 0.5 to 1.5 radii below the tip, so
that it does not depend on how much of the femur a scan shows.

**The head** is the sphere through the surface that looks away from the neck.

**The neck's axis** goes from the head's centre through the centroid of the narrowest cross-section at right angles to itself,
between 0.7 and 2.2 radii from the centre; it begins at 53 degrees to the shaft, towards its axis, and is
repeated until it stands still.

Points are in mm along x, y, z of the ordered scan, counted from its first voxel (``index * spacing``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..anatomy import Side
from ..ct.volume import Geometry
from ..measurement.femoral_landmarks import BoneInScan, ShaftAxis, femoral_head, lesser_trochanter, shaft_axis

CUT_RADII = 1.5
# Two millimetres of shaft are 1 % of a proximal femur's volume at most.
_CUT_TOLERANCE_MM = 2.0
_DIRECTION_RADII = (0.5, 1.5)
# Less of the shaft below the trochanter does not show which way it goes.
LEAST_BELOW_RADII = 0.9
_USUAL_NECK_TO_SHAFT = np.radians(53.0)
_NECK_RADII, _NECK_REACH_RADII = (0.7, 2.2), 1.35
_SECTION_MM = 1.0
# The narrowest section is the vertex of a parabola through the areas within this distance of the smallest one.
_VERTEX_MM, _VERTEX_ROUNDS = 5.0, 3
# The head's surface lies within this share of its radius of the first guess.
_SPHERE_ROUNDS, _SPHERE_REACH, _FEWEST_SPHERE_POINTS = 4, 0.25, 30
_TIP_ROUNDS = 4
_MOST_ROUNDS, _STILL_DEGREES = 12, 0.2


@dataclass(frozen=True)
class FemurFrame:
    """The axes of a proximal femur; points and directions are ``(x, y, z)``, see the module.

    `shaft` points up along the shaft through `trochanter_mm`, the point of its axis beside the tip of the lesser trochanter. `neck`
    points from the head's centre `head_mm` down the neck. `narrowest_mm` is how far along it the neck is narrowest, of the area
    `narrowest_cm2`. `shown_mm` is how much of the shaft the label map shows below the trochanter.
    """

    head_mm: np.ndarray
    radius_mm: float
    shaft: np.ndarray
    trochanter_mm: np.ndarray
    neck: np.ndarray
    narrowest_mm: float
    narrowest_cm2: float
    shown_mm: float

    @property
    def cut_below_mm(self) -> float:
        """How far below the trochanter the plane of the cut lies, along the shaft."""
        return CUT_RADII * self.radius_mm

    @property
    def is_complete(self) -> bool:
        """Whether the label map reaches the plane of the cut, to a slice or so: one that was cut there ends just above it."""
        return self.shown_mm >= self.cut_below_mm - _CUT_TOLERANCE_MM

    @property
    def neck_shaft_degrees(self) -> float:
        """The angle between the axes of neck and shaft, about 120 to 135 degrees in adults."""
        return float(np.degrees(np.arccos(np.clip(self.neck @ self.shaft, -1, 1))))

    def along_shaft(self, points: np.ndarray) -> np.ndarray:
        """How far ``[..., 3]`` points in mm lie above the trochanter, along the shaft."""
        return np.asarray((points - self.trochanter_mm) @ self.shaft)

    def along_neck(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How far ``[..., 3]`` points in mm lie from the head's centre along the neck, and from the neck's axis."""
        from_head = points - self.head_mm
        along = from_head @ self.neck
        return along, np.linalg.norm(from_head - along[..., None] * self.neck, axis=-1)


def femur_frame(femur: BoneInScan, grid: Geometry, side: Side) -> FemurFrame | None:
    """The axes of a femur, or None where the scan does not show its head and enough of the shaft below the lesser trochanter."""
    head = None if "superior" in femur.cut_by else femoral_head(femur, grid, side)
    axis = None if head is None else shaft_axis(femur, head, grid)
    if head is None or axis is None:
        return None
    tip = lesser_trochanter(femur, head, axis, grid, side)
    if tip is None:
        return None
    spacing = np.asarray(grid.spacing)
    for _ in range(_TIP_ROUNDS):
        line = _shaft_line(femur, tip, head.radius_mm, spacing)
        if line is None:
            return None
        shaft, through = line
        # The tip is looked for again from this axis, so that it does not depend on how long the first one was.
        again = lesser_trochanter(femur, head, _as_axis(shaft, through, spacing), grid, side)
        if again is None or again == tip:
            break
        tip = again
    points = bone_points(femur, spacing)
    shown = float(-((points - through) @ shaft).min())
    if shown < LEAST_BELOW_RADII * head.radius_mm:
        return None
    centre, radius = head.centre * spacing, head.radius_mm
    neck, narrowest, area = _neck_axis(points, centre, radius, shaft, through, spacing)
    centre, radius = _fitted_sphere(femur, centre, radius, neck, spacing)
    neck, narrowest, area = _neck_axis(points, centre, radius, shaft, through, spacing)
    return FemurFrame(centre, radius, shaft, through, neck, narrowest, area, shown)


def bone_points(femur: BoneInScan, spacing: np.ndarray) -> np.ndarray:
    """The centres of a bone's voxels, float32 ``[n, 3]`` in mm, in the order of ``np.nonzero``."""
    z, y, x = np.nonzero(femur.mask)
    return ((np.stack([x, y, z], axis=1) + np.asarray(femur.box.start_xyz)) * spacing).astype(np.float32)


def _shaft_line(femur: BoneInScan, tip: int, radius_mm: float, spacing: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Direction (up) and the point of the axis in the slice `tip`; None where too few sections are shown below it."""
    first, last = (tip - share * radius_mm / spacing[2] - femur.box.start_xyz[2] for share in _DIRECTION_RADII[::-1])
    sections = [k for k in range(max(0, round(first)), round(last) + 1) if femur.mask[k].any()]
    areas = {k: int(np.count_nonzero(femur.mask[k])) for k in sections}
    # The last sections of a bone that is cut askew show a part of it.
    sections = [k for k in sections if areas[k] >= 0.8 * np.median(list(areas.values()))]
    if len(sections) < 3 or (sections[-1] - sections[0] + 1) * spacing[2] < 0.35 * radius_mm:
        return None
    centroids = []
    for k in sections:
        y, x = np.nonzero(femur.mask[k])
        centroids.append((x.mean(), y.mean(), k))
    middles = (np.array(centroids) + np.asarray(femur.box.start_xyz)) * spacing
    slope_x, slope_y = (np.polyfit(middles[:, 2], middles[:, column], 1)[0] for column in (0, 1))
    direction = np.array([slope_x, slope_y, 1.0])
    centre = middles.mean(axis=0)
    through = centre + direction * (tip * spacing[2] - centre[2])
    return direction / np.linalg.norm(direction), through


def _as_axis(shaft: np.ndarray, through: np.ndarray, spacing: np.ndarray) -> ShaftAxis:
    x, y = (
        (
            float(shaft[axis] / shaft[2] * spacing[2] / spacing[axis]),
            float((through[axis] - through[2] * shaft[axis] / shaft[2]) / spacing[axis]),
        )
        for axis in (0, 1)
    )
    return ShaftAxis(x, y, True)


def _fitted_sphere(
    femur: BoneInScan, centre: np.ndarray, radius_mm: float, neck: np.ndarray, spacing: np.ndarray
) -> tuple[np.ndarray, float]:
    """Centre and radius of the sphere through the head's surface, where it looks away from the neck (least squares).

    The largest sphere inside, from which this begins, is known to two millimetres or so.
    """
    from scipy.ndimage import binary_erosion

    rim = femur.mask & ~binary_erosion(femur.mask)
    surface = bone_points(BoneInScan(rim, femur.box, ()), spacing).astype(float)
    for _ in range(_SPHERE_ROUNDS):
        from_centre = surface - centre
        distance = np.linalg.norm(from_centre, axis=1)
        off = np.abs(distance - radius_mm) <= _SPHERE_REACH * radius_mm
        used = surface[off & (from_centre @ neck <= 0)]
        if len(used) < _FEWEST_SPHERE_POINTS:
            break
        rows = np.column_stack([2 * used, np.ones(len(used))])
        solution = np.linalg.lstsq(rows, (used**2).sum(axis=1), rcond=None)[0]
        # The rim's voxels lie half a voxel inside the surface.
        fitted = float(np.sqrt(solution[3] + solution[:3] @ solution[:3])) + 0.5 * float(np.cbrt(np.prod(spacing)))
        if np.linalg.norm(solution[:3] - centre) > _SPHERE_REACH * radius_mm or abs(fitted / radius_mm - 1) > _SPHERE_REACH:
            break
        centre, radius_mm = solution[:3], fitted
    return centre, radius_mm


def _neck_axis(
    points: np.ndarray, head: np.ndarray, radius_mm: float, shaft: np.ndarray, through: np.ndarray, spacing: np.ndarray
) -> tuple[np.ndarray, float, float]:
    """Direction, distance in mm and area in cm2 of the narrowest section."""
    from scipy.ndimage import gaussian_filter1d

    voxel_mm3, smoothing_mm = float(np.prod(spacing)), float(np.max(spacing))
    to_shaft = through - head
    sideways = to_shaft - (to_shaft @ shaft) * shaft
    sideways /= np.linalg.norm(sideways)
    neck = -np.cos(_USUAL_NECK_TO_SHAFT) * shaft + np.sin(_USUAL_NECK_TO_SHAFT) * sideways
    from_head = points - head
    near = from_head[np.linalg.norm(from_head, axis=1) <= (_NECK_RADII[1] + 1) * radius_mm]
    narrowest, area = 0.0, 0.0
    for _ in range(_MOST_ROUNDS):
        along = near @ neck
        beside = np.linalg.norm(near - along[:, None] * neck, axis=1) <= _NECK_REACH_RADII * radius_mm
        edges = np.arange(_NECK_RADII[0] * radius_mm, _NECK_RADII[1] * radius_mm, _SECTION_MM)
        counts = np.histogram(along[beside], edges)[0].astype(float)
        # Sections of a millimetre hold few voxels, and those of some rows of them.
        areas = gaussian_filter1d(counts, smoothing_mm / _SECTION_MM, mode="nearest") * voxel_mm3 / _SECTION_MM
        narrowest, area = _narrowest(edges, areas)
        centroid = near[beside & (np.abs(along - narrowest) <= 2.5 * _SECTION_MM)].mean(axis=0)
        turned = centroid / np.linalg.norm(centroid)
        angle = float(np.degrees(np.arccos(np.clip(turned @ neck, -1, 1))))
        neck = turned
        if angle < _STILL_DEGREES:
            break
    return np.asarray(neck, float), narrowest, area


def _narrowest(edges: np.ndarray, areas_mm2: np.ndarray) -> tuple[float, float]:
    """Place in mm and area in cm2 of the smallest of the areas between `edges`."""
    middles = (edges[1:] + edges[:-1]) / 2
    place = float(middles[areas_mm2.argmin()])
    for _ in range(_VERTEX_ROUNDS):
        near = np.abs(middles - place) <= _VERTEX_MM
        a, b, c = np.polyfit(middles[near] - place, areas_mm2[near], 2)
        vertex = float(np.clip(-b / (2 * a), -_VERTEX_MM / 2, _VERTEX_MM / 2)) if a > 0 else 0.0
        place, area = place + vertex, float(a * vertex**2 + b * vertex + c) / 100
    return place, area
