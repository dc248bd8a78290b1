"""A result's grid brought back to the slices that were scanned: the nearest slice and the nearest pixel, nothing interpolated.

A CT read from DICOM lies on its slices, except where the reader shifted them within their planes (gantry tilt) or brought them to
equal intervals. Labels then go back to where the pixels were scanned, to half a pixel and half an interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..ct.dicom_source import SourceSlice
from ..ct.volume import Geometry
from ..errors import InputError

# Positions are rounded, and slices within a tenth of their interval of a straight line count as regular.
_SAME_LEVEL, _SAME_PIXEL = 0.11, 0.02
# Half an interval is the most that the nearest slice can be away.
_FARTHEST = 0.55


@dataclass(frozen=True)
class SliceMatch:
    """Where the scanned slices lie in a result's grid.

    `levels` int ``[n]`` is the nearest slice of the grid, `offsets` int ``[n, 2]`` the grid's (column, row) at the slice's first
    pixel. `exact` means that every pixel of the grid is one that was scanned; `unseen` counts slices of the grid that lie between
    those that were scanned and are the nearest of none.
    """

    levels: np.ndarray
    offsets: np.ndarray
    exact: bool
    unseen: int

    def take(self, array: np.ndarray, rows: int, columns: int) -> np.ndarray:
        """An array ``[z, y, x]`` of the grid as ``[n, rows, columns]``; zero where a slice reaches beyond the grid."""
        if self.exact and array.shape == (len(self.levels), rows, columns):
            return array
        frames = np.zeros((len(self.levels), rows, columns), array.dtype)
        for frame, level, (column, row) in zip(frames, self.levels, self.offsets, strict=True):
            section = array[level]
            y0, x0 = max(0, -row), max(0, -column)
            y1, x1 = min(rows, section.shape[0] - row), min(columns, section.shape[1] - column)
            if y1 > y0 and x1 > x0:
                frame[y0:y1, x0:x1] = section[y0 + row : y1 + row, x0 + column : x1 + column]
        return frames


def match_slices(slices: Sequence[SourceSlice], geometry: Geometry) -> SliceMatch:
    """Match scanned slices with the grid of a result that was made from them.

    Raises:
        InputError: a slice does not lie in the grid.
    """
    index = geometry.to_index(np.array([one.position for one in slices], dtype=float))
    nearest = np.rint(index).astype(int)
    off = np.abs(index - nearest)
    levels = np.clip(nearest[:, 2], 0, geometry.size[2] - 1)
    if np.abs(index[:, 2] - levels).max() > _FARTHEST:
        raise InputError(
            "The slices of the series do not lie on the grid of this result, so that its labels cannot be brought back to them; "
            "run the segmentation again on the DICOM folder."
        )
    regular = len(levels) == geometry.size[2] and np.array_equal(levels, np.arange(len(levels)))
    in_place = not nearest[:, :2].any() and off[:, :2].max() < _SAME_PIXEL
    unseen = geometry.size[2] - len(np.unique(levels))
    return SliceMatch(levels, nearest[:, :2], bool(regular and in_place and off[:, 2].max() < _SAME_LEVEL), unseen)
