"""What the network says of a scan, pass by pass, on the grid on which masks are judged: its pixels, slices about 6 mm apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..anatomy import LEFT_OFFSET, StructureTable
from ..case_result import Scores
from ..ct.volume import Geometry
from ..inference.evidence import SliceEvidence, strips_of
from ..quality.pass_sums import Sides, sums_by_segment

# Neighbouring slices of a mask are right or wrong together, and the network's time grows with the slices.
JUDGING_INTERVAL_MM = 6.0


@dataclass(frozen=True)
class NetworkView:
    """The network's passes over a scan.

    `geometry` is the judging grid ``[z, y, x]``. `passes` are the labels with sides of each pass, uint8 ``[passes, z, y, x]``,
    `own` those of the mean over the passes, uint8 ``[z, y, x]``, and `uncertainty` float32 ``[z, y, x]`` its variance over the
    passes. `scores` tell by label how far the passes agree with each other (`pairwise_dice`, `low_slice_dice`).
    """

    geometry: Geometry
    passes: np.ndarray
    own: np.ndarray
    uncertainty: np.ndarray
    scores: Mapping[int, Scores]

    @property
    def voxels(self) -> np.ndarray:
        """Voxels of each label in each pass and slice, int64 ``[passes, z, 256]``."""
        return np.stack([label_counts(labels) for labels in self.passes])


def judging_geometry(geometry: Geometry, grid: tuple[int, int]) -> Geometry:
    """The grid of slices on `geometry`, with ``(height, width)`` pixels over the same field of view."""
    (width, height, depth), (x, y, z) = geometry.size, geometry.spacing
    scale = width / grid[1], height / grid[0]
    first = geometry.to_physical(((scale[0] - 1) / 2, (scale[1] - 1) / 2, 0))
    origin = float(first[0]), float(first[1]), float(first[2])
    return Geometry((grid[1], grid[0], depth), (x * scale[0], y * scale[1], z), origin, geometry.direction)


def on_pixels(array: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """``[z, y, x]`` at the middles of ``(height, width)`` pixels over the same field of view, by nearest neighbour."""
    if array.shape[1:] == grid:
        return array
    rows, columns = (
        np.minimum(((np.arange(n) + 0.5) * size / n).astype(int), size - 1) for n, size in zip(grid, array.shape[1:], strict=True)
    )
    return np.ascontiguousarray(array[:, rows[:, None], columns])


def network_view(
    evidence: Sequence[SliceEvidence], own: np.ndarray, uncertainty: np.ndarray, geometry: Geometry, table: StructureTable
) -> NetworkView:
    """The view that the evidence of a run makes.

    Args:
        evidence: of the slices that were sampled, with the class maps of the passes.
        own: the result with sides, uint8 ``[z, y, x]`` on `geometry`.
        uncertainty: float32 ``[z, y, x]`` on `geometry`.
        geometry: the slices that were looked at, with the CT's pixels.
        table: the structures of the network.

    Raises:
        ValueError: no slice has class maps.
    """
    maps = [one.maps for one in evidence if one.maps is not None]
    if not maps:
        raise ValueError("no slice has the class maps of its passes")
    grid = maps[0].shape[1], maps[0].shape[2]
    own = on_pixels(own, grid)
    sides = Sides(own, table)
    passes = np.zeros((max(map(len, maps)), *own.shape), np.uint8)
    for one in evidence:
        if one.maps is not None:
            passes[: len(one.maps), round(one.level)] = _sided(one, sides, grid[1])
    sums = sums_by_segment(evidence, sides)
    scores = {
        label: Scores(pairwise_dice=found.pairwise_dice(), low_slice_dice=found.low_slice_dice()) for label, found in sums.items()
    }
    return NetworkView(judging_geometry(geometry, grid), passes, own, on_pixels(uncertainty, grid), scores)


def _sided(one: SliceEvidence, sides: Sides, width: int) -> np.ndarray:
    """The class maps of a slice with sides: what the result, of which sides are known, calls left there is left."""
    assert one.maps is not None
    left_share, strips = sides.at(one.level), strips_of(width)
    table = np.repeat(np.arange(256, dtype=np.uint8)[:, None], width, axis=1)
    for index in map(int, one.structures):
        table[index, left_share(index)[strips] > 0.5] += LEFT_OFFSET
    return table[one.maps, np.arange(width)]


def label_counts(labels: np.ndarray) -> np.ndarray:
    """Voxels of each label in each slice of uint8 ``[z, y, x]``: int64 ``[z, 256]``."""
    return np.stack([np.bincount(plane.ravel(), minlength=256) for plane in labels])
