"""What a patient is laid on and connected to: a calibration phantom, pads, a cushion under the legs, cables.

The densitometry of a hip scan asks for a calibration phantom under the body: a slab of plastic as dense as muscle, as thick as one
and pressed against the buttocks. A network that never saw one calls it gluteus maximus.
"""

from __future__ import annotations

import numpy as np

from .tissue import OUTSIDE, PHANTOM_RODS, BodyLandmarks, BodyTissue

_PHANTOM, _PAD, _CUSHION, _CABLE = 0.65, 0.35, 0.5, 0.4
# What a slab may flatten: fat and skin, never what carries a label.
_SOFT = (*OUTSIDE, BodyTissue.FAT, BodyTissue.SKIN)


def add_positioning(tissue: np.ndarray, frame: BodyLandmarks, rng: np.random.Generator) -> None:
    """Put a drawn choice of objects around the body, in place; the table goes beneath them later."""
    phantom, pad, cushion, cable = rng.random(4) < (_PHANTOM, _PAD, _CUSHION, _CABLE)
    if phantom or pad:
        _add_slab(tissue, frame, rng, bool(phantom))
    if cushion:
        _add_cushion(tissue, frame, rng)
    if cable:
        _add_cables(tissue, frame, rng)


def _add_slab(tissue: np.ndarray, frame: BodyLandmarks, rng: np.random.Generator, phantom: bool) -> None:
    """A flat or hollow slab under the hips, into which fat and skin are pressed flat: a phantom with its rods, or a pad of gel.

    Gel may also fill the gap between the body and a phantom.
    """
    dz, dy, dx = frame.spacing
    half_length, centre = rng.uniform(60, 240) / dz, frame.pubis + rng.uniform(-70, 90) / dz
    room = tissue[max(0, int(centre - half_length)) : max(1, int(centre + half_length))]
    back = _backs(room, dz, min(1.0, rng.uniform(0, 1.8)))
    if back is None:
        return
    columns = (np.arange(frame.shape[2]) - frame.middle) * dx - rng.normal(0, 15)
    half = rng.uniform(90, 190)
    hollow, tilt, thickness = rng.uniform(0, 22) * (rng.random() < 0.5), rng.normal(0, 0.03), rng.uniform(16, 38)
    # Height of each voxel under the slab's surface in mm; the edges of a hollow one lie higher.
    surface = (back * dy - rng.uniform(0, 24))[:, None] + tilt * columns - hollow * (columns / half) ** 2
    below = (np.arange(frame.shape[1])[:, None] * dy - surface[:, None, :]).astype(np.float32)
    wide = np.abs(columns) < half
    slab = np.isin(room, _SOFT) & (below > 0) & (below < thickness) & wide
    room[slab] = BodyTissue.PHANTOM if phantom else BodyTissue.PAD
    if phantom:
        for rod, depth, place, radius in _rods(half, thickness, rng):
            room[slab & (np.hypot(below - depth, columns - place) <= radius)] = rod
        gel = rng.uniform(4, 30) if rng.random() < 0.4 else 0.0
        behind = np.maximum.accumulate(~np.isin(room, OUTSIDE), axis=1)
        room[(below <= 0) & (below > -gel) & wide & behind & np.isin(room, OUTSIDE)] = BodyTissue.PAD
    _renew_skin(room, slab)


def _rods(half: float, thickness: float, rng: np.random.Generator) -> list[tuple[int, float, float, float]]:
    """Three to six rods along the body: tissue, depth in the slab, distance from its middle and radius in mm.

    `half` is half of the slab's width in mm.
    """
    number = int(rng.integers(3, len(PHANTOM_RODS) + 1))
    radius = min(rng.uniform(5, 13), 0.42 * thickness, 0.8 * half / number)
    depth = float(np.clip(rng.uniform(0.35, 0.65) * thickness, radius + 1, thickness - radius - 1))
    places = np.linspace(-1, 1, number) * rng.uniform(0.5, 0.85) * (half - radius)
    return [(int(rod), depth, float(place), radius) for rod, place in zip(rng.permutation(PHANTOM_RODS), places, strict=False)]


def _renew_skin(room: np.ndarray, slab: np.ndarray) -> None:
    """Fat that lies against the slab has skin there again."""
    against = np.zeros_like(slab)
    against[:, :-1] |= slab[:, 1:]
    against[:, :, :-1] |= slab[:, :, 1:]
    against[:, :, 1:] |= slab[:, :, :-1]
    room[against & (room == BodyTissue.FAT)] = BodyTissue.SKIN


def _add_cushion(tissue: np.ndarray, frame: BodyLandmarks, rng: np.random.Generator) -> None:
    """A cushion of foam in a dense cover between legs and table, into which the legs sink."""
    dz, dy, dx = frame.spacing
    top = frame.crotch - int(rng.uniform(-20, 150) / dz)
    backs = _backs(tissue, dz, 1.0)
    if top < 2 or backs is None:
        return
    bottom = backs.max() + rng.uniform(4, 30) / dy
    half, sink = rng.uniform(110, 240), rng.uniform(0, 35) / dy
    wide = np.abs(np.arange(frame.shape[2]) - frame.middle) * dx < half
    rows = np.arange(frame.shape[1])[:, None]
    for plane, back in zip(tissue[:top], backs, strict=False):
        foam = (rows > back - sink) & (rows < bottom) & wide[None, :] & np.isin(plane, (0, BodyTissue.CLOTH))
        cover = foam & ~(np.roll(foam, 1, axis=0) & np.roll(foam, -1, axis=0))
        plane[foam] = BodyTissue.FOAM
        plane[cover] = BodyTissue.TABLE


def _add_cables(tissue: np.ndarray, frame: BodyLandmarks, rng: np.random.Generator) -> None:
    """One to three thin cables that run along the front of the body."""
    dz, _, dx = frame.spacing
    for _ in range(int(rng.integers(1, 4))):
        low = int(rng.uniform(0, 0.8) * len(tissue))
        high = low + int(rng.uniform(80, 400) / dz)
        x, drift, radius = frame.middle + rng.uniform(-110, 110) / dx, rng.uniform(-0.4, 0.4) * dz / dx, rng.uniform(1.5, 3.5)
        for k in range(low, min(high, len(tissue))):
            x += drift
            column = int(round(x))
            if not 0 <= column < frame.shape[2]:
                break
            body = np.flatnonzero(~np.isin(tissue[k][:, column], OUTSIDE))
            if body.size:
                place = frame.ellipse(body[0] - radius / frame.spacing[1] - 1, x, radius, radius)
                tissue[k][place & np.isin(tissue[k], OUTSIDE)] = BodyTissue.CALCIFICATION


def _backs(room: np.ndarray, interval_mm: float, follow: float) -> np.ndarray | None:
    """The row of the body's back in each slice of ``[z, y, x]``, smoothed over 25 mm; None without a body.

    A body that lies on something is flat behind, simulated ones are not. With `follow` 0 all rows are those of the lowest slice,
    with 1 each is that of its own: contact all along the body, as if it were flat.
    """
    from scipy import ndimage

    body = ~np.isin(room, OUTSIDE)
    rows = np.where(body.any(axis=2), np.arange(room.shape[1]), -1).max(axis=1)
    levels = np.flatnonzero(rows >= 0)
    if not levels.size:
        return None
    every = np.interp(np.arange(len(rows)), levels, rows[levels])
    smooth = ndimage.gaussian_filter1d(every, 25 / interval_mm, mode="nearest")
    return follow * smooth + (1 - follow) * rows.max()
