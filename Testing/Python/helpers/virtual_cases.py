"""A made-up body for tests of virtual patients."""

import numpy as np

from MSKSegmentLib.virtual.atlas import Atlas


def ellipsoid(shape, centre, radii):
    """Bool array of `shape`, true inside; centre and radii in voxels."""
    grids = np.ogrid[: shape[0], : shape[1], : shape[2]]
    return sum(((g - c) / r) ** 2 for g, c, r in zip(grids, centre, radii, strict=True)) < 1


def made_up_atlas():
    """Hip bones, femora, sacrum, and four muscles a side at 4 mm; the right side lies at small x."""
    shape = (140, 60, 100)
    labels = np.zeros(shape, np.uint8)
    parts = {
        13: ((55, 30, 30), (40, 12, 12)),
        21: ((55, 24, 18), (45, 10, 8)),
        4: ((100, 50, 25), (22, 7, 16)),
        17: ((70, 18, 28), (50, 3, 4)),
        12: ((125, 22, 40), (30, 6, 6)),
        2: ((50, 28, 22), (49, 3.5, 3.5)),
        1: ((108, 32, 28), (22, 14, 8)),
    }
    for value, (centre, radii) in parts.items():
        labels[ellipsoid(shape, centre, radii)] = value
        labels[ellipsoid(shape, (*centre[:2], 99 - centre[2]), radii)] = value + 100
    labels[ellipsoid(shape, (112, 46, 49.5), (14, 6, 10))] = 3
    return Atlas("made_up", labels, (4.0, 4.0, 4.0))
