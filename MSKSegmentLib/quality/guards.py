"""Reasons against a green light that do not come from the network: what lies around a segment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from ..case_result import Scores
from ..ct.checks.volume import METAL_HU
from ..ct.volume import Geometry
from ..findings import Finding

# A few bright voxels are a calcification or noise; an implant or a nail is more.
SMALLEST_METAL_MM3 = 300.0
# Streaks reach far within a slice, but the worst of them lie near the metal.
METAL_REACH_MM = 30.0
# Robust z scores against the calibration cases: beyond these, volume or place is unusual. Of virtual patients' good segments 0.1
# and 0.3 % lie beyond, of the bad ones a sixth.
MOST_VOLUME_DEVIATION = 4.0
MOST_POSITION_DEVIATION = 5.0
# Of masks that the network did not draw, also of shape and density.
MOST_SHAPE_DEVIATION = 6.0
MOST_DENSITY_DEVIATION = 6.0
# Findings on the scan as a whole that the scores of the passes do not reflect: their codes, and the reason that each gives every
# segment. The scores reflect the image itself, and the distance to metal reflects metal.
SCAN_CAUTIONS = {
    "in_plane_spacing": "the scan's pixels are larger or smaller than usual",
    "slices_far_apart": "the scan's slices lie far apart",
    "interpolated": "most of the scan's slices were interpolated between others",
    "shift": "the scan's Hounsfield units are shifted",
    "no_air": "the scan shows no air around the body",
    "interleaved": "slices of two acquisitions alternate in the scan",
    "slices_skipped": "slices seem to be missing between others of the scan",
    "contradictory_intervals": "the headers contradict each other about the scan's slice interval",
    "frames_of_reference": "parts of the scan lie in different frames of reference",
    "assumed_rescaling": "the scan's headers do not state its Hounsfield units plainly",
    "contradicting_rescaling": "the rescaling of some of the scan's slices contradicts their pixels",
    "pixel_layout": "the scan's headers are wrong about its pixels",
    "padding_in_body": "parts of the body hold no data",
    "assumed_orientation": "the scan's file does not say which side is which",
    "contradicting_sides": "the scan's file contradicts itself about its axes",
    "in_template_space": "the scan's file says that it lies in a template's space",
    "contradicting_spacing": "the scan's file states two voxel sizes",
    "axes_turned": "the muscles lie as if the scan's axes were turned",
    "below_knee": "the scan reaches below the knee, where the network knows nothing",
    "side_guessed": "the scan does not show which side it is of",
    "sides_from_muscles": "right and left were told from the muscles alone",
    "first_stage_failed": "the first stage of the model failed",
    "first_stage_cuts": "the first stage of the model hides a part of what lies beside a structure",
}
# Findings that concern one segment, by their codes, and the reason that each gives it.
SEGMENT_CAUTIONS = {
    "side_unsure": "a part of it may belong to the other side",
    "piece_beside": "a piece beside it was labelled as the same muscle",
}


def score_cautions(scores: Scores) -> tuple[str, ...]:
    """Reasons from a segment's own scores: metal near it, an unusual volume, place, shape or density."""
    found = []
    if scores.metal_distance_mm is not None and scores.metal_distance_mm <= METAL_REACH_MM:
        found.append(f"metal lies within {METAL_REACH_MM:.0f} mm of it")
    if scores.volume_deviation is not None and abs(scores.volume_deviation) > MOST_VOLUME_DEVIATION:
        size = "small" if scores.volume_deviation < 0 else "large"
        found.append(f"its volume is too {size} for the bone beside it ({_off(scores.volume_deviation)})")
    if scores.position_deviation is not None and abs(scores.position_deviation) > MOST_POSITION_DEVIATION:
        found.append(f"it does not lie where it should among the bones ({_off(scores.position_deviation)})")
    if scores.shape_deviation is not None and scores.shape_deviation > MOST_SHAPE_DEVIATION:
        found.append(f"its surface or its length is unusual for its volume ({_off(scores.shape_deviation)})")
    if scores.density_deviation is not None and abs(scores.density_deviation) > MOST_DENSITY_DEVIATION:
        word = "low" if scores.density_deviation < 0 else "high"
        found.append(f"its mean density is {word} beside that of the other structures ({_off(scores.density_deviation)})")
    return tuple(found)


def _off(deviation: float) -> str:
    return f"{abs(deviation):.1f} standard deviations from the usual"


def scan_cautions(findings: Iterable[Finding]) -> tuple[str, ...]:
    """Reasons against a green light that hold for every segment, from the findings on the scan."""
    return tuple(SCAN_CAUTIONS[finding.code] for finding in findings if finding.code in SCAN_CAUTIONS)


def segment_cautions(findings: Iterable[Finding]) -> Mapping[str, tuple[str, ...]]:
    """Reasons against a green light for single segments, by their keys, from the findings on them."""
    found: dict[str, tuple[str, ...]] = {}
    for finding in findings:
        if finding.where is not None and finding.code in SEGMENT_CAUTIONS:
            found[finding.where] = (*found.get(finding.where, ()), SEGMENT_CAUTIONS[finding.code])
    return found


def metal_distances(labels: np.ndarray, hu: np.ndarray, geometry: Geometry) -> Mapping[int, float]:
    """Label -> distance in mm (to about 4 mm) to the nearest metal: at least 0.3 cc above 2500 HU; empty without metal.

    `labels` is uint8 ``[z, y, x]`` with sides, `hu` int16 of the same shape, both on `geometry`.
    """
    from scipy import ndimage

    # Most slices have none, which their maximum tells sooner.
    metal = {k: np.argwhere(plane > METAL_HU) for k, plane in enumerate(hu) if plane.max() > METAL_HU}
    if sum(map(len, metal.values())) * geometry.voxel_volume_mm3 < SMALLEST_METAL_MM3:
        return {}
    spacing = np.asarray(geometry.spacing[::-1])
    # A coarse grid is enough for a distance of 30 mm and keeps the transform small.
    stride = np.maximum(1, np.rint(4.0 / spacing)).astype(int)
    free = np.ones([-(-n // s) for n, s in zip(hu.shape, stride, strict=True)], bool)
    for k, found in metal.items():
        free[k // stride[0], found[:, 0] // stride[1], found[:, 1] // stride[2]] = False
    distance = ndimage.distance_transform_edt(free, sampling=spacing * stride)
    coarse = labels[:: stride[0], :: stride[1], :: stride[2]]
    nearest = np.full(256, np.inf)
    np.minimum.at(nearest, coarse.ravel(), distance.ravel())
    return {int(label): float(nearest[label]) for label in np.flatnonzero(np.isfinite(nearest)) if label}
