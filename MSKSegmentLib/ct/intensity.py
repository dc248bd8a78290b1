"""The intensity scale on which a network reads a scan: Hounsfield units unchanged, MR on a scale of percentiles.

Measurements are never taken on this scale. A bundle names it (`bundle.Preprocessing.intensity`); training and prediction share it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from .bias_field import evened
from .cropping import CoarseBody, subsampled
from .volume import CTVolume

# On the scale of percentiles the 1st percentile of the body lies at 0 and the 99th here.
PERCENTILE_SCALE = 1000
BODY_PERCENTILES = (1.0, 99.0)
# Values beyond the percentiles are kept within these limits.
_LIMITS = (-PERCENTILE_SCALE, 4 * PERCENTILE_SCALE)
HOUNSFIELD = "hounsfield"


def _as_it_is(volume: CTVolume, body: CoarseBody) -> CTVolume:
    return volume


def _by_body_percentiles(volume: CTVolume, body: CoarseBody) -> CTVolume:
    """The 1st and 99th percentile of the voxels inside the body mapped to 0 and 1000, which removes the scanner's gain."""
    inside = subsampled(volume.intensities, body.stride)[body.mask]
    low, high = np.percentile(inside, BODY_PERCENTILES)
    factor = PERCENTILE_SCALE / max(float(high - low), 1.0)
    scaled = np.empty_like(volume.intensities)
    for k, plane in enumerate(volume.intensities):
        scaled[k] = np.rint(np.clip((plane.astype(np.float32) - float(low)) * factor, *_LIMITS))
    return replace(volume, hu=scaled)


def _evened_by_body_percentiles(volume: CTVolume, body: CoarseBody) -> CTVolume:
    """The same after N4 has corrected the bias field."""
    return _by_body_percentiles(evened(volume, body), body)


INTENSITY_SCALES: Mapping[str, Callable[[CTVolume, CoarseBody], CTVolume]] = {
    HOUNSFIELD: _as_it_is,
    "body_percentiles": _by_body_percentiles,
    "n4_body_percentiles": _evened_by_body_percentiles,
}


def on_scale(volume: CTVolume, body: CoarseBody, name: str) -> CTVolume:
    """A scan on the scale of that name, see `INTENSITY_SCALES`; `body` is the body found in it (`cropping.coarse_body`).

    Raises:
        KeyError: no scale has that name.
    """
    return INTENSITY_SCALES[name](volume, body)
