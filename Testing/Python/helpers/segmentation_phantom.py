"""An analytic pelvis with two thighs: every structure a few ellipsoids, in plausible places, exactly symmetric."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from MSKSegmentLib.anatomy import LEFT_OFFSET
from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.ct.volume import Geometry

ATLAS = Path(__file__).resolve().parents[4] / "shared" / "anatomy"
SPACING = 4.0
# First and last voxel centre in mm: x about the midline, y about the femora (anterior negative), z from the knee.
LIMITS = {"z": (0.0, 592.0), "y": (-96.0, 132.0), "x": (-168.0, 168.0)}
KNEE_TO_HIP_MM = 380.0

Ellipsoid = tuple[tuple[float, float, float], tuple[float, float, float]]

# (lateral, posterior, superior) of the centre and the three radii, in mm. Bones last: they overwrite muscles.
SHAPES: dict[str, list[Ellipsoid]] = {
    "GMAX": [((75, 95, 440), (62, 24, 70))],
    "GMED": [((130, 20, 510), (14, 40, 45))],
    "GMIN": [((112, 5, 505), (9, 28, 32))],
    "ILI": [((65, -28, 510), (20, 14, 40))],
    "OE": [((55, -2, 410), (25, 12, 12))],
    "OI": [((38, 28, 442), (10, 16, 20))],
    "PE": [((55, -40, 415), (18, 10, 20))],
    "PI": [((52, 66, 468), (24, 10, 12))],
    "PSOAS": [((42, -10, 550), (14, 14, 60))],
    "AD": [((58, 12, 310), (26, 30, 92))],
    "BF": [((108, 56, 230), (17, 16, 130))],
    "GRAC": [((26, 20, 290), (9, 14, 130))],
    "RF": [((98, -62, 280), (18, 14, 120))],
    "SART": [((62, -54, 260), (10, 10, 150))],
    "SM": [((66, 58, 200), (16, 14, 110))],
    "ST": [((86, 80, 230), (12, 9, 120))],
    "TFL": [((140, -45, 410), (9, 16, 50))],
    "VLVI": [((134, -18, 240), (18, 34, 140))],
    "VM": [((70, -22, 160), (20, 22, 100))],
    "PELVIS": [((80, 25, 500), (16, 48, 62)), ((52, -12, 440), (38, 22, 16)), ((22, -32, 425), (18, 12, 16))],
    "FEMUR": [((100, 0, 455), (22, 22, 22)), ((102, 2, 220), (16, 16, 232))],
    "SACRUM": [((0, 72, 505), (48, 20, 50))],
}


def phantom() -> tuple[np.ndarray, Geometry]:
    """Labels with sides, uint8 [z, y, x], and their grid; the midline is at LPS x = 0."""
    z, y, x = (np.arange(low, high + 1, SPACING) for low, high in LIMITS.values())
    labels = np.zeros((z.size, y.size, x.size), np.uint8)
    index = {structure.abbreviation: structure.index for structure in HIP_AND_THIGH.structures}
    for abbreviation, ellipsoids in SHAPES.items():
        for offset, sign in ((0, -1.0), (LEFT_OFFSET, 1.0)):
            label = index[abbreviation] + (0 if abbreviation == "SACRUM" else offset)
            for (lateral, posterior, superior), (rx, ry, rz) in ellipsoids:
                inside = (
                    ((z[:, None, None] - superior) / rz) ** 2
                    + ((y[None, :, None] - posterior) / ry) ** 2
                    + ((x[None, None, :] - sign * lateral) / rx) ** 2
                ) <= 1.0
                labels[inside] = label
    origin = (LIMITS["x"][0], LIMITS["y"][0], LIMITS["z"][0])
    return labels, Geometry((x.size, y.size, z.size), (SPACING,) * 3, origin)


def classes_of(labels: np.ndarray) -> np.ndarray:
    """The network's view of a label map with sides: both sides merged."""
    return (labels % LEFT_OFFSET).astype(np.uint8)


def fused(labels: np.ndarray, index: int, iterations: int) -> np.ndarray:
    """A structure swollen into the background until its sides touch; each new voxel has the nearest old one's side."""
    from scipy.ndimage import binary_dilation, distance_transform_edt

    mask = classes_of(labels) == index
    grown = binary_dilation(mask, np.ones((3, 3, 3)), iterations) & (labels == 0)
    nearest = distance_transform_edt(~mask, return_distances=False, return_indices=True)
    result = labels.copy()
    result[grown] = labels[tuple(axis[grown] for axis in nearest)]
    return result


INDEX = {structure.abbreviation: structure.index for structure in HIP_AND_THIGH.structures}


@cache
def truth() -> tuple[np.ndarray, Geometry]:
    """The phantom, made once; its labels cannot be written."""
    labels, geometry = phantom()
    labels.setflags(write=False)
    return labels, geometry


def grid_of(labels: np.ndarray) -> Geometry:
    """The phantom's geometry with the size of another array."""
    return replace(truth()[1], size=(labels.shape[2], labels.shape[1], labels.shape[0]))


def without(labels: np.ndarray, *abbreviations: str) -> np.ndarray:
    """Labels with these structures, of either side, taken away."""
    gone = np.isin(classes_of(labels), [INDEX[abbreviation] for abbreviation in abbreviations])
    return np.where(gone, 0, labels).astype(np.uint8)
