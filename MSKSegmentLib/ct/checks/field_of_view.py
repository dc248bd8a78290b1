"""Check whether the field of view shows what the method needs. The evidence is rough, so findings are warnings, never refusals."""

from __future__ import annotations

import numpy as np

from ...findings import Finding, warning
from ..cropping import CoarseBody, subsampled
from ..volume import CTVolume

SURELY_BONE_HU = 200
LUNG_HU = (-950, -500)
SHORTEST_MM = 60.0
# A smaller cut is a fold of skin or an elbow.
CUT_CM2 = 20.0
LEAST_EVIDENCE_MM = 40.0
LEG_WIDTH_MM = 260.0
# Share of bone in a section through a leg: least, the femur in a muscular thigh, and most, the knee.
LEG_BONE = (0.015, 0.16)
PAIRED_OFFSET_MM = 45.0
PAIRED_BONE_MM2 = 150.0
_SIDES = ("right", "left", "anterior", "posterior")


def edge_findings(volume: CTVolume, body: CoarseBody) -> tuple[Finding, ...]:
    """Warnings where the image's border or the circle of reconstruction cuts the body in plane."""
    x, y, z = body.spacing
    areas = (
        body.mask[:, :, 0].sum() * y * z,
        body.mask[:, :, -1].sum() * y * z,
        body.mask[:, 0, :].sum() * x * z,
        body.mask[:, -1, :].sum() * x * z,
    )
    cut = [side for side, area in zip(_SIDES, areas, strict=True) if area / 100 > CUT_CM2]
    where = f"on the {' and '.join(cut)} side{'s' if len(cut) > 1 else ''}" if cut else ""
    if not cut and _circle_cut_cm2(volume, body) > CUT_CM2:
        where = "by the scanner's round field of view"
    if not where:
        return ()
    return (warning("cut_in_plane", f"The body is cut off {where}; muscles there are incomplete and their volumes too small."),)


def _circle_cut_cm2(volume: CTVolume, body: CoarseBody) -> float:
    """Area of the body's surface on the circle of reconstruction, in cm2; 0 if the image's corners hold data."""
    size_z, size_y, size_x = body.mask.shape
    values = subsampled(volume.hu, body.stride)
    rows, columns = np.ogrid[:size_y, :size_x]
    radius = np.hypot(
        (columns * body.stride[0] + 0.5) / volume.geometry.size[0] - 0.5,
        (rows * body.stride[1] + 0.5) / volume.geometry.size[1] - 0.5,
    )
    beyond = values[:, radius > 0.505]
    if beyond.size == 0 or beyond.min() != beyond.max():
        return 0.0
    rim_width = 2.0 / min(size_x, size_y)
    rim = (radius > 0.5 - rim_width) & (radius <= 0.5)
    width_mm = rim_width * size_x * body.spacing[0]
    return float(body.mask[:, rim].sum() * body.voxel_mm3 / width_mm / 100)


def anatomy_findings(volume: CTVolume, body: CoarseBody) -> tuple[Finding, ...]:
    """Warnings where a scan is very short, or probably shows neither hip nor thigh."""
    length = volume.geometry.size[2] * volume.geometry.spacing[2]
    if length < SHORTEST_MM:
        return (warning("short", f"The scan covers only {length:.0f} mm from end to end; most structures are cut off."),)
    seen = sum(_shows_hip_or_thigh(section, mask, body) for section, mask in zip(
        subsampled(volume.hu, body.stride), body.mask, strict=True
    )) * body.spacing[2]  # fmt: skip
    if seen >= LEAST_EVIDENCE_MM:
        return ()
    return (
        warning(
            "no_hip_or_thigh",
            "The scan does not seem to show hips or thighs (no paired pelvic or femoral bone, no single leg); look "
            "at the result before using it.",
        ),
    )


def _shows_hip_or_thigh(section: np.ndarray, mask: np.ndarray, body: CoarseBody) -> bool:
    """Whether a coarse section ``[y, x]`` has compact bone on both sides of the body's middle, or is one leg."""
    x, y, _ = body.spacing
    area = int(mask.sum())
    if area * x * y < 3000:
        return False
    inside = section[mask]
    lung = np.count_nonzero((inside >= LUNG_HU[0]) & (inside <= LUNG_HU[1])) / area
    if lung > 0.05:
        return False
    columns = np.flatnonzero(mask.any(axis=0))
    if (columns[-1] - columns[0]) * x < LEG_WIDTH_MM:
        return LEG_BONE[0] <= int(np.count_nonzero(inside > SURELY_BONE_HU)) / area <= LEG_BONE[1]
    bone = _compact((section > SURELY_BONE_HU) & mask)
    offset = (np.nonzero(bone)[1] - columns.mean()) * x
    right, left = (np.count_nonzero(sign * offset > PAIRED_OFFSET_MM) * x * y for sign in (-1, 1))
    return bool(min(right, left) >= PAIRED_BONE_MM2)


def _compact(bone: np.ndarray) -> np.ndarray:
    """Bone with bone around it: this drops ribs, a few coarse voxels each, but keeps the thin bones of a fragile hip."""
    padded = np.pad(bone, 1).astype(np.uint8)
    around = sum(
        padded[1 + dy : padded.shape[0] - 1 + dy, 1 + dx : padded.shape[1] - 1 + dx] for dy in (-1, 0, 1) for dx in (-1, 0, 1)
    )
    return bone & (around >= 4)
