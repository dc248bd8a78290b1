"""The part of each slice that the network gets: the body's bounding box over a stretch of slices.

Along the leg the body narrows and shifts. A box of its own for every stretch spares the network the air around it; the box keeps to
the grid of the network's coarsest level, so that pooling falls on the same pixels as in the whole slice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from types import EllipsisType

import numpy as np

from ..ct.cropping import CoarseBody
from ..ct.volume import Geometry
from .evidence import SliceEvidence, strips_of
from .running_sums import SampledSlice
from .slices import SlicePlan

BODY_MARGIN_MM = 12.0
# Stretches are made of blocks of this length.
_BLOCK_MM = 20.0
# For a new shape a back end is prepared anew, which takes as long as this many passes of a slice (OpenVINO, small network).
_CHANGE_PASSES = 8


@dataclass(frozen=True)
class PixelWindow:
    """Rows and columns, from the first until before the last, of a slice of `padded` pixels ``(height, width)``."""

    rows: tuple[int, int]
    columns: tuple[int, int]
    padded: tuple[int, int]

    @property
    def area(self) -> int:
        """Pixels."""
        return (self.rows[1] - self.rows[0]) * (self.columns[1] - self.columns[0])

    def around(self, other: PixelWindow) -> PixelWindow:
        """The smallest window that holds both."""
        (a, b), (c, d) = zip(self.rows, other.rows, strict=True), zip(self.columns, other.columns, strict=True)
        return replace(self, rows=(min(a), max(b)), columns=(min(c), max(d)))

    @property
    def inside(self) -> tuple[EllipsisType, slice, slice]:
        """The index of the window's pixels in ``[..., H, W]``; where that is not padded it may end before the window does."""
        return ..., slice(*self.rows), slice(*self.columns)

    def strips(self, width: int) -> np.ndarray:
        """The strips (`evidence.strips_of`) of the window's columns, on a slice that is `width` wide before padding."""
        return strips_of(width)[slice(*self.columns)]

    def pasted(self, sampled: SampledSlice) -> SampledSlice:
        """The whole padded slice: around the window it is certainly background."""
        if self.area == self.padded[0] * self.padded[1]:
            return sampled
        probability = sampled.probability.new_zeros((len(sampled.probability), *self.padded))
        uncertainty = sampled.uncertainty.new_zeros(self.padded)
        probability[0] = 1
        probability[self.inside], uncertainty[self.inside] = sampled.probability, sampled.uncertainty
        return replace(sampled, probability=probability, uncertainty=uncertainty)

    def whole(self, sampled: SampledSlice, grid: tuple[int, int]) -> SampledSlice:
        """`pasted`, the evidence's class maps on a whole slice of `grid` pixels, if there are any."""
        pasted = self.pasted(sampled)
        return pasted if pasted.evidence is None else replace(pasted, evidence=self.whole_maps(pasted.evidence, grid))

    def whole_maps(self, evidence: SliceEvidence, grid: tuple[int, int]) -> SliceEvidence:
        """The evidence with its class maps, if it has any, on a whole slice of `grid` pixels: around the window is background."""
        if evidence.maps is None:
            return evidence
        whole = np.zeros((len(evidence.maps), *grid), np.uint8)
        whole[self.inside] = evidence.maps
        return replace(evidence, maps=whole)


def body_windows(
    geometry: Geometry, body: CoarseBody | None, plan: SlicePlan, stride: int, passes: int
) -> list[PixelWindow | None]:
    """One window per level of the plan, None where there is no body; few of them differ.

    `body` is the body of a CT on `geometry`; where it is None, the windows are whole slices. `stride` is the number of pixels that
    one pixel of the network's coarsest level covers.
    """
    whole = PixelWindow((0, plan.padded[0]), (0, plan.padded[1]), plan.padded)
    if body is None:
        return [whole] * len(plan.levels)
    step_mm = geometry.spacing[2] * (plan.levels[-1] - plan.levels[0]) / max(1, len(plan.levels) - 1)
    size = max(1, round(_BLOCK_MM / step_mm)) if step_mm > 0 else 1
    blocks = [plan.levels[first : first + size] for first in range(0, len(plan.levels), size)]
    found = [_window(geometry, body, plan, block, stride) for block in blocks]
    # A change of shape is only worth its preparation time where it saves more pixels.
    joined = _joined(found, [len(block) for block in blocks], whole.area * _CHANGE_PASSES / passes)
    return [window for window, block in zip(joined, blocks, strict=True) for _ in block]


def _window(geometry: Geometry, body: CoarseBody, plan: SlicePlan, levels: np.ndarray, stride: int) -> PixelWindow | None:
    """The window of a few neighbouring levels."""
    first, until = (level - body.first[2] for level in (levels[0], levels[-1]))
    first, until = math.floor(first / body.stride[2]), math.ceil(until / body.stride[2])
    flat = body.mask[max(0, first - 1) : until + 2].any(axis=0)
    if not flat.any():
        return None
    ranges = []
    for axis in (0, 1):
        occupied = np.flatnonzero(np.any(flat, axis=1 - axis))
        # From coarse voxels through millimetres to the network's coarsest pixels; the surface lies between two coarse voxels.
        spacing_mm = geometry.spacing[1 - axis]
        coarse_mm, offset_mm = body.stride[1 - axis] * spacing_mm, body.first[1 - axis] * spacing_mm
        cell_mm = stride * spacing_mm * geometry.size[1 - axis] / plan.grid[axis]
        most = plan.padded[axis] // stride
        # The network's own padding needs two of them.
        begin = min(max(0, math.floor(((occupied[0] - 1) * coarse_mm + offset_mm - BODY_MARGIN_MM) / cell_mm)), most - 2)
        end = max(min(most, math.ceil(((occupied[-1] + 1) * coarse_mm + offset_mm + BODY_MARGIN_MM) / cell_mm)), begin + 2)
        ranges.append((begin * stride, end * stride))
    return PixelWindow(ranges[0], ranges[1], plan.padded)


def _joined(found: list[PixelWindow | None], counts: list[int], change: float) -> list[PixelWindow | None]:
    """The windows of consecutive blocks joined to stretches: the fewest pixels, where every stretch counts as `change` more."""
    cost, begin = [0.0], [0]
    for end in range(1, len(found) + 1):
        best, window, levels = (np.inf, 0), None, 0
        for first in range(end - 1, -1, -1):
            block = found[first]
            if block is not None:
                window, levels = block if window is None else window.around(block), levels + counts[first]
            total = cost[first] + (window.area * levels + change if window else 0)
            best = min(best, (total, first))
        cost.append(best[0])
        begin.append(best[1])
    result: list[PixelWindow | None] = list(found)
    end = len(found)
    while end:
        stretch = [window for window in found[begin[end] : end] if window is not None]
        if stretch:
            whole = stretch[0]
            for window in stretch[1:]:
                whole = whole.around(window)
            result[begin[end] : end] = [None if window is None else whole for window in found[begin[end] : end]]
        end = begin[end]
    return result
