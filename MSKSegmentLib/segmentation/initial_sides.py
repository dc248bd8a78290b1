"""Where right and left are in a scan: a first side field, from the bones as far as they are there.

Arrays have their axes in order, ``[z, y, x]`` growing to superior, posterior, left, so that of two legs the one at
smaller x is the right one. A single leg has no midline; its own anatomy tells its side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..anatomy import Landmark, Side, StructureTable
from ..findings import Finding, warning
from .chirality import handedness, medial_is_left
from .coarse_scan import CoarseScan
from .components import MAIN_SHARE, Parts, parts_of
from .side_field import CoarseGrid, between, plane
from .tracks import component_tracks, track_distance, upper_x

# Cross-sections of one bone's pieces lie nearer than this to one another, those of two legs pressed together
# farther apart.
LEGS_APART_MM = 75.0
# In volume and in number of slices.
COMPARABLE_SHARE = 0.4
# A single hip bone is not this wide.
BOTH_HIP_BONES_MM = 220.0
# Of the bones this share must lie farther than 25 mm (50 in units of the field) from a midline on each side of it.
BOTH_SIDES_SHARE = 0.05
BOTH_SIDES_DEPTH = 50.0
FEWEST_BONE_MM3 = 5_000.0
# Muscles of two legs are at least this far apart; two heads of one muscle are not.
PAIR_APART_MM = 100.0
FEWEST_PAIRS = 2
# Middles of pairs say how the median plane is tilted when they are so far apart along the body, and so many.
TILT_OVER_MM = 100.0
FEWEST_FOR_TILT = 10

CLEAR_HANDEDNESS = 0.15
CLEAR_LEAN = 0.2
CLEAR_OFFSET_MM = 30.0
# The femoral head lies this far above the lower end of a hip bone that is complete down to the symphysis.
SYMPHYSIS_OVERLAP_MM = 50.0
# From the sacrum's middle to its side, in an adult.
SACRUM_HALF_WIDTH_MM = 55.0
FAR_MM = 1000.0


@dataclass(frozen=True)
class OnlyFemur:
    """The femur of the only leg in view as a whole: coarse mask ``[z, y, x]``, side, and the hips' lowest slice."""

    mask: np.ndarray
    is_left: bool
    hips_from: int

    def hips_only(self, field: np.ndarray) -> np.ndarray:
        """A side field that is 0, undecided, below the hips."""
        result = field.copy()
        result[: self.hips_from] = 0.0
        return result


@dataclass(frozen=True)
class InitialSides:
    """A coarse side field (see `side_field`), whether both sides are in the scan, and what is in doubt.

    With an `only_femur` the field is that leg's side everywhere below the hips, and says nothing of a second leg that
    is partly in view. `from_pairs` says that no bone, but pairs of muscles gave the field.
    """

    field: np.ndarray
    two_sided: bool
    only_femur: OnlyFemur | None = None
    findings: tuple[Finding, ...] = ()
    from_pairs: bool = False


def find_initial_sides(scan: CoarseScan, bones: Mapping[Landmark, Parts], scanner_x_mm: float) -> InitialSides:
    """The first side field of a scan. The first of these that the scan offers is taken:

    1. Two femora: the surface equidistant from both.
    2. Two hip bones that are not fused: the same.
    3. Hip bones that are one component, or one femur only, on both sides of the sacrum (or wider than one hip
       bone): the sagittal plane through the sacrum's (or their) middle.
    4. No bones, but muscles in pairs: the plane in the middle of the pairs.
    5. One side. The sacrum is medial; else the order of all structures around the limb votes (`handedness`, then
       `medial_is_left`), by volume; else the place in the scanner decides, with a warning. At the hip, what lies beyond
       the sacrum's middle or the symphysis belongs to the other side.

    Args:
        scan: the structures on the coarse grid.
        bones: components of hip bone and femur, where they occur.
        scanner_x_mm: LPS x of the labels' centre.
    """
    shape, grid = scan.shape, scan.grid
    femora = _pair(bones[Landmark.FEMUR], shape, grid) if Landmark.FEMUR in bones else None
    if femora is not None:
        return InitialSides(between(*femora, grid.spacing), two_sided=True)
    femur = largest_component(bones[Landmark.FEMUR], shape, grid) if Landmark.FEMUR in bones else None
    if femur is not None and _mm3(femur, grid) < FEWEST_BONE_MM3:
        femur = None
    field = _field_of_hips(scan, bones)
    if field is not None:
        if femur is None:
            return InitialSides(field, True)
        own = OnlyFemur(femur, bool(field[femur].mean() > 0), _lowest_slice(scan.mask(Landmark.HIP_BONE)))
        field = own.hips_only(field)
        field[: own.hips_from] = FAR_MM if own.is_left else -FAR_MM
        return InitialSides(field, True, own)
    is_bone = scan.paired_bones
    if _mm3(is_bone, grid) < FEWEST_BONE_MM3:
        of_pairs = _field_of_pairs(scan)
        if of_pairs is not None:
            return InitialSides(of_pairs, True, findings=(_without_bones(scan.table),), from_pairs=True)
    side, findings = _only_side(scan, is_bone, scanner_x_mm)
    hip_bone = largest_component(bones[Landmark.HIP_BONE], shape, grid) if Landmark.HIP_BONE in bones else None
    only = None if femur is None else OnlyFemur(femur, side is Side.LEFT, _lowest_slice(hip_bone))
    return InitialSides(_one_sided_field(scan, hip_bone, side), False, only, findings)


def _field_of_hips(scan: CoarseScan, bones: Mapping[Landmark, Parts]) -> np.ndarray | None:
    """The field from two hip bones, or from the sacrum between bones on both sides; None for a scan of one side."""
    grid = scan.grid
    hip_bones = _pair(bones[Landmark.HIP_BONE], scan.shape, grid) if Landmark.HIP_BONE in bones else None
    if hip_bones is not None:
        return between(*hip_bones, grid.spacing)
    is_bone = scan.paired_bones
    midline = _midline_of_bones(scan) if _mm3(is_bone, grid) >= FEWEST_BONE_MM3 else None
    if midline is None:
        return None
    field = plane(scan.shape, grid.spacing, midline)
    shares = np.mean(field[is_bone] < -BOTH_SIDES_DEPTH), np.mean(field[is_bone] > BOTH_SIDES_DEPTH)
    return field if min(shares) >= BOTH_SIDES_SHARE else None


def _lowest_slice(mask: np.ndarray | None) -> int:
    """First slice of a mask; beyond any volume when it is empty or None."""
    slices = np.array([]) if mask is None else np.flatnonzero(mask.any(axis=(1, 2)))
    return int(slices[0]) if slices.size else np.iinfo(np.int32).max


def _without_bones(table: StructureTable) -> Finding:
    """What it means that the midline is that of pairs of muscles.

    A task without these bones tells its sides like this in every scan, also in those of its calibration: that alone is no reason
    against a green light. Where the network knows the bones and found none, it is.
    """
    if table.landmark(Landmark.HIP_BONE) is None and table.landmark(Landmark.FEMUR) is None:
        return warning("sides_from_pairs", "The task has no bones, so the sides were told from pairs of muscles; check them.")
    sentence = "No hip bone or femur was found, so the sides were told from the muscles alone; check them."
    return warning("sides_from_muscles", sentence)


def _mm3(mask: np.ndarray, grid: CoarseGrid) -> float:
    return float(mask.sum()) * float(np.prod(grid.spacing))


def largest_component(parts: Parts, shape: tuple[int, ...], grid: CoarseGrid) -> np.ndarray:
    """Coarse mask, bool ``[z, y, x]``, of the largest component of a structure."""
    return component_mask(parts, int(parts.voxels.argmax()), shape, grid)


def component_mask(parts: Parts, index: int, shape: tuple[int, ...], grid: CoarseGrid) -> np.ndarray:
    """Coarse mask, bool ``[z, y, x]``, of component `index` (from 0) of a structure."""
    ids, where = grid.component_samples(parts)
    mask = np.zeros(shape, dtype=bool)
    mask[tuple(where[:, ids == index + 1])] = True
    return mask


def _pair(parts: Parts, shape: tuple[int, ...], grid: CoarseGrid) -> tuple[np.ndarray, np.ndarray] | None:
    """Coarse masks of two comparable components that belong to different legs, right before left.

    A piece of a second leg at the edge of the field of view is not comparable: a surface equidistant from a whole
    and a piece is not the median one.
    """
    by_size = np.argsort(parts.voxels)[::-1]
    largest = int(by_size[0])
    tracks = component_tracks(parts, by_size, shape[0], grid)
    _, track = next(tracks)
    for index, other in tracks:
        slices = np.isfinite(other[:, 0]).sum() / np.isfinite(track[:, 0]).sum()
        if min(parts.voxels[index] / parts.voxels[largest], slices) < COMPARABLE_SHARE:
            return None
        if track_distance(track, other, grid) > LEGS_APART_MM:
            first, second = (component_mask(parts, one, shape, grid) for one in (largest, index))
            return (first, second) if upper_x(track, other, grid) else (second, first)
    return None


def _midline_of_bones(scan: CoarseScan) -> float | None:
    """x in mm of the sacrum's middle, unless the field of view cuts it; else that of hip bones too wide to be one."""
    sacrum, grid = scan.mask(Landmark.SACRUM), scan.grid
    if _mm3(sacrum, grid) >= FEWEST_BONE_MM3 and not sacrum[:, :, [0, -1]].any():
        return float(np.nonzero(sacrum)[2].mean()) * grid.spacing[2]
    x = np.flatnonzero(scan.mask(Landmark.HIP_BONE).any(axis=(0, 1)))
    if x.size and (x[-1] - x[0]) * grid.spacing[2] > BOTH_HIP_BONES_MM:
        return float(x[0] + x[-1]) / 2.0 * grid.spacing[2]
    return None


def _field_of_pairs(scan: CoarseScan) -> np.ndarray | None:
    """The field of the plane through the middles between the two large components of each structure that has two, far apart.

    The plane runs from front to back; a patient who lies askew tilts it. None with too few pairs.
    """
    middles = []
    for parts in parts_of(scan.classes, scan.table):
        by_size = np.argsort(parts.voxels)[::-1][:2]
        if not parts.structure.paired or by_size.size < 2:
            continue
        centres = parts.centroids[by_size] * np.array(scan.grid.spacing)
        apart = abs(centres[0, 2] - centres[1, 2])
        if apart > PAIR_APART_MM and parts.voxels[by_size[1]] >= MAIN_SHARE * parts.voxels[by_size[0]]:
            middles.append(centres.mean(axis=0))
    if len(middles) < FEWEST_PAIRS:
        return None
    z, _, x = np.array(middles).T
    slope = _median_slope(z, x)
    midline = float(np.median(x - slope * z))
    return plane(scan.shape, scan.grid.spacing, midline, slope)


def _median_slope(z: np.ndarray, x: np.ndarray) -> float:
    """Median of the slopes between all points that are far apart along z (Theil and Sen's); 0 where few are, mm per mm."""
    first, second = np.triu_indices(z.size, 1)
    far = np.abs(z[second] - z[first]) > TILT_OVER_MM
    if np.count_nonzero(far) < FEWEST_FOR_TILT:
        return 0.0
    return float(np.median((x[second] - x[first])[far] / (z[second] - z[first])[far]))


def _only_side(scan: CoarseScan, is_bone: np.ndarray, scanner_x_mm: float) -> tuple[Side, tuple[Finding, ...]]:
    """The side of a scan that shows one side, and a finding when that is a guess."""
    sacrum = np.nonzero(scan.mask(Landmark.SACRUM))[2]
    leg = np.nonzero(is_bone if is_bone.any() else scan.has_side)[2]
    if sacrum.size and leg.size:
        offset = float(sacrum.mean() - leg.mean()) * scan.grid.spacing[2]
        if abs(offset) > CLEAR_OFFSET_MM:
            return (Side.RIGHT if offset > 0 else Side.LEFT), ()
    for vote, clear in ((handedness, CLEAR_HANDEDNESS), (medial_is_left, CLEAR_LEAN)):
        value = vote(scan.classes, scan.grid.spacing, scan.table)
        if abs(value) >= clear:
            return (Side.RIGHT if value > 0 else Side.LEFT), ()
    side = Side.RIGHT if scanner_x_mm < 0 else Side.LEFT
    sentence = (
        f"The anatomy in the scan does not tell which side it shows; {side.value} was taken from its place in the "
        "scanner, so check the side."
    )
    return side, ((warning("side_guessed", sentence),) if leg.size else ())


def _one_sided_field(scan: CoarseScan, hip_bone: np.ndarray | None, side: Side) -> np.ndarray:
    """All on one side, but at the hip what lies beyond its median plane."""
    sign = 1.0 if side is Side.RIGHT else -1.0
    field = np.full(scan.shape, -sign * FAR_MM, dtype=np.float32)
    midline = _median_plane_of_one_side(scan, hip_bone, side)
    if hip_bone is not None and midline is not None:
        lowest = _lowest_slice(hip_bone)
        field[lowest:] = plane(field[lowest:].shape, scan.grid.spacing, midline)
    return field


def _median_plane_of_one_side(scan: CoarseScan, hip_bone: np.ndarray | None, side: Side) -> float | None:
    """x in mm of the symphysis, the most medial point of a hip bone; when not in view, of the sacrum's middle."""
    grid, last = scan.grid, scan.shape[2] - 1
    if hip_bone is not None:
        z, _, x = np.nonzero(hip_bone)
        femur = np.flatnonzero(scan.mask(Landmark.FEMUR).any(axis=(1, 2)))
        medial = int(x.max() if side is Side.RIGHT else x.min())
        complete = femur.size > 0 and (femur[-1] - z.min()) * grid.spacing[0] >= SYMPHYSIS_OVERLAP_MM
        if complete and medial not in (0, last):
            return medial * grid.spacing[2]
    midline = _midline_of_bones(scan)
    if midline is not None:
        return midline
    x = np.flatnonzero(scan.mask(Landmark.SACRUM).any(axis=(0, 1)))
    near = None if x.size == 0 else int(x[0] if side is Side.RIGHT else x[-1])
    if near in (None, 0, last):
        return None
    return near * grid.spacing[2] + (SACRUM_HALF_WIDTH_MM if side is Side.RIGHT else -SACRUM_HALF_WIDTH_MM)
