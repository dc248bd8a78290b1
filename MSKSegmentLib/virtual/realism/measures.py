"""The quantities that are compared between real and virtual CT; each is one number, measured by the same rule in both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .edges import edge_quantities, positions
from .scan import Scan
from .texture import texture
from .tissues import HuHistogram, body_histogram, bone, soft_tissue, surroundings


@dataclass(frozen=True)
class Measures:
    """`values` by the name of a quantity (NaN: too little of that tissue); `curves` for the pictures."""

    values: dict[str, float]
    curves: dict[str, HuHistogram]


def measure_realism(scan: Scan) -> Measures:
    """All quantities and curves of a scan; the names of the quantities are those of `quantities.QUANTITIES`."""
    values = soft_tissue(scan)
    curves = {"body_histogram": body_histogram(scan)}
    for name, core in (("muscle", scan.muscle_core()), ("fat", scan.fat_core())):
        found = texture(scan, core)
        values |= {
            f"{name}_local_sd_hu": found.local_sd,
            f"{name}_mean_spread_hu": found.spread,
            f"{name}_nps_centroid_per_mm": found.frequency,
            f"{name}_correlation_mm": found.length_mm,
            f"{name}_next_slice_correlation": found.next_slice,
            f"{name}_stripes": found.stripes,
            f"{name}_skewness": found.skewness,
        }
        curves[f"{name}_spectrum"] = (found.frequencies, found.spectrum)
    values["muscle_over_fat_sd"] = values["muscle_local_sd_hu"] / values["fat_local_sd_hu"]
    bones, curves["cortical_histogram"], curves["trabecular_histogram"] = bone(scan)
    edges, skin = edge_quantities(scan)
    curves["skin_profile"] = (positions(), skin)
    return Measures(values | bones | edges | surroundings(scan), curves)


def pooled(curves: list[HuHistogram]) -> tuple[np.ndarray, np.ndarray] | None:
    """Positions ``[n]`` and values ``[scans, n]`` of all curves that are not empty; None if all are.

    Spectra from different grids have different frequencies: all are interpolated to those of the shortest one.
    """
    filled_curves = [(x, y) for x, y in curves if x.size and np.isfinite(y).any()]
    if not filled_curves:
        return None
    x = min((x for x, _ in filled_curves), key=len)
    return x, np.stack([np.interp(x, at, y) for at, y in filled_curves])
