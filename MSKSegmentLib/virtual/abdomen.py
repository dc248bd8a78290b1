"""Organs beside and in front of the lumbar spine: kidneys, aorta and vena cava, liver, spleen, stomach and the lowest ribs.

Above the iliac crest only the psoas is labelled. A network trained on bodies without these organs labels them as psoas.
"""

from __future__ import annotations

import numpy as np

from .build import Build
from .kidneys import SURROUNDINGS, YIELDING, add_kidney, paint
from .spine import Spine
from .strands import iliac_start
from .tissue import PSOAS_LABELS, BodyLandmarks, BodyTissue
from .upper_retroperitoneum import TO_LEFT, TO_RIGHT, add_crura, add_renal_vessels, before_the_spine, clear_gutters

_TRUNK_RADIUS_MM = 115.0
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
    # Random streams of their own, so that all other draws are what they were without them.
    crura, vessels, shapes = rng.spawn(3)
    clear_gutters(tissue, frame, spine)
    _add_upper_organs(tissue, frame, spine, rng)
    hila = {}
    for side in (TO_RIGHT, TO_LEFT):
        if rng.random() > 0.04:
            hilum = add_kidney(tissue, core, frame, spine, build, side, rng, shapes)
            if hilum is not None:
                hila[side] = hilum
    _add_great_vessels(tissue, frame, spine, bifurcation, rng)
    add_crura(tissue, frame, spine, crura)
    add_renal_vessels(tissue, frame, spine, hila, vessels)
    _add_ribs(tissue, core, frame, spine, rng, build.to_thorax)


def _over_crest(frame: BodyLandmarks, first: float) -> range:
    """The slices from `first` mm above the iliac crest on."""
    return range(max(0, int(np.ceil(frame.crest + first / frame.spacing[0]))), frame.shape[0])


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
            plane[section & np.isin(plane, YIELDING)] = value
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
                plane[section & np.isin(plane, YIELDING)] = value


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
            paint(
                tissue[k], frame.ellipse(y, x, high * grown, wide * grown) & ~before_the_spine(frame, spine, k), value, SURROUNDINGS
            )
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
                tissue[k][section & np.isin(tissue[k], (*SURROUNDINGS, BodyTissue.WALL_MUSCLE, BodyTissue.ORGAN))] = (
                    BodyTissue.VERTEBRA
                )


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
