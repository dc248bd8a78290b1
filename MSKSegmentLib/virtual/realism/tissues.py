"""Bone and soft tissue of a scan, by the same rules for real and virtual scans."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ...quality.paper_rule import MAD_TO_SD
from .scan import BONE_HU, FAT_HU, GAS_HU, SOFT_HU, Scan

SMALLEST_BONE_MM2 = 150.0
CORTEX_MM, CORE_MM = 3.2, 6.0
FEWEST_VOXELS = 200
HuHistogram = tuple[np.ndarray, np.ndarray]

_BODY_EDGES = np.arange(-250.0, 1002.0, 4.0)
_BONE_EDGES = np.arange(-200.0, 1610.0, 20.0)


def histogram(values: np.ndarray, edges: np.ndarray) -> HuHistogram:
    """Bin centres (HU) and share of all values per HU."""
    counts = np.histogram(values, edges)[0]
    return (edges[:-1] + edges[1:]) / 2, counts / max(values.size, 1) / np.diff(edges)


def body_histogram(scan: Scan) -> HuHistogram:
    """Histogram of everything inside the skin."""
    return histogram(scan.hu[scan.body], _BODY_EDGES)


def soft_tissue(scan: Scan) -> dict[str, float]:
    """Shares of the body by HU, the peaks of fat and muscle, fat within muscle, and strands within fat."""
    inside = scan.hu[scan.body]
    fat = (inside >= FAT_HU[0]) & (inside <= FAT_HU[1])
    soft = (inside >= SOFT_HU[0]) & (inside <= SOFT_HU[1])
    wide = ndimage.gaussian_filter(scan.hu, scan.sigma(5.0))
    muscle = scan.hu[scan.behind & (scan.depth_mm > 8) & (np.abs(wide - scan.muscle.hu) < 30)]
    adipose = scan.hu[scan.body & (scan.depth_mm > 6) & (wide < scan.fat.hu + 35)]
    return {
        "gas_share": _share(inside < GAS_HU),
        "fat_share": _share(fat),
        "soft_share": _share(soft),
        "bone_share": _share(inside > BONE_HU),
        "fat_peak_hu": scan.fat.hu,
        "fat_peak_sd_below_hu": scan.fat.below,
        "fat_peak_sd_above_hu": scan.fat.above,
        "fat_strands_share": _share(adipose > scan.fat.hu + 40),
        "muscle_peak_hu": scan.muscle.hu,
        "muscle_peak_sd_below_hu": scan.muscle.below,
        "muscle_peak_sd_above_hu": scan.muscle.above,
        "muscle_below_10_hu_share": _share(muscle < 10),
        "muscle_below_minus_30_hu_share": _share(muscle < -30),
    }


def solid_bone(scan: Scan) -> np.ndarray:
    """Bones with the marrow that they enclose, bool ``[z, y, x]``: voxels above 150 HU, closed by 3 mm and filled per slice.

    Pieces below 150 mm2 are left out: they may be contrast medium, calcified vessels or single bright voxels.
    """
    radius = max(1, round(3 / scan.pixel))
    disk = np.hypot(*np.mgrid[-radius : radius + 1, -radius : radius + 1]) <= radius + 0.3
    solid = np.zeros(scan.body.shape, bool)
    for k, (hu, body) in enumerate(zip(scan.hu, scan.body, strict=True)):
        bright = ndimage.binary_closing(body & (hu > BONE_HU), disk)
        pieces, _ = ndimage.label(ndimage.binary_fill_holes(bright))
        sizes = np.bincount(pieces.ravel()) * scan.spacing[1] * scan.spacing[2]
        sizes[0] = 0
        solid[k] = (sizes >= SMALLEST_BONE_MM2)[pieces]
    return solid


def bone(scan: Scan) -> tuple[dict[str, float], HuHistogram, HuHistogram]:
    """Quantiles of bone near its surface (cortical) and deep inside (trabecular), and the histograms of both."""
    solid = solid_bone(scan)
    depth = np.zeros(solid.shape, np.float32)
    for k, plane in enumerate(solid):
        if plane.any():
            depth[k] = ndimage.distance_transform_edt(plane, sampling=scan.spacing[1:])
    rim, core = scan.hu[solid & (depth <= CORTEX_MM)], scan.hu[depth > CORE_MM]
    values = {}
    for name, found, ranks in (("cortical", rim, (50, 75, 95)), ("trabecular", core, (5, 50, 95))):
        for rank in ranks:
            enough = found.size >= FEWEST_VOXELS
            values[f"{name}_p{rank}_hu"] = float(np.percentile(found, rank)) if enough else np.nan
    values["trabecular_local_sd_hu"] = _trabecular_sd(scan, depth > CORE_MM - 1)
    return values, histogram(rim, _BONE_EDGES), histogram(core, _BONE_EDGES)


def _trabecular_sd(scan: Scan, inside: np.ndarray) -> float:
    """Median standard deviation (HU) in windows of 9 mm inside the bones."""
    from .texture import window_statistics

    sd, _ = window_statistics(scan, inside, 9.0)
    return float(np.median(sd)) if sd.size >= 30 else np.nan


def surroundings(scan: Scan) -> dict[str, float]:
    """The body's size (medians over slices), and of the air beside it the HU and, from the median absolute deviation, the noise."""
    from scipy import stats

    planes = scan.body.any(axis=(1, 2))
    body = scan.body[planes]
    away = ndimage.binary_dilation(body, np.ones((1, 3, 3), bool), iterations=max(1, round(15 / scan.pixel)))
    air = scan.hu[planes][~away]
    # Tables are denser; scanners fill pixels outside their field of view with values below -1023.
    air = air[(air < -900) & (air > -1023)]
    middle = np.median(air) if air.size >= FEWEST_VOXELS else np.nan
    return {
        "body_area_cm2": float(np.median(body.sum(axis=(1, 2))) * scan.spacing[1] * scan.spacing[2] / 100),
        "body_width_mm": float(np.median(body.any(axis=1).sum(axis=1)) * scan.spacing[2]),
        "body_depth_mm": float(np.median(body.any(axis=2).sum(axis=1)) * scan.spacing[1]),
        "air_hu": float(middle),
        "air_sd_hu": float(MAD_TO_SD * stats.median_abs_deviation(air)) if air.size >= FEWEST_VOXELS else np.nan,
    }


def _share(which: np.ndarray) -> float:
    return float(which.mean()) if which.size >= FEWEST_VOXELS else np.nan
