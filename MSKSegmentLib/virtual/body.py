"""Completion of a labelled skeleton-and-muscle map to a whole body: everything that a CT shows and that has no label.

A network labels as muscle what its training bodies lacked: abdominal wall, back muscles, lumbar spine, viscera, vessels, hands and
the table are therefore part of every virtual patient.
"""

from __future__ import annotations

import numpy as np

from .abdomen import ILIAC_MM, add_abdomen, aortic_bifurcation
from .build import Build
from .inner_organs import add_genitals, fill_trunk
from .lumbar import add_lumbar_spine
from .positioning import add_positioning
from .retroperitoneum import add_retroperitoneal_fat
from .spine import PSOAS_MM, add_spine, extend_psoas, trace_spine
from .strands import add_tendons, add_vessels
from .surroundings import add_arms, add_clothes, add_table
from .thorax import SHORTEST_PSOAS_MM, add_lungs
from .tissue import BodyLandmarks, BodyTissue, smooth_noise
from .upper_retroperitoneum import add_duodenum


def complete_body(labels: np.ndarray, spacing: tuple[float, float, float], build: Build, rng: np.random.Generator) -> np.ndarray:
    """Tissue map uint8 ``[z, y, x]``: the labels where they are, tissue classes around them, 0 in the air.

    `labels` is a patient from `deformation.deform`, `spacing` ``(z, y, x)`` in mm.
    """
    frame = BodyLandmarks.of(labels, spacing)
    spine = trace_spine(labels, frame, rng)
    labels = labels.copy()
    extend_psoas(labels, frame, spine, rng, SHORTEST_PSOAS_MM if build.to_thorax else PSOAS_MM[0])
    core = _core(labels, frame, build)
    tissue = labels.copy()
    free = labels == 0
    tissue[core & free] = BodyTissue.FAT
    fill_trunk(tissue, core, frame, build, rng)
    if build.abdomen:
        # A random stream of its own, so that all later draws are the same with and without the abdomen.
        own = rng.spawn(1)[0]
        add_lumbar_spine(tissue, frame, spine, own)
        bifurcation = aortic_bifurcation(frame, own)
        add_abdomen(tissue, core, frame, spine, build, bifurcation, own)
        if build.to_thorax:
            add_lungs(tissue, core, frame, spine, own)
        add_vessels(tissue, frame, build, rng, bifurcation - int(ILIAC_MM / spacing[0]))
    else:
        add_spine(tissue, frame, spine, rng)
        add_vessels(tissue, frame, build, rng)
    if build.retroperitoneal_fat:
        add_retroperitoneal_fat(tissue, spacing, rng.spawn(1)[0])
    if build.abdomen:
        add_duodenum(tissue, frame, spine, own.spawn(1)[0])
    if build.tendons:
        add_tendons(tissue, frame, rng)
    if build.male:
        add_genitals(tissue, core, frame, rng)
    _add_skin_and_fat(tissue, core, frame, build, rng)
    _add_natal_cleft(tissue, frame, rng)
    if build.clothes:
        add_clothes(tissue, frame, rng)
    if build.arms:
        add_arms(tissue, frame, rng)
    if build.objects:
        add_positioning(tissue, frame, rng.spawn(1)[0])
    if build.table:
        add_table(tissue, frame, rng)
    return tissue


def _core(labels: np.ndarray, frame: BodyLandmarks, build: Build) -> np.ndarray:
    """What lies inside the deep fascia: each thigh's muscles with the gaps between them, and the trunk."""
    from scipy import ndimage

    core = np.zeros(labels.shape, bool)
    px = frame.spacing[1]
    radius = max(1, round(10 / px))
    disk = np.hypot(*np.mgrid[-radius : radius + 1, -radius : radius + 1]) <= radius
    crest_box = None
    for k in range(labels.shape[0]):
        filled = labels[k] > 0
        if filled.any():
            core[k] = ndimage.binary_fill_holes(ndimage.binary_closing(filled, disk))
        core[k] = _close(core[k], 45 if k > frame.crotch - 30 / frame.spacing[0] else 22, frame.spacing[1:])
        if k < frame.pubis - int(25 / frame.spacing[0]):
            continue
        if k <= frame.crest - int(15 / frame.spacing[0]) or crest_box is None:
            ys, xs = np.nonzero(filled)
            crest_box = (xs.min(), xs.max(), ys.min(), ys.max())
        left, right, front, back = crest_box
        rise = np.clip((k - frame.pubis) / max(1, frame.crest - frame.pubis), 0, 1.1)
        front = front - build.belly / px * np.sin(rise * np.pi / 2.2)
        back = back + 14 / px * rise
        over = max(0.0, (k - frame.crest) * frame.spacing[0])
        half = (right - left) / 2 * frame.spacing[2] * (1 + 0.05 * rise) - 0.06 * over
        depth = (back - front) / 2 * px
        # A superellipse: like trunks it is flatter at the sides than an ellipse.
        ys_mm = (np.arange(frame.shape[1]) - (front + back) / 2) * px / max(depth, 30.0)
        xs_mm = (np.arange(frame.shape[2]) - (left + right) / 2) * frame.spacing[2] / max(half, 60.0)
        core[k] |= np.abs(ys_mm[:, None]) ** 2.4 + np.abs(xs_mm[None, :]) ** 2.4 <= 1
        if k > frame.sacrum_top - 60 / frame.spacing[0]:
            # Room for the back muscles behind the spine.
            core[k] |= frame.ellipse(frame.promontory_y + 40 / px, frame.middle, 42, 70)
    return core


def _close(plane: np.ndarray, radius_mm: float, spacing: tuple[float, ...]) -> np.ndarray:
    """Morphological closing with a disk: outlines of limbs are convex, whatever lies between their muscles."""
    from scipy import ndimage

    if not plane.any():
        return plane
    padding = [int(radius_mm / step) + 1 for step in spacing]
    padded = np.pad(plane, [(n, n) for n in padding])
    grown = ndimage.distance_transform_edt(~padded, sampling=spacing) <= radius_mm
    closed = ndimage.distance_transform_edt(grown, sampling=spacing) > radius_mm
    inner = tuple(slice(n, n + size) for n, size in zip(padding, plane.shape, strict=True))
    return closed[inner] | plane


def _add_skin_and_fat(tissue: np.ndarray, core: np.ndarray, frame: BodyLandmarks, build: Build, rng: np.random.Generator) -> None:
    """Subcutaneous fat of varying thickness around the core and 2 mm of skin."""
    from scipy import ndimage

    vary = 1 + 0.22 * smooth_noise(rng, tissue.shape, tuple(45.0 / s for s in frame.spacing))
    # Thinner on the thighs; in a person who stands, fat hangs.
    lower = np.clip(np.arange(frame.shape[0]) / max(1, frame.pubis), 0.5 if build.standing else 0.35, 1)
    for k in range(frame.shape[0]):
        if not core[k].any():
            continue
        far = ndimage.distance_transform_edt(~core[k], sampling=frame.spacing[1:])
        thickness = np.clip(build.fat * lower[k] * vary[k], 2.5, None)
        inside = far <= thickness
        # Air that is enclosed all round, as between fat thighs, is taken as fat.
        inside = ndimage.binary_fill_holes(inside)
        plane = tissue[k]
        plane[inside & (plane == 0)] = BodyTissue.FAT
        # At least the outermost voxel; `radiodensity` accounts for its share of skin.
        edge = ndimage.distance_transform_edt(inside, sampling=frame.spacing[1:]) <= max(1.8, *frame.spacing[1:])
        plane[edge & (plane == BodyTissue.FAT)] = BodyTissue.SKIN


def _add_natal_cleft(tissue: np.ndarray, frame: BodyLandmarks, rng: np.random.Generator) -> None:
    """The fold of skin between the buttocks: a thin line from the back surface towards the coccyx."""
    dz, dy, dx = frame.spacing
    top = frame.crotch + int(rng.uniform(30, 75) / dz)
    depth, half = rng.uniform(20, 50) / dy, max(0.5, rng.uniform(1.0, 2.5) / dx)
    for k in range(max(0, frame.crotch - int(30 / dz)), min(top, frame.shape[0])):
        x = int(round(frame.middle))
        column = np.flatnonzero(tissue[k][:, x])
        if not column.size:
            continue
        back, near = column.max(), int(np.ceil(half))
        # Shallower towards its upper end.
        reach = int(depth * np.clip((top - k) * dz / 30, 0.2, 1))
        strip = tissue[k][max(0, back - reach) : back + 1, max(0, x - near + 1) : x + near]
        strip[strip == BodyTissue.FAT] = BodyTissue.SKIN
