"""Metal in a virtual patient's hip: nails, plates with screws, total hip replacements."""

from __future__ import annotations

import numpy as np

from .tissue import FEMUR_LABELS, HIP_BONE_LABELS

# Value of the depth map for metal, whatever tissue it lies in: the label stays that of the bone it replaces.
METAL = 255


def add_implant(
    tissue: np.ndarray,
    depth: np.ndarray,
    spacing: tuple[float, float, float],
    rng: np.random.Generator,
    side: int | None = None,
    longest_mm: float = 220.0,
) -> str | None:
    """Mark an implant in one femur (and its socket) in `depth`; returns its kind, or None without a femur to hold it.

    `tissue` and `depth` are uint8 ``[z, y, x]`` of a `Specimen`; `spacing` in mm. `side` is 0 (right), 1 (left) or None (random);
    stems and nails are 90 to `longest_mm` long. A replaced head and cup are labelled femur and hip bone, as annotators do.
    """
    drawn = int(rng.integers(2))
    side = drawn if side is None else side
    femur = tissue == FEMUR_LABELS[side]
    levels = np.flatnonzero(femur.any(axis=(1, 2)))
    if levels.size < 8:
        return None
    kind = str(rng.choice(["nail", "plate", "replacement"], p=[0.3, 0.2, 0.5]))
    dz, dy, dx = spacing
    top = int(levels.max())
    head = _head(femur, top, spacing, tissue, side)
    length = int(rng.uniform(90, longest_mm) / dz)
    low = max(int(levels.min()), top - int(35 / dz) - length)
    radius = rng.uniform(4.5, 8)
    for k in range(low, top + 1):
        at = np.argwhere(femur[k])
        if not at.size:
            continue
        below = (top - k) * dz
        y, x = at.mean(axis=0)
        if below < 60:
            # At the trochanters the implant follows the shaft's axis, not the middle of head, neck and trochanter.
            shaft = np.argwhere(femur[max(low, top - int(75 / dz))]).mean(axis=0)
            y, x = shaft if shaft.size else (y, x)
        if kind == "plate":
            lateral = -1 if side == 0 else 1
            edge = at[:, 1].min() if side == 0 else at[:, 1].max()
            _disc(depth[k], y, edge + lateral * 2 / dx, 9, 3, spacing)
            if int(k * dz) % 18 < dz:
                _disc(depth[k], y, x, 2.2, 18, spacing)
        elif below > (20 if kind == "replacement" else 8):
            taper = np.clip(1 - (below - 60) / 260, 0.6, 1) if kind == "replacement" else 1.0
            _disc(depth[k], y, x, radius * taper, radius * taper, spacing)
    if kind == "replacement":
        _replace_head(tissue, depth, spacing, side, head, top, low, rng)
    elif rng.random() < 0.7:
        _bar(depth, spacing, head, np.array([top - 70 / dz, *np.argwhere(femur[top - int(70 / dz)]).mean(axis=0)]), 4.5)
    return kind


def _head(femur: np.ndarray, top: int, spacing: tuple[float, float, float], tissue: np.ndarray, side: int) -> np.ndarray:
    """Centre of the femoral head in voxels: the part of the topmost 45 mm that lies nearest to the hip bone."""
    dz, _, dx = spacing
    at = np.argwhere(femur[max(0, top - int(45 / dz)) : top + 1])
    hip = np.argwhere((tissue[:: max(1, int(6 / dz))] == HIP_BONE_LABELS[side]).any(axis=(0, 1)))
    towards = hip.mean() if hip.size else at[:, 2].mean()
    away = np.abs(at[:, 2] - towards)
    centre = at[away < away.min() + 42 / dx].mean(axis=0)
    return centre + (max(0, top - int(45 / dz)), 0, 0)


def _replace_head(tissue, depth, spacing, side, head, top, low, rng) -> None:  # type: ignore[no-untyped-def]
    """A metal ball in a cup, and the neck that joins it to the stem."""
    ball, cup = rng.uniform(14, 19), rng.uniform(23, 28)
    grids = np.ogrid[tuple(slice(0, n) for n in tissue.shape)]
    far = np.sqrt(sum(((grid - at) * step) ** 2 for grid, at, step in zip(grids, head, spacing, strict=True)))
    bone = np.isin(tissue, (0, FEMUR_LABELS[side], HIP_BONE_LABELS[side])) | (tissue >= 200)
    above = (grids[0] - head[0]) * spacing[0] > -0.35 * cup
    shell = (far < cup) & (far > cup - rng.uniform(3, 5)) & above & bone
    inside = (far < cup - 3) & bone
    # The liner between ball and cup is plastic: no bone is left there.
    tissue[inside & (far >= ball)] = FEMUR_LABELS[side]
    tissue[(far < ball) & bone] = FEMUR_LABELS[side]
    tissue[shell] = HIP_BONE_LABELS[side]
    depth[inside & (far >= ball)] = 30
    depth[(far < ball) & bone] = METAL
    depth[shell] = METAL
    stem = np.argwhere(depth[max(low, top - int(60 / spacing[0]))] == METAL)
    if stem.size:
        end = np.array([max(low, top - int(60 / spacing[0])), *stem.mean(axis=0)])
        _bar(depth, spacing, head, end, 6.5)


def _bar(depth: np.ndarray, spacing: tuple[float, float, float], start: np.ndarray, end: np.ndarray, radius: float) -> None:
    """A metal rod between two points in voxels."""
    for part in np.linspace(0, 1, 60):
        z, y, x = start + part * (end - start)
        if 0 <= round(z) < len(depth):
            _disc(depth[round(z)], y, x, radius, radius, spacing)


def _disc(plane: np.ndarray, y: float, x: float, height: float, width: float, spacing: tuple[float, float, float]) -> None:
    ys = (np.arange(plane.shape[0]) - y) * spacing[1] / height
    xs = (np.arange(plane.shape[1]) - x) * spacing[2] / width
    plane[ys[:, None] ** 2 + xs[None, :] ** 2 <= 1] = METAL
