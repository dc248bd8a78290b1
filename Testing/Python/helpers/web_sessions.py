"""Measured reviews of the small made-up scans, for tests of what the page makes of them."""

from dataclasses import replace

import numpy as np
from scene_cases import LIGHTS, make_ct, make_labels

from MSKSegmentLib.ct.volume import CTVolume
from MSKSegmentLib.pipeline import measure_case
from MSKSegmentLib.review import ReviewSession


def make_session(geometry, hu=None):
    """A review of the scan on a grid; `hu` replaces its values."""
    volume = make_ct(geometry) if hu is None else CTVolume(hu.astype(np.int16), geometry)
    labels = make_labels()
    result = measure_case(labels, geometry, volume)
    reports = tuple(replace(report, light=LIGHTS.get(report.segment.key, report.light)) for report in result.reports)
    uncertainty = np.where(labels > 0, np.linspace(1e-4, 1e-3, labels.shape[0])[:, None, None], 0).astype(np.float32)
    return ReviewSession(replace(result, reports=reports, uncertainty=uncertainty), volume, "ann")
