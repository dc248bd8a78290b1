"""Above the abdomen: scans that reach beyond the end of the psoas, to the bases of the lungs.

A network that has seen the psoas in every slice above the pelvis looks for it in every such slice, and finds a kidney.
"""

from __future__ import annotations

import numpy as np

from .spine import Spine
from .tissue import BodyLandmarks, BodyTissue

# How far such a scan reaches above an atlas that ends at the iliac crest, and the least that the psoas does, in mm.
_ABOVE_MM = (150.0, 320.0)
SHORTEST_PSOAS_MM = 85.0
_SOFT = (BodyTissue.FAT, BodyTissue.BOWEL_WALL, BodyTissue.GAS, BodyTissue.STOOL, BodyTissue.FLUID, BodyTissue.ORGAN)
_WALL_MM = 13.0
# The room of the back muscles: so far behind the middle of the vertebral bodies, and to either side of it.
_BACK_MM, _BACK_HALF_MM = 8.0, 75.0


def above_the_psoas(seed: int) -> float:
    """How far (mm) the scan of that seed reaches above its atlas."""
    return float(np.random.default_rng((seed, 6)).uniform(*_ABOVE_MM))


def add_lungs(tissue: np.ndarray, core: np.ndarray, frame: BodyLandmarks, spine: Spine, rng: np.random.Generator) -> None:
    """Lungs behind and beside a diaphragm that narrows upwards; `tissue` uint8 ``[z, y, x]`` is changed in place.

    They begin as crescents in the corners behind. `core` is bool of the same shape: inside the fascia.
    """
    from scipy import ndimage

    dz, dy, dx = frame.spacing
    base, steepness = rng.uniform(125, 190), rng.uniform(0.25, 0.6)
    forwards = rng.uniform(0.1, 0.2)
    for k in range(max(0, int(frame.crest + base / dz)), frame.shape[0]):
        inside = ndimage.distance_transform_edt(core[k], sampling=(dy, dx)) > _WALL_MM
        if not inside.any():
            continue
        ys, xs = np.nonzero(inside)
        height, width = (ys.max() - ys.min()) * dy, (xs.max() - xs.min()) * dx
        lower = steepness * ((k - frame.crest) * dz - base)
        dome = frame.ellipse(
            (ys.min() + ys.max()) / 2 - forwards * height / dy,
            (xs.min() + xs.max()) / 2,
            max(20.0, 0.66 * height - lower),
            max(20.0, 0.56 * width - lower),
        )
        y, x = spine.path[k]
        back = (np.arange(frame.shape[1])[:, None] - y) * dy > _BACK_MM
        back = back & (np.abs(np.arange(frame.shape[2])[None, :] - x) * dx < _BACK_HALF_MM)
        tissue[k][inside & ~dome & ~back & np.isin(tissue[k], _SOFT)] = BodyTissue.GAS
