"""Changes of a finished virtual body: turned about its long axis, a leg amputated, cut beside one leg, more implants."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .implants import add_implant
from .specimen import Specimen, femur_levels
from .tissue import FEMUR_LABELS, HIP_BONE_LABELS, BodyTissue

# Of a stump: the fat over its end, and how far its rounded end reaches over its edge.
_STUMP_FAT_MM = 14.0
_STUMP_ROUND_MM = 35.0


def turn_body(specimen: Specimen, degrees: float) -> Specimen:
    """The body turned about its long axis, with what lies around it; 90 lies on a side, 180 on the belly. The array grows."""
    from scipy import ndimage

    _, dy, dx = specimen.spacing
    angle = np.radians(degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    old = np.asarray(specimen.tissue.shape[1:])
    extent = old * (dy, dx)
    turned = np.abs([[cos, sin], [sin, cos]]) @ extent
    size = np.ceil(turned / (dy, dx) - 1e-6).astype(int)
    # From a voxel of the turned plane to one of the old, through mm from the middle.
    matrix = np.array([[cos, -sin], [sin, cos]]) * np.array([[1, dx / dy], [dy / dx, 1]])
    offset = (old - 1) / 2 - matrix @ ((size - 1) / 2)

    def planes(array: np.ndarray) -> np.ndarray:
        return np.stack([ndimage.affine_transform(plane, matrix, offset, tuple(size), order=0, cval=0) for plane in array])

    return replace(specimen, tissue=planes(specimen.tissue), depth=planes(specimen.depth))


def cut_beside(specimen: Specimen, side: int, share: float) -> Specimen:
    """The scan of one side (0 right, 1 left): `share` 0 cuts nothing, 0.5 the other leg, 1 most of this one, too."""
    width = specimen.tissue.shape[2]
    columns = np.flatnonzero(((specimen.tissue > 0) & (specimen.tissue < BodyTissue.FAT)).any(axis=(0, 1)))
    hips = [np.flatnonzero((specimen.tissue == bone).any(axis=(0, 1))) for bone in HIP_BONE_LABELS]
    middle = float(np.mean([at.mean() for at in hips if at.size] or [width / 2]))
    inner, outer = (columns.max(), columns.min()) if side == 0 else (columns.min(), columns.max())
    end = middle + 0.6 * (outer - middle)
    at = round(inner + 2 * share * (middle - inner) if share < 0.5 else middle + (2 * share - 1) * (end - middle))
    window = slice(0, max(at, 4)) if side == 0 else slice(min(at, width - 4), width)
    depth, height, _ = specimen.tissue.shape
    part = specimen.slab(0, depth, (slice(0, height), window))
    return replace(part, tissue=np.ascontiguousarray(part.tissue), depth=np.ascontiguousarray(part.depth))


def amputate(specimen: Specimen, side: int, level: float) -> Specimen:
    """One leg (0 right, 1 left) removed below `level`: 0 the knee, 1 above the hip joint. The stump's end is round and padded."""
    from scipy import ndimage

    tissue, depth = specimen.tissue.copy(), specimen.depth.copy()
    if FEMUR_LABELS[side] not in specimen.femora:
        return specimen
    low, high = specimen.femora[FEMUR_LABELS[side]]
    dz, dy, dx = specimen.spacing
    cut = low + level * (high + 40 / dz - low)
    hips = [np.argwhere(tissue[::2] == bone)[:, 2].mean() for bone in HIP_BONE_LABELS]
    middle = float(np.mean(hips))
    outwards = -1 if hips[side] < middle else 1
    femur = np.argwhere(tissue[max(0, int(min(cut, high)))] == FEMUR_LABELS[side])
    axis = femur.mean(axis=0) if femur.size else np.array([tissue.shape[1] / 2, hips[side]])
    zs, ys, xs = np.ogrid[tuple(slice(0, n) for n in tissue.shape)]
    away = np.hypot((ys - axis[0]) * dy, (xs - axis[1]) * dx) / 90
    rim = cut + _STUMP_ROUND_MM / dz * np.clip(away, 0, 1.2) ** 2 * np.clip(level * 4, 0, 1)
    beyond = (xs - middle) * outwards * dx > 4
    gone = beyond & (zs < rim) & ~np.isin(tissue, (0, BodyTissue.TABLE, BodyTissue.FOAM))
    if not gone.any():
        return specimen
    top = int(np.flatnonzero(gone.any(axis=(1, 2))).max())
    reach = slice(0, min(len(tissue), top + int(_STUMP_FAT_MM / dz) + 2))
    far = ndimage.distance_transform_edt(~gone[reach], sampling=specimen.spacing)
    # What lies beside a leg that was left in place, such as a hand, is not padded.
    near = (zs[reach] >= cut - 1) & ~gone[reach] & (tissue[reach] > 0) & (far <= _STUMP_FAT_MM)
    near &= ~np.isin(tissue[reach], (BodyTissue.TABLE, BodyTissue.FOAM, BodyTissue.CLOTH))
    tissue[reach][near] = BodyTissue.FAT
    tissue[reach][near & (far <= max(specimen.spacing))] = BodyTissue.SKIN
    depth[reach][near] = 0
    tissue[gone], depth[gone] = 0, 0
    return replace(specimen, tissue=tissue, depth=depth, femora=femur_levels(tissue))


def fill_with_metal(specimen: Specimen, strength: float, rng: np.random.Generator) -> Specimen:
    """Implants in one hip, from `strength` 0.35 in both, from 0.65 two of them in each, up to the knee."""
    first = int(rng.integers(2))
    kinds = []
    for side in (first, 1 - first)[: 1 if strength < 0.35 else 2]:
        for _ in range(1 if strength < 0.65 else 2):
            kinds.append(add_implant(specimen.tissue, specimen.depth, specimen.spacing, rng, side, 220 + 180 * strength))
    facts = {**specimen.facts, "implant": ", ".join(kind for kind in kinds if kind) or None}
    return replace(specimen, femora=femur_levels(specimen.tissue), facts=facts)
