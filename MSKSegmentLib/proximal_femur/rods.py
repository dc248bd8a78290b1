"""Where the rods of a calibration phantom lie in a scan, and their HU.

They are looked for in means over 20 mm of the scan or a fifth of it, in which noise is low. A rod is a disc that is even inside and
differs from the ring around it; a row of such discs at the stated distances, in either direction, whose HU lie on a rising line
over the stated densities, is the phantom. One rod may be invisible in its surroundings (as of 0 mg/cm3 in water).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..ct.orientation import axis_order
from ..ct.volume import CTVolume, Geometry
from ..errors import InputError
from .calibration import RodReading
from .phantom import CalibrationPhantom

_BLOCK_MM, _MOST_BLOCKS = 20.0, 5
# Of the rod's radius: what is looked at, and the ring around it. The rim is left to partial volumes.
_INSIDE, _RING = 0.7, (1.15, 1.6)
_LEAST_CONTRAST_HU, _LARGEST_SD_HU, _SD_FLOOR_HU = 6.0, 25.0, 4.0
_LEAST_HU, _ENOUGH_CONTRAST_HU = -200.0, 60.0
_MOST_CANDIDATES = 80
_TOLERANCE_MM = 3.0
# Rows that rise less evenly than this are no phantom.
_LEAST_R_SQUARED = 0.97
# The row lies across the table.
_LARGEST_TILT_DEGREES = 20.0
# In so many of the blocks it must be found, within this distance of the others.
_LEAST_SHARE_OF_BLOCKS, _LARGEST_STRAY_MM = 0.5, 8.0


@dataclass(frozen=True)
class _Block:
    """The mean of some slices, and in it mean and spread of the disc around each pixel."""

    slices: slice
    inside: np.ndarray
    spread: np.ndarray
    contrast: np.ndarray


@dataclass(frozen=True)
class _Row:
    """The rods' centres ``[n, 2]`` as ``(y, x)`` in mm, in the order of the description, and how well they fit."""

    centres_mm: np.ndarray
    hits: int
    r_squared: float

    @property
    def rank(self) -> tuple[int, float]:
        """The larger, the likelier it is the phantom."""
        return self.hits, self.r_squared


def find_rods(volume: CTVolume, phantom: CalibrationPhantom) -> tuple[RodReading, ...]:
    """Find the phantom in a scan and read its rods, in the order of the description.

    Raises:
        InputError: it is not found; the sentence says what to do.
    """
    order = axis_order(volume.geometry.direction)
    hu, grid = order.apply(volume.hu), order.geometry(volume.geometry)
    depth = max(1, round(_BLOCK_MM / grid.spacing[2]), -(-hu.shape[0] // _MOST_BLOCKS))
    blocks = [slice(first, min(first + depth, hu.shape[0])) for first in range(0, hu.shape[0], depth)]
    found: list[tuple[slice, _Row]] = []
    for part in blocks:
        row = _best_row(_block(hu, part, grid, phantom), grid, phantom, found[-1][1] if found else None)
        if row is not None:
            found.append((part, row))
    if found:
        middle = np.median([row.centres_mm for _, row in found], axis=0)
        found = [(part, row) for part, row in found if np.abs(row.centres_mm - middle).max() <= _LARGEST_STRAY_MM]
    if len(found) < max(1.0, _LEAST_SHARE_OF_BLOCKS * len(blocks)):
        raise InputError(
            f"The phantom {phantom.name!r} is not found in the scan ({len(phantom.positions_mm)} rods of "
            f"{phantom.rod_diameter_mm:g} mm in a row): check its description, and that the scan shows it; or mark its rods "
            "with --rods, or give --slope and --intercept."
        )
    return tuple(_reading(hu, grid, phantom, number, found) for number in range(len(phantom.positions_mm)))


def given_rods(volume: CTVolume, labels: np.ndarray, densities: Sequence[float]) -> tuple[RodReading, ...]:
    """Read rods that somebody marked: label n in `labels`, uint8 ``[z, y, x]`` on the CT's grid, is the n-th of `densities`.

    Mark the inside of a rod, without its rim.

    Raises:
        InputError: a rod is not marked, or something else is.
    """
    order = axis_order(volume.geometry.direction)
    ordered, hu, grid = order.apply(labels), order.apply(volume.hu), order.geometry(volume.geometry)
    values = set(np.unique(labels).tolist()) - {0}
    wanted = set(range(1, len(densities) + 1))
    if values != wanted:
        raise InputError(
            f"The rods are marked with the labels {', '.join(map(str, sorted(values))) or 'none'}, but the phantom has "
            f"{len(densities)} rods: mark each with its number, 1 to {len(densities)}, in the order of the description."
        )
    readings = []
    for number, density in enumerate(densities, 1):
        where = np.nonzero(ordered == number)
        inside = hu[where].astype(float)
        blocks = where[0] // max(1, round(_BLOCK_MM / grid.spacing[2]))
        means = [float(part.mean()) for block in np.unique(blocks) if 10 * (part := inside[blocks == block]).size >= inside.size]
        z, y, x = (float(axis.mean()) for axis in where)
        readings.append(_reading_of(density, inside, means, grid, (x, y, z)))
    return tuple(readings)


def _block(hu: np.ndarray, slices: slice, grid: Geometry, phantom: CalibrationPhantom) -> _Block:
    from scipy.signal import fftconvolve

    mean = hu[slices].mean(axis=0, dtype=np.float64)
    radius = phantom.rod_diameter_mm / 2
    disc, ring = _disc(grid, 0.0, _INSIDE * radius), _disc(grid, _RING[0] * radius, _RING[1] * radius)
    inside = fftconvolve(mean, disc, "same")
    spread = np.sqrt(np.maximum(fftconvolve(mean**2, disc, "same") - inside**2, 0))
    return _Block(slices, inside, spread, np.abs(inside - fftconvolve(mean, ring, "same")))


def _disc(grid: Geometry, inner_mm: float, outer_mm: float) -> np.ndarray:
    """A ring whose values sum to 1, odd in both directions."""
    x, y, _ = grid.spacing
    columns, rows = (np.arange(-int(outer_mm / step) - 1, int(outer_mm / step) + 2) * step for step in (x, y))
    distance = np.hypot(rows[:, None], columns[None, :])
    kernel = ((distance >= inner_mm) & (distance <= outer_mm)).astype(float)
    return np.asarray(kernel / kernel.sum())


def _best_row(block: _Block, grid: Geometry, phantom: CalibrationPhantom, neighbour: _Row | None) -> _Row | None:
    """The row that fits best; that of the neighbouring block, if it is here too."""
    candidates = _candidates(block, grid, phantom)
    positions = np.asarray(phantom.positions_mm)
    best: _Row | None = None
    least_hits = max(2, len(positions) - 1)
    if not len(candidates):
        return None
    if neighbour is not None:
        same = _judged(block, grid, phantom, neighbour.centres_mm, candidates)
        if same is not None and same.hits >= least_hits:
            return same
    for first in candidates:
        for second in candidates:
            apart = second - first
            distance = float(np.hypot(*apart))
            if apart[1] <= 0 or abs(np.degrees(np.arctan2(apart[0], apart[1]))) > _LARGEST_TILT_DEGREES:
                continue
            for row in (positions, -positions):
                for i, _ in np.argwhere(np.abs(row[None, :] - row[:, None] - distance) <= _TOLERANCE_MM):
                    centres = first + (row - row[i])[:, None] * (apart / distance)[None, :]
                    found = _judged(block, grid, phantom, centres, candidates)
                    if found and found.hits >= least_hits and (best is None or found.rank > best.rank):
                        best = found
    return best


def _candidates(block: _Block, grid: Geometry, phantom: CalibrationPhantom) -> np.ndarray:
    """Middles ``[n, 2]`` (y, x in mm) of discs that are even inside and differ from what surrounds them."""
    from skimage.feature import peak_local_max

    even = (block.contrast >= _LEAST_CONTRAST_HU) & (block.spread <= _LARGEST_SD_HU) & (block.inside >= _LEAST_HU)
    # More contrast than this makes nothing more of a rod; the border of body and air would come before all rods.
    score = np.where(even, np.minimum(block.contrast, _ENOUGH_CONTRAST_HU) / (block.spread + _SD_FLOOR_HU), 0)
    apart = max(1, int(0.5 * phantom.rod_diameter_mm / max(grid.spacing[:2])))
    peaks = peak_local_max(score, min_distance=apart, threshold_abs=0.5, num_peaks=_MOST_CANDIDATES, exclude_border=False)
    return np.asarray(peaks * np.array([grid.spacing[1], grid.spacing[0]]))


def _judged(block: _Block, grid: Geometry, phantom: CalibrationPhantom, centres: np.ndarray, candidates: np.ndarray) -> _Row | None:
    """A row that was guessed from two discs; None where it is none. Its centres move to the discs that they meet."""
    gaps = np.hypot(*(candidates[None] - centres[:, None]).transpose(2, 0, 1))
    nearest = gaps.argmin(axis=1)
    met = gaps.min(axis=1) <= _TOLERANCE_MM
    if not met.any():
        return None
    centres = centres + (candidates[nearest] - centres)[met].mean(axis=0)
    at = np.rint(centres / np.array([grid.spacing[1], grid.spacing[0]])).astype(int)
    if (at < 0).any() or (at >= np.array(block.inside.shape)).any():
        return None
    y, x = at.T
    if block.spread[y, x].max() > _LARGEST_SD_HU:
        return None
    hu, stated = block.inside[y, x], np.asarray(phantom.densities_mg_cm3)
    if np.ptp(hu) <= 0 or np.ptp(stated) <= 0:
        return None
    r = float(np.corrcoef(hu, stated)[0, 1])
    return _Row(centres, int(met.sum()), r * r) if r > 0 and r * r >= _LEAST_R_SQUARED else None


def _reading(
    hu: np.ndarray, grid: Geometry, phantom: CalibrationPhantom, number: int, found: Sequence[tuple[slice, _Row]]
) -> RodReading:
    x_mm, y_mm, _ = grid.spacing
    columns, rows = np.arange(hu.shape[2]) * x_mm, np.arange(hu.shape[1]) * y_mm
    parts, means = [], []
    for slices, row in found:
        y, x = row.centres_mm[number]
        disc = np.hypot(rows[:, None] - y, columns[None, :] - x) <= _INSIDE * phantom.rod_diameter_mm / 2
        parts.append(hu[slices][:, disc].astype(float).ravel())
        means.append(float(parts[-1].mean()))
    middle_y, middle_x = np.mean([row.centres_mm[number] for _, row in found], axis=0)
    z = float(np.mean([(slices.start + slices.stop - 1) / 2 for slices, _ in found]))
    at = (float(middle_x) / x_mm, float(middle_y) / y_mm, z)
    return _reading_of(phantom.densities_mg_cm3[number], np.concatenate(parts), means, grid, at)


def _reading_of(
    density: float, inside: np.ndarray, means: Sequence[float], grid: Geometry, at_xyz: tuple[float, float, float]
) -> RodReading:
    centre = grid.to_physical(at_xyz)
    return RodReading(
        density_mg_cm3=float(density),
        hu=float(inside.mean()),
        sd_hu=float(inside.std()),
        voxels=int(inside.size),
        drift_hu=float(max(means) - min(means)),
        centre_mm=(float(centre[0]), float(centre[1]), float(centre[2])),
    )
