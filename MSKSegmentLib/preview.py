"""A quick look before the full run: few passes on every n-th slice, nothing rated, and said wherever the result is shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from .case_result import SegmentReport
from .ct.volume import Geometry
from .findings import Finding, warning
from .quality.unpredicted import without_prediction

# A muscle's outline moves by about a pixel of the network over this distance along the leg.
INTERVAL_MM = 9.0
PASSES = 2
REASON = "a preview is not rated; run the full segmentation for a light"


def slice_step(geometry: Geometry, interval_mm: float = INTERVAL_MM) -> int:
    """Which n-th slice of a CT is looked at: the step nearest below `interval_mm`, 1 for a CT that is as coarse already."""
    return max(1, int(interval_mm / geometry.spacing[2] + 1e-6))


def coarse_geometry(geometry: Geometry, step: int) -> Geometry:
    """The grid of every `step`-th slice, from the first on; each stands for as much of the body as it lies from the next."""
    x, y, z = geometry.spacing
    width, height, depth = geometry.size
    return replace(geometry, size=(width, height, -(-depth // step)), spacing=(x, y, z * step))


def stand_ins(depth: int, step: int) -> np.ndarray:
    """For each of `depth` slices the nearest of those that were looked at, as its number among them; int ``[depth]``."""
    return np.minimum((np.arange(depth) + (step - 1) // 2) // step, -(-depth // step) - 1)


def finding(slices: int, of: int, passes: int) -> Finding:
    """The finding that marks a result as a preview, to be shown before all other warnings."""
    return warning(
        "preview",
        f"This is a PREVIEW from {slices} of {of} slices and {passes} dropout pass{'es' if passes > 1 else ''}: its outlines and "
        "numbers are rough and nothing is rated; run the full segmentation before you use it.",
    )


def unrated(reports: Iterable[SegmentReport]) -> tuple[SegmentReport, ...]:
    """The reports with every light grey, and without whatever a calibration said."""
    return tuple(
        without_prediction(report, (REASON,) if report.measurements else ("not found in this preview",)) for report in reports
    )
