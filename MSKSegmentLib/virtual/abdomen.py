"""Organs beside and in front of the lumbar spine: kidneys, aorta and vena cava, liver, spleen, stomach and the lowest ribs.

Above the iliac crest only the psoas is labelled. A network trained on bodies without these organs labels them as psoas.
"""

from __future__ import annotations

import numpy as np

from .build import Build
from .spine import Spine
from .strands import iliac_start
from .tissue import PSOAS_LABELS, BodyLandmarks, BodyTissue
from .upper_retroperitoneum import TO_LEFT, TO_RIGHT, add_crura, add_renal_vessels, before_the_spine, clear_gutters

_SOFT = (BodyTissue.FAT, BodyTissue.BOWEL_WALL, BodyTissue.GAS, BodyTissue.STOOL, BodyTissue.FLUID)
# Kidneys in their fat leave a dent in liver and spleen.
_YIELDING = (*_SOFT, BodyTissue.ORGAN)
_TRUNK_RADIUS_MM = 115.0
# The wall of the trunk, which a kidney leaves whole, and the fat between a kidney and the muscles behind it.
_TRUNK_WALL_MM, _BED_MM = 10.0, 3.0
# The sinus and its opening, as shares of a kidney's half length.
_SINUS, _HILUM = 0.65, 0.28
# Height over which the common iliac vessels run, from the division of aorta and vena cava to the psoas.
ILIAC_MM = 45.0


def aortic_bifurcation(frame: BodyLandmarks, rng: np.random.Generator) -> int:
    """The slice in which the aorta divides: near the iliac crests."""
    return int(np.clip(frame.crest + rng.uniform(-25, 15) / frame.spacing[0], frame.pubis, frame.shape[0] - 1))


def add_abdomen(
    tissue: np.ndarray,
    core: np.ndarray,
    frame: BodyLandmarks,
    spine: Spine,
    build: Build,
    bifurcation: int,
    rng: np.random.Generator,
) -> None:
    """Add the organs to `tissue` uint8 ``[z, y, x]`` in place, as far as it reaches; `core` bool ``[z, y, x]``: inside the fascia.

    `bifurcation` is the slice in which the aorta divides.
    """
    clear_gutters(tissue, frame, spine)
    _add_upper_organs(tissue, frame, spine, rng)
    hila = {}
    for side in (TO_RIGHT, TO_LEFT):
        if rng.random() > 0.04:
            hilum = _add_kidney(tissue, core, frame, spine, build, side, rng)
            if hilum is not None:
                hila[side] = hilum
    _add_great_vessels(tissue, frame, spine, bifurcation, rng)
    # Random streams of their own, so that all other draws are what they were without them.
    crura, vessels = rng.spawn(2)
    add_crura(tissue, frame, spine, crura)
    add_renal_vessels(tissue, frame, spine, hila, vessels)
    _add_ribs(tissue, core, frame, spine, rng, build.to_thorax)


def _over_crest(frame: BodyLandmarks, first: float) -> range:
    """The slices from `first` mm above the iliac crest on."""
    return range(max(0, int(np.ceil(frame.crest + first / frame.spacing[0]))), frame.shape[0])


def _paint(plane: np.ndarray, where: np.ndarray, value: int, over: tuple[int, ...] = _SOFT) -> None:
    plane[where & np.isin(plane, over)] = value


def _add_kidney(
    tissue: np.ndarray,
    core: np.ndarray,
    frame: BodyLandmarks,
    spine: Spine,
    build: Build,
    side: int,
    rng: np.random.Generator,
) -> tuple[float, float, float] | None:
    """A bean in its own fat on psoas and quadratus lumborum, the lower pole further forwards and outwards; some with a cyst.

    Muscles of the back behind it make room, so that it is round: one that they cut to a half-moon is no likeness of a kidney.
    Returns its hilum ``(z, y, x)`` in voxels, None where the scan ends below it.
    """
    from scipy import ndimage

    dz, dy, dx = frame.spacing
    size = rng.uniform(0.85, 1.2)
    half, wide, deep = size * rng.uniform(48, 60), size * rng.uniform(23, 29), size * rng.uniform(20, 26)
    # The right kidney hangs lower under the liver; some reach the iliac fossa.
    middle = rng.uniform(28, 85) + half * 0.6 - (10 if side == TO_RIGHT else 0)
    if build.to_thorax:
        # Where the scan shows it whole, the upper half often lies above the psoas' end.
        middle += rng.uniform(0, 45)
    fat = rng.uniform(1, 10) + 0.2 * build.fat
    # Where the hilum looks forwards, the lip of kidney beside it lies before the psoas like another muscle.
    turn = np.radians(rng.uniform(20, 95))
    cyst = rng.normal(0, 0.5, 3) if rng.random() < 0.2 else None
    cyst_radius = rng.uniform(8, 25)
    hilum = None
    for k in _over_crest(frame, middle - half - fat):
        along = ((k - frame.crest) * dz - middle) / half
        y, x = spine.path[k]
        y, x = y + (16 * along - 8) / dy, x + side * (68 - 9 * along) / dx
        ys, xs = (np.arange(frame.shape[1])[:, None] - y) * dy, (np.arange(frame.shape[2])[None, :] - x) * dx * side
        # The hilum looks towards the middle or forwards.
        across, through = xs * np.cos(turn) + ys * np.sin(turn), ys * np.cos(turn) - xs * np.sin(turn)
        plane = tissue[k]
        reach = (along * half / (half + fat)) ** 2
        if reach < 1:
            shell = np.sqrt(1 - reach)
            padded = (across / (shell * (wide + fat))) ** 2 + (through / (shell * (deep + fat))) ** 2 <= 1
            _paint(plane, padded, BodyTissue.FAT, _YIELDING)
        if abs(along) < 1:
            grown = np.sqrt(1 - along**2)
            room = ndimage.distance_transform_edt(core[k], sampling=(dy, dx)) > _TRUNK_WALL_MM
            apart = (across / (grown * wide + _BED_MM)) ** 2 + (through / (grown * deep + _BED_MM)) ** 2 <= 1
            _paint(plane, apart & room, BodyTissue.FAT, (BodyTissue.WALL_MUSCLE,))
            _paint(plane, (across / (grown * wide)) ** 2 + (through / (grown * deep)) ** 2 <= 1, BodyTissue.KIDNEY, _YIELDING)
        if hilum is None and along >= 0:
            hilum = (float(k), y - wide * np.sin(turn) / dy, x - side * wide * np.cos(turn) / dx)
        if abs(along) < _SINUS:
            hollow = np.sqrt(1 - (along / _SINUS) ** 2)
            # Open at the hilum; above and below it kidney closes a ring round the sinus.
            inwards, half_wide = (0.55, 0.6) if abs(along) < _HILUM else (0.15, 0.42)
            sinus = ((across + inwards * wide) / (half_wide * wide * hollow)) ** 2 + (through / (0.4 * deep * hollow)) ** 2 <= 1
            plane[sinus & (plane == BodyTissue.KIDNEY)] = BodyTissue.FAT
            pelvis = ((across + 0.9 * inwards * wide) / (0.22 * wide * hollow)) ** 2 + (through / (0.2 * deep * hollow)) ** 2 <= 1
            plane[pelvis & (plane == BodyTissue.FAT)] = BodyTissue.FLUID
        if cyst is not None:
            away = ((along - cyst[0]) * half) ** 2 + (across - cyst[1] * wide - 0.5 * wide) ** 2 + (through - cyst[2] * deep) ** 2
            plane[(away < cyst_radius**2) & np.isin(plane, (*_YIELDING, BodyTissue.KIDNEY))] = BodyTissue.FLUID
    return hilum


def _add_great_vessels(tissue: np.ndarray, frame: BodyLandmarks, spine: Spine, bifurcation: int, rng: np.random.Generator) -> None:
    """Aorta and vena cava in front of the spine, and from their division the common iliac vessels down to those at the psoas."""
    dz, dy, dx = frame.spacing
    aorta, cava, flat = rng.uniform(7, 12), rng.uniform(8, 14), rng.uniform(0.45, 1.0)
    before = 0.75 * spine.radius + 4
    for k in range(bifurcation, frame.shape[0]):
        if np.isnan(spine.path[k, 0]):
            continue
        y, x = spine.path[k]
        plane = tissue[k]
        for value, offset, radius, height in (
            (BodyTissue.VESSEL, 0.9 * aorta, aorta, aorta),
            (BodyTissue.VEIN, -1.15 * cava, cava, cava * flat),
        ):
            section = frame.ellipse(y - (before + height) / dy, x + offset / dx, height, radius)
            plane[section & np.isin(plane, _YIELDING)] = value
    fork = np.array([spine.path[bifurcation, 0] - (before + aorta) / dy, frame.middle])
    low = max(0, bifurcation - int(ILIAC_MM / dz))
    if np.isnan(fork[0]) or low == bifurcation:
        return
    for psoas, medial in zip(PSOAS_LABELS, (1, -1), strict=True):
        start = iliac_start(tissue[low], psoas, medial, frame)
        if start is None:
            continue
        for k in range(low, bifurcation):
            share = (k - low) / (bifurcation - low)
            y, x = share * fork + (1 - share) * start
            plane = tissue[k]
            for value, radius, shift in ((BodyTissue.VEIN, 0.55 * cava, 1.0), (BodyTissue.VESSEL, 0.55 * aorta, 0.0)):
                section = frame.ellipse(y + shift * radius / dy, x + medial * shift * radius / dx, radius, radius)
                plane[section & np.isin(plane, _YIELDING)] = value


def _add_upper_organs(tissue: np.ndarray, frame: BodyLandmarks, spine: Spine, rng: np.random.Generator) -> None:
    """Liver on the right, spleen and stomach on the left; each starts at its own height and widens upwards."""
    _, dy, dx = frame.spacing
    stomach = rng.choice([BodyTissue.GAS, BodyTissue.STOOL, BodyTissue.FLUID])
    # Value, lowest point over the crest (mm), position in front of and beside the spine, half height and half width in plane (mm).
    for value, inner, lowest, forwards, beside, high, wide in (
        (BodyTissue.ORGAN, None, rng.uniform(-25, 80), 38, TO_RIGHT * 82, rng.uniform(65, 85), rng.uniform(50, 68)),
        (BodyTissue.BOWEL_WALL, stomach, rng.uniform(60, 130), 68, TO_LEFT * 45, rng.uniform(25, 40), rng.uniform(40, 55)),
        (BodyTissue.ORGAN, None, rng.uniform(45, 120), -12, TO_LEFT * 98, rng.uniform(32, 48), rng.uniform(20, 32)),
    ):
        for k in _over_crest(frame, lowest):
            if np.isnan(spine.path[k, 0]):
                continue
            over = (k - frame.crest) * frame.spacing[0] - lowest
            grown = np.sqrt(np.clip(over / 75, 0.01, 1))
            y, x = spine.path[k][0] - forwards / dy, frame.middle + beside / dx
            _paint(tissue[k], frame.ellipse(y, x, high * grown, wide * grown) & ~before_the_spine(frame, spine, k), value)
            if inner is not None and over > 8:
                section = frame.ellipse(y, x, high * grown - 4, wide * grown - 4)
                tissue[k][section & (tissue[k] == value)] = inner


def _add_ribs(
    tissue: np.ndarray, core: np.ndarray, frame: BodyLandmarks, spine: Spine, rng: np.random.Generator, all_of_them: bool
) -> None:
    """The tenth to twelfth rib, or all from the fifth on: from the spine backwards, outwards and down along the trunk's wall."""
    dz, dy, dx = frame.spacing
    first, apart, fall = rng.uniform(75, 120), rng.uniform(24, 32), rng.uniform(0.45, 0.8)
    # From the spine to its tip along the wall, in mm.
    lengths = (rng.uniform(60, 130), rng.uniform(150, 210), rng.uniform(210, 280))
    for number, length in enumerate((*lengths, *((280.0,) * 5 if all_of_them else ()))):
        head = first + number * apart
        for side in (TO_RIGHT, TO_LEFT):
            for k in _over_crest(frame, head - fall * length):
                run = (head - (k - frame.crest) * dz) / fall
                if run < 0 or np.isnan(spine.path[k, 0]):
                    break
                centre = spine.path[k]
                # In front of the back muscles outwards to the wall, and then along it.
                angle = 0.75 + run / _TRUNK_RADIUS_MM
                ray = np.array([np.cos(angle) / dy, side * np.sin(angle) / dx])
                wall = _wall_along(core[k], centre, ray)
                if wall is None:
                    continue
                y, x = centre + min(wall - 7, 30 + run) * ray
                section = frame.ellipse(y, x, 5.5, 5.5)
                tissue[k][section & np.isin(tissue[k], (*_SOFT, BodyTissue.WALL_MUSCLE, BodyTissue.ORGAN))] = BodyTissue.VERTEBRA


def _wall_along(inside: np.ndarray, centre: np.ndarray, ray: np.ndarray) -> float | None:
    """How far (mm) a ray runs inside a mask ``[y, x]``; None where it starts outside or never leaves it."""
    steps = np.arange(0, 250, 2.0)
    at = np.round(centre[:, None] + steps * ray[:, None]).astype(int)
    within = ((at >= 0) & (at < np.array(inside.shape)[:, None])).all(axis=0)
    hit = np.zeros(len(steps), bool)
    hit[within] = inside[at[0, within], at[1, within]]
    if not hit[0] or hit.all():
        return None
    return float(steps[np.flatnonzero(~hit)[0]])
