"""What lies between spine and kidneys, close to the psoas: duodenum, renal vessels and pelvis, ureters, the diaphragm's crura.

A network that has seen nothing but psoas between kidney and spine looks for it there, and finds what else lies there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .spine import Spine
from .tissue import PSOAS_LABELS, BodyLandmarks, BodyTissue

# Columns grow towards the patient's left.
TO_RIGHT, TO_LEFT = -1, 1
_BOWEL = (BodyTissue.BOWEL_WALL, BodyTissue.GAS, BodyTissue.STOOL)
# The liver makes room as well.
_SOFT = (BodyTissue.FAT, *_BOWEL, BodyTissue.ORGAN)
# Half height and half width of the room about the vertebrae: of vessels, duodenum and fat, and its part beside and behind them.
_FRONT_MM, _GUTTER_MM = (46.0, 56.0), (32.0, 56.0)
_BEHIND_MM = 12.0
_DUODENAL_WALL_MM = 3.0
# Collapsed, with fluid, pulp or gas.
_CONTENTS = ((BodyTissue.BOWEL_WALL, BodyTissue.FLUID, BodyTissue.STOOL, BodyTissue.GAS), (0.45, 0.25, 0.15, 0.15))
_STEP_MM = 1.5


def before_the_spine(frame: BodyLandmarks, spine: Spine, k: int) -> np.ndarray:
    """The room about the vertebrae in slice `k`, bool ``[y, x]``, in which no liver lies."""
    y, x = spine.path[k]
    return frame.ellipse(y, x, *_FRONT_MM)


def clear_gutters(tissue: np.ndarray, frame: BodyLandmarks, spine: Spine) -> None:
    """Fat in place of the bowel that fills the room beside the vertebrae, above the iliac crest; in place."""
    for k in range(frame.crest, frame.shape[0]):
        if not np.isnan(spine.path[k, 0]):
            y, x = spine.path[k]
            plane = tissue[k]
            gutter = frame.ellipse(y + _BEHIND_MM / frame.spacing[1], x, *_GUTTER_MM)
            plane[gutter & np.isin(plane, _BOWEL)] = BodyTissue.FAT


def paint_tube(
    tissue: np.ndarray,
    spacing: tuple[float, float, float],
    points: np.ndarray,
    radii: np.ndarray,
    value: int,
    over: Sequence[int] = _SOFT,
) -> None:
    """Paint a tube of `value` through `points` ``[n, (z, y, x)]`` with `radii` ``[n]``, both in mm, over these tissues only.

    It is painted in place; `tissue` is uint8 ``[z, y, x]`` with `spacing` in mm; parts outside it are left out.
    """
    run = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    along = np.linspace(0, run[-1], max(2, int(run[-1] / _STEP_MM)))
    size = np.array(tissue.shape)
    for place, radius in zip(
        np.stack([np.interp(along, run, points[:, axis]) for axis in range(3)], axis=1), np.interp(along, run, radii), strict=True
    ):
        low = np.maximum(np.floor((place - radius) / spacing).astype(int), 0)
        high = np.minimum(np.ceil((place + radius) / spacing).astype(int) + 1, size)
        if (low >= high).any():
            continue
        grid = np.ogrid[tuple(slice(first, last) for first, last in zip(low, high, strict=True))]
        inside = sum(((g * step - at) / radius) ** 2 for g, step, at in zip(grid, spacing, place, strict=True)) <= 1
        box = tissue[tuple(slice(first, last) for first, last in zip(low, high, strict=True))]
        box[inside & np.isin(box, over)] = value


def add_duodenum(tissue: np.ndarray, frame: BodyLandmarks, spine: Spine, rng: np.random.Generator) -> None:
    """Its loop: down before the right kidney's hilum and psoas, across before the great vessels, up beside the left psoas.

    No layer of fat keeps it off the psoas as it does the rest of the bowel. `tissue` is changed in place.
    """
    low, high, rise = rng.uniform(25, 60), rng.uniform(60, 85), rng.uniform(25, 55)
    great = 0.75 * spine.radius + rng.uniform(26, 34)
    # Height over the crest, to the left of and in front of the middle of the spine, in mm.
    course = np.array(
        [
            (low + high, -rng.uniform(34, 58), rng.uniform(14, 36)),
            (low + 0.5 * high, -rng.uniform(38, 58), rng.uniform(8, 26)),
            (low, -rng.uniform(28, 48), rng.uniform(14, 30)),
            (low + rng.uniform(-6, 8), 0.0, great),
            (low + 0.3 * rise, rng.uniform(22, 40), rng.uniform(20, 40)),
            (low + rise, rng.uniform(22, 42), rng.uniform(24, 44)),
        ]
    )
    points = _smooth(_placed(course, frame, spine))
    if len(points) < 2:
        return
    swell = 1 + 0.25 * np.interp(np.linspace(0, 1, len(points)), np.linspace(0, 1, 7), rng.uniform(-1, 1, 7))
    radii = rng.uniform(11, 19) * swell
    content = rng.choice(_CONTENTS[0], p=_CONTENTS[1])
    paint_tube(tissue, frame.spacing, points, radii + rng.uniform(2, 7), BodyTissue.FAT, (BodyTissue.ORGAN,))
    paint_tube(tissue, frame.spacing, points, radii, BodyTissue.BOWEL_WALL)
    paint_tube(tissue, frame.spacing, points, radii - _DUODENAL_WALL_MM, content, (BodyTissue.BOWEL_WALL,))


def add_renal_vessels(
    tissue: np.ndarray, frame: BodyLandmarks, spine: Spine, hila: dict[int, tuple[float, float, float]], rng: np.random.Generator
) -> None:
    """From each hilum ``(z, y, x)`` in voxels, by side: vein and artery to the great vessels, pelvis and ureter (in place)."""
    spacing = np.array(frame.spacing)
    for side, hilum in hila.items():
        own = rng.spawn(1)[0]
        start = np.array(hilum) * spacing
        k = int(hilum[0])
        if np.isnan(spine.path[k, 0]):
            continue
        middle = np.array([0.0, *(spine.path[k] * spacing[1:])])
        front = 0.75 * spine.radius + 12
        for value, radius, height, before in (
            (BodyTissue.VESSEL, own.uniform(2, 3.5), own.uniform(0, 18), front),
            (BodyTissue.VEIN, own.uniform(3, 6.5), own.uniform(-4, 14), front + own.uniform(0, 8)),
        ):
            end = middle + (start[0] + height, -before, side * 12)
            # Round the psoas and the vertebral body, not through them.
            bend = 0.5 * (start + end) + (0, -own.uniform(0, 10), side * own.uniform(0, 8))
            paint_tube(tissue, frame.spacing, np.stack([start, bend, end]), np.full(3, radius), value)
        # Where urine is held back, a ball of it lies before the psoas and presses into the kidney.
        held_back = own.random() < 0.25
        size = own.uniform(10, 20) if held_back else own.uniform(4, 9)
        before_psoas = own.uniform(0.4, 1.2) * size if held_back else own.uniform(-4, 6)
        pelvis = start + (own.uniform(-12, 2), -before_psoas, -side * own.uniform(2, 10))
        yielding = (*_SOFT, BodyTissue.KIDNEY) if held_back else _SOFT
        paint_tube(tissue, frame.spacing, np.stack([start, pelvis]), np.array([0.7 * size, size]), BodyTissue.FLUID, yielding)
        _add_ureter(tissue, frame, pelvis, side, own)


def _add_ureter(tissue: np.ndarray, frame: BodyLandmarks, pelvis: np.ndarray, side: int, rng: np.random.Generator) -> None:
    """From the renal pelvis (mm) down on the front of the psoas to the pelvis' brim, in place."""
    dz, dy, dx = frame.spacing
    psoas = PSOAS_LABELS[0 if side == TO_RIGHT else 1]
    points = [pelvis]
    for k in range(int(pelvis[0] / dz) - max(1, int(25 / dz)), max(frame.sacrum_top - int(20 / dz), 0), -max(1, int(15 / dz))):
        at = np.argwhere(tissue[k] == psoas)
        if len(at):
            y, x = (at[:, 0].min() - 2) * dy - rng.uniform(0, 4), at[:, 1].mean() * dx + rng.uniform(-5, 5)
            points.append(np.array([k * dz, y, x]))
    if len(points) > 1:
        radius = rng.uniform(1.5, 3) if rng.random() < 0.85 else rng.uniform(3, 7)
        paint_tube(tissue, frame.spacing, np.stack(points), np.full(len(points), radius), BodyTissue.FLUID)


def add_crura(tissue: np.ndarray, frame: BodyLandmarks, spine: Spine, rng: np.random.Generator) -> None:
    """The diaphragm's crura, in place: from the front of the second or third lumbar vertebra up on both sides of the aorta."""
    dz, dy, dx = frame.spacing
    for side in (TO_RIGHT, TO_LEFT):
        start, thick = rng.uniform(45, 90) + (0 if side == TO_RIGHT else 12), rng.uniform(3.5, 8)
        high, ahead = rng.uniform(10, 17), rng.uniform(10, 26)
        for k in range(max(0, int(frame.crest + start / dz)), frame.shape[0]):
            if np.isnan(spine.path[k, 0]):
                continue
            over = (k - frame.crest) * dz - start
            grown = np.clip(over / 30, 0.3, 1)
            # Beside the vertebral body at first, beside the aorta higher up.
            y = spine.path[k, 0] - (0.35 * spine.radius + ahead * np.clip(over / 90, 0.1, 1)) / dy
            x = spine.path[k, 1] + side * (0.9 * spine.radius + thick - 7 * np.clip(over / 90, 0, 1)) / dx
            section = frame.ellipse(y, x, high * grown, thick * grown)
            plane = tissue[k]
            plane[section & np.isin(plane, (*_SOFT, BodyTissue.FLUID))] = BodyTissue.WALL_MUSCLE


def _placed(course: np.ndarray, frame: BodyLandmarks, spine: Spine) -> np.ndarray:
    """Points in mm ``[n, (z, y, x)]`` of a course over the crest, left of and before the spine, as far as they lie inside."""
    dz, dy, dx = frame.spacing
    placed = []
    for height, beside, before in course:
        z = frame.crest * dz + height
        k = int(z / dz)
        if 0 <= k < frame.shape[0] and not np.isnan(spine.path[k, 0]):
            placed.append((z, spine.path[k, 0] * dy - before, spine.path[k, 1] * dx + beside))
    return np.array(placed).reshape(-1, 3)


def _smooth(points: np.ndarray) -> np.ndarray:
    """The same course without corners (a parabola or cubic through neighbouring points)."""
    from scipy.interpolate import make_interp_spline

    if len(points) < 3:
        return points
    at = np.linspace(0, 1, len(points))
    return np.asarray(make_interp_spline(at, points, k=min(3, len(points) - 1))(np.linspace(0, 1, 8 * len(points))))
