"""When enough passes have been drawn of a slice: its labels and its uncertainty have settled.

From the fourth pass on, the mean over the passes so far is held against that of one pass earlier. A slice has settled when twice in
a row at most 2 % of the labelled voxels changed their label and the uncertainty inside the labels changed by at most 10 %; or when
four passes gave no label.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..bundle.manifest import FEWEST_PASSES, Manifest
from .running_sums import RunningSums, SampledSlice

LABELS_CHANGED = 0.02
UNCERTAINTY_CHANGED = 0.10
# So many comparisons in a row have to find it settled.
_QUIET = 2
# Of ten passes 25 ordinary virtual patients got 6.1 (5.2 to 7.3), 61 under stress 7.7 (benchmarks/RESULTS.md).
_USUAL_SHARE = 0.61


def usual_passes(manifest: Manifest) -> int:
    """How many passes a bundle's run draws of a slice, on average, where no number is asked for."""
    return max(FEWEST_PASSES, round(_USUAL_SHARE * manifest.passes)) if manifest.auto_passes else manifest.passes


class Settling:
    """Watches one slice."""

    def __init__(self) -> None:
        self._labels: np.ndarray | None = None
        self._uncertainty = 0.0
        self._quiet = 0

    def enough(self, sums: RunningSums) -> bool:
        """Whether no further pass is needed; to be asked after every single pass."""
        if sums.passes < FEWEST_PASSES - _QUIET:
            # What is compared here would be too long ago when the fewest passes have been drawn.
            return False
        labels = sums.labels()
        inside = np.flatnonzero(labels)
        # Expected to stay the same with more passes, unlike the variance that divides by T.
        unbiased = sums.passes / max(1, sums.passes - 1)
        uncertainty = unbiased * float(sums.uncertainty_at(inside).mean()) if inside.size else 0.0
        self._quiet = self._quiet + 1 if self._is_as_before(labels, uncertainty) else 0
        self._labels, self._uncertainty = labels, uncertainty
        return sums.passes >= FEWEST_PASSES and self._quiet >= _QUIET

    def _is_as_before(self, labels: np.ndarray, uncertainty: float) -> bool:
        before = self._labels
        if before is None:
            return False
        labelled = np.count_nonzero(labels | before)
        same_labels = np.count_nonzero(labels != before) <= LABELS_CHANGED * labelled
        return bool(same_labels and abs(uncertainty - self._uncertainty) <= UNCERTAINTY_CHANGED * self._uncertainty)


def as_of(sampled: SampledSlice, passes: int, wanted: int) -> SampledSlice:
    """The slice with the uncertainty that `wanted` passes are expected to give, where only `passes` were drawn.

    The variance divides by the number of passes, so that its expectation grows as (T - 1) / T.
    """
    if passes in (1, wanted):
        return sampled
    factor = passes / (passes - 1) * (wanted - 1) / wanted
    return replace(sampled, uncertainty=sampled.uncertainty * factor)
