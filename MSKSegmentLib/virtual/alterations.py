"""Changes of a finished virtual body: a turn about its long axis, an amputation, a cut beside one leg, more implants."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .implants import add_implant
from .specimen import Specimen, femur_levels
from .tissue import FEMUR_LABELS, HIP_BONE_LABELS, OUTSIDE, SUPPORTS, BodyTissue

# Thickness of the fat over a stump's end, and how far the rounded end reaches beyond its edge.
_STUMP_FAT_MM = 14.0
_STUMP_ROUND_MM = 35.0


def turn_body(specimen: Specimen, degrees: float) -> Specimen:
    """The body and its surroundings turned about its long axis: by 90 onto a side, by 180 onto the belly. The array grows."""
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
    """A scan of one side (0 right, 1 left): `share` 0 cuts off nothing, 0.5 the other leg, 1 most of this leg, too."""
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
    """Remove one leg (0 right, 1 left) below `level`: 0 the knee, 1 above the hip joint. The stump is round, with fat and skin."""
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
    removed = beyond & (zs < rim) & ~np.isin(tissue, (0, *SUPPORTS))
    if not removed.any():
        return specimen
    top = int(np.flatnonzero(removed.any(axis=(1, 2))).max())
    reach = slice(0, min(len(tissue), top + int(_STUMP_FAT_MM / dz) + 2))
    far = ndimage.distance_transform_edt(~removed[reach], sampling=specimen.spacing)
    # Objects beside the removed leg that stay, such as a hand, get no fat.
    near = (zs[reach] >= cut - 1) & ~removed[reach] & (tissue[reach] > 0) & (far <= _STUMP_FAT_MM)
    near &= ~np.isin(tissue[reach], OUTSIDE)
    tissue[reach][near] = BodyTissue.FAT
    tissue[reach][near & (far <= max(specimen.spacing))] = BodyTissue.SKIN
    depth[reach][near] = 0
    tissue[removed], depth[removed] = 0, 0
    return replace(specimen, tissue=tissue, depth=depth, femora=femur_levels(tissue))


def fill_with_metal(specimen: Specimen, strength: float, rng: np.random.Generator) -> Specimen:
    """Put implants, up to the knee, into one hip; from `strength` 0.35 into both, from 0.65 two into each."""
    first = int(rng.integers(2))
    kinds = []
    for side in (first, 1 - first)[: 1 if strength < 0.35 else 2]:
        for _ in range(1 if strength < 0.65 else 2):
            kinds.append(add_implant(specimen.tissue, specimen.depth, specimen.spacing, rng, side, 220 + 180 * strength))
    facts = {**specimen.facts, "implant": ", ".join(kind for kind in kinds if kind) or None}
    return replace(specimen, femora=femur_levels(specimen.tissue), facts=facts)
