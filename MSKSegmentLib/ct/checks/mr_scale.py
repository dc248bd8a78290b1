"""Check whether the values may be MR: not constant, not labels, and not clearly the Hounsfield units of a CT."""

from __future__ import annotations

import numpy as np

from ...findings import Finding, refusal
from ..cropping import coarse_stride, subsampled
from ..volume import CTVolume
from .hu_scale import AIR_RANGE_HU, LEAST_AIR, LEAST_SOFT_TISSUE, SOFT_TISSUE_HU, share_within

# A label map has few values, and most of its voxels hold one of them.
MOST_LABELS = 64


def mr_scale_findings(volume: CTVolume) -> tuple[Finding, ...]:
    """Findings: values are constant, labels, or a CT's: air near -1000 with fat and muscle between -180 and 140, as in no MR."""
    values = subsampled(volume.intensities, coarse_stride(volume.geometry, 3.0)).ravel().astype(np.int32)
    low, high = int(values.min()), int(values.max())
    if low == high:
        return (refusal("constant", f"All values of the image are {low}; choose the MR scan itself."),)
    if low >= 0 and high <= 255 and np.unique(values).size <= MOST_LABELS:
        return (refusal("label_map", "The image looks like a label map and not like MR; choose the scan that it was made on."),)
    if share_within(values, AIR_RANGE_HU) >= LEAST_AIR and share_within(values, SOFT_TISSUE_HU) >= LEAST_SOFT_TISSUE:
        return (
            refusal(
                "not_mr",
                "The values are the Hounsfield units of a CT (air near -1000, fat and muscle near 0), and this task is about MR; "
                "choose an MR scan, or a task for CT with --task.",
            ),
        )
    return ()
