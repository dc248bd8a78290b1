"""Two legs as T1-weighted MR shows them: bright fat and marrow, dark cortical bone, noise, and a receive coil that falls off."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ct_scans import write_dicom

from MSKSegmentLib.anatomy import LEFT_OFFSET, StructureTable
from MSKSegmentLib.ct.volume import CTVolume, Geometry

FAT, MUSCLE, CORTEX, MARROW = 900.0, 320.0, 60.0, 820.0
SHAPE, SPACING = (40, 64, 88), (4.0, 4.0, 6.0)
_CENTRES = (0.27, 0.73)


def _radii(shape: tuple[int, int, int] = SHAPE) -> tuple[np.ndarray, np.ndarray]:
    """Distance from the middle of the nearer leg, 1 at its skin, and the angle around it (0 is to the patient's left).

    The legs taper from the last slice to the first.
    """
    z, y, x = np.mgrid[: shape[0], : shape[1], : shape[2]].astype(np.float32)
    size = (0.6 + 0.4 * z / (shape[0] - 1)) * 0.2 * shape[2]
    side = np.where(x < shape[2] / 2, *_CENTRES)
    dx, dy = x - side * shape[2], y - 0.5 * shape[1]
    return np.hypot(dx, dy) / size, np.arctan2(dy, dx)


def mr_volume(seed: int = 0) -> CTVolume:
    """The scan on a grid of 4 x 4 x 6 mm, in units of no meaning."""
    radius, _ = _radii()
    signal = np.zeros(SHAPE, np.float32)
    for limit, value in ((1.0, FAT), (0.85, MUSCLE), (0.24, CORTEX), (0.16, MARROW)):
        signal[radius < limit] = value
    coil = np.linspace(0.8, 1.2, SHAPE[2], dtype=np.float32)
    rng = np.random.default_rng(seed)
    noisy = np.hypot(signal * coil + rng.normal(0, 12, SHAPE), rng.normal(0, 12, SHAPE))
    return CTVolume(np.rint(noisy).astype(np.int16), Geometry(SHAPE[::-1], SPACING, (-175.0, -125.0, 20.0)), modality="MR")


def mr_labels(table: StructureTable) -> np.ndarray:
    """A label map with sides, uint8 ``[z, y, x]``.

    Groups lie above each other, the last one lowest, and their structures side by side around each leg, mirrored; what has no sides
    fills the marrow of the right leg.
    """
    radius, angle = _radii()
    z, _, x = np.mgrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    left = x >= SHAPE[2] / 2
    turned = np.where(left, angle, np.sign(angle) * np.pi - angle)
    share = (turned % (2 * np.pi)) / (2 * np.pi)
    labels = np.zeros(SHAPE, np.uint8)
    muscle = (radius < 0.85) & (radius >= 0.24)
    floor = (len(table.groups) - 1 - z * len(table.groups) // SHAPE[0]).clip(0)
    for place, group in enumerate(table.groups):
        paired = [one for one in table.structures if one.group.key == group.key and one.paired]
        for number, structure in enumerate(paired):
            here = muscle & (floor == place) & (share >= number / len(paired)) & (share < (number + 1) / len(paired))
            labels[here & ~left] = structure.index
            labels[here & left] = structure.index + LEFT_OFFSET
    for number, index in enumerate(table.unpaired):
        labels[(radius < 0.16) & ~left & (z % len(table.unpaired) == number)] = index
    return labels


def write_mr_dicom(folder: Path, volume: CTVolume, **tags: object) -> Path:
    """The scan as a DICOM series of MR, without any rescaling, as most scanners write it."""

    def edit(_: int, data: object) -> None:
        for word in ("RescaleSlope", "RescaleIntercept"):
            delattr(data, word)

    x, y, z = volume.geometry.origin
    steps = [(x, y, z + k * SPACING[2]) for k in range(len(volume.hu))]
    return write_dicom(
        folder,
        volume.hu,
        spacing=SPACING[:2],
        positions=steps,
        rescale=lambda k: (1.0, 0.0),
        number=2,
        prefix="mr",
        tags={"Modality": "MR", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4", **tags},
        edit=edit,
    )
