"""The lumbar spine of a virtual patient, with the muscles beside and behind it; the psoas continues along it above the atlas."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .tissue import PSOAS_LABELS, BodyLandmarks, BodyTissue

SOFT = (BodyTissue.FAT, BodyTissue.WALL_MUSCLE, BodyTissue.BOWEL_WALL, BodyTissue.GAS, BodyTissue.STOOL, BodyTissue.ORGAN)
# How far the psoas reaches above an atlas that ends at the iliac crest.
PSOAS_MM = (110.0, 170.0)
# Where the slanted top of an atlas cuts a psoas in two, its section is too small.
_WHOLE_SECTION = 0.6


@dataclass(frozen=True)
class Spine:
    """The vertebral bodies' middle ``(y, x)`` in voxels by slice (NaN below the sacrum's top), and their half width in mm."""

    path: np.ndarray
    radius: float


def trace_spine(labels: np.ndarray, frame: BodyLandmarks, rng: np.random.Generator) -> Spine:
    """The course of the spine: from the promontory forwards to between the psoas muscles, which lie beside and in front of it."""
    _, dy, _ = frame.spacing
    offset = rng.uniform(4, 12) / dy
    path = np.full((frame.shape[0], 2), np.nan)
    between = np.array([frame.promontory_y + 6 / dy - offset, frame.middle])
    start = max(0, frame.sacrum_top - int(70 / frame.spacing[0]))
    for k in range(start, frame.shape[0]):
        sides = [np.argwhere(labels[k] == psoas) for psoas in PSOAS_LABELS]
        if all(len(at) > 8 for at in sides):
            between = np.mean([at.mean(axis=0) for at in sides], axis=0)
        weight = np.clip((k - frame.sacrum_top) * frame.spacing[0] / 30, 0, 1)
        low = np.array([frame.promontory_y + 6 / dy, frame.middle])
        path[k] = (1 - weight) * low + weight * (between + (offset, 0))
    return Spine(path, float(rng.uniform(20, 26)))


def extend_psoas(
    labels: np.ndarray, frame: BodyLandmarks, spine: Spine, rng: np.random.Generator, shortest: float = PSOAS_MM[0]
) -> None:
    """Continue both psoas muscles above the atlas, beside the vertebrae and tapering (`labels` ``[z, y, x]`` changed in place).

    They reach `shortest` mm or more above it.
    """
    dz, dy, dx = frame.spacing
    length, swell = rng.uniform(shortest, PSOAS_MM[1]), rng.uniform(0.9, 1.1)
    for psoas in PSOAS_LABELS:
        areas = (labels == psoas).sum(axis=(1, 2))
        present = np.flatnonzero(areas)
        if not present.size:
            continue
        usual = np.median(areas[present[-max(4, int(40 / dz)) :]])
        whole = present[areas[present] >= _WHOLE_SECTION * usual]
        top = int(whole.max()) if whole.size else int(present.max())
        labels[top + 1 :][labels[top + 1 :] == psoas] = 0
        centre = np.argwhere(labels[top] == psoas).mean(axis=0)
        lateral = 1 if centre[1] > spine.path[top, 1] else -1
        radius = np.sqrt(areas[top] * dy * dx / np.pi)
        for k in range(top + 1, frame.shape[0]):
            above = (k - top) * dz
            if above > length:
                break
            size = radius * swell * np.clip(1.15 - above / length, 0.2, 1)
            beside = spine.path[k] + (5 / dy, lateral * (0.9 * spine.radius + 0.85 * size) / dx)
            weight = np.clip(above / 35, 0, 1)
            y, x = (1 - weight) * centre + weight * beside
            section = frame.ellipse(y, x, 1.15 * size, 0.88 * size)
            labels[k][section & (labels[k] == 0)] = psoas


def add_spine(tissue: np.ndarray, frame: BodyLandmarks, spine: Spine, rng: np.random.Generator) -> None:
    """Lumbar vertebrae and discs above the sacrum; erector spinae, multifidus and quadratus lumborum beside them."""
    dz, dy, dx = frame.spacing
    body, disc = rng.uniform(25, 31), rng.uniform(6, 13)
    back_radius = rng.uniform(23, 33)
    radius = spine.radius
    for k in range(max(0, frame.sacrum_top - int(70 / dz)), frame.shape[0]):
        plane = tissue[k]
        above = (k - frame.sacrum_top) * dz
        y, middle = spine.path[k]
        add_back_muscles(plane, frame, spine.path[k], above, back_radius)
        if above <= 0:
            continue
        is_disc = (above % (body + disc)) < disc
        available = np.isin(plane, SOFT)
        vertebra = frame.ellipse(y, middle, 0.75 * radius, radius)
        plane[available & vertebra] = BodyTissue.DISC if is_disc else BodyTissue.VERTEBRA
        ring = frame.ellipse(y + (6 + 0.75 * radius) / dy, middle, 15, 18)
        canal = frame.ellipse(y + (3 + 0.75 * radius) / dy, middle, 7, 10)
        spinous = frame.ellipse(y + (24 + 0.75 * radius) / dy, middle, 20, 4)
        transverse = frame.ellipse(y + (-2 + 0.75 * radius) / dy, middle, 4, 42)
        posterior = ring | (spinous | transverse if not is_disc else spinous)
        plane[available & posterior & ~vertebra] = BodyTissue.VERTEBRA
        plane[available & canal & ~vertebra] = BodyTissue.ORGAN


def add_back_muscles(plane: np.ndarray, frame: BodyLandmarks, middle: np.ndarray, above: float, radius: float) -> None:
    """Erector spinae and quadratus lumborum in a slice `above` mm over the sacrum; `middle` ``(y, x)`` is the vertebra's."""
    _, dy, dx = frame.spacing
    y, x = middle
    available = np.isin(plane, SOFT)
    grow = np.clip(1 + above / 90, 0.4, 1.0)
    # Behind the sacrum there is less room than behind the vertebrae.
    back = y + (42 + 8 * grow) / dy
    for sign in (-1, 1):
        muscle = frame.ellipse(back, x + sign * 30 * grow / dx, radius * grow * 0.85, radius * grow * 1.45)
        plane[available & muscle] = BodyTissue.WALL_MUSCLE
        if above > 10:
            lumborum = frame.ellipse(y + 18 / dy, x + sign * 64 / dx, 10, 20)
            plane[available & lumborum] = BodyTissue.WALL_MUSCLE
