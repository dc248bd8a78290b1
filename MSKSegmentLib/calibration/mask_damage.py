"""Ways in which segmenters and people fail, done to one structure of a true label map: for the calibration of `rating`.

Every damage is a function (surroundings of the structure, strength 0..1) that returns the altered label map. Strength 0 is hardly
visible, 1 what nobody would overlook. What a damage does to neighbours is their damage, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..anatomy import LEFT_OFFSET

# Room around a structure in which it may grow, or move, leak and lose pieces, in mm.
MARGIN_MM, WIDE_MARGIN_MM = 15.0, 45.0
NEIGHBOUR_MM = 6.0


@dataclass(frozen=True)
class DamageSite:
    """A label in the part of a label map around it: `labels` uint8 ``[z, y, x]``, `spacing` ``(z, y, x)`` in mm."""

    labels: np.ndarray
    label: int
    spacing: tuple[float, float, float]
    rng: np.random.Generator

    @property
    def mask(self) -> np.ndarray:
        """The structure's voxels."""
        return self.labels == self.label

    def with_mask(self, mask: np.ndarray, over: np.ndarray | None = None) -> np.ndarray:
        """The labels with another content of the structure; it takes background, and what `over` allows."""
        old, result = self.mask, self.labels.copy()
        result[old & ~mask] = 0
        free = old | (self.labels == 0) if over is None else old | (self.labels == 0) | over
        result[mask & free] = self.label
        return result

    def neighbours(self) -> list[int]:
        """The labels that touch the structure, the longest border first."""
        near = self.labels[(_distance(~self.mask, self.spacing) <= NEIGHBOUR_MM) & ~self.mask]
        counts = np.bincount(near, minlength=256)
        counts[0] = 0
        return [int(label) for label in np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]]


Damage = Callable[[DamageSite, float], np.ndarray]


def _distance(mask: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """Distance in mm of each voxel of a mask to the next one outside it."""
    from scipy import ndimage

    found: np.ndarray = ndimage.distance_transform_edt(mask, sampling=spacing)
    return found


def _smooth_noise(shape: tuple[int, ...], spacing: tuple[float, ...], width_mm: float, rng: np.random.Generator) -> np.ndarray:
    """A random field of standard deviation 1 that changes over `width_mm`; smooth, so made on a coarse grid."""
    from scipy import ndimage

    strides = [max(1, int(width_mm / (2 * step))) for step in spacing]
    coarse = [-(-size // stride) + 1 for size, stride in zip(shape, strides, strict=True)]
    widths = [width_mm / (step * stride) for step, stride in zip(spacing, strides, strict=True)]
    field = ndimage.zoom(ndimage.gaussian_filter(rng.standard_normal(coarse), widths, mode="wrap"), strides, order=1)
    found: np.ndarray = field[tuple(slice(size) for size in shape)]
    return found / max(float(found.std()), 1e-9)


def _eroded(target: DamageSite, strength: float) -> np.ndarray:
    return target.with_mask(_distance(target.mask, target.spacing) > 2.0 + 7.0 * strength)


def _dilated(target: DamageSite, strength: float) -> np.ndarray:
    grown = target.mask | (_distance(~target.mask, target.spacing) <= 2.5 + 9.0 * strength)
    return target.with_mask(grown, np.ones_like(grown) if target.rng.random() < 0.5 else None)


def _leaked(target: DamageSite, strength: float) -> np.ndarray:
    """The structure takes what of its longest neighbour lies within some distance of it."""
    others = target.neighbours()
    if not others:
        return target.labels
    other = target.labels == others[0]
    near = other & (_distance(~target.mask, target.spacing) <= 4.0 + 36.0 * strength)
    return target.with_mask(target.mask | near, other)


def _missed_slices(target: DamageSite, strength: float) -> np.ndarray:
    mask = target.mask
    shown = np.flatnonzero(mask.any(axis=(1, 2)))
    number = max(1, round((0.03 + 0.37 * strength) * len(shown)))
    length = int(target.rng.integers(1, number + 1))
    for _ in range(max(1, number // length)):
        first = int(target.rng.choice(shown))
        mask[first : first + length] = False
    return target.with_mask(mask)


def _swapped(target: DamageSite, strength: float) -> np.ndarray:
    """Structure and neighbour exchange their labels over a part of the length."""
    others, shown = target.neighbours()[:3], np.flatnonzero(target.mask.any(axis=(1, 2)))
    if not others:
        return target.labels
    other = int(target.rng.choice(others))
    length = max(1, round((0.1 + 0.9 * strength) * len(shown)))
    first = int(shown[0] + target.rng.integers(0, len(shown) - length + 1))
    result = target.labels.copy()
    part = slice(first, first + length)
    result[part][target.labels[part] == target.label] = other
    result[part][target.labels[part] == other] = target.label
    return result


def _shifted(target: DamageSite, strength: float) -> np.ndarray:
    direction = target.rng.standard_normal(3)
    step = (2.5 + 22.0 * strength) * direction / np.linalg.norm(direction) / np.asarray(target.spacing)
    whole = np.rint(step).astype(int)
    if not whole.any():
        whole[1 + int(target.rng.integers(2))] = 1
    moved = np.roll(target.mask, whole, axis=(0, 1, 2))
    return target.with_mask(moved, np.ones_like(moved))


def _merged(target: DamageSite, strength: float) -> np.ndarray:
    """A neighbour goes wholly to the structure; the strength says how large a neighbour."""
    others = target.neighbours()[:4]
    if not others:
        return target.labels
    others.sort(key=lambda label: np.count_nonzero(target.labels == label))
    result = target.labels.copy()
    result[target.labels == others[min(len(others) - 1, int(strength * len(others)))]] = target.label
    return result


def _rough(target: DamageSite, strength: float) -> np.ndarray:
    """Drawn on every n-th slice and copied to those between, each a little off."""
    step = 2 + int(4 * strength)
    mask = target.mask[(np.arange(len(target.labels)) // step) * step]
    for plane in mask:
        plane[:] = np.roll(plane, np.rint(target.rng.normal(0, 0.6 + 1.6 * strength, 2)).astype(int), axis=(0, 1))
    return target.with_mask(mask, np.ones_like(mask))


def _holes(target: DamageSite, strength: float) -> np.ndarray:
    mask = target.mask
    places = np.argwhere(mask)
    grid = np.indices(mask.shape)
    for _ in range(1 + int(6 * strength)):
        centre = places[target.rng.integers(len(places))]
        radius = target.rng.uniform(4.0, 6.0 + 12.0 * strength)
        off = [(axis - at) * size for axis, at, size in zip(grid, centre, target.spacing, strict=True)]
        mask &= sum(one * one for one in off) > radius * radius
    return target.with_mask(mask)


def _truncated(target: DamageSite, strength: float) -> np.ndarray:
    mask = target.mask
    shown = np.flatnonzero(mask.any(axis=(1, 2)))
    lost = max(1, round((0.04 + 0.5 * strength) * len(shown)))
    if target.rng.random() < 0.5:
        mask[: shown[0] + lost] = False
    else:
        mask[shown[-1] + 1 - lost :] = False
    return target.with_mask(mask)


def _deformed(target: DamageSite, strength: float) -> np.ndarray:
    """The border moves smoothly in and out."""
    mask = target.mask
    depth = np.where(mask, _distance(mask, target.spacing), -_distance(~mask, target.spacing))
    moved = depth > (1.5 + 8.0 * strength) * _smooth_noise(mask.shape, target.spacing, 15.0, target.rng)
    return target.with_mask(moved, np.ones_like(moved))


def _strays(target: DamageSite, strength: float) -> np.ndarray:
    """Loose pieces of the structure somewhere around it."""
    result = target.labels.copy()
    grid = np.indices(result.shape)
    for _ in range(1 + int(4 * strength)):
        centre = [target.rng.integers(size) for size in result.shape]
        radius = target.rng.uniform(6.0, 8.0 + 14.0 * strength)
        off = [(axis - at) * size for axis, at, size in zip(grid, centre, target.spacing, strict=True)]
        result[sum(one * one for one in off) <= radius * radius] = target.label
    return result


DAMAGES: dict[str, Damage] = {
    "eroded": _eroded,
    "dilated": _dilated,
    "leaked": _leaked,
    "missed slices": _missed_slices,
    "swapped": _swapped,
    "shifted": _shifted,
    "merged": _merged,
    "rough": _rough,
    "holes": _holes,
    "truncated": _truncated,
    "deformed": _deformed,
    "strays": _strays,
}
# Needs the whole body: both sides of a structure exchange their labels.
WRONG_SIDE = "wrong side"
DAMAGE_KINDS = (*DAMAGES, WRONG_SIDE)
_FAR = ("leaked", "shifted", "strays")


def damage(
    labels: np.ndarray, label: int, kind: str, strength: float, spacing: tuple[float, float, float], rng: np.random.Generator
) -> np.ndarray:
    """A label map uint8 ``[z, y, x]`` with one structure damaged by one of `DAMAGE_KINDS`; `spacing` ``(z, y, x)`` mm.

    Raises:
        KeyError: there is no such kind.
        ValueError: the map lacks the structure.
    """
    where = [np.flatnonzero((labels == label).any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    if not where[0].size:
        raise ValueError(f"no voxel has the label {label}")
    result = labels.copy()
    if kind == WRONG_SIDE:
        other = label + LEFT_OFFSET if label < LEFT_OFFSET else label - LEFT_OFFSET
        result[labels == label], result[labels == other] = other, label
        return result
    margin = WIDE_MARGIN_MM if kind in _FAR else MARGIN_MM
    box = tuple(
        slice(max(0, int(found[0]) - reach), int(found[-1]) + 1 + reach)
        for found, reach in zip(where, (int(np.ceil(margin / step)) for step in spacing), strict=True)
    )
    result[box] = DAMAGES[kind](DamageSite(labels[box], label, spacing, rng), strength)
    return result


def annotator_noise(
    labels: np.ndarray, spacing: tuple[float, float, float], rng: np.random.Generator, amount_mm: float = 1.2
) -> np.ndarray:
    """A label map as another careful annotator would draw it: all borders move smoothly by about `amount_mm`."""
    from scipy import ndimage

    grid = np.indices(labels.shape, dtype=np.float32)
    for axis, step in enumerate(spacing):
        grid[axis] += (amount_mm / step) * _smooth_noise(labels.shape, spacing, 12.0, rng).astype(np.float32)
    moved: np.ndarray = ndimage.map_coordinates(labels, grid, order=0, mode="nearest")
    return moved
